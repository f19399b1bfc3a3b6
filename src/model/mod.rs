//! Ids and the values that travel from one stage to the next. Plain data: no clock, no network, no database.

mod article;
mod copies;
mod entry;
mod failure;
mod history;
mod ids;
mod masked;
mod record;
mod rhythm;
/// The record described.
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

/// A row lent to one worker. Whatever the worker writes back names the epoch; a later claim has raised it, and the
/// stale write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The fencing token: raised by every claim of the row.
    pub epoch: i64,
    /// The moment from which others may claim the row.
    pub until: Timestamp,
}

/// What a server gave us to ask "has it changed?" with, byte for byte as received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag` header: quotes and `W/` included.
    pub etag: Option<String>,
    /// The `Last-Modified` header: the very string, never reparsed.
    pub last_modified: Option<String>,
}

/// A feed whose time has come, claimed for one poll.
#[derive(Clone, Debug)]
pub struct DueFeed {
    /// Its row.
    pub id: FeedId,
    /// The claim.
    pub lease: Lease,
    /// The URL that the operator configured: the key to its options.
    pub configured_url: Url,
    /// Where it is polled now: differs from `configured_url` after a confirmed permanent redirect.
    pub url: Url,
    /// For the conditional request.
    pub validators: Validators,
    /// Whether the last worker that claimed it never came back: its process died, and this feed may be why.
    pub suspect: bool,
    /// Hash of the body last parsed: the same body is not parsed again.
    pub body_sha256: Option<Sha256Hash>,
    /// Until when a hub has promised to deliver it.
    pub delivered_until: Option<Timestamp>,
    /// What the schedule remembers of it.
    pub history: History,
}

/// The moment after a wait; the last one that there is, where it is out of range.
pub fn after(moment: Timestamp, wait: Duration) -> Timestamp {
    moment.saturating_add(wait).expect("an unsigned duration is never out of range")
}

/// The host of a URL as requests are counted by, with the port where that is not the usual one.
pub fn host_with_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A host that has asked to be left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct HostPause {
    /// Its name, with the port where that is not the usual one.
    pub host: String,
    /// Until when.
    pub until: Timestamp,
}

/// What a feed says about when it wants to be polled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PublisherHints {
    /// RSS `ttl`.
    pub ttl_minutes: Option<u32>,
    /// Seconds between updates by `sy:updatePeriod` and `sy:updateFrequency`.
    pub update_period_secs: Option<u32>,
    /// RSS `skipHours`: hours of the day in UTC, 0 to 23.
    pub skip_hours: Vec<u8>,
    /// RSS `skipDays`: days of the week in UTC, 1 = Monday to 7 = Sunday.
    pub skip_days: Vec<u8>,
}

/// Which text an article is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentSource {
    /// Always the page that the entry links to.
    Page,
    /// Always the content inside the feed: no page is fetched.
    Feed,
    /// The page; the feed's content where the page fails, is a stub or a wall.
    #[default]
    Auto,
}

/// What becomes of the page that an article was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawPages {
    /// It is kept beside the article, compressed.
    Keep,
    /// Only its hash is kept.
    #[default]
    None,
}
