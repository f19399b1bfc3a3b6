use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::turns::{Permit, Turns};
use crate::lifecycle::STOP_GRACE;
use crate::model::FailureKind;
use crate::work::Stop;

/// CPU work off the async threads. One permit per core keeps the timers of the async threads punctual; an unbounded
/// `spawn_blocking` delayed them by a factor of nine when measured.
///
/// A thread cannot be stopped from outside: work that has exceeded its budget, or whose result is no longer awaited, ends
/// when it counts its next steps. Work that counts none keeps running and its permit is replaced so that the others go on,
/// up to a limit (see [`Workers::is_overrun`]).
#[derive(Clone, Debug)]
pub struct Workers {
    turns: Turns,
    /// In milliseconds.
    budget: Arc<AtomicU64>,
    concurrency: u32,
    runaways: Arc<AtomicU32>,
    /// Cancelled when no more work is done and no more responses are awaited.
    ended: CancellationToken,
}

/// Why a piece of CPU work has no result.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorkError {
    /// It panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It exceeded its budget. Its thread ends when it counts its next steps; until then another permit replaces its own.
    #[error("took longer than {0:?}")]
    OutOfTime(Duration),
}

/// The process is stopping: the work is not done, through no fault of its own.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the work was cancelled because the process is stopping")]
pub struct Stopped;

/// A party's turn to do a piece of work.
#[derive(Debug)]
pub(super) struct Turn<'w> {
    workers: &'w Workers,
    permit: Permit,
}

impl WorkError {
    /// The kind of failure.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Panicked(_) => FailureKind::Panicked,
            Self::OutOfTime(_) => FailureKind::OutOfTime,
        }
    }
}

impl Workers {
    /// Creates workers for at most `concurrency` pieces of work at once, each given up after `budget`.
    pub fn new(concurrency: u32, budget: Duration) -> Self {
        Self {
            turns: Turns::new(concurrency),
            budget: Arc::new(AtomicU64::new(millis(budget))),
            concurrency,
            runaways: Arc::default(),
            ended: CancellationToken::new(),
        }
    }

    /// Changes the time after which a piece of work is given up, for work that begins from now on.
    pub fn set_budget(&self, budget: Duration) {
        self.budget.store(millis(budget), Ordering::Relaxed);
    }

    /// Returns whether so many threads have run away that no more are replaced: the process does little else than run them.
    pub fn is_overrun(&self) -> bool {
        self.runaways.load(Ordering::Relaxed) >= self.concurrency
    }

    /// Waits for the party's turn, then runs `work` on a blocking thread inside the caller's span.
    pub async fn run<T: Send + 'static>(
        &self,
        party: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, WorkError>, Stopped> {
        self.turn(party).await?.run(work).await
    }

    /// Waits for the party's turn.
    pub(super) async fn turn(&self, party: &str) -> Result<Turn<'_>, Stopped> {
        let permit = self.ended.run_until_cancelled(self.turns.take(party)).await.ok_or(Stopped)?;
        Ok(Turn { workers: self, permit })
    }

    /// Waits for an external response, as long as there will be a worker to read it.
    pub(super) async fn await_answer<T>(&self, answer: impl Future<Output = T>) -> Result<T, Stopped> {
        self.ended.run_until_cancelled(answer).await.ok_or(Stopped)
    }

    /// Runs `half`, which uses these workers, to its end. A grace period after `soft` is cancelled, no more work is done
    /// and no more responses are awaited: a stop does not wait for a queue of slow pages or a silent host.
    pub async fn serve<T>(&self, half: impl Future<Output = T>, soft: &CancellationToken) -> T {
        let end = async {
            grace_over(soft).await;
            self.ended.cancel();
        };
        tokio::pin!(half);
        tokio::select! {
            biased;
            done = &mut half => return done,
            () = end => {}
        }
        half.await
    }

    /// Adds a permit in place of the one that a runaway holds, until the runaway ends.
    fn replace<T: Send + 'static>(&self, runaway: JoinHandle<(std::thread::Result<T>, Permit)>) {
        if self.is_overrun() {
            tracing::error!("too many CPU workers are stuck; hint: restart the process");
            return;
        }
        self.runaways.fetch_add(1, Ordering::Relaxed);
        self.turns.add();
        let runaways = Arc::clone(&self.runaways);
        let ended = async move {
            // The permit that it held takes the place of the one that was added.
            if let Ok((_, permit)) = runaway.await {
                permit.forget();
            }
            runaways.fetch_sub(1, Ordering::Relaxed);
        };
        #[expect(clippy::disallowed_methods, reason = "holds nothing that a stop would have to wait for")]
        drop(tokio::spawn(ended));
    }
}

fn millis(budget: Duration) -> u64 {
    u64::try_from(budget.as_millis()).unwrap_or(u64::MAX)
}

/// Completes a grace period after `soft` is cancelled.
pub(super) async fn grace_over(soft: &CancellationToken) {
    soft.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

impl Turn<'_> {
    /// Runs `work` on a blocking thread inside the caller's span.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, WorkError>, Stopped> {
        let Self { workers, permit } = self;
        let span = Span::current();
        let unwanted = StopOnDrop(Stop::default());
        let stop = unwanted.0.clone();
        let mut handle = tokio::task::spawn_blocking(move || {
            let done = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| stop.guard(work))));
            (done, permit)
        });
        let budget = Duration::from_millis(workers.budget.load(Ordering::Relaxed));
        let in_time = tokio::time::timeout(budget, &mut handle);
        let done = workers.ended.run_until_cancelled(in_time).await.ok_or(Stopped)?;
        Ok(match done {
            Err(_elapsed) => {
                workers.replace(handle);
                Err(WorkError::OutOfTime(budget))
            }
            Ok(Err(join)) => Err(WorkError::Panicked(join.to_string())),
            Ok(Ok((Err(payload), _))) => Err(WorkError::Panicked(panic_message(payload.as_ref()))),
            Ok(Ok((Ok(value), _))) => Ok(value),
        })
    }
}

/// Stops work whose result is no longer awaited: its budget is exceeded, or a stop aborted it.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Returns the message of a panic.
pub fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::count;

    #[tokio::test]
    async fn a_panic_is_a_result() {
        let workers = Workers::new(1, Duration::from_mins(10));
        let panicked = workers.run("a", || panic!("on purpose")).await;
        assert_eq!(panicked, Ok(Err::<(), _>(WorkError::Panicked("on purpose".to_owned()))));
        assert_eq!(workers.run("a", || 7).await, Ok(Ok(7)));
    }

    #[tokio::test]
    async fn a_runaway_leaves_its_place_to_others_until_it_ends() {
        let workers = Workers::new(1, Duration::from_millis(50));
        let (let_go, held) = std::sync::mpsc::sync_channel::<()>(0);
        let overrun = workers.run("a", move || held.recv()).await;
        assert_eq!(overrun, Ok(Err(WorkError::OutOfTime(Duration::from_millis(50)))));
        assert!(workers.is_overrun());
        assert_eq!(workers.run("b", || 7).await, Ok(Ok(7)), "its permit was replaced");
        let_go.send(()).unwrap();
        while workers.is_overrun() {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.turns.free(), 1, "no permit too many");
    }

    /// Counts steps forever.
    fn endless() {
        loop {
            count(1);
        }
    }

    #[tokio::test]
    async fn what_counts_its_steps_never_runs_away() {
        let workers = Workers::new(1, Duration::from_millis(50));
        let overrun = workers.run("a", endless).await;
        assert_eq!(overrun, Ok(Err(WorkError::OutOfTime(Duration::from_millis(50)))));
        while workers.is_overrun() {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.turns.free(), 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let workers = Workers::new(1, Duration::from_mins(10));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let work = workers.run("a", || {
            begun.send(()).unwrap();
            endless();
        });
        tokio::select! {
            ended = work => panic!("{ended:?}"),
            begun = has_begun => begun.unwrap(),
        }
        // The permit is returned when the thread ends.
        assert_eq!(workers.run("a", || 7).await, Ok(Ok(7)));
    }

    #[tokio::test]
    async fn a_stop_ends_what_is_queued_and_what_takes_too_long() {
        let workers = Workers::new(1, Duration::from_mins(10));
        let soft = CancellationToken::new();
        let half = async {
            let long = workers.run("a", endless);
            let queued = workers.run("b", || 7);
            let stop = async { soft.cancel() };
            tokio::join!(long, queued, stop)
        };
        let (long, queued, ()) = workers.serve(half, &soft).await;
        assert_eq!((long, queued), (Err(Stopped), Err(Stopped)));
        // The thread ends when it counts its next steps.
        while workers.turns.free() < 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_what_is_answered_soon_and_for_nothing_else() {
        let workers = Workers::new(1, Duration::from_mins(10));
        let soft = CancellationToken::new();
        soft.cancel();
        let half = async {
            let soon = workers.await_answer(tokio::time::sleep(STOP_GRACE / 2));
            let never = workers.await_answer(std::future::pending::<()>());
            tokio::join!(soon, never)
        };
        let began = tokio::time::Instant::now();
        assert_eq!(workers.serve(half, &soft).await, (Ok(()), Err(Stopped)));
        assert!(began.elapsed() < 2 * STOP_GRACE);
    }

    #[tokio::test]
    async fn a_stop_lets_quick_work_end() {
        let workers = Workers::new(1, Duration::from_mins(10));
        let soft = CancellationToken::new();
        soft.cancel();
        assert_eq!(workers.serve(workers.run("a", || 7), &soft).await, Ok(Ok(7)));
    }
}
