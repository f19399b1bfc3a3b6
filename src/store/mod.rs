//! The only SQL.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::clock::Clock;
use crate::dedup;
use crate::extract::SiteEvidence;
use crate::model::{
    Article, ArticleId, DueFeed, Entry, EntryId, FeedId, Fingerprint, Lease, Record, Sha256Hash, Validators,
    Verdict,
};
use crate::parse::{FeedInfo, ParsedEntry};
use crate::schedule::{Decision, NextPoll};

/// Where the store is and how it is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`. Secret, since it may hold a password.
    pub url: SecretString,
    /// Connections that read (SQLite) or do anything (PostgreSQL).
    pub max_connections: u32,
    /// How long a statement waits for a lock or a connection.
    pub busy_timeout: Duration,
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Stand-in.
    #[error("not implemented")]
    Unimplemented,
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {}

/// Stand-in.
#[derive(Debug)]
pub struct RunLock;

/// What a change of the configured feeds did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedsSync {
    /// Feeds not known before.
    pub added: u64,
    /// Known feeds that are configured again or enabled again.
    pub restored: u64,
    /// Feeds no longer configured: kept, not polled.
    pub removed: u64,
}

/// State of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Polled when due.
    Active,
    /// Answered 410: polled no more until it is configured anew.
    Gone,
    /// Its body crashed the parser twice: polled no more until released.
    Quarantined,
    /// No longer configured.
    Removed,
}

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Waits to become an article.
    Pending,
    /// Its article is stored.
    Done,
    /// Given up, with a reason.
    Failed,
    /// Its page crashed the extractor: kept apart until released.
    Quarantined,
}

/// What one poll came to, to be recorded in one transaction.
#[derive(Clone, Debug)]
pub struct PollRecord {
    /// The feed.
    pub feed_id: FeedId,
    /// The claim; a stale one is refused and nothing is written.
    pub lease: Lease,
    /// When the poll ended.
    pub polled_at: Timestamp,
    /// When the next is due, why, and the history to keep.
    pub next: NextPoll,
    /// What came.
    pub result: PollResult,
}

/// What one poll brought.
#[derive(Clone, Debug)]
pub enum PollResult {
    /// 304 or the same body: validators that came with it replace the kept ones.
    Unchanged {
        /// `None` keeps the old ones (304 without validators).
        validators: Option<Validators>,
    },
    /// A feed.
    Parsed {
        /// The answer's validators; none where it had none.
        validators: Validators,
        /// The body's hash.
        body_sha256: Sha256Hash,
        /// What the feed says of itself.
        info: Box<FeedInfo>,
        /// Its entries.
        entries: Vec<NewEntry>,
        /// What the parser repaired.
        warnings: Vec<String>,
        /// Set where a permanent redirect is confirmed: the URL to poll from now on (validators are dropped with it).
        moved_to: Option<Url>,
    },
    /// No feed came: validators stay as they are.
    Failed {
        /// For metrics and filters: `timeout`, `http_404`, `not_a_feed`…
        label: &'static str,
        /// For the operator.
        reason: String,
        /// Whether the feed is gone for good (410).
        gone: bool,
    },
}

/// A parsed entry with the article it announces.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// As parsed.
    pub parsed: ParsedEntry,
    /// Of its link, or of its key and feed where it has no link.
    pub article_id: ArticleId,
}

/// What recording a poll did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollReport {
    /// Entries not seen before.
    pub new_entries: u32,
    /// Entries whose content or updated date changed.
    pub updated_entries: u32,
}

/// An entry's work done, to be stored in one transaction: article revision, verdict, entry state, outbox row.
#[derive(Clone, Debug)]
pub struct FinishedEntry {
    /// The entry as claimed.
    pub entry: Entry,
    /// What became of it.
    pub outcome: EntryOutcome,
}

/// What became of an entry.
#[derive(Clone, Debug)]
pub enum EntryOutcome {
    /// An article was extracted.
    Extracted(Box<ExtractedArticle>),
    /// The article is already in the store, thanks to another feed: the entry is added to its mentions.
    AlreadyStored,
    /// Try again later; `reason` is kept for the operator.
    Postponed {
        /// Not before this.
        until: Timestamp,
        /// For metrics and filters.
        label: &'static str,
        /// For the operator.
        reason: String,
    },
    /// Given up.
    Failed {
        /// For metrics and filters.
        label: &'static str,
        /// For the operator.
        reason: String,
        /// Kept apart since it crashed or stalled the extractor.
        quarantined: bool,
    },
}

/// An article with all that the store needs beside it.
#[derive(Clone, Debug)]
pub struct ExtractedArticle {
    /// What extraction made.
    pub article: Article,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The page asked for, without tracking parameters; the feed's URL with the entry's key as fragment where it has no link.
    pub url: Url,
    /// As the feed gave it.
    pub original_url: Url,
    /// Hash of the bytes it was made from.
    pub raw_sha256: Sha256Hash,
    /// When they came.
    pub fetched_at: Timestamp,
}

/// What storing one finished entry did.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A new article or a new revision.
    Article {
        /// Position in the outbox.
        seq: i64,
        /// What dedup said.
        verdict: Verdict,
        /// 1 for a new article.
        revision: u32,
    },
    /// Its mentions grew.
    Linked {
        /// Position in the outbox.
        seq: i64,
    },
    /// Nothing for downstream: the same text again, postponed, failed.
    Noted,
    /// The lease had passed to another worker: nothing was written.
    StaleLease,
}

/// A feed as the operator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FeedStatus {
    /// Its row.
    pub id: FeedId,
    /// As configured.
    pub configured_url: Url,
    /// Where it is polled.
    pub url: Url,
    /// Its state.
    pub state: FeedState,
    /// Its title.
    pub title: Option<String>,
    /// Last poll.
    pub last_polled_at: Option<Timestamp>,
    /// Last poll that brought a feed or a 304.
    pub last_success_at: Option<Timestamp>,
    /// Next poll.
    pub next_poll_at: Timestamp,
    /// Why then.
    pub next_poll_decided_by: Option<Decision>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Why the last poll failed; `None` after a success.
    pub last_error: Option<String>,
    /// Entries seen.
    pub entries: u64,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Feeds that are polled.
    pub feeds_active: u64,
    /// Feeds whose last poll failed.
    pub feeds_failing: u64,
    /// Entries by state.
    pub entries_pending: u64,
    /// Entries by state.
    pub entries_done: u64,
    /// Entries by state.
    pub entries_failed: u64,
    /// Entries by state.
    pub entries_quarantined: u64,
    /// Articles.
    pub articles: u64,
    /// Articles linked to an original.
    pub duplicates: u64,
    /// Highest position in the outbox.
    pub last_seq: i64,
}

impl Store {
    /// Opens the store and brings its schema up to date. Refuses a schema newer than this binary.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        let _ = (settings, clock);
        unimplemented!()
    }

    /// Stand-in.
    pub async fn lock_for_running(&self) -> Result<RunLock, StoreError> {
        unimplemented!()
    }

    /// Makes the store's feeds those of the config. A new feed is due at once, spread by at most `spread`.
    pub async fn feeds_sync(&self, configured: &[Url], spread: Duration) -> Result<FeedsSync, StoreError> {
        let _ = (configured, spread);
        unimplemented!()
    }

    /// Lends out up to `limit` feeds that are due, longest overdue first.
    pub async fn feeds_claim_due(&self, lease: Duration, limit: u32) -> Result<Vec<DueFeed>, StoreError> {
        let _ = (lease, limit);
        unimplemented!()
    }

    /// Records polls, each whole or not at all, in one transaction. The answers stand in the order of `polls`;
    /// `None` for a stale lease.
    pub async fn feed_polls_record(
        &self,
        polls: &[PollRecord],
    ) -> Result<Vec<Option<PollReport>>, StoreError> {
        let _ = polls;
        unimplemented!()
    }

    /// Marks feeds as being parsed: if the process dies now, the mark stays.
    pub async fn feeds_mark_attempted(&self, feeds: &[(FeedId, Lease)]) -> Result<(), StoreError> {
        let _ = feeds;
        unimplemented!()
    }

    /// Gives feeds back unpolled (a soft stop): due again at once.
    pub async fn feeds_release(&self, feeds: &[(FeedId, Lease)]) -> Result<(), StoreError> {
        let _ = feeds;
        unimplemented!()
    }

    /// When the next feed is due.
    pub async fn feeds_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        unimplemented!()
    }

    /// Every feed, by configured URL.
    pub async fn feeds_list(&self) -> Result<Vec<FeedStatus>, StoreError> {
        unimplemented!()
    }

    /// Lends out up to `limit` pending entries, oldest first; never two of the same article at once.
    pub async fn entries_claim(&self, lease: Duration, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let _ = (lease, limit);
        unimplemented!()
    }

    /// Marks entries as being worked on by the extractor: if the process dies now, their `unfinished_attempts` tell.
    pub async fn entries_mark_attempted(&self, entries: &[(EntryId, Lease)]) -> Result<(), StoreError> {
        let _ = entries;
        unimplemented!()
    }

    /// Gives entries back untouched (a soft stop).
    pub async fn entries_release(&self, entries: &[(EntryId, Lease)]) -> Result<(), StoreError> {
        let _ = entries;
        unimplemented!()
    }

    /// When the next pending entry may be claimed.
    pub async fn entries_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        unimplemented!()
    }

    /// Whether the article is stored.
    pub async fn articles_exist(&self, ids: &[ArticleId]) -> Result<Vec<bool>, StoreError> {
        let _ = ids;
        unimplemented!()
    }

    /// What is known of a host's furniture.
    pub async fn site_evidence(&self, host: &str) -> Result<SiteEvidence, StoreError> {
        let _ = host;
        unimplemented!()
    }

    /// Stores finished entries in one transaction: article revision, verdict (judged inside, so that two copies
    /// arriving together cannot both be originals), entry state, outbox row, the host's block counts.
    pub async fn entries_finish(
        &self,
        finished: &[FinishedEntry],
        dedup: &dedup::Settings,
    ) -> Result<Vec<Stored>, StoreError> {
        let _ = (finished, dedup);
        unimplemented!()
    }

    /// Up to `limit` records after `seq`, in order; none is ever skipped, however many processes write.
    pub async fn records_after(&self, seq: i64, limit: u32) -> Result<Vec<Record>, StoreError> {
        let _ = (seq, limit);
        unimplemented!()
    }

    /// How far a consumer has read: 0 at first.
    pub async fn cursor_get(&self, consumer: &str) -> Result<i64, StoreError> {
        let _ = consumer;
        unimplemented!()
    }

    /// Moves a consumer's cursor.
    pub async fn cursor_set(&self, consumer: &str, seq: i64) -> Result<(), StoreError> {
        let _ = (consumer, seq);
        unimplemented!()
    }

    /// How much of everything there is.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        unimplemented!()
    }
}
