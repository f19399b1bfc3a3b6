//! Ids, and the values passed from one stage to the next. Plain data: no clock, no network, no database.

mod article;
mod copies;
mod entry;
mod examples;
mod failure;
mod history;
mod ids;
mod masked;
mod record;
mod rhythm;
/// A description of the record.
pub mod schema;
mod secret;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

pub use article::{
    Article, BlockAccount, BlockHash, CandidateAccount, Metadata, Page, PageBody, QualityFlag, SelectorUse,
};
pub use copies::{DuplicateKind, DuplicateLink, Fingerprint, Verdict};
pub use entry::{Enclosure, Entry, EntryEvidence, EntryKey, Known, LastRead, Recheck};
pub use failure::FailureKind;
pub use history::{History, MoveSighting};
pub use ids::{
    ArticleId, EntryId, FeedId, InvalidHash, PartyId, Sha256Hash, ShardId, entry_url, normalise_url,
    strip_tracking, without_fragment,
};
pub use masked::{masked, masked_text, serialize_masked};
pub use record::{EarlierText, Event, FeedMention, Record, SCHEMA_VERSION};
pub use rhythm::Rhythm;
pub use secret::SecretText;

/// A row claimed by one worker. Whatever the worker writes back carries the epoch; if another claim has raised it since, the
/// stale write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The fencing token: incremented by every claim of the row.
    pub epoch: i64,
    /// The moment from which others may claim the row again.
    pub until: Timestamp,
}

/// A server's validators for conditional requests, byte for byte as received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag` header, including quotes and `W/`.
    pub etag: Option<String>,
    /// The `Last-Modified` header as received, never reparsed.
    pub last_modified: Option<String>,
}

/// A feed that is due, claimed for one poll.
#[derive(Clone, Debug)]
pub struct DueFeed {
    /// The id of its row.
    pub id: FeedId,
    /// The lease of the claim.
    pub lease: Lease,
    /// The URL that the operator configured, by which its options are looked up.
    pub configured_url: Url,
    /// The URL to poll: differs from `configured_url` after a confirmed permanent redirect.
    pub url: Url,
    /// The validators for the conditional request.
    pub validators: Validators,
    /// Whether the last worker that claimed it never returned it: its process died, possibly because of this feed.
    pub suspect: bool,
    /// Hash of the body parsed last: the same body is not parsed again.
    pub body_sha256: Option<Sha256Hash>,
    /// The end of the lease under which a hub has promised to deliver the feed.
    pub delivered_until: Option<Timestamp>,
    /// What the schedule knows about it.
    pub history: History,
}

/// Returns the moment after a wait, or the latest possible one if that is out of range.
pub fn after(moment: Timestamp, wait: Duration) -> Timestamp {
    moment.saturating_add(wait).expect("an unsigned duration is never out of range")
}

/// Returns the host of a URL by which requests are counted, with the port if it is not the default one.
pub fn host_with_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A host that has requested a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct HostPause {
    /// Host name, with the port if it is not the default one.
    pub host: String,
    /// End of the pause.
    pub until: Timestamp,
}

/// What a feed says about when to poll it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PublisherHints {
    /// `ttl` of RSS, in minutes.
    pub ttl_minutes: Option<u32>,
    /// Seconds between updates according to `sy:updatePeriod` and `sy:updateFrequency`.
    pub update_period_secs: Option<u32>,
    /// `skipHours` of RSS: hours of the day in UTC, 0 to 23.
    pub skip_hours: Vec<u8>,
    /// `skipDays` of RSS: days of the week in UTC, 1 = Monday to 7 = Sunday.
    pub skip_days: Vec<u8>,
}

/// The source of an article's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentSource {
    /// Always the page to which the entry links.
    Page,
    /// Always the content of the feed: no page is fetched.
    Feed,
    /// The page, or the feed's content if the page fails, is a stub or is behind a wall.
    #[default]
    Auto,
}

/// What happens to the page from which an article was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawPages {
    /// It is kept with the article, compressed.
    Keep,
    /// Only its hash is kept.
    #[default]
    None,
}
