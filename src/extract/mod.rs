//! A page to its article.
//!
//! The page is parsed under guard (`dom`), its metadata read (`metadata`), and its tree cut into text blocks that
//! hang on boxes (`segment`, `blocks`). Facts about each block (`features`) are weighed by a fitted model (`choose`),
//! together with what the host's other pages (`site`) and the feed entry say; the operator's selectors (`operator`)
//! win over all of it. Lines that name themselves as furniture (`furniture`, `phrases`) leave what was chosen, and
//! the rest is the text (`text`). Every block's fate is on the account.

#![expect(clippy::cast_precision_loss, reason = "counts of words and blocks on a page are far below 2^23")]

mod amp;
mod blocks;
mod boxes;
mod choose;
mod context;
mod dom;
mod emitter;
mod features;
mod feed;
mod fitting;
mod flags;
mod furniture;
mod lexicon;
mod links;
mod measure;
mod metadata;
mod model;
mod operator;
mod phrases;
mod plain;
mod reading;
mod rules;
mod scores;
mod segment;
mod shown;
mod sink;
mod site;
mod structured;
mod tags;
mod text;
mod tokens;
mod tree;
mod trees;
mod whitespace;

use std::collections::HashMap;

pub use self::amp::amp_canonical;
pub use self::fitting::{FeatureGroup, Sample, feature_groups, samples};
use self::reading::Reading;
pub use self::rules::{ModelError, Rules, RulesError, SiteRules};
use crate::model::{Article, BlockHash, EntryEvidence, Page, PageBody, QualityFlag};

/// Changes whenever the same page may give another text.
pub const EXTRACTOR_VERSION: &str = "2";

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

impl SiteEvidence {
    fn count(&self, block: BlockHash) -> u32 {
        self.articles_by_block.get(&block).copied().unwrap_or_default()
    }
}

/// The article on a page.
pub fn extract(page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Article {
    let mut reading = match &page.body {
        PageBody::Html(html) => Reading::of_html(html, page, evidence, rules),
        PageBody::Text(text) => Reading::of_text(text, page, evidence.entry, rules),
    };
    let mut flags = flags::judge(&reading);
    if let Some(entry) = evidence.entry
        && let Some(content) = feed::stand_in(entry, page, &reading, &flags, rules)
    {
        reading.replace_body(content, entry);
        flags = flags::judge(&reading);
        flags.push(QualityFlag::FeedContentUsed);
    }
    flags.sort_unstable();
    reading.into_article(flags)
}
