//! Short CPU work (milliseconds) off the async threads, outside the turns of parties: inflating a body, encoding an answer.
//!
//! On an async thread each such piece would delay the timers and answers of all other tasks, and two dozen at once do so for
//! seconds. So they run on blocking threads, limited by first-in, first-out queues. Work of more than some tens of milliseconds
//! belongs to [`crate::pipeline::workers`], which divides the cores among parties.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The queue in which work waits for a permit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// Fetched content. One permit per core.
    Fetched,
    /// Answers to clients of the listener, kept apart so that a fetched page does not wait behind dozens of readers of long
    /// answers. One permit for every second core, at least one.
    Answers,
    /// Long texts read from the store for clients. Their own permits, as many as for answers, since the store may make its client
    /// wait.
    Texts,
}

/// Static, because cores belong to the machine: a process has one set of permits.
static FETCHED: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores()));
static ANSWERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores().div_ceil(2)));
static TEXTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores().div_ceil(2)));

/// Work on at most this many bytes runs inline: handing it to another thread would take as long.
const INLINE_BYTES: usize = 16 << 10;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Queue {
    /// Waits for a permit; dropping it frees the slot.
    pub(crate) async fn place(self) -> SemaphorePermit<'static> {
        let places: &'static Semaphore = match self {
            Self::Fetched => &FETCHED,
            Self::Answers => &ANSWERS,
            Self::Texts => &TEXTS,
        };
        places.acquire().await.expect("nobody closes it")
    }
}

/// Runs `work`, which handles this many bytes, on a blocking thread once a permit is free (small work runs inline). The work runs
/// to completion even if the caller is dropped.
pub(crate) async fn run<T: Send + 'static>(
    queue: Queue,
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= INLINE_BYTES {
        return work();
    }
    let place = queue.place().await;
    let working = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    });
    match working.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is being shut down.
        Err(Err(_)) => pending().await,
    }
}

/// Runs `work` that borrows or holds values that cannot be sent to another thread. On a multi-threaded runtime, the other tasks of
/// this thread move to another thread meanwhile.
pub(crate) fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::thread::current;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn much_is_done_elsewhere_and_little_here() {
        let here = current().id();
        assert_eq!(run(Queue::Fetched, INLINE_BYTES, || current().id()).await, here);
        assert_ne!(run(Queue::Fetched, INLINE_BYTES + 1, || current().id()).await, here);
    }

    /// A single worker thread can only do both if `in_place` hands its tasks to another thread.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_while_something_is_done_in_place() {
        let (done, is_done) = std::sync::mpsc::sync_channel(0);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut other = tokio::task::JoinSet::new();
            other.spawn(async move { done.send(()).unwrap() });
            in_place(|| is_done.recv().unwrap());
            other.join_all().await;
        });
        tasks.join_all().await;
    }

    #[tokio::test]
    async fn a_panic_is_its_callers_and_its_place_comes_back() {
        // One time more than there are permits.
        for _ in 0..=cores() {
            let panicked = AssertUnwindSafe(run(Queue::Fetched, usize::MAX, || panic!("on purpose")))
                .catch_unwind()
                .await;
            assert!(panicked.is_err());
        }
        run(Queue::Fetched, usize::MAX, || ()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_fetched_does_not_wait_for_answers() {
        let mut answers = tokio::task::JoinSet::new();
        let mut ends = Vec::new();
        for _ in 0..3 * cores() {
            let (end, is_over) = std::sync::mpsc::sync_channel::<()>(0);
            ends.push(end);
            answers.spawn(run(Queue::Answers, usize::MAX, move || is_over.recv().is_err()));
        }
        run(Queue::Fetched, usize::MAX, || ()).await;
        assert!(answers.try_join_next().is_none());
        drop(ends);
        assert!(answers.join_all().await.into_iter().all(|was_ended| was_ended));
    }
}
