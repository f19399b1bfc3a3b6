//! Work that is counted, not timed: the same page takes as many steps on every machine.
//!
//! Whatever goes over the blocks, lines, matches or letters of a page counts them here, which shows three things. A test sees
//! whether the steps grow with the page or with its square. Where steps are counted it is seen whether the work is
//! still wanted: a thread cannot be stopped from outside. And work can be given so many steps and no more, which gives the
//! same result on every machine, where a time limit would not.
//!
//! The count belongs to the thread, not to an argument: it is taken in the innermost functions of rules that know nothing of
//! one another. Work that is stopped unwinds, since nobody asks for its result any more.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps that one page or feed may take before it is read in part. Of 6,952 real pages half take 1.4 steps a byte, 999 in a
/// thousand 4.1 and none more than 8.7, and the most that any takes is 1.7 million: a page of ten million bytes, as large as they
/// are fetched, would take 87 million at the worst of these rates (`cargo bench --bench growth -- FILES`).
pub const BUDGET: u64 = 100_000_000;

/// What takes too many steps is cut to this part of itself.
const CUT: usize = 4;
/// A text is not cut below this: whatever takes the steps, it is not its length.
const LEAST_BYTES: usize = 4096;

/// Steps between two looks at whether the work is still wanted: well below a millisecond.
const STEPS_BETWEEN_LOOKS: u64 = 4096;

thread_local! {
    static COUNTER: Counter = const { Counter::new() };
    static STOP: RefCell<Stop> = RefCell::default();
}

/// The steps of a thread. All in one place: it is found once a step.
struct Counter {
    steps: Cell<u64>,
    /// The count at which the next look is due; at once, so that the first sets it.
    next_look: Cell<u64>,
    /// The count that the work under way may not go beyond.
    limit: Cell<u64>,
}

impl Counter {
    const fn new() -> Self {
        Self { steps: Cell::new(0), next_look: Cell::new(0), limit: Cell::new(u64::MAX) }
    }

    /// Unwinds where the work is wanted no more, or has taken all of its steps.
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

/// Says to a piece of work that it is wanted no more.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends the work at the next step that it counts.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Does a piece of work on this thread, which may be stopped: it then unwinds.
    pub fn guard<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = STOP.replace(self.clone());
        let _restored = Restored(before);
        work()
    }

    fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Puts the thread's own sign back, also where the work unwinds.
struct Restored(Stop);

impl Drop for Restored {
    fn drop(&mut self) {
        STOP.set(std::mem::take(&mut self.0));
    }
}

/// What the work that was stopped unwinds with.
#[derive(Debug)]
pub struct Stopped;

/// What the work unwinds with that has taken all of its steps.
struct Spent;

/// Counts so many steps.
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

/// Does a piece of work that takes fewer steps than so many; `None` where it would take more. It ends at the same step on
/// every machine.
pub(crate) fn within<T>(steps: u64, work: impl FnOnce() -> T) -> Option<T> {
    let set_limit = |limit| COUNTER.with(|counter| counter.set_limit(limit));
    let (outer, own) =
        COUNTER.with(|counter| (counter.limit.get(), counter.steps.get().saturating_add(steps)));
    set_limit(own.min(outer));
    // Nothing of the work is seen again where it unwinds.
    let done = catch_unwind(AssertUnwindSafe(work));
    set_limit(outer);
    match done {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Spent>() && own < outer => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// What `read` makes of a text within so many steps, and whether it read the whole of it. Where that would take more, it reads the
/// text's beginning: ever less of it with ever fewer steps, so that all attempts together take no more than twice as many as
/// there are. `None` where it is not the text that takes them.
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

/// How many steps a piece of work takes.
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
        // The next piece of work on the thread is another's.
        count(10 * usize::try_from(STEPS_BETWEEN_LOOKS).unwrap());
    }

    /// Counts a step a byte.
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
        // Whoever comes next has a count of its own.
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
