//! Polls that wait for a slow response step aside: they keep their connection and release their permit. Otherwise a hundred
//! hanging feeds would occupy all permits until they time out, and which feeds hang cannot be known beforehand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A response that takes longer than this is slow.
const PATIENCE: Duration = Duration::from_millis(500);

/// The number of polls that have stepped aside. Cheap to clone; all clones share one counter.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside(Arc<AtomicU32>);

impl Aside {
    /// Returns the number of polls that have stepped aside.
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits for a response; steps aside if it is slow and fewer than `most` polls are aside.
    pub(super) async fn wait_for<T>(&self, answer: impl Future<Output = T>, most: u32) -> T {
        tokio::pin!(answer);
        if let Ok(done) = tokio::time::timeout(PATIENCE, &mut answer).await {
            return done;
        }
        let _place = Place::take(&self.0, most);
        answer.await
    }
}

/// A slot aside; dropping it frees the slot.
struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    fn take(taken: &'a AtomicU32, most: u32) -> Option<Self> {
        let more = |taken: u32| (taken < most).then_some(taken + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(taken))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_steps_aside_and_only_so_many_do() {
        let aside = Aside::default();
        assert_eq!(aside.wait_for(async { 7 }, 1).await, 7);
        let mut hanging: Vec<_> = (0..3).map(|_| Box::pin(aside.wait_for(pending::<()>(), 2))).collect();
        for hangs in &mut hanging {
            assert!(hangs.now_or_never().is_none());
        }
        assert_eq!(aside.count(), 0);
        tokio::time::advance(PATIENCE * 2).await;
        for hangs in &mut hanging {
            assert!(hangs.now_or_never().is_none());
        }
        assert_eq!(aside.count(), 2);
        drop(hanging);
        assert_eq!(aside.count(), 0);
    }
}
