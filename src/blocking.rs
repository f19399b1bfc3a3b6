//! CPU work of milliseconds that belongs to nobody's turn, off the async threads: inflating a body, writing an answer.
//!
//! On an async thread each of these would hold up the timers and the answers of all others, and two dozen at once do so for
//! seconds. So they wait in queues, each in the order in which they come: what takes longer than some tens of milliseconds
//! belongs to [`crate::pipeline::workers`], which shares the cores out by party.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Where work waits for its place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// What is fetched. A place a core.
    Fetched,
    /// What is answered to clients of the listener: dozens of readers of long answers must not have a page that came wait behind
    /// all of them. A place for every second core, one at least.
    Answers,
    /// Long texts that are read from the store for clients: as many places, of their own, since a store may have its client wait.
    Texts,
}

/// They are the machine's, so there is one set of them in a process.
static FETCHED: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores()));
static ANSWERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores().div_ceil(2)));
static TEXTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores().div_ceil(2)));

/// Work on fewer bytes is done where it is asked for: handing it over would take as long.
const INLINE_BYTES: usize = 16 << 10;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Queue {
    /// A place, until it is dropped.
    pub(crate) async fn place(self) -> SemaphorePermit<'static> {
        let places: &'static Semaphore = match self {
            Self::Fetched => &FETCHED,
            Self::Answers => &ANSWERS,
            Self::Texts => &TEXTS,
        };
        places.acquire().await.expect("nobody closes it")
    }
}

/// Does `work` on so many bytes on a blocking thread, when there is a place. It goes on to its end where nobody waits for it
/// any more.
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

/// Does `work` that takes what cannot be sent to another thread. The tasks of this thread go on elsewhere meanwhile, where the
/// runtime has another.
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

    /// The one thread does both, which it could not one after the other.
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
        // Once more than there are places.
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
