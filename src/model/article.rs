//! Pages, and the articles extracted from them.

use jiff::Timestamp;
use jiff::tz::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// A document to extract an article from.
#[derive(Clone, Debug)]
pub struct Page {
    /// The requested URL: the article's `url`.
    pub url: Url,
    /// The URL of the document after redirects: relative links resolve against it.
    pub final_url: Url,
    /// The decoded content.
    pub body: PageBody,
    /// When the document arrived. No date in the article is later than that.
    pub fetched_at: Timestamp,
}

/// A document's decoded content.
#[derive(Clone, Debug)]
pub enum PageBody {
    /// A web page.
    Html(String),
    /// The HTML inside a feed entry.
    Fragment(String),
    /// Plain text.
    Text(String),
}

impl PageBody {
    /// Returns the content, including markup.
    pub fn source(&self) -> &str {
        let (Self::Html(source) | Self::Fragment(source) | Self::Text(source)) = self;
        source
    }
}

/// Why an article's text may be less than a reader expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualityFlag {
    /// The page shows only part of the text.
    Paywalled,
    /// A live report whose text keeps growing.
    Liveblog,
    /// Mostly images.
    Gallery,
    /// A video player and hardly any text.
    VideoOnly,
    /// A list of other articles.
    Listing,
    /// Too little text to judge or compare.
    TooShort,
    /// The feed's content is used in place of the page.
    FeedContentUsed,
    /// Only the first part of the text: a limit stopped the parser, or the text continues on a page that was not read.
    Partial,
    /// Another page of the host has the same text under a different headline: the text may belong to neither.
    RepeatedText,
    /// The page is unavailable or has no text, and feed and page provide only a teaser or a title.
    TeaserOnly,
}

impl QualityFlag {
    /// Returns the name of the flag in records, filters and tables.
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

/// Hash of a normalised text block, independent of the host: equal furniture has the same hash on every page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockHash(pub u64);

/// One block of a page, and whether it was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockAccount {
    /// Whether the block is part of the article's text.
    pub kept: bool,
    /// The rule or evidence that decided, such as `site.seen_elsewhere`, `rule.comment_form` or `body`.
    pub rule: String,
    /// The text of the block, cut to a length suitable for a report.
    pub text: String,
}

/// What a page says about its article. In JSON these fields are flattened into the containing object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Headline without the name of the site.
    pub title: Option<String>,
    /// The publisher's summary.
    pub description: Option<String>,
    /// Author names, in the order of the page.
    pub authors: Vec<String>,
    /// Time of first publication.
    pub published_at: Option<Timestamp>,
    /// Time of the last change that the publisher states.
    pub modified_at: Option<Timestamp>,
    /// The UTC offset of the publisher's dates, if stated; it determines the calendar day that readers saw. Records are in UTC
    /// and omit it.
    #[serde(skip)]
    pub utc_offset: Option<Offset>,
    /// BCP 47 language tag.
    pub language: Option<String>,
    /// `rel=canonical` or an equivalent, if it is http(s).
    pub canonical_url: Option<Url>,
    /// Name of the publication.
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

/// The result of extraction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Article {
    /// What the page says about the article.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// The blocks of the article in reading order, separated by blank lines; table cells are separated by tabs.
    pub text: String,
    /// Number of words in `text`; CJK and Thai are counted by character.
    pub word_count: u32,
    /// Why the text may be less than expected, in the order of the enum, without duplicates.
    pub quality_flags: Vec<QualityFlag>,
    /// Confidence that `text` is the whole article and nothing else, from 0 to 1.
    pub score: f32,
    /// Every block with the decision about it, in document order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub account: Vec<BlockAccount>,
    /// The operator's selectors for the site, and whether they match.
    #[serde(skip)]
    pub selectors: Vec<SelectorUse>,
    /// The candidate readings of the whole page that were compared, the model's own first.
    #[serde(skip)]
    pub candidates: Vec<CandidateAccount>,
    /// The next page of a multi-page article, if the text continues there.
    #[serde(skip)]
    pub next_page: Option<Url>,
    /// Hashes of the page's blocks, for counting the host's furniture.
    #[serde(skip)]
    pub block_hashes: Vec<BlockHash>,
    /// The beginnings of the texts among these blocks, by hash, for inspecting what was learned.
    #[serde(skip)]
    pub block_excerpts: Vec<(BlockHash, String)>,
}

/// One of the operator's selectors, as applied to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorUse {
    /// The site, key and text of the selector.
    pub name: String,
    /// Whether it matches any element.
    pub matches: bool,
}

/// A candidate reading of a whole page, with the judge's score.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateAccount {
    /// How the page was read.
    pub name: &'static str,
    /// The judge's score: the highest wins.
    pub score: f32,
    /// Number of words that it keeps.
    pub words: u32,
    /// Whether it was chosen.
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
