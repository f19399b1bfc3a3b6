use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tracing::Span;

use crate::model::FailureKind;
use crate::work::Stop;

/// CPU work off the async threads. One permit a core keeps the timers of the async threads punctual; an unbounded
/// `spawn_blocking` made them late by a factor of nine when it was measured.
///
/// A thread cannot be stopped from outside: work whose budget is over, or whose result nobody waits for any more, ends where
/// it counts its next steps. What counts none is left to itself and its permit is replaced, so that the others go on; but
/// not without end (see [`Workers::is_overrun`]).
#[derive(Clone, Debug)]
pub struct Workers {
    permits: Arc<Semaphore>,
    budget: Duration,
    concurrency: u32,
    runaways: Arc<AtomicU32>,
}

/// Why a piece of CPU work has no result.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorkError {
    /// It panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It ran past its budget. Its thread is left to end by itself and keeps its permit until then.
    #[error("took longer than {0:?}")]
    OutOfTime(Duration),
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
    /// At most `concurrency` pieces of work at once, each given up after `budget`.
    pub fn new(concurrency: u32, budget: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(concurrency as usize)),
            budget,
            concurrency,
            runaways: Arc::default(),
        }
    }

    /// Whether so many threads have run away that no more are replaced: the process does little else than run them.
    pub fn is_overrun(&self) -> bool {
        self.runaways.load(Ordering::Relaxed) >= self.concurrency
    }

    /// Waits for a permit, then runs `work` on a blocking thread inside the caller's span.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let span = Span::current();
        let unwanted = StopOnDrop(Stop::default());
        let stop = unwanted.0.clone();
        let mut handle = tokio::task::spawn_blocking(move || {
            let done = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| stop.guard(work))));
            (done, permit)
        });
        match tokio::time::timeout(self.budget, &mut handle).await {
            Err(_elapsed) => {
                self.replace(handle);
                Err(WorkError::OutOfTime(self.budget))
            }
            Ok(Err(join)) => Err(WorkError::Panicked(join.to_string())),
            Ok(Ok((Err(payload), _))) => Err(WorkError::Panicked(panic_message(payload.as_ref()))),
            Ok(Ok((Ok(value), _))) => Ok(value),
        }
    }

    /// Gives the others a permit in place of the one that a runaway holds, until it ends after all.
    fn replace<T: Send + 'static>(
        &self,
        runaway: JoinHandle<(std::thread::Result<T>, OwnedSemaphorePermit)>,
    ) {
        if self.is_overrun() {
            tracing::error!("too many extractions ran away: restart the process");
            return;
        }
        self.runaways.fetch_add(1, Ordering::Relaxed);
        self.permits.add_permits(1);
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

/// Stops the work whose result nobody waits for any more: its budget is over, or a hard stop broke it off.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What a panic said.
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
        let panicked = workers.run(|| panic!("on purpose")).await;
        assert_eq!(panicked, Err::<(), _>(WorkError::Panicked("on purpose".to_owned())));
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_runaway_leaves_its_place_to_others_until_it_ends() {
        let workers = Workers::new(1, Duration::from_millis(50));
        let (let_go, held) = std::sync::mpsc::sync_channel::<()>(0);
        let overrun = workers.run(move || held.recv()).await;
        assert_eq!(overrun, Err(WorkError::OutOfTime(Duration::from_millis(50))));
        assert!(workers.is_overrun());
        assert_eq!(workers.run(|| 7).await, Ok(7), "its permit was replaced");
        let_go.send(()).unwrap();
        while workers.is_overrun() {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.permits.available_permits(), 1, "no permit too many");
    }

    /// Counts steps without end.
    fn endless() {
        loop {
            count(1);
        }
    }

    #[tokio::test]
    async fn what_counts_its_steps_never_runs_away() {
        let workers = Workers::new(1, Duration::from_millis(50));
        assert_eq!(workers.run(endless).await, Err(WorkError::OutOfTime(Duration::from_millis(50))));
        while workers.is_overrun() {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let workers = Workers::new(1, Duration::from_mins(10));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let work = workers.run(|| {
            begun.send(()).unwrap();
            endless();
        });
        tokio::select! {
            ended = work => panic!("{ended:?}"),
            begun = has_begun => begun.unwrap(),
        }
        // Its permit comes back when its thread ends.
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }
}
