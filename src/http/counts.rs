//! How much of everything there is, counted now and then. A count reads whole tables, so whoever asks more often is given
//! the last one: however large the store and however eager the asker, counting takes a small part of the time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::store::{Store, StoreError, Totals};

/// The least time between two counts.
const SHORTEST_REST: Duration = Duration::from_secs(5);
/// After a count, so many times as long as it took is rested: one part in twenty-one is spent on counting.
const REST_SHARE: u32 = 20;

/// The store's totals, at most so old as a count may be.
#[derive(Debug)]
pub struct Counts {
    store: Store,
    clock: Clock,
    last: Mutex<Option<Counted>>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    totals: Totals,
    at: Timestamp,
    /// How long it serves.
    rest: Duration,
}

impl Counts {
    /// Counts nothing yet.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, last: Mutex::default() }
    }

    /// The totals as they were a short while ago. Whoever comes during a count waits for it, and does not count as well.
    pub async fn recent(&self) -> Result<Totals, StoreError> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some(counted) = last.filter(|counted| counted.serves(now)) {
            return Ok(counted.totals);
        }
        let began = Instant::now();
        let totals = self.store.totals().await?;
        *last = Some(Counted { totals, at: self.clock.now(), rest: rest_after(began.elapsed()) });
        Ok(totals)
    }
}

impl Counted {
    /// A clock that was set back makes no count last longer.
    fn serves(&self, now: Timestamp) -> bool {
        Duration::try_from(now.duration_since(self.at)).is_ok_and(|age| age < self.rest)
    }
}

fn rest_after(took: Duration) -> Duration {
    took.saturating_mul(REST_SHARE).max(SHORTEST_REST)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_count_serves_the_longer_the_longer_it_took() {
        assert_eq!(rest_after(Duration::from_millis(3)), SHORTEST_REST);
        assert_eq!(rest_after(Duration::from_secs(2)), Duration::from_secs(40));
        let at = Timestamp::UNIX_EPOCH;
        let counted = Counted { totals: Totals::default(), at, rest: SHORTEST_REST };
        let after = |millis| at + SignedDuration::from_millis(millis);
        assert!(counted.serves(at) && counted.serves(after(4_999)));
        assert!(!counted.serves(after(5_000)) && !counted.serves(after(-1)));
    }
}
