//! The store: all SQL of the project.
//!
//! One SQL text serves SQLite and PostgreSQL through sqlx's `Any` driver: numbered placeholders, `ON CONFLICT`,
//! `RETURNING`. Where the dialects differ, both texts stand side by side (`connection::DialectSql`). The alternative, two
//! hand-written back ends, would drift apart.
//!
//! - Rows that workers claim (`feeds`, `entries`) are narrow; their texts are in separate tables. A claim raises
//!   `lease_epoch`, and a write with an older epoch is refused.
//! - Every outbox position comes from one counter row, which is locked from the start of the transaction to its commit.
//!   Positions therefore rise in commit order, and a cursor that is a plain number never skips a row. It also means that the
//!   articles a transaction judges against (exact and near copies) cannot change under it: of two copies that arrive
//!   together, only one becomes the original.
//! - Every write happens in a `connection::WriteTransaction`, whose connection is closed unless it commits.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::SecretText;
use crate::shards::Shards;

// In the order of the data flow; the modules that these build on come last.
mod feeds;
mod feed_status;
mod feed_turns;
mod feed_list;
mod polls;
mod poll_log;
mod announced;
mod websub;
mod host_pauses;
mod entries;
mod turns;
mod finish;
mod batch;
mod rechecks;
mod requeue;
mod raw_pages;
mod retention;
mod history;
mod overview;
mod ahead;
mod sooner;
mod voices;
mod articles;
mod metadata;
mod neighbours;
mod blocks;
mod search;
mod found;
mod outbox;
mod partitions;
mod sinks;
mod health;
mod backup;
mod rows;
mod claim;
mod lock;
mod connection;
mod processes;
mod signals;
mod copy;
mod migrations;
mod sql;
mod error;

pub use ahead::LongestWaits;
pub use announced::NewEntry;
pub use articles::{ArticleAccount, DroppedBlock};
pub use backup::Contents;
pub use blocks::{LearnedBlock, SiteStatus};
pub(crate) use connection::beside;
pub use entries::{EntryState, EntryStatus};
pub use error::StoreError;
pub use feed_list::{FeedEdge, FeedOrder, FeedQuery, FeedWindow, FeedsPage};
pub use feed_status::{FeedHealth, FeedState, FeedStatus};
pub use feeds::FeedsSync;
pub use finish::{EntryOutcome, ExtractedArticle, FinishedEntry, Stored, Watch};
pub use found::{FoundArticle, FoundArticles};
pub use health::HealthProblem;
pub use history::{ArticleStatus, Listing, Revision};
pub use lock::RunLock;
pub use migrations::SchemaStatus;
pub use overview::{ArticlesOfHour, FeedsByHealth, QueueStatus};
pub use poll_log::{PastPoll, PollKind};
pub use polls::{PollRecord, PollReport, PollResult, Transfer};
pub use processes::{Acquired, DEAD_AFTER, HostLoan, Legacy, Place, ProcessStatus, Pulse};
pub use raw_pages::{RawPage, RawSelection, Reextracted, StoredPage};
pub use requeue::LONGEST_REQUEUE;
pub use retention::Cutoff;
pub use rows::TableDigest;
pub use signals::{Signal, Signals};
pub use sinks::{Beginning, SetAside, SinkFailure, SinkLease, SinkRange, SinkStatus};
pub use sooner::{ScheduledFeed, Sooner};
pub use turns::Room;
pub use websub::{HubEnding, HubOffer, HubSubscription};

/// Settings of the store: where it is and how it is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`. Secret, since it may hold a password.
    pub url: SecretText,
    /// Size of the pool: of connections that only read (SQLite), or of all connections (PostgreSQL).
    pub max_connections: u32,
    /// How long a statement waits for a lock or a connection.
    pub busy_timeout: Duration,
    /// Whether articles can be searched by their words.
    pub search_index: bool,
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: connection::Database,
    clock: Clock,
    /// The party that was served last when entries were claimed.
    last_turn: Arc<AtomicI64>,
    /// When waits were last compared with the clock, in Unix milliseconds; `i64::MAX` before the first time.
    last_look: Arc<AtomicI64>,
    /// The shards from which work is claimed.
    shards: Shards,
}

/// Row counts of the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Feeds that are polled.
    pub feeds_active: u64,
    /// Feeds whose last poll failed.
    pub feeds_failing: u64,
    /// Feeds that were never polled.
    pub feeds_new: u64,
    /// Pending entries.
    pub entries_pending: u64,
    /// Entries that are done.
    pub entries_done: u64,
    /// Failed entries.
    pub entries_failed: u64,
    /// Quarantined entries.
    pub entries_quarantined: u64,
    /// Articles that were not removed.
    pub articles: u64,
    /// Of these, articles linked to an original.
    pub duplicates: u64,
    /// Highest position in the outbox.
    pub last_seq: i64,
}

impl Totals {
    /// Returns the number of feeds whose last poll succeeded.
    pub const fn feeds_succeeding(&self) -> u64 {
        self.feeds_active.saturating_sub(self.feeds_failing + self.feeds_new)
    }
}

impl Store {
    /// Opens the store and brings its schema up to date. Refuses a schema newer than this binary.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        let database = connection::Database::connect(settings, connection::Access::Own).await?;
        migrations::run(&database, clock.now()).await?;
        search::switch(&database, settings.search_index).await?;
        Ok(Self::over(database, clock))
    }

    /// Opens an existing store that has the schema of this binary. Nothing is created or migrated: a mistyped path is an
    /// error, and a read-only command leaves no file behind that the store's owner cannot write.
    pub async fn visit(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        let database = connection::Database::connect(settings, connection::Access::Visit).await?;
        migrations::check(&database).await?;
        Ok(Self::over(database, clock))
    }

    fn over(database: connection::Database, clock: Clock) -> Self {
        let last_look = Arc::new(AtomicI64::new(i64::MAX));
        Self { database, clock, last_turn: Arc::default(), last_look, shards: Shards::all() }
    }

    /// Returns this store restricted to one of several processes: it claims work from `shards` only.
    #[must_use]
    pub fn of_process(self, shards: Shards) -> Self {
        Self { shards, ..self }
    }

    /// The shards from which this store claims work.
    pub const fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Returns where the store is, for display: the path or the server's URL without its password.
    pub fn place(settings: &Settings) -> Result<String, StoreError> {
        Ok(connection::Location::parse(settings.url.expose_secret())?.display())
    }

    /// Returns the SQLite file; `None` for PostgreSQL.
    pub fn file(settings: &Settings) -> Option<PathBuf> {
        match connection::Location::parse(settings.url.expose_secret()) {
            Ok(connection::Location::File(path)) => Some(path),
            Ok(connection::Location::Server(_)) | Err(_) => None,
        }
    }

    /// Returns which migrations the database at `settings` has and which it lacks. Changes nothing.
    pub async fn schema_status(settings: &Settings) -> Result<SchemaStatus, StoreError> {
        migrations::status(settings).await
    }

    /// Closes every connection of this store and its clones, after waiting for those in use.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Returns whether any feed is active. Unlike [`Store::totals`], this costs a single index lookup.
    pub async fn feeds_any_active(&self) -> Result<bool, StoreError> {
        Ok(sqlx::query(ANY_ACTIVE).fetch_optional(&self.database.readers).await?.is_some())
    }

    /// Counts feeds, entries and articles. Reads whole tables.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let row = sqlx::query(TOTALS).fetch_one(&self.database.readers).await?;
        let row = sql::Row { table: "totals", row: &row };
        Ok(Totals {
            feeds_active: row.number("feeds_active")?,
            feeds_failing: row.number("feeds_failing")?,
            feeds_new: row.number("feeds_new")?,
            entries_pending: row.number("entries_pending")?,
            entries_done: row.number("entries_done")?,
            entries_failed: row.number("entries_failed")?,
            entries_quarantined: row.number("entries_quarantined")?,
            articles: row.number("articles")?,
            duplicates: row.number("duplicates")?,
            last_seq: row.get("last_seq")?,
        })
    }
}

const ANY_ACTIVE: &str = "SELECT id FROM feeds WHERE state = 'active' LIMIT 1";

const TOTALS: &str = "SELECT \
    (SELECT count(*) FROM feeds WHERE state = 'active') AS feeds_active, \
    (SELECT count(*) FROM feed_details d JOIN feeds f ON f.id = d.feed_id \
        WHERE d.error_label IS NOT NULL AND f.state = 'active') AS feeds_failing, \
    (SELECT count(*) FROM feed_details d JOIN feeds f ON f.id = d.feed_id \
        WHERE d.last_polled_at IS NULL AND f.state = 'active') AS feeds_new, \
    (SELECT count(*) FROM entries WHERE state = 'pending') AS entries_pending, \
    (SELECT count(*) FROM entries WHERE state = 'done') AS entries_done, \
    (SELECT count(*) FROM entries WHERE state = 'failed') AS entries_failed, \
    (SELECT count(*) FROM entries WHERE state = 'quarantined') AS entries_quarantined, \
    (SELECT count(*) FROM articles WHERE removed_at IS NULL) AS articles, \
    (SELECT count(*) FROM articles WHERE duplicate_of IS NOT NULL AND removed_at IS NULL) AS duplicates, \
    (SELECT value FROM counters WHERE name = 'outbox') AS last_seq";
