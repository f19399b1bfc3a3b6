//! Whether the daemon makes progress, for the service manager's watchdog.
//!
//! Everything that the halves wait for ends by a time-out of its own, except the store: a database server that has vanished from
//! the network neither answers nor fails. A half that waits longer than any statement may take is stuck, and a restart helps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Longer than any statement may wait (`database.busy_timeout_secs`).
const LONGEST_WAIT: Duration = Duration::from_mins(6);

/// The waits in progress and their start times. Cheap to clone; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Waits>>);

#[derive(Debug, Default)]
struct Waits {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

impl Progress {
    /// Runs `work`, which must end within the longest wait.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let _wait = Wait::begin(self);
        work.await
    }

    /// Returns whether a wait has exceeded the longest that is possible.
    pub fn is_stuck(&self) -> bool {
        self.waits().since.values().any(|since| since.elapsed() > LONGEST_WAIT)
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

/// An entry in `Waits`, removed on drop.
struct Wait {
    progress: Progress,
    id: u64,
}

impl Wait {
    fn begin(progress: &Progress) -> Self {
        let mut waits = progress.waits();
        let id = waits.next;
        waits.next += 1;
        waits.since.insert(id, Instant::now());
        Self { progress: progress.clone(), id }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.progress.waits().since.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_ever_is_stuck_until_given_up() {
        let progress = Progress::default();
        progress.watch(tokio::time::sleep(LONGEST_WAIT * 2)).await;
        assert!(!progress.is_stuck(), "it has ended");
        {
            let mut waiting = std::pin::pin!(progress.watch(std::future::pending::<()>()));
            for (longer, is_stuck) in [(LONGEST_WAIT / 2, false), (LONGEST_WAIT, true)] {
                tokio::select! {
                    () = &mut waiting => {}
                    () = tokio::time::sleep(longer) => {}
                }
                assert_eq!(progress.is_stuck(), is_stuck);
            }
        }
        assert!(!progress.is_stuck(), "it was given up");
    }
}
