//! Next polls that a reload brings forward.

use jiff::Timestamp;
use url::Url;

use super::feeds::FEEDS_LOCK;
use super::sql::{Row, RowsSql, bytes, models, word};
use super::{Signal, Store, StoreError};
use crate::model::{FeedId, History, Sha256Hash};
use crate::schedule::Decision;

/// A feed that waits for its next poll, as far as its schedule is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledFeed {
    /// Its id.
    pub id: FeedId,
    /// The URL in the configuration.
    pub configured_url: Url,
    /// When its last poll ended.
    pub last_polled_at: Timestamp,
    /// When it is due.
    pub next_poll_at: Timestamp,
    /// What determined that time.
    pub decided_by: Decision,
    /// Its history, including the last poll.
    pub history: History,
    /// Until when a hub delivers it.
    pub delivered_until: Option<Timestamp>,
}

/// An earlier time for the next poll of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sooner {
    /// The feed.
    pub id: FeedId,
    /// The time known so far; if it was changed meanwhile, it stays.
    pub instead_of: Timestamp,
    /// The new time.
    pub at: Timestamp,
    /// What determined it.
    pub decided_by: Decision,
}

impl Store {
    /// Returns those of the configured feeds that were polled before and wait for their next poll by their schedule.
    pub async fn feeds_scheduled(&self, configured: &[Url]) -> Result<Vec<ScheduledFeed>, StoreError> {
        let hashes: Vec<Sha256Hash> = configured.iter().map(|url| Sha256Hash::of(url.as_str())).collect();
        let mut connection = self.database.readers.acquire().await?;
        let rows = SCHEDULED.fetch(&mut connection, &hashes, |query, hash| query.bind(bytes(hash))).await?;
        drop(connection);
        models("feed_details", &rows)
    }

    /// Makes feeds due earlier, unless they are being polled or were polled meanwhile. Returns how many changed.
    pub async fn feeds_bring_forward(&self, feeds: &[Sooner]) -> Result<u64, StoreError> {
        let mut tx = self.database.write().await?;
        // Processes reload together, and would wait for each other's rows if each updated them in an order of its own.
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let changed = BRING_FORWARD
            .execute(&mut tx, feeds, |query, feed| {
                let (before, at) = (feed.instead_of.as_millisecond(), feed.at.as_millisecond());
                query.bind(feed.id.0).bind(before).bind(at)
            })
            .await?;
        NOTE_DECISIONS
            .execute(&mut tx, feeds, |query, feed| {
                query.bind(feed.id.0).bind(feed.at.as_millisecond()).bind(word(feed.decided_by))
            })
            .await?;
        if changed > 0 {
            self.signal(&mut tx, Signal::Feeds).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }
}

/// A feed that was put off waits for another reason than its schedule.
const SCHEDULED: RowsSql = RowsSql {
    before: "SELECT f.id, f.next_poll_at, d.configured_url, d.last_polled_at, d.decided_by, d.history, \
        s.expires_at AS delivered_until FROM feeds f JOIN feed_details d ON d.feed_id = f.id \
        LEFT JOIN subscriptions s ON s.feed_id = f.id AND s.state = 'active' \
        WHERE f.state = 'active' AND f.lease_until = 0 AND f.put_off = 0 AND d.last_polled_at IS NOT NULL \
        AND d.decided_by IS NOT NULL AND f.configured_url_sha256 IN (VALUES ",
    columns: 1,
    after: ")",
};

const BRING_FORWARD: RowsSql = RowsSql {
    before: "WITH sooner (feed_id, instead_of, due) AS (VALUES ",
    columns: 3,
    after: ") UPDATE feeds SET next_poll_at = sooner.due FROM sooner \
        WHERE id = sooner.feed_id AND lease_until = 0 AND next_poll_at = sooner.instead_of",
};

const NOTE_DECISIONS: RowsSql = RowsSql {
    before: "WITH sooner (feed_id, due, decided_by) AS (VALUES ",
    columns: 3,
    after: ") UPDATE feed_details SET decided_by = sooner.decided_by FROM sooner, feeds \
        WHERE feed_details.feed_id = sooner.feed_id AND feeds.id = sooner.feed_id AND feeds.next_poll_at = sooner.due",
};

impl TryFrom<Row<'_>> for ScheduledFeed {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: FeedId(row.get("id")?),
            configured_url: row.url("configured_url")?,
            last_polled_at: row.time("last_polled_at")?,
            next_poll_at: row.time("next_poll_at")?,
            decided_by: row.word("decided_by")?,
            history: row.json("history")?,
            delivered_until: row.optional_time("delivered_until")?,
        })
    }
}
