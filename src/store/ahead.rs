//! Repairs times that were written while the clock was ahead. A clock can be wrong for a moment, at boot or because of a
//! wrong time server; whatever was scheduled by it would otherwise wait for years.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::feeds::FEEDS_LOCK;
use super::sql::Row;
use super::{Store, StoreError};
use crate::model::after;

/// How much the clocks of machines that share a store may differ: no evidence that a clock was set back.
const SKEW: Duration = Duration::from_mins(1);

/// The longest waits that a correct clock can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestWaits {
    /// Until a feed's first poll.
    pub first_poll: Duration,
    /// Until a feed's next poll, by its schedule.
    pub poll: Duration,
    /// Until the next poll of a feed whose server sent Retry-After.
    pub retry_after: Duration,
    /// Until an entry's next attempt.
    pub attempt: Duration,
    /// Until an article's next recheck.
    pub recheck: Duration,
    /// Until the next request to a hub.
    pub hub_request: Duration,
    /// The duration of a lease on a row.
    pub lease: Duration,
}

impl Store {
    /// Makes due now whatever waits longer than `longest`, and ends leases that are longer. If the clock was set back since the last
    /// call, or may have been before the first, each other feed waits as long from now as it had to wait after its last poll, and
    /// pending entries are due now. Returns the number of changed rows.
    pub async fn waits_shorten(&self, longest: &LongestWaits) -> Result<u64, StoreError> {
        let mut shortened = self.end_long_waits(longest).await?;
        // Read after that look, during which other processes may have recorded polls.
        let now = self.clock.now();
        if after(now, SKEW).as_millisecond() < self.last_look.load(Ordering::Relaxed) {
            shortened += self.follow_clock_back(longest, now).await?;
        }
        self.last_look.store(now.as_millisecond(), Ordering::Relaxed);
        Ok(shortened)
    }

    async fn end_long_waits(&self, longest: &LongestWaits) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let latest = |wait| after(now, wait).as_millisecond();
        let (poll, retry_after) = (latest(longest.poll), latest(longest.retry_after));
        let waits = [
            (SHORTEN_ATTEMPTS, latest(longest.attempt)),
            (SHORTEN_RECHECKS, latest(longest.recheck)),
            (SHORTEN_SUBSCRIPTIONS, latest(longest.hub_request)),
            (SHORTEN_FEED_LEASES, latest(longest.lease)),
            (SHORTEN_ENTRY_LEASES, latest(longest.lease)),
        ];
        let look = sqlx::query(LOOK).bind(poll).bind(retry_after);
        let look = waits.iter().fold(look, |look, (_, latest)| look.bind(*latest));
        if !is_ahead(&look.fetch_one(&self.database.readers).await?)? {
            return Ok(0);
        }
        let now = now.as_millisecond();
        let mut tx = self.database.write().await?;
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let polls = sqlx::query(SHORTEN_POLLS).bind(poll).bind(retry_after).bind(now);
        let mut shortened = polls.execute(&mut *tx).await?.rows_affected();
        for (sql, latest) in waits {
            shortened += sqlx::query(sql).bind(latest).bind(now).execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(shortened)
    }

    /// Feeds whose last poll is in the future are the evidence: without one, nothing changes.
    async fn follow_clock_back(&self, longest: &LongestWaits, now: Timestamp) -> Result<u64, StoreError> {
        let skewed = after(now, SKEW).as_millisecond();
        let first_poll = after(now, longest.first_poll).as_millisecond();
        let now = now.as_millisecond();
        if !is_ahead(&sqlx::query(LOOK_BACK).bind(skewed).fetch_one(&self.database.readers).await?)? {
            return Ok(0);
        }
        let mut tx = self.database.write().await?;
        // Processes of one machine notice together, and would wait for each other's rows.
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let polls = sqlx::query(MOVE_POLLS).bind(now).bind(skewed).execute(&mut *tx).await?;
        sqlx::query(MOVE_LAST_POLLS).bind(now).bind(skewed).execute(&mut *tx).await?;
        let first_polls = sqlx::query(SHORTEN_FIRST_POLLS).bind(first_poll).execute(&mut *tx).await?;
        let attempts = sqlx::query(SHORTEN_ATTEMPTS).bind(skewed).bind(now).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(polls.rows_affected() + first_polls.rows_affected() + attempts.rows_affected())
    }
}

fn is_ahead(row: &sqlx::any::AnyRow) -> Result<bool, StoreError> {
    Row { table: "feeds", row }.flag("ahead")
}

macro_rules! polls_ahead {
    () => {
        "SELECT f.id FROM feeds f JOIN feed_details d ON d.feed_id = f.id WHERE f.state = 'active' \
         AND f.next_poll_at > $1 AND (f.next_poll_at > $2 OR coalesce(d.decided_by, '') <> 'retry_after')"
    };
}

const LOOK: &str = concat!(
    "SELECT CASE WHEN EXISTS (",
    polls_ahead!(),
    ") OR EXISTS (SELECT 1 FROM entries WHERE state = 'pending' AND next_attempt_at > $3) \
        OR EXISTS (SELECT 1 FROM rechecks WHERE due_at > $4) \
        OR EXISTS (SELECT 1 FROM subscriptions WHERE act_at > $5) \
        OR EXISTS (SELECT 1 FROM feeds WHERE lease_until > 0 AND lease_until > $6) \
        OR EXISTS (SELECT 1 FROM entries WHERE lease_until > 0 AND lease_until > $7) \
    THEN 1 ELSE 0 END AS ahead"
);

const SHORTEN_POLLS: &str = concat!("UPDATE feeds SET next_poll_at = $3 WHERE id IN (", polls_ahead!(), ")");

const SHORTEN_ATTEMPTS: &str =
    "UPDATE entries SET next_attempt_at = $2 WHERE state = 'pending' AND next_attempt_at > $1";

const SHORTEN_RECHECKS: &str = "UPDATE rechecks SET due_at = $2 WHERE due_at > $1";

/// The hub's lease was counted by the same clock: until it is renewed, the feed is polled as one without a hub.
const SHORTEN_SUBSCRIPTIONS: &str = "UPDATE subscriptions SET act_at = $2, \
    expires_at = CASE WHEN expires_at > $2 THEN $2 ELSE expires_at END WHERE act_at > $1";

const SHORTEN_FEED_LEASES: &str =
    "UPDATE feeds SET lease_until = $2 WHERE lease_until > 0 AND lease_until > $1";

const SHORTEN_ENTRY_LEASES: &str =
    "UPDATE entries SET lease_until = $2 WHERE lease_until > 0 AND lease_until > $1";

/// Reads all rows, so it is asked only when the clock may have been set back.
const LOOK_BACK: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM feed_details WHERE last_polled_at > $1) \
    THEN 1 ELSE 0 END AS ahead";

const MOVE_POLLS: &str = "UPDATE feeds SET next_poll_at = $1 + next_poll_at - d.last_polled_at FROM feed_details d \
    WHERE d.feed_id = feeds.id AND d.last_polled_at > $2 AND feeds.next_poll_at > $1 AND feeds.state = 'active'";

const MOVE_LAST_POLLS: &str = "UPDATE feed_details SET last_polled_at = $1 WHERE last_polled_at > $2";

const SHORTEN_FIRST_POLLS: &str = "UPDATE feeds SET next_poll_at = $1 WHERE state = 'active' AND next_poll_at > $1 \
    AND id IN (SELECT feed_id FROM feed_details WHERE last_polled_at IS NULL)";
