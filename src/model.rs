//! Ids and the values that travel from one stage to the next. Plain data: no clock, no network, no database.

mod masked;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

pub use masked::{masked, masked_text};

/// Row number of a feed in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedId(pub i64);

/// Row number of an entry in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub i64);

/// A SHA-256, written as 64 lower-case hex digits wherever it leaves memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Hash(pub [u8; 32]);

impl Sha256Hash {
    /// Hash of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first 16 hex digits: enough to name a file.
    pub fn hash16(&self) -> String {
        self.to_string()[..16].to_owned()
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("not a SHA-256 in 64 hex digits: {0:?}")]
pub struct InvalidHash(String);

impl FromStr for Sha256Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.chars().take(80).collect());
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What makes two announcements one article: SHA-256 of the normalised URL (see [`normalise_url`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArticleId(pub Sha256Hash);

impl ArticleId {
    /// The id of the article at `url`, as announced; tracking parameters and the like make no difference.
    pub fn of_url(url: &Url) -> Self {
        Self(Sha256Hash::of(normalise_url(url)))
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Query parameters that say where a click came from and nothing about the page.
const TRACKING_PARAMETERS: &[&str] = &[
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "twclid",
    "ttclid",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "oly_anon_id",
    "oly_enc_id",
    "vero_id",
    "wickedid",
    "rb_clickid",
    "s_cid",
    "ref_src",
    "ref_url",
    "_hsenc",
    "_hsmi",
    "__hstc",
    "__hssc",
    "hsctatracking",
    "_openstat",
    "spm",
    "at_medium",
    "at_campaign",
    "cmpid",
    "ns_campaign",
    "ns_mchannel",
    "ns_source",
    "ns_linkname",
    "ncid",
    "smid",
    "xtor",
];

/// The URL without the parameters that only say where a click came from, and without its fragment.
pub fn strip_tracking(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    let kept: Vec<&str> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
            !(name.is_empty() || name.starts_with("utm_") || TRACKING_PARAMETERS.contains(&name.as_str()))
        })
        .collect();
    let query = (!kept.is_empty()).then(|| kept.join("&"));
    url.set_query(query.as_deref());
    url
}

/// The form of a URL that stands for the page itself: no tracking parameters, no fragment, `http` as `https`, no
/// default port, no trailing slash. Used for identity only: the URL as given is kept.
pub fn normalise_url(url: &Url) -> String {
    let text = strip_tracking(url).to_string();
    // Sites move from http to https and feeds mix both: one page.
    let text = match text.strip_prefix("http://") {
        Some(rest) => format!("https://{rest}"),
        None => text,
    };
    text.strip_suffix('/').unwrap_or(&text).to_owned()
}

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
    pub history: crate::schedule::History,
}

/// The moment after a wait; the last one that there is, where it is out of range.
pub fn after(moment: Timestamp, wait: Duration) -> Timestamp {
    moment.saturating_add(wait).expect("an unsigned duration is never out of range")
}

/// A host that has asked to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The page of a stored article, whose time to be looked at again has come: what it was when it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recheck {
    /// For the conditional request.
    pub validators: Validators,
    /// Hash of the bytes that the current revision was made from.
    pub raw_sha256: Sha256Hash,
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
    /// The claim.
    pub lease: Lease,
    /// Failed attempts so far.
    pub failures: u32,
    /// Whether the last worker that claimed it never came back: its process died, and this entry may be why.
    pub suspect: bool,
    /// Whether its article is stored already.
    pub known: Known,
    /// Set where nothing has changed in the feed and the article's age alone asks for another look at its page.
    pub recheck: Option<Recheck>,
    /// The article that it announces.
    pub article_id: ArticleId,
    /// The page as the feed gave it; `None` for an entry without a link, whose article is its own content.
    pub url: Option<Url>,
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
    /// The URL that stands for its article. An entry without a link is an article of its own, named by its feed and
    /// its key.
    pub fn article_url(&self) -> Url {
        self.url.clone().unwrap_or_else(|| url_without_link(&self.feed_url, self.key))
    }
}

/// The URL of an entry that has no link: its feed's, with the entry's key as a parameter.
pub fn url_without_link(feed_url: &Url, key: Sha256Hash) -> Url {
    let mut url = masked(feed_url);
    url.query_pairs_mut().append_pair("feedmill-entry", &key.to_string());
    url
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
}

impl QualityFlag {
    /// Every flag, in the order of the enum.
    pub const ALL: [Self; 9] = [
        Self::Paywalled,
        Self::Liveblog,
        Self::Gallery,
        Self::VideoOnly,
        Self::Listing,
        Self::TooShort,
        Self::FeedContentUsed,
        Self::Partial,
        Self::RepeatedText,
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

/// What extraction makes of a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Article {
    /// Headline without the site's name.
    pub title: Option<String>,
    /// The article's blocks in reading order, a blank line between; table cells are tab-separated.
    pub text: String,
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
    /// Words in `text`; CJK and Thai by character.
    pub word_count: u32,
    /// Why the text may be less than expected, in the enum's order, without repeats.
    pub quality_flags: Vec<QualityFlag>,
    /// How sure the extractor is that `text` is the article and only that: 0 to 1.
    pub score: f32,
    /// Every block with its fate, in document order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub account: Vec<BlockAccount>,
    /// Hashes of the page's blocks, for the host's furniture counts.
    #[serde(skip)]
    pub block_hashes: Vec<BlockHash>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKind {
    /// The same canonical text.
    Exact,
    /// A cut, edited or wrapped copy.
    Near,
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

/// What happened to an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedMention {
    /// The feed's configured URL.
    pub feed_url: Url,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the outbox: strictly rising, in commit order, never reused.
    pub seq: i64,
    /// What happened.
    pub event: Event,
    /// SHA-256 of the normalised URL.
    pub id: ArticleId,
    /// 1 for the first text.
    pub revision: u32,
    /// The URL announced, without tracking parameters.
    pub url: Url,
    /// The URL as the feed gave it.
    pub original_url: Url,
    /// What the page calls itself.
    pub canonical_url: Option<Url>,
    /// Headline.
    pub title: Option<String>,
    /// Clean text.
    pub text: String,
    /// The publisher's own summary.
    pub description: Option<String>,
    /// Author names.
    pub authors: Vec<String>,
    /// First publication.
    pub published_at: Option<Timestamp>,
    /// Last change.
    pub modified_at: Option<Timestamp>,
    /// When this revision was fetched.
    pub fetched_at: Timestamp,
    /// BCP 47.
    pub language: Option<String>,
    /// The publication's name.
    pub site_name: Option<String>,
    /// Host of `url`.
    pub hostname: String,
    /// Section or column.
    pub section: Option<String>,
    /// Keywords.
    pub tags: Vec<String>,
    /// Lead image.
    pub image: Option<Url>,
    /// Licence.
    pub license: Option<String>,
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
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
}
