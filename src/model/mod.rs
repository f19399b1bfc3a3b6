//! Ids and the values that travel from one stage to the next. Plain data: no clock, no network, no database.

mod failure;
mod history;
mod ids;
mod masked;
mod record;
/// The record described.
pub mod schema;
mod secret;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

pub use failure::FailureKind;
pub use history::{History, MoveSighting};
pub use ids::{
    ArticleId, EntryId, FeedId, InvalidHash, Sha256Hash, entry_url, normalise_url, strip_tracking,
    without_fragment,
};
pub use masked::{masked, masked_text, serialize_masked};
pub use record::{EarlierText, Event, FeedMention, Record, SCHEMA_VERSION};
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostPause {
    /// Its name, with the port where that is not the usual one.
    pub host: String,
    /// Until when.
    pub until: Timestamp,
}

/// What a feed says about when it wants to be polled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Whether an entry's article is in the store already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// No: it is to be fetched.
    No,
    /// Yes, thanks to another entry: this one is added to its mentions.
    ThroughAnother,
    /// It was, until it was too old: it is not fetched again.
    Removed,
    /// Yes, from this entry, which has changed since: it is to be fetched again.
    ThroughThis,
}

/// The page of a stored article as it was when it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRead {
    /// For the conditional request.
    pub validators: Validators,
    /// Hash of the bytes that the current revision was made from.
    pub raw_sha256: Sha256Hash,
}

/// A stored article whose time to be looked at again has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recheck {
    /// What is wrong with the current revision.
    pub quality_flags: Vec<QualityFlag>,
}

/// An entry waiting to become an article, claimed by a worker.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its row.
    pub id: EntryId,
    /// The feed that announced it.
    pub feed_id: FeedId,
    /// That feed's configured URL: the key to its options.
    pub feed_url: Url,
    /// Where that feed is polled now.
    pub polled_url: Url,
    /// The claim.
    pub lease: Lease,
    /// Failed attempts so far.
    pub failures: u32,
    /// Whether the last worker that claimed it never came back: its process died, and this entry may be why.
    pub suspect: bool,
    /// Whether its article is stored already.
    pub known: Known,
    /// Whether the stored text is a feed's, for want of the page.
    pub is_stand_in: bool,
    /// The stored text's identity.
    pub content_sha256: Option<Sha256Hash>,
    /// What its page was; none where the page was not read, or must be read whole.
    pub last_read: Option<LastRead>,
    /// Set where nothing has changed in the feed and the article's age alone asks for another look at its page.
    pub recheck: Option<Recheck>,
    /// The article that it announces.
    pub article_id: ArticleId,
    /// The page as the feed gave it; `None` for an entry without a link, whose article is its own content.
    pub url: Option<Url>,
    /// Whether the link is no page of its own: other entries of the feed have it too, or it is the site's.
    pub shares_link: bool,
    /// What identifies it within its feed.
    pub key: Sha256Hash,
    /// The entry's guid as given.
    pub guid: Option<String>,
    /// What the feed said about it.
    pub evidence: EntryEvidence,
    /// When the feed first showed it to us.
    pub first_seen_at: Timestamp,
}

impl Entry {
    /// The URL that stands for its article: its page's, else its own.
    pub fn article_url(&self) -> Url {
        self.url.clone().unwrap_or_else(|| self.own_url())
    }

    /// The URL that names it where no page is its article.
    pub fn own_url(&self) -> Url {
        entry_url(&self.feed_url, self.key)
    }

    /// What identifies its article where no page is that.
    pub fn own_article_id(&self) -> ArticleId {
        ArticleId::of_url(&self.own_url())
    }

    /// Its link as the address of a page of its own, and what identifies that page.
    pub fn page_of_its_own(&self, link: &Url) -> (ArticleId, Url) {
        let exact = ArticleId::of_exact_url(link);
        if self.article_id == exact && self.url.as_ref() == Some(link) {
            (exact, without_fragment(link))
        } else {
            (ArticleId::of_url(link), strip_tracking(link))
        }
    }
}

/// Something by which an entry is known again within its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// Of what kind it is, and what it says.
    pub sha256: Sha256Hash,
    /// Whether no other entry of the same document has it.
    pub is_own: bool,
}

/// What a feed entry says about its article. Text fields hold what the feed gave: possibly HTML, always untrusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntryEvidence {
    /// Headline, as plain text.
    pub title: Option<String>,
    /// Teaser: HTML or text.
    pub summary: Option<String>,
    /// The whole article or a part of it: HTML or text.
    pub content: Option<String>,
    /// Author names.
    pub authors: Vec<String>,
    /// Publication time.
    pub published_at: Option<Timestamp>,
    /// Time of the last change.
    pub updated_at: Option<Timestamp>,
    /// BCP 47 language of the entry or its feed.
    pub language: Option<String>,
    /// Categories.
    pub tags: Vec<String>,
    /// Lead image.
    pub image: Option<Url>,
    /// Attached files, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enclosures: Vec<Enclosure>,
    /// Whether its feed only mentions the page, and its own text must not stand in for what the page shows.
    #[serde(skip)]
    pub only_mentions: bool,
}

impl EntryEvidence {
    /// What the feed itself says of the article: the longer of its texts, wherever the feed put it.
    pub fn own_text(&self) -> Option<&str> {
        let texts = [&self.content, &self.summary].into_iter().flatten().map(|text| text.trim());
        // The first among equals.
        texts.filter(|text| !text.is_empty()).rev().max_by_key(|text| text.len())
    }
}

/// A file that comes with an entry, or that the entry links to instead of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enclosure {
    /// Where it is.
    pub url: Url,
    /// Its media type, where it is known.
    #[serde(rename = "type", default)]
    pub media_type: Option<String>,
    /// Its length in bytes, where it is known.
    #[serde(default)]
    pub length: Option<u64>,
}

/// A document to extract an article from.
#[derive(Clone, Debug)]
pub struct Page {
    /// The URL that was asked for: the article's `url`.
    pub url: Url,
    /// Where the document came from after redirects: relative links resolve against it.
    pub final_url: Url,
    /// What it holds.
    pub body: PageBody,
    /// When it arrived. No date in the article lies after it.
    pub fetched_at: Timestamp,
}

/// A document's decoded content.
#[derive(Clone, Debug)]
pub enum PageBody {
    /// A web page.
    Html(String),
    /// The HTML inside a feed entry.
    Fragment(String),
    /// Plain lines.
    Text(String),
}

/// Why an article's text may be less than a reader expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualityFlag {
    /// The page holds back part of the text.
    Paywalled,
    /// A running account whose text grows.
    Liveblog,
    /// Mostly pictures.
    Gallery,
    /// A player and hardly any text.
    VideoOnly,
    /// A list of other articles.
    Listing,
    /// Too little text to judge or compare.
    TooShort,
    /// The feed's content stands in for the page.
    FeedContentUsed,
    /// A guard stopped the parse; the text is what had been read so far.
    Partial,
    /// Another page of the host has the same text under another headline: it may be the text of neither.
    RepeatedText,
    /// The page cannot be had, and of the article the feed gives a teaser or a title.
    TeaserOnly,
}

impl QualityFlag {
    /// The word for it in records, filters and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paywalled => "paywalled",
            Self::Liveblog => "liveblog",
            Self::Gallery => "gallery",
            Self::VideoOnly => "video_only",
            Self::Listing => "listing",
            Self::TooShort => "too_short",
            Self::FeedContentUsed => "feed_content_used",
            Self::Partial => "partial",
            Self::RepeatedText => "repeated_text",
            Self::TeaserOnly => "teaser_only",
        }
    }

    /// Every flag, in the order of the enum.
    pub const ALL: [Self; 10] = [
        Self::Paywalled,
        Self::Liveblog,
        Self::Gallery,
        Self::VideoOnly,
        Self::Listing,
        Self::TooShort,
        Self::FeedContentUsed,
        Self::Partial,
        Self::RepeatedText,
        Self::TeaserOnly,
    ];
}

/// Hash of a normalised text block together with nothing of its host: equal furniture hashes alike on every page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockHash(pub u64);

/// One block of a page and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockAccount {
    /// Whether the block is part of the article's text.
    pub kept: bool,
    /// The rule or evidence that decided, e.g. `site.seen_elsewhere`, `rule.comment_form`, `body`.
    pub rule: String,
    /// The block's text, cut to a length fit for a report.
    pub text: String,
}

/// What a page says about its article. In JSON its fields stand among those of what it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Headline without the site's name.
    pub title: Option<String>,
    /// The publisher's own summary.
    pub description: Option<String>,
    /// Author names, in the page's order.
    pub authors: Vec<String>,
    /// First publication.
    pub published_at: Option<Timestamp>,
    /// Last change that the publisher owns to.
    pub modified_at: Option<Timestamp>,
    /// The zone that the publisher dates in, where it says so: the day that readers saw follows from it. The record
    /// is in UTC and does without.
    #[serde(skip)]
    pub utc_offset: Option<Offset>,
    /// BCP 47.
    pub language: Option<String>,
    /// `rel=canonical` or its like, if it is http(s).
    pub canonical_url: Option<Url>,
    /// The publication's name.
    pub site_name: Option<String>,
    /// Section or column.
    pub section: Option<String>,
    /// Keywords.
    pub tags: Vec<String>,
    /// Lead image.
    pub image: Option<Url>,
    /// Licence, as a URL or a name.
    pub license: Option<String>,
}

/// What extraction makes of a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Article {
    /// What the page says about it.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// The article's blocks in reading order, a blank line between; table cells are tab-separated.
    pub text: String,
    /// Words in `text`; CJK and Thai by character.
    pub word_count: u32,
    /// Why the text may be less than expected, in the enum's order, without repeats.
    pub quality_flags: Vec<QualityFlag>,
    /// How sure the extractor is that `text` is the article and only that: 0 to 1.
    pub score: f32,
    /// Every block with its fate, in document order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub account: Vec<BlockAccount>,
    /// The operator's selectors for the page's site, and whether they match.
    #[serde(skip)]
    pub selectors: Vec<SelectorUse>,
    /// The whole readings of the page that were weighed, the model's own first.
    #[serde(skip)]
    pub candidates: Vec<CandidateAccount>,
    /// Hashes of the page's blocks, for the host's furniture counts.
    #[serde(skip)]
    pub block_hashes: Vec<BlockHash>,
}

/// One of the operator's selectors on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorUse {
    /// Its site, key and text.
    pub name: String,
    /// Whether it matches anything.
    pub matches: bool,
}

/// A whole reading of a page, and what the judge of readings thinks of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateAccount {
    /// How the page was read.
    pub name: &'static str,
    /// What it promises: the highest is believed.
    pub score: f32,
    /// Words that it keeps.
    pub words: u32,
    /// Whether it was believed.
    pub is_chosen: bool,
}

/// What two copies of a text share.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// SHA-256 of the canonical text: the content's identity.
    pub content_sha256: Sha256Hash,
    /// Locality-sensitive bands of the signature: two texts with a band in common are compared. Empty for a text too
    /// short to compare.
    pub bands: Vec<u64>,
    /// Whether the text is long enough and enough of an article to be compared with others at all.
    pub comparable: bool,
}

/// How a copy was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKind {
    /// The same canonical text.
    Exact,
    /// A cut, edited or wrapped copy.
    Near,
}

impl DuplicateKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Exact, Self::Near];

    /// The word for it in records and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Near => "near",
        }
    }
}

/// What dedup says about an article.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The first of its kind: it opens its own cluster.
    Original,
    /// A copy of an article stored before it. Both are kept.
    Duplicate(DuplicateLink),
}

/// The link from a copy to its original.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateLink {
    /// The earlier article.
    pub of: ArticleId,
    /// How it was recognised.
    pub kind: DuplicateKind,
    /// 1.0 for an exact copy; else the share of the shorter text found in the longer.
    pub score: f64,
    /// The cluster that both belong to: the id of its first article.
    pub cluster_id: ArticleId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_spelled_alike_wherever_they_are_written() {
        for flag in QualityFlag::ALL {
            assert_eq!(serde_json::to_value(flag).unwrap(), flag.as_str());
        }
        for kind in DuplicateKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
