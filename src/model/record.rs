//! The record: what consumers read.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ArticleId, DuplicateKind, Enclosure, Metadata, QualityFlag, Sha256Hash};

/// What happened to an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Stored for the first time.
    Created,
    /// The article has a new text.
    Revised,
    /// Another feed entry announced the article; links to originals come with `created` and `revised`.
    Linked,
    /// The publisher withdrew the article.
    Withdrawn,
}

/// One announcement of an article by a feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedMention {
    /// Configured URL of the feed, with secrets masked.
    pub feed_url: Url,
    /// The operator's tags on the feed, as currently configured.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The guid of the entry, as given.
    pub guid: Option<String>,
    /// The title of the entry.
    pub entry_title: Option<String>,
    /// The publication date of the entry.
    pub entry_published_at: Option<Timestamp>,
    /// When the entry was first seen in the feed.
    pub first_seen_at: Timestamp,
}

/// The schema version of [`Record`]; incremented when a field is removed or changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// What consumers read, in JSON: one event of an article, with the article as it was then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Position in the outbox: strictly increasing, in commit order, never reused.
    pub seq: i64,
    /// What happened.
    pub event: Event,
    /// When the event was stored.
    pub recorded_at: Timestamp,
    /// SHA-256 of the normalised URL if the article is a page, otherwise of the URL that identifies the feed entry.
    pub id: ArticleId,
    /// Number of the revision, starting at 1.
    pub revision: u32,
    /// The announced URL, without tracking parameters.
    pub url: Url,
    /// The URL as given by the feed.
    pub original_url: Url,
    /// What the page says about the article.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// Clean text.
    pub text: String,
    /// When this revision was fetched.
    pub fetched_at: Timestamp,
    /// Host of `url`.
    pub hostname: String,
    /// Words in `text`.
    pub word_count: u32,
    /// Hash that identifies the text.
    pub content_sha256: Sha256Hash,
    /// Hash of the bytes from which the text was extracted.
    pub raw_sha256: Sha256Hash,
    /// The earlier article of which this one is a copy.
    pub duplicate_of: Option<ArticleId>,
    /// How the copy was recognised.
    pub duplicate_kind: Option<DuplicateKind>,
    /// 1.0 for an exact copy, otherwise the share of the shorter text that is found in the longer one.
    pub duplicate_score: Option<f64>,
    /// The id of the first article of the cluster: the article's own id if it is an original.
    pub cluster_id: ArticleId,
    /// When the publisher withdrew the article, if it did.
    #[serde(default)]
    pub withdrawn_at: Option<Timestamp>,
    /// Every feed that announced it.
    pub feeds: Vec<FeedMention>,
    /// Version of the extractor that produced the text.
    pub extractor_version: String,
    /// Why the text may be less than expected.
    pub quality_flags: Vec<QualityFlag>,
    /// Files attached to the entry: podcasts, documents, videos.
    #[serde(default)]
    pub enclosures: Vec<Enclosure>,
    /// Version of the record's schema.
    pub schema_version: u32,
    /// The earlier text that this event replaces or withdraws. Used by sinks that store texts by position; records omit it,
    /// since a consumer that stores texts by id does not need it.
    #[serde(skip)]
    pub replaces: Option<EarlierText>,
}

/// An article's text, as delivered by an earlier event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierText {
    /// The position of that event.
    pub seq: i64,
    /// The hash that identifies the text.
    pub content_sha256: Sha256Hash,
}
