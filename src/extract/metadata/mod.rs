//! What a page says about its article: a stand-in until the readers are there.

use jiff::Timestamp;
use scraper::Html;
use url::Url;

use crate::model::{EntryEvidence, Page};

/// Every field that a page may state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) published_at: Option<Timestamp>,
    pub(crate) modified_at: Option<Timestamp>,
    pub(crate) language: Option<String>,
    pub(crate) canonical_url: Option<Url>,
    pub(crate) site_name: Option<String>,
    pub(crate) section: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) image: Option<Url>,
    pub(crate) license: Option<String>,
}

/// Reads them.
pub(crate) fn read(html: &Html, _page: &Page, entry: Option<&EntryEvidence>) -> Metadata {
    let first = |tag: &str| {
        let heading = html.tree.root().descendants().find(|node| node.value().as_element().is_some_and(|e| e.name() == tag))?;
        let text: String = heading.descendants().filter_map(|node| node.value().as_text().map(|t| &**t)).collect();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
    };
    Metadata { title: entry.and_then(|e| e.title.clone()).or_else(|| first("h1")).or_else(|| first("title")), ..Metadata::default() }
}

/// The names in a byline.
pub(crate) fn authors_of_byline(text: &str) -> Vec<String> {
    text.strip_prefix("By ").or_else(|| text.strip_prefix("by ")).map(|name| vec![name.trim().to_owned()]).unwrap_or_default()
}

/// The date in a dateline.
pub(crate) fn date_of_text(_text: &str, _fetched_at: Timestamp) -> Option<Timestamp> {
    None
}
