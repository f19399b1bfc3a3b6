//! Repairs times that were written while the clock was ahead. A clock can be wrong for a moment, at boot or because of a
//! wrong time server; whatever was scheduled by it would otherwise wait for years.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::feeds::FEEDS_LOCK;
use super::sql::Row;
use super::{Store, StoreError};
use crate::model::after;

/// The longest waits that a correct clock can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestWaits {
    /// Until a feed's next poll, by its schedule.
    pub poll: Duration,
    /// Until the next poll of a feed whose server sent Retry-After.
    pub retry_after: Duration,
    /// Until an entry's next attempt.
    pub attempt: Duration,
    /// The duration of a lease on a row.
    pub lease: Duration,
}

impl Store {
    /// Makes feeds and entries that wait longer than `longest` due now, and ends leases that are longer. If the clock was set back
    /// since the last call, or may have been before the first, each other feed waits as long from now as it had to wait after its last
    /// poll. Returns the number of changed rows.
    pub async fn waits_shorten(&self, longest: &LongestWaits) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut shortened = self.too_long_waits_end(longest, now).await?;
        if now.as_millisecond() < self.last_look.load(Ordering::Relaxed) {
            shortened += self.polls_follow_clock(now).await?;
        }
        self.last_look.store(now.as_millisecond(), Ordering::Relaxed);
        Ok(shortened)
    }

    async fn too_long_waits_end(&self, longest: &LongestWaits, now: Timestamp) -> Result<u64, StoreError> {
        let latest = |wait| after(now, wait).as_millisecond();
        let (poll, retry_after) = (latest(longest.poll), latest(longest.retry_after));
        let (attempt, lease) = (latest(longest.attempt), latest(longest.lease));
        let look = sqlx::query(LOOK).bind(poll).bind(retry_after).bind(attempt).bind(lease);
        let row = look.fetch_one(&self.database.readers).await?;
        if !(Row { table: "feeds", row: &row }).flag("ahead")? {
            return Ok(0);
        }
        let mut tx = self.database.write().await?;
        let mut shortened = 0;
        let polls = sqlx::query(SHORTEN_POLLS).bind(poll).bind(retry_after).bind(now.as_millisecond());
        shortened += polls.execute(&mut *tx).await?.rows_affected();
        for (sql, latest) in
            [(SHORTEN_ATTEMPTS, attempt), (SHORTEN_FEED_LEASES, lease), (SHORTEN_ENTRY_LEASES, lease)]
        {
            let done = sqlx::query(sql).bind(latest).bind(now.as_millisecond()).execute(&mut *tx).await?;
            shortened += done.rows_affected();
        }
        tx.commit().await?;
        Ok(shortened)
    }

    /// Moves the next polls of feeds whose last poll is in the future, and those last polls to now.
    async fn polls_follow_clock(&self, now: Timestamp) -> Result<u64, StoreError> {
        let now = now.as_millisecond();
        let row = sqlx::query(LOOK_BACK).bind(now).fetch_one(&self.database.readers).await?;
        if !(Row { table: "feed_details", row: &row }).flag("ahead")? {
            return Ok(0);
        }
        let mut tx = self.database.write().await?;
        // Processes of one machine notice together, and would wait for each other's rows.
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let moved = sqlx::query(MOVE_POLLS).bind(now).execute(&mut *tx).await?.rows_affected();
        sqlx::query(MOVE_LAST_POLLS).bind(now).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(moved)
    }
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
        OR EXISTS (SELECT 1 FROM feeds WHERE lease_until > 0 AND lease_until > $4) \
        OR EXISTS (SELECT 1 FROM entries WHERE lease_until > 0 AND lease_until > $4) \
    THEN 1 ELSE 0 END AS ahead"
);

const SHORTEN_POLLS: &str = concat!("UPDATE feeds SET next_poll_at = $3 WHERE id IN (", polls_ahead!(), ")");

const SHORTEN_ATTEMPTS: &str =
    "UPDATE entries SET next_attempt_at = $2 WHERE state = 'pending' AND next_attempt_at > $1";

const SHORTEN_FEED_LEASES: &str =
    "UPDATE feeds SET lease_until = $2 WHERE lease_until > 0 AND lease_until > $1";

const SHORTEN_ENTRY_LEASES: &str =
    "UPDATE entries SET lease_until = $2 WHERE lease_until > 0 AND lease_until > $1";

/// Reads all rows, so it is asked only when the clock was set back.
const LOOK_BACK: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM feed_details WHERE last_polled_at > $1) \
    THEN 1 ELSE 0 END AS ahead";

const MOVE_POLLS: &str = "UPDATE feeds SET next_poll_at = $1 + next_poll_at - d.last_polled_at FROM feed_details d \
    WHERE d.feed_id = feeds.id AND d.last_polled_at > $1 AND feeds.next_poll_at > $1 AND feeds.state = 'active'";

const MOVE_LAST_POLLS: &str = "UPDATE feed_details SET last_polled_at = $1 WHERE last_polled_at > $1";
