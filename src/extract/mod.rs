//! A page to its article.

mod blocks;
mod choose;
mod context;
mod dom;
mod features;
mod furniture;
mod lexicon;
mod links;
mod measure;
mod metadata;
mod model;
mod phrases;
mod plain;
mod site;
mod structured;
mod text;

use std::collections::HashMap;

use scraper::Selector;

use self::blocks::{Document, Kind};
use self::choose::Models;
use self::context::Context;
use self::furniture::Line;
use self::metadata::Metadata;
use self::phrases::Phrases;
use crate::model::{Article, BlockAccount, BlockHash, EntryEvidence, Page, PageBody, QualityFlag};

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

/// The shipped word lists.
const BOILERPLATE: &str = include_str!("../../config/boilerplate.toml");
/// The coefficients of the model that weighs the blocks of a page.
const MODEL: &str = include_str!("../../config/model.toml");

/// The shipped word lists and the operator's selectors, compiled.
#[derive(Clone, Debug)]
pub struct Rules {
    phrases: Phrases,
    models: Models,
    sites: Vec<CompiledSite>,
}

/// One site's selectors.
#[derive(Clone, Debug)]
struct CompiledSite {
    host: String,
    body: Vec<Selector>,
    drop: Vec<Selector>,
    title: Vec<Selector>,
    author: Vec<Selector>,
    date: Vec<Selector>,
}

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
        let phrases = Phrases::parse(BOILERPLATE).expect("the shipped word lists are tested");
        let models = Models::parse(MODEL).expect("the shipped coefficients are tested");
        Ok(Self { phrases, models, sites: sites.iter().map(CompiledSite::new).collect::<Result<_, _>>()? })
    }

    /// The rules of the site that `host` belongs to, the most exact first.
    fn site(&self, host: &str) -> Option<&CompiledSite> {
        let covers = |site: &&CompiledSite| {
            host.strip_suffix(&*site.host).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
        };
        self.sites.iter().filter(covers).max_by_key(|site| site.host.len())
    }
}

impl CompiledSite {
    fn new(site: &SiteRules) -> Result<Self, RulesError> {
        let compile = |key: &'static str, selectors: &[String]| {
            let parse = |selector: &String| {
                Selector::parse(selector).map_err(|error| RulesError {
                    host: site.host.clone(),
                    key,
                    selector: selector.clone(),
                    message: error.to_string(),
                })
            };
            selectors.iter().map(parse).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            host: site.host.to_ascii_lowercase(),
            body: compile("body", &site.body)?,
            drop: compile("drop", &site.drop)?,
            title: compile("title", &site.title)?,
            author: compile("author", &site.author)?,
            date: compile("date", &site.date)?,
        })
    }
}

/// The article on a page.
pub fn extract(page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Article {
    match &page.body {
        PageBody::Html(html) => {
            let parsed = dom::parse(html);
            let metadata = metadata::read(&parsed.html, page, evidence.entry);
            let document = blocks::segment(&parsed.html, page.final_url.host_str().unwrap_or_default());
            let context = Context::new(
                &document,
                metadata.title.as_deref(),
                metadata.description.as_deref(),
                structured::body(&parsed.html).as_deref(),
                &rules.phrases,
            );
            let kept = choose::score(&context, &rules.models)
                .into_iter()
                .map(|probability| probability >= choose::KEEP)
                .collect();
            finish(page, &document, kept, metadata, parsed.partial, rules)
        }
        PageBody::Text(text) => {
            let document = plain::segment(text);
            let metadata = Metadata { title: plain::headline(&document), ..Metadata::default() };
            let kept = vec![true; document.blocks.len()];
            finish(page, &document, kept, metadata, false, rules)
        }
    }
}

fn finish(
    page: &Page,
    document: &Document,
    mut kept: Vec<bool>,
    mut metadata: Metadata,
    partial: bool,
    rules: &Rules,
) -> Article {
    let chosen: Vec<usize> = (0..kept.len()).filter(|&at| kept[at]).collect();
    let lines: Vec<Line<'_>> = chosen
        .iter()
        .map(|&at| {
            let block = &document.blocks[at];
            Line {
                text: document.text_of(block),
                measure: block.measure,
                is_heading: matches!(block.kind, Kind::Heading(_)),
            }
        })
        .collect();
    let fates = furniture::judge(&lines, metadata.title.as_deref(), &rules.phrases);
    let mut account: Vec<BlockAccount> = Vec::with_capacity(kept.len());
    for (&at, fate) in chosen.iter().zip(&fates) {
        let Some(rule) = fate else { continue };
        kept[at] = false;
        let text = document.text_of(&document.blocks[at]);
        if *rule == "rule.byline" && metadata.authors.is_empty() {
            metadata.authors = metadata::authors_of_byline(text);
        }
        if *rule == "rule.dateline" && metadata.published_at.is_none() {
            metadata.published_at = metadata::date_of_text(text, page.fetched_at);
        }
    }
    for (at, block) in document.blocks.iter().enumerate() {
        let fate = chosen.binary_search(&at).ok().and_then(|index| fates[index]);
        let rule = fate.unwrap_or(if kept[at] { "body" } else { "outside" });
        account.push(BlockAccount {
            kept: kept[at],
            rule: rule.to_owned(),
            text: document.text_of(block).chars().take(200).collect(),
        });
    }
    let text = text::render(document, &kept);
    let words: f32 = document
        .blocks
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| **kept)
        .map(|(block, _)| block.measure.words)
        .sum();
    let mut quality_flags = Vec::new();
    if words < 30.0 {
        quality_flags.push(QualityFlag::TooShort);
    }
    if partial {
        quality_flags.push(QualityFlag::Partial);
    }
    Article {
        title: metadata.title,
        text,
        description: metadata.description,
        authors: metadata.authors,
        published_at: metadata.published_at,
        modified_at: metadata.modified_at,
        language: metadata.language,
        canonical_url: metadata.canonical_url,
        site_name: metadata.site_name,
        section: metadata.section,
        tags: metadata.tags,
        image: metadata.image,
        license: metadata.license,
        word_count: words as u32,
        quality_flags,
        score: 0.5,
        account,
        block_hashes: document
            .blocks
            .iter()
            .map(|block| BlockHash(site::hash_bytes(document.text_of(block).bytes())))
            .collect(),
    }
}
