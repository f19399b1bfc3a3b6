//! Repairs times that were written while the clock was ahead. A clock can be wrong for a moment, at boot or because of a
//! wrong time server; whatever was scheduled by it would otherwise wait for years.

use std::time::Duration;

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
    /// Makes feeds and entries that wait longer than `longest` due now, and ends leases that are
    /// longer. Returns the number of changed rows.
    pub async fn waits_shorten(&self, longest: &LongestWaits) -> Result<u64, StoreError> {
        let now = self.clock.now();
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
