//! Work limited by counted steps instead of time: the same page takes the same number of steps on every machine.
//!
//! Code that iterates over the blocks, lines, matches or letters of a page counts them here. This serves three purposes. Tests
//! check whether the steps grow linearly with the page or with its square. Each count is a point at which unwanted work can stop: a
//! thread cannot be stopped from outside. And work can be limited to a number of steps, which gives the same result on every
//! machine, unlike a time limit.
//!
//! The counter is thread-local instead of an argument, since it is incremented in the innermost functions of independent rules.
//! Stopped work unwinds, since nothing needs its result any more.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Maximum steps for one page or feed before it is read in part. Of 6,952 real pages half take 1.4 steps a byte, 999 in a thousand
/// at most 4.1 and none more than 8.7; the most that any page takes is 1.7 million. A page of ten million bytes, the largest size
/// fetched, would take 87 million at the worst of these rates (`cargo bench --bench growth -- FILES`).
pub const BUDGET: u64 = 100_000_000;

/// A text that exceeds its steps is cut to its length divided by this.
const CUT: usize = 4;
/// Texts shorter than this are not cut: their length is not the cause.
const LEAST_BYTES: usize = 4096;

/// Steps between two checks of whether the work is still wanted: well below a millisecond.
const STEPS_BETWEEN_LOOKS: u64 = 4096;

thread_local! {
    static COUNTER: Counter = const { Counter::new() };
    static STOP: RefCell<Stop> = RefCell::default();
}

/// The step counter of a thread. One struct, so that each step accesses the thread-local once.
struct Counter {
    steps: Cell<u64>,
    /// The count at which the next check is due; 0 at first, so that the first step sets it.
    next_look: Cell<u64>,
    /// The maximum count of the current work.
    limit: Cell<u64>,
}

impl Counter {
    const fn new() -> Self {
        Self { steps: Cell::new(0), next_look: Cell::new(0), limit: Cell::new(u64::MAX) }
    }

    /// Unwinds if the work was stopped or has used up its steps.
    #[cold]
    fn look(&self) {
        let (steps, limit) = (self.steps.get(), self.limit.get());
        self.next_look.set(limit.min(steps.saturating_add(STEPS_BETWEEN_LOOKS)));
        if STOP.with_borrow(Stop::is_stopped) {
            resume_unwind(Box::new(Stopped));
        }
        if steps >= limit {
            resume_unwind(Box::new(Spent));
        }
    }

    fn set_limit(&self, limit: u64) {
        self.limit.set(limit);
        self.next_look.set(self.steps.get().saturating_add(STEPS_BETWEEN_LOOKS).min(limit));
    }
}

/// A stop flag for a piece of work. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops the work at its next check.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Runs a piece of work on this thread that this flag can stop; stopped work unwinds.
    pub fn guard<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = STOP.replace(self.clone());
        let _restored = Restored(before);
        work()
    }

    fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Restores the thread's previous stop flag, also when the work unwinds.
struct Restored(Stop);

impl Drop for Restored {
    fn drop(&mut self) {
        STOP.set(std::mem::take(&mut self.0));
    }
}

/// The panic payload of stopped work.
#[derive(Debug)]
pub struct Stopped;

/// The panic payload of work that has used up its steps.
struct Spent;

/// Counts this many steps.
#[inline]
pub(crate) fn count(steps: usize) {
    COUNTER.with(|counter| {
        let after = counter.steps.get().saturating_add(steps as u64);
        counter.steps.set(after);
        if after >= counter.next_look.get() {
            counter.look();
        }
    });
}

/// Runs a piece of work of fewer than `steps` steps; returns `None` if it takes more. It ends at the same step on every machine.
pub(crate) fn within<T>(steps: u64, work: impl FnOnce() -> T) -> Option<T> {
    let set_limit = |limit| COUNTER.with(|counter| counter.set_limit(limit));
    let (outer, own) =
        COUNTER.with(|counter| (counter.limit.get(), counter.steps.get().saturating_add(steps)));
    set_limit(own.min(outer));
    // Unwind safe: nothing that the work touched is observed after it unwinds.
    let done = catch_unwind(AssertUnwindSafe(work));
    set_limit(outer);
    match done {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Spent>() && own < outer => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// Returns the result of `read` within so many steps, and whether it read the whole text. If that takes more, `read` gets a shorter
/// beginning, cut to a quarter each time with half of the steps, so that all attempts together take at most twice `steps`. Returns
/// `None` if even a beginning below [`LEAST_BYTES`] takes too many.
pub(crate) fn in_part_within<T>(steps: u64, text: &str, read: impl Fn(&str) -> T) -> Option<(T, bool)> {
    let (mut part, mut steps) = (text, steps);
    loop {
        if let Some(result) = within(steps, || read(part)) {
            return Some((result, part.len() == text.len()));
        }
        if part.len() < LEAST_BYTES {
            return None;
        }
        part = &part[..part.floor_char_boundary(part.len() / CUT)];
        steps /= 2;
    }
}

/// Returns the result of a piece of work, and the steps it took.
pub fn steps_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let steps = || COUNTER.with(|counter| counter.steps.get());
    let before = steps();
    let result = work();
    (result, steps() - before)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn work_ends_where_it_counts_once_it_is_stopped() {
        let stop = Stop::default();
        let endless = || -> () {
            let mut rounds = 0_u64;
            loop {
                count(1);
                rounds += 1;
                if rounds == 10 * STEPS_BETWEEN_LOOKS {
                    stop.stop();
                }
                assert!(rounds <= 11 * STEPS_BETWEEN_LOOKS);
            }
        };
        let payload = catch_unwind(AssertUnwindSafe(|| stop.guard(endless))).unwrap_err();
        assert!(payload.is::<Stopped>());
        // The stop flag does not affect the next piece of work on the thread.
        count(10 * usize::try_from(STEPS_BETWEEN_LOOKS).unwrap());
    }

    /// Counts one step per byte.
    fn read(text: &str) -> usize {
        text.bytes().for_each(|_| count(1));
        text.len()
    }

    #[test]
    fn what_takes_too_many_steps_is_read_in_part_and_in_the_same_everywhere() {
        let text = "a".repeat(100_000);
        assert_eq!(in_part_within(100_001, &text, read), Some((100_000, true)));
        let (part, steps) = steps_of(|| in_part_within(60_000, &text, read));
        assert_eq!(part, Some((25_000, false)));
        assert_eq!(steps, 60_000 + 25_000, "it ends at the step, not at a look");
        assert_eq!(in_part_within(100, &text, read), None);
        // The limit does not affect later work.
        count(1_000_000);
    }

    #[test]
    fn no_part_of_a_work_has_more_steps_than_the_whole() {
        let inner = || within(10_000, || count(5_000));
        assert_eq!(within(1_000, inner), None);
        assert_eq!(within(20_000, inner), Some(Some(())));
        assert_eq!(
            within(20_000, || within(1_000, || count(5_000))),
            Some(None),
            "it is the inner one's affair"
        );
    }

    #[test]
    fn steps_are_those_of_one_piece_of_work() {
        count(5);
        assert_eq!(steps_of(|| count(7)), ((), 7));
    }
}
