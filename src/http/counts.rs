//! Totals of the store, counted from time to time. Counting reads whole tables, so more frequent requests get the last result:
//! however large the store and however frequent the requests, counting takes only a small share of the time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::store::{Store, StoreError, Totals};

/// The minimum time between two counts.
const SHORTEST_REST: Duration = Duration::from_secs(5);
/// The pause after a count, as a multiple of the time it took: counting takes at most one part in 21 of the time.
const REST_SHARE: u32 = 20;

/// The store's totals, cached for as long as the pause after a count lasts.
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
    /// How long the result may be served.
    rest: Duration,
}

impl Counts {
    /// Creates an empty cache, without counting.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, last: Mutex::default() }
    }

    /// Returns recent totals. A request during a count waits for its result instead of starting another.
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
    /// Returns whether the result is still fresh. If the clock was set back it is not, so that it does not last longer.
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
