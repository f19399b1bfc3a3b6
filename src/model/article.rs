//! Pages, and the articles that are made of them.

use jiff::Timestamp;
use jiff::tz::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

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

impl PageBody {
    /// What it holds, markup included.
    pub fn source(&self) -> &str {
        let (Self::Html(source) | Self::Fragment(source) | Self::Text(source)) = self;
        source
    }
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
    /// A guard stopped the parse, or the text goes on on a page that was not read: it is what had been read so far.
    Partial,
    /// Another page of the host has the same text under another headline: it may be the text of neither.
    RepeatedText,
    /// The page cannot be had or holds no text, and what feed or page say of the article is a teaser or a title.
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
    /// The page of its own on which the text goes on.
    #[serde(skip)]
    pub next_page: Option<Url>,
    /// Hashes of the page's blocks, for the host's furniture counts.
    #[serde(skip)]
    pub block_hashes: Vec<BlockHash>,
    /// The beginnings of the texts among them, for whoever looks at what was learned.
    #[serde(skip)]
    pub block_excerpts: Vec<(BlockHash, String)>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_spelled_alike_wherever_they_are_written() {
        for flag in QualityFlag::ALL {
            assert_eq!(serde_json::to_value(flag).unwrap(), flag.as_str());
        }
    }
}
