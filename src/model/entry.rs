//! Entries: what a feed announces, and what is known of an entry when it is processed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::article::QualityFlag;
use super::ids::{
    ArticleId, EntryId, FeedId, PartyId, Sha256Hash, entry_url, strip_tracking, without_fragment,
};
use super::{Lease, Validators};

/// Whether an entry's article is already in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is not: the page is to be fetched.
    No,
    /// It is, through another entry: this entry is added to the article's mentions.
    ThroughAnother,
    /// It was, but retention removed it: it is not fetched again.
    Removed,
    /// It is, from this entry, which has changed since: the page is to be fetched again.
    ThroughThis,
}

/// The page of a stored article, as it was when last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRead {
    /// The validators for the conditional request.
    pub validators: Validators,
    /// The hash of the bytes from which the current revision was extracted.
    pub raw_sha256: Sha256Hash,
}

/// A stored article that is due for a recheck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recheck {
    /// The quality flags of the current revision.
    pub quality_flags: Vec<QualityFlag>,
}

/// A pending entry that a worker has claimed.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read on its own")]
pub struct Entry {
    /// The id of its row.
    pub id: EntryId,
    /// The feed that announced it.
    pub feed_id: FeedId,
    /// The party that answers for the feed.
    pub party: PartyId,
    /// The feed's configured URL, by which its options are looked up.
    pub feed_url: Url,
    /// The URL from which the feed is currently polled.
    pub polled_url: Url,
    /// The lease of the claim.
    pub lease: Lease,
    /// The number of failed attempts so far.
    pub failures: u32,
    /// Whether the last worker that claimed it never returned it: its process died, possibly because of this entry.
    pub suspect: bool,
    /// Whether its article is already stored.
    pub known: Known,
    /// Whether the stored text is the feed's, because the page was not available.
    pub is_stand_in: bool,
    /// The hash of the stored text.
    pub content_sha256: Option<Sha256Hash>,
    /// The page as last read; `None` if it was not read, or must be fetched unconditionally.
    pub last_read: Option<LastRead>,
    /// Set if the entry has not changed in the feed and only the article's age makes the page due for a recheck.
    pub recheck: Option<Recheck>,
    /// The id of the article that the entry announces.
    pub article_id: ArticleId,
    /// The link as given by the feed; `None` for an entry without one, whose article is its own content.
    pub url: Option<Url>,
    /// Whether the link is not a page of this entry alone: other entries of the feed share it, or it is the site's home page.
    pub shares_link: bool,
    /// The key that identifies the entry within its feed.
    pub key: Sha256Hash,
    /// The entry's guid as given.
    pub guid: Option<String>,
    /// What the feed said about it.
    pub evidence: EntryEvidence,
    /// When the entry was first seen in the feed.
    pub first_seen_at: Timestamp,
    /// Whether the feed had it when it was first read: it was published before the feed was watched.
    pub is_backlog: bool,
}

impl Entry {
    /// Returns the URL that identifies its article: the page's if it has a link, otherwise its own.
    pub fn article_url(&self) -> Url {
        self.url.clone().unwrap_or_else(|| self.own_url())
    }

    /// Returns the URL that identifies the entry when its article is not a page.
    pub fn own_url(&self) -> Url {
        entry_url(&self.feed_url, self.key)
    }

    /// Returns the id of its article when that is not a page.
    pub fn own_article_id(&self) -> ArticleId {
        ArticleId::of_url(&self.own_url())
    }

    /// Returns the article id and URL for `link`, which leads to a page of this entry alone.
    pub fn page_of_its_own(&self, link: &Url) -> (ArticleId, Url) {
        let exact = ArticleId::of_exact_url(link);
        if self.article_id == exact && self.url.as_ref() == Some(link) {
            (exact, without_fragment(link))
        } else {
            (ArticleId::of_url(link), strip_tracking(link))
        }
    }
}

/// A key by which an entry is recognised within its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// The hash of the key's kind and value.
    pub sha256: Sha256Hash,
    /// Whether the key is unique within the document.
    pub is_own: bool,
}

/// What a feed entry says about its article. Text fields hold what the feed gave: possibly HTML, always untrusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntryEvidence {
    /// Headline, as plain text.
    pub title: Option<String>,
    /// Teaser, as HTML or text.
    pub summary: Option<String>,
    /// The whole article or a part of it, as HTML or text.
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
    /// Attached files, without duplicates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enclosures: Vec<Enclosure>,
    /// Whether the feed only mentions the page, so that the feed's text must not stand in for the page.
    #[serde(skip)]
    pub only_mentions: bool,
}

impl EntryEvidence {
    /// Returns the longer of the feed's own texts about the article, in whichever field it is.
    pub fn own_text(&self) -> Option<&str> {
        let texts = [&self.content, &self.summary].into_iter().flatten().map(|text| text.trim());
        // On a tie, `content` wins.
        texts.filter(|text| !text.is_empty()).rev().max_by_key(|text| text.len())
    }
}

/// A file attached to an entry, or to which the entry links instead of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enclosure {
    /// URL of the file.
    pub url: Url,
    /// Media type, if known.
    #[serde(rename = "type", default)]
    pub media_type: Option<String>,
    /// Length in bytes, if known.
    #[serde(default)]
    pub length: Option<u64>,
}
