//! What downstream reads.

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
    /// Another text of the same article.
    Revised,
    /// Another feed announced it, or it was linked to an original.
    Linked,
    /// The publisher took it back.
    Withdrawn,
}

/// One announcement of an article by a feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedMention {
    /// The feed's configured URL, without the secrets in it.
    pub feed_url: Url,
    /// The operator's tags on the feed, as they are now.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The entry's guid as given.
    pub guid: Option<String>,
    /// The entry's headline.
    pub entry_title: Option<String>,
    /// The entry's date.
    pub entry_published_at: Option<Timestamp>,
    /// When the feed first showed the entry to us.
    pub first_seen_at: Timestamp,
}

/// The schema that [`Record`] follows; raised when a field changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// What downstream reads, in JSON: one event in the life of an article with the article as it then was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Position in the outbox: strictly rising, in commit order, never reused.
    pub seq: i64,
    /// What happened.
    pub event: Event,
    /// When that was stored.
    pub recorded_at: Timestamp,
    /// SHA-256 of the normalised URL where a page is the article, else of what names the entry.
    pub id: ArticleId,
    /// 1 for the first text.
    pub revision: u32,
    /// The URL announced, without tracking parameters.
    pub url: Url,
    /// The URL as the feed gave it.
    pub original_url: Url,
    /// What the page says about it.
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
    /// Identity of the text.
    pub content_sha256: Sha256Hash,
    /// Hash of the bytes it was made from.
    pub raw_sha256: Sha256Hash,
    /// The earlier article that this one is a copy of.
    pub duplicate_of: Option<ArticleId>,
    /// How the copy was recognised.
    pub duplicate_kind: Option<DuplicateKind>,
    /// How much of a copy it is.
    pub duplicate_score: Option<f64>,
    /// The id of the first article of its cluster: its own where it is an original.
    pub cluster_id: ArticleId,
    /// When the publisher took it back, where it did.
    #[serde(default)]
    pub withdrawn_at: Option<Timestamp>,
    /// Every feed that announced it.
    pub feeds: Vec<FeedMention>,
    /// The extractor that made the text.
    pub extractor_version: String,
    /// Why the text may be less than expected.
    pub quality_flags: Vec<QualityFlag>,
    /// The files that came with it: podcasts, documents, films.
    #[serde(default)]
    pub enclosures: Vec<Enclosure>,
    /// Version of this description.
    pub schema_version: u32,
    /// The text that this event puts another in the place of, or takes back. It is for what keeps texts by position; the
    /// record does without, since whoever keeps them by id has it.
    #[serde(skip)]
    pub replaces: Option<EarlierText>,
}

/// An article's text as an earlier event brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierText {
    /// That event's position.
    pub seq: i64,
    /// Identity of the text.
    pub content_sha256: Sha256Hash,
}
