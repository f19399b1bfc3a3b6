//! Parallel work on all cores.

use std::sync::Mutex;
use std::thread;

/// Applies `work` to every item; results are in the items' order.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    *results[at].lock().expect("no other thread holds it") = Some(work(item));
                }
            });
        }
    });
    let done =
        |result: Mutex<Option<R>>| result.into_inner().expect("no thread panicked").expect("all was done");
    results.into_iter().map(done).collect()
}
