//! Entries: what a feed announces, and what is known of it when its turn comes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::article::QualityFlag;
use super::ids::{
    ArticleId, EntryId, FeedId, PartyId, Sha256Hash, entry_url, strip_tracking, without_fragment,
};
use super::{Lease, Validators};

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
    /// Who answers for that feed.
    pub party: PartyId,
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
