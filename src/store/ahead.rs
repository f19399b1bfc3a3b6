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
    /// call, or may have been before the first, what waits for less is due sooner by as much. Returns the number of changed rows.
    pub async fn waits_shorten(&self, longest: &LongestWaits) -> Result<u64, StoreError> {
        let mut shortened = self.end_long_waits(longest).await?;
        // Read after that look, during which other processes may have recorded polls.
        let now = self.clock.now();
        let last_look = self.last_look.load(Ordering::Relaxed);
        if after(now, SKEW).as_millisecond() < last_look {
            shortened += self.follow_clock_back(longest, now, last_look).await?;
        }
        self.last_look.store(now.as_millisecond(), Ordering::Relaxed);
        Ok(shortened)
    }

    async fn end_long_waits(&self, longest: &LongestWaits) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let latest = |wait| after(now, wait).as_millisecond();
        let (poll, retry_after) = (latest(longest.poll), latest(longest.retry_after));
        let hub_request = latest(longest.hub_request);
        let waits = [
            (SHORTEN_ATTEMPTS, latest(longest.attempt)),
            (SHORTEN_RECHECKS, latest(longest.recheck)),
            (SHORTEN_SUBSCRIPTIONS, hub_request),
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
        let endings = sqlx::query(SHORTEN_ENDINGS).bind(hub_request).bind(now).execute(&mut *tx).await?;
        shortened += endings.rows_affected();
        tx.commit().await?;
        Ok(shortened)
    }

    /// The evidence is a feed whose last poll is in the future: without one, nothing changes. Such feeds wait as long from now as they
    /// had to wait after that poll. What else waits is due sooner by as much as the clock was set back: since `last_look`, or, before
    /// the first look, by as much as the latest poll is in the future.
    async fn follow_clock_back(
        &self,
        longest: &LongestWaits,
        now: Timestamp,
        last_look: i64,
    ) -> Result<u64, StoreError> {
        let skewed = after(now, SKEW).as_millisecond();
        let latest_poll = || sqlx::query(LATEST_POLL).bind(skewed);
        if latest(&latest_poll().fetch_one(&self.database.readers).await?)? == 0 {
            return Ok(0);
        }
        let mut tx = self.database.write().await?;
        // The processes of a machine notice together. The first one moves what waits, and the others find no evidence any more.
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let latest = latest(&latest_poll().fetch_one(&mut *tx).await?)?;
        if latest == 0 {
            return Ok(0);
        }
        let before = if last_look == i64::MAX { latest } else { latest.max(last_look) };
        // What was scheduled by a clock that was further ahead is due now already, and the rest was scheduled by a correct one.
        let is_small = before <= after(now, longest.attempt).as_millisecond();
        let now = now.as_millisecond();
        let polls = sqlx::query(MOVE_POLLS).bind(now).bind(skewed).execute(&mut *tx).await?;
        sqlx::query(MOVE_LAST_POLLS).bind(now).bind(skewed).execute(&mut *tx).await?;
        let mut moved = polls.rows_affected();
        for sql in [MOVE_FIRST_POLLS, MOVE_ATTEMPTS, MOVE_RETRIES].into_iter().filter(|_| is_small) {
            moved += sqlx::query(sql).bind(now).bind(before - now).execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(moved)
    }
}

fn latest(row: &sqlx::any::AnyRow) -> Result<i64, StoreError> {
    Row { table: "feed_details", row }.get("latest")
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
        OR EXISTS (SELECT 1 FROM subscription_endings WHERE act_at > $5) \
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

/// The hub is asked until the end of the lease, so that is shortened as well.
const SHORTEN_ENDINGS: &str = "UPDATE subscription_endings SET act_at = $2, \
    expires_at = CASE WHEN expires_at > $1 THEN $1 ELSE expires_at END WHERE act_at > $1";

/// Reads all rows, so it is asked only when the clock may have been set back. 0 if no poll is in the future.
const LATEST_POLL: &str =
    "SELECT coalesce(max(last_polled_at), 0) AS latest FROM feed_details WHERE last_polled_at > $1";

const MOVE_POLLS: &str = "UPDATE feeds SET next_poll_at = $1 + next_poll_at - d.last_polled_at FROM feed_details d \
    WHERE d.feed_id = feeds.id AND d.last_polled_at > $2 AND feeds.next_poll_at > $1 AND feeds.state = 'active'";

const MOVE_LAST_POLLS: &str = "UPDATE feed_details SET last_polled_at = $1 WHERE last_polled_at > $2";

/// Makes the rows of a condition due sooner by $2, but not before $1.
macro_rules! sooner {
    ($table:literal, $due:literal, $rows:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET ",
            $due,
            " = CASE WHEN ",
            $due,
            " - $2 > $1 THEN ",
            $due,
            " - $2 ELSE $1 END WHERE ",
            $due,
            " > $1 AND ",
            $rows
        )
    };
}

const MOVE_FIRST_POLLS: &str = sooner!(
    "feeds",
    "next_poll_at",
    "state = 'active' AND id IN (SELECT feed_id FROM feed_details WHERE last_polled_at IS NULL)"
);

const MOVE_ATTEMPTS: &str = sooner!("entries", "next_attempt_at", "state = 'pending'");

/// Deliveries that failed.
const MOVE_RETRIES: &str = sooner!("sinks", "retry_at", "failures > 0");
