use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::Span;

/// CPU work off the async threads. One permit a core keeps the timers of the async threads punctual; an unbounded
/// `spawn_blocking` made them late by a factor of nine when it was measured.
#[derive(Clone, Debug)]
pub struct Workers {
    permits: Arc<Semaphore>,
    budget: Duration,
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
    /// A short stable name.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Panicked(_) => "panicked",
            Self::OutOfTime(_) => "out_of_time",
        }
    }
}

impl Workers {
    /// At most `concurrency` pieces of work at once, each given up after `budget`.
    pub fn new(concurrency: u32, budget: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(concurrency as usize)), budget }
    }

    /// Waits for a permit, then runs `work` on a blocking thread inside the caller's span.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let span = Span::current();
        let handle = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            span.in_scope(|| catch_unwind(AssertUnwindSafe(work)))
        });
        match tokio::time::timeout(self.budget, handle).await {
            Err(_elapsed) => Err(WorkError::OutOfTime(self.budget)),
            Ok(Err(join)) => Err(WorkError::Panicked(join.to_string())),
            Ok(Ok(Err(payload))) => Err(WorkError::Panicked(panic_message(payload.as_ref()))),
            Ok(Ok(Ok(value))) => Ok(value),
        }
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
