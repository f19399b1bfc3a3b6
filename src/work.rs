//! Work that is counted, not timed: the same page takes as many steps on every machine.
//!
//! Whatever goes over the blocks, lines, matches or letters of a page counts them here, which shows two things. A test sees
//! whether the steps grow with the page or with its square. And where steps are counted it is seen whether the work is
//! still wanted: a thread cannot be stopped from outside.
//!
//! The count belongs to the thread, not to an argument: it is taken in the innermost functions of rules that know nothing of
//! one another. Work that is stopped unwinds, since nobody asks for its result any more.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps between two looks at whether the work is still wanted: well below a millisecond.
const STEPS_BETWEEN_LOOKS: u64 = 4096;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static STOP: RefCell<Stop> = RefCell::default();
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

/// Counts so many steps.
pub(crate) fn count(steps: usize) {
    let before = STEPS.get();
    let after = before + steps as u64;
    STEPS.set(after);
    if before / STEPS_BETWEEN_LOOKS != after / STEPS_BETWEEN_LOOKS && STOP.with_borrow(Stop::is_stopped) {
        std::panic::resume_unwind(Box::new(Stopped));
    }
}

/// How many steps a piece of work takes.
pub fn steps_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = STEPS.get();
    let result = work();
    (result, STEPS.get() - before)
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

    #[test]
    fn steps_are_those_of_one_piece_of_work() {
        count(5);
        assert_eq!(steps_of(|| count(7)), ((), 7));
    }
}
