//! A page to its article.

mod dom;
mod metadata;

use std::collections::HashMap;

use crate::model::{Article, BlockHash, EntryEvidence, Page};

/// Changes whenever the same page may give another text.
pub const EXTRACTOR_VERSION: &str = "1";

/// What else is known about the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The feed entry that announced it.
    pub entry: Option<&'a EntryEvidence>,
    /// The blocks of the host's other pages.
    pub site: Option<&'a SiteEvidence>,
}

/// On how many distinct articles of one host each block was seen.
#[derive(Clone, Debug, Default)]
pub struct SiteEvidence {
    /// Articles by block.
    pub articles_by_block: HashMap<BlockHash, u32>,
    /// Articles seen in all.
    pub articles: u32,
}

/// What the operator says about one site's pages. Selectors are CSS.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteRules {
    /// The host; its subdomains are included.
    pub host: String,
    /// Where the article's body is.
    pub body: Vec<String>,
    /// What is dropped, wherever it stands.
    pub drop: Vec<String>,
    /// Where the headline is.
    pub title: Vec<String>,
    /// Where the authors are.
    pub author: Vec<String>,
    /// Where the date is.
    pub date: Vec<String>,
}

/// The shipped word lists and the operator's selectors, compiled.
#[derive(Clone, Debug)]
pub struct Rules {}

/// A rule that cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[error("site {host}: {key}: invalid selector {selector:?}: {message}")]
pub struct RulesError {
    /// The site.
    pub host: String,
    /// The key of the rule.
    pub key: &'static str,
    /// What was written.
    pub selector: String,
    /// What is wrong with it.
    pub message: String,
}

impl Rules {
    /// The shipped rules and the operator's.
    pub fn new(sites: &[SiteRules]) -> Result<Self, RulesError> {
        let _ = sites;
        unimplemented!()
    }
}

/// The article on a page.
pub fn extract(page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Article {
    let _ = (page, evidence, rules);
    unimplemented!()
}
