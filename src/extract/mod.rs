//! A page to its article.
//!
//! The page is parsed under guard (`html`), its metadata read (`metadata`), and its tree cut into text blocks that
//! hang on boxes (`blocks`). Facts about each block are weighed by a fitted model (`choose`),
//! together with what the host's other pages and the feed entry say (`evidence`); the operator's selectors (`judge`)
//! win over all of it. Lines that name themselves as furniture (`furniture`) leave what was chosen, and
//! the rest is the text. Every block's fate is on the account.

#![expect(clippy::cast_precision_loss, reason = "counts of words and blocks on a page are far below 2^23")]

mod blocks;
mod choose;
mod evidence;
mod furniture;
mod html;
mod judge;
mod metadata;
mod reading;
mod rules;
mod words;

use std::collections::HashMap;

pub use self::choose::fitting::{FeatureGroup, Sample, feature_groups, samples};
use self::evidence::entry;
use self::judge::flags;
pub use self::metadata::amp::amp_canonical;
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
        PageBody::Fragment(html) => Reading::of_fragment(html, page, evidence.entry, rules),
        PageBody::Text(text) => Reading::of_text(text, page, evidence.entry, rules),
    };
    let mut flags = flags::judge(&reading);
    if let Some(entry) = evidence.entry
        && let Some(content) = entry::stand_in(entry, page, &reading, &flags, rules)
    {
        reading.replace_body(content, entry);
        flags = flags::judge(&reading);
        flags.push(QualityFlag::FeedContentUsed);
    }
    if matches!(page.body, PageBody::Fragment(_)) {
        // A feed that carries links is no page that lists articles.
        flags.retain(|flag| *flag != QualityFlag::Listing);
    }
    flags.sort_unstable();
    reading.into_article(flags)
}
