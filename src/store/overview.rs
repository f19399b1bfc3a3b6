//! Counts for the overview. Every query here is answered by an index, however large the tables are.

use jiff::Timestamp;

use super::connection::DialectSql;
use super::sql::{Row, models};
use super::{FeedHealth, FeedState, Store, StoreError};

/// Number of feeds by health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedsByHealth {
    /// See [`FeedHealth::New`].
    pub new: u64,
    /// See [`FeedHealth::Succeeding`].
    pub succeeding: u64,
    /// See [`FeedHealth::Failing`].
    pub failing: u64,
    /// See [`FeedHealth::Gone`].
    pub gone: u64,
    /// See [`FeedHealth::Quarantined`].
    pub quarantined: u64,
    /// See [`FeedHealth::Removed`].
    pub removed: u64,
}

impl FeedsByHealth {
    /// Returns the number of feeds of a health.
    pub const fn count(&self, health: FeedHealth) -> u64 {
        match health {
            FeedHealth::New => self.new,
            FeedHealth::Succeeding => self.succeeding,
            FeedHealth::Failing => self.failing,
            FeedHealth::Gone => self.gone,
            FeedHealth::Quarantined => self.quarantined,
            FeedHealth::Removed => self.removed,
        }
    }
}

/// The state of the queue of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Pending entries, waiting or in progress.
    pub pending: u64,
    /// Of these, entries that are due.
    pub due: u64,
    /// Earliest due time of a pending entry.
    pub first_due_at: Option<Timestamp>,
    /// Failed entries.
    pub failed: u64,
    /// Entries that crashed or stalled the extractor.
    pub quarantined: u64,
}

/// Number of articles stored within one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArticlesOfHour {
    /// When the hour began.
    pub began_at: Timestamp,
    /// Number of articles.
    pub articles: u64,
}

const HOUR_MILLIS: i64 = 3_600_000;

impl Store {
    /// Counts feeds by health.
    pub async fn feeds_by_health(&self) -> Result<FeedsByHealth, StoreError> {
        let row = sqlx::query(self.database.dialect.choose(ACTIVE)).fetch_one(&self.database.readers).await?;
        let row = Row { table: "feeds", row: &row };
        let (active, new, failing) =
            (row.number::<u64>("active")?, row.number("never_polled")?, row.number("failing")?);
        let mut feeds = FeedsByHealth { new, failing, ..FeedsByHealth::default() };
        // Saturating, since each number is counted by a subquery of its own while feeds are polled.
        feeds.succeeding = active.saturating_sub(new + failing);
        for row in &sqlx::query(AT_REST).fetch_all(&self.database.readers).await? {
            let row = Row { table: "feeds", row };
            let count = row.number("feeds")?;
            match row.word("state")? {
                FeedState::Active => {}
                FeedState::Gone => feeds.gone = count,
                FeedState::Quarantined => feeds.quarantined = count,
                FeedState::Removed => feeds.removed = count,
            }
        }
        Ok(feeds)
    }

    /// Counts the entries in the queue.
    pub async fn queue_status(&self) -> Result<QueueStatus, StoreError> {
        let now = self.clock.now().as_millisecond();
        let row = sqlx::query(QUEUE).bind(now).fetch_one(&self.database.readers).await?;
        let row = Row { table: "entries", row: &row };
        Ok(QueueStatus {
            pending: row.number("pending")?,
            due: row.number("due")?,
            first_due_at: row.optional_time("first_due_at")?,
            failed: row.number("failed")?,
            quarantined: row.number("quarantined")?,
        })
    }

    /// Counts the articles stored in each hour since `since`; hours without any are left out.
    pub async fn articles_by_hour(&self, since: Timestamp) -> Result<Vec<ArticlesOfHour>, StoreError> {
        let rows = sqlx::query(BY_HOUR)
            .bind(since.as_millisecond())
            .bind(HOUR_MILLIS)
            .bind(self.clock.now().as_millisecond())
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }
}

macro_rules! active {
    ($never_polled:literal) => {
        concat!(
            "SELECT (SELECT count(*) FROM feeds WHERE state = 'active') AS active, \
             (SELECT count(*) FROM feed_details WHERE ",
            $never_polled,
            " AND feed_id NOT IN (SELECT id FROM feeds WHERE state <> 'active')) AS never_polled, \
             (SELECT count(*) FROM feed_details WHERE error_label IS NOT NULL \
                AND feed_id NOT IN (SELECT id FROM feeds WHERE state <> 'active')) AS failing"
        )
    };
}

const ACTIVE: DialectSql =
    DialectSql { sqlite: active!("last_polled_at IS NULL"), postgres: active!("never_polled") };

const AT_REST: &str = "SELECT state, count(*) AS feeds FROM feeds WHERE state <> 'active' GROUP BY state";

const QUEUE: &str = "SELECT (SELECT count(*) FROM entries WHERE state = 'pending') AS pending, \
    (SELECT count(*) FROM entries WHERE state = 'pending' AND next_attempt_at <= $1) AS due, \
    (SELECT min(next_attempt_at) FROM entries WHERE state = 'pending') AS first_due_at, \
    (SELECT count(*) FROM entries WHERE state = 'failed') AS failed, \
    (SELECT count(*) FROM entries WHERE state = 'quarantined') AS quarantined";

/// Each hour is counted as a separate range of the index: with GROUP BY, hundreds of thousands of rows would be sorted. A range
/// has one lower bound, since of two SQLite may use the one from which all hours are read. `counted` is materialized since a
/// subquery would be merged into the condition, and each hour counted twice.
const BY_HOUR: &str = "WITH RECURSIVE hours (began_at, since) AS (SELECT $1 / $2 * $2, $1 \
    UNION ALL SELECT began_at + $2, began_at + $2 FROM hours WHERE began_at + $2 <= $3), \
    counted AS MATERIALIZED (SELECT began_at, (SELECT count(*) FROM articles \
        WHERE stored_at >= since AND stored_at < began_at + $2) AS articles FROM hours) \
    SELECT began_at, articles FROM counted WHERE articles > 0 ORDER BY began_at";

impl TryFrom<Row<'_>> for ArticlesOfHour {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { began_at: row.time("began_at")?, articles: row.number("articles")? })
    }
}
