//! Turns a page into an article: text, metadata and an account of every block kept or dropped.
//!
//! The modules are listed in the order in which a page passes through them; none depends on a later one.
//!
//! | module | input | output |
//! |---|---|---|
//! | `words` | the word lists of `config/words` | the meaning of box names and lines of text |
//! | `html` | the page's bytes | its tree, parsed within limits |
//! | `blocks` | the tree, or plain text | text blocks attached to boxes |
//! | `account` | | the fates of the blocks, and the lines that rules read |
//! | `evidence` | tree, blocks, feed entry, the host's counts | what JSON-LD, the entry and the host's other pages say |
//! | `metadata` | the tree and the statements | title, authors, dates, language and the rest |
//! | `choose` | blocks and evidence | the model's choice |
//! | `furniture` | the lines, the choice | the choice, corrected and cleaned by rules |
//! | `candidates` | the model's choice | another reading of the whole page, if the judge prefers it |
//! | `judge` | all of it | the article: text, flags, the feed's text as a substitute |

#![expect(clippy::cast_precision_loss, reason = "counts of words and blocks on a page are far below 2^23")]

mod words;
mod html;
mod blocks;
mod account;
mod evidence;
mod metadata;
mod choose;
mod furniture;
mod candidates;
mod judge;

mod budget;
mod fragment;
mod head;
mod rules;

use self::account::{Account, Fate, Line, Rule};
pub(crate) use self::blocks::hash::hash_text;
use self::blocks::{Document, plain};
use self::candidates::Candidate;
use self::choose::Choice;
pub use self::choose::SECOND_LOOK;
use self::choose::context::{Context, Hints};
use self::choose::fitting;
pub use self::choose::fitting::{BOX_PLACES, FeatureGroup, NameToken, Sample, feature_groups, feature_names};
use self::choose::groups::Names;
use self::evidence::further_pages::Place;
use self::evidence::headline::Headline;
pub use self::evidence::{Evidence, SiteEvidence};
use self::evidence::{entry, host};
use self::fragment::read_fragment;
use self::furniture::Facts;
use self::head::Head;
pub use self::html::MAX_NODES;
pub use self::judge::selectors::{RulesError, SiteRules};
use self::judge::{Reading, flags, operator, stand_in};
pub use self::metadata::amp::amp_canonical;
pub use self::rules::{ModelError, Rules};
use self::words::furniture::Furniture;
pub(crate) use self::words::letters::is_unspaced;
use self::words::phrases::Phrases;
use crate::model::{Article, Metadata, Page, PageBody, QualityFlag};
use crate::work;

/// Changes whenever the same page may give a different text.
pub const EXTRACTOR_VERSION: &str = "10";

/// Extracts the article on a page. Of a page that takes more than [`work::BUDGET`] steps only a beginning is read.
pub fn extract(page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Article {
    extract_pages(page, &[], evidence, rules)
}

/// Extracts the article that begins on a page and continues on `further` pages, in order. The article may end earlier, if
/// one of them only repeats earlier text or is another article.
pub fn extract_pages(page: &Page, further: &[Page], evidence: &Evidence<'_>, rules: &Rules) -> Article {
    budget::read_within(budget(1 + further.len()), page, evidence, |page, evidence| {
        whole(page, further, evidence, rules)
    })
}

/// Returns the steps that this many pages of one article may take together.
pub fn budget(pages: usize) -> u64 {
    work::BUDGET.saturating_mul(pages as u64)
}

/// Extracts the article on its pages, with no step limit for the first.
fn whole(page: &Page, further: &[Page], evidence: &Evidence<'_>, rules: &Rules) -> Article {
    let site = rules.site(page.final_url.host_str().unwrap_or_default());
    let heeded = |mut reading: Reading| {
        if let Some(site) = site {
            operator::heed_patterns(site, &mut reading);
        }
        reading
    };
    let mut reading = heeded(match &page.body {
        PageBody::Html(html) => read_html(html, page, Place::first(&page.final_url), evidence, rules),
        PageBody::Fragment(html) => read_fragment(html, page, evidence.entry, rules),
        PageBody::Text(text) => {
            let mut metadata = evidence.entry.map(metadata::of_entry).unwrap_or_default();
            let (document, is_whole) = plain::segment(text);
            metadata.title = metadata.title.or_else(|| plain::headline(&document));
            read_text(text, (document, is_whole), metadata, page, rules)
        }
    });
    for (next, number) in further.iter().zip(2..) {
        let (Some(_), PageBody::Html(html)) = (&reading.next_page, &next.body) else { break };
        let place = Place { first: &page.final_url, number };
        let read = || heeded(read_html(html, next, place, evidence, rules));
        let Some(read) = work::within(work::BUDGET, read) else {
            reading.partial = true;
            break;
        };
        reading.go_on_with(read, &next.final_url);
    }
    // The first line of a text that stands in for the page's is not a headline, unless it repeats the known one.
    let of_entry = evidence.entry.and_then(|entry| entry.title.clone());
    let title = of_entry.or_else(|| reading.metadata.title.clone());
    let read_content = |content: &str| {
        heeded(if entry::is_html(content) {
            read_fragment(content, page, None, rules)
        } else {
            let metadata = Metadata { title: title.clone(), ..Metadata::default() };
            read_text(content, plain::segment(content), metadata, page, rules)
        })
    };
    if let PageBody::Html(html) = &page.body
        && let Some(text) = stand_in::of_page(html, &reading, read_content)
    {
        reading.take_text(text.document, text.account);
    }
    let mut flags = flags::judge(&reading);
    if let Some(entry) = evidence.entry
        && let Some(content) = stand_in::stand_in(entry, &reading, &flags, read_content)
    {
        reading.replace_body(content, entry);
        flags = flags::judge(&reading);
        flags.push(QualityFlag::FeedContentUsed);
    }
    if matches!(page.body, PageBody::Html(_))
        && reading.words() == 0.0
        && let Some(description) = reading.metadata.description.clone()
    {
        let teaser = read_content(&description);
        reading.take_text(teaser.document, teaser.account);
        flags = flags::judge(&reading);
        flags.push(QualityFlag::TeaserOnly);
    }
    flags.sort_unstable();
    reading.into_article(flags)
}

/// Reads a web page.
fn read_html(html: &str, page: &Page, place: Place<'_>, evidence: &Evidence<'_>, rules: &Rules) -> Reading {
    let site = rules.site(page.final_url.host_str().unwrap_or_default());
    let mut head = Head::read(html, page, place, evidence.entry, site, &rules.kinds);
    let context = Context::new(&head.document, &head.headline, head.hints(), &rules.phrases);
    let lines = context.lines();
    let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
    let advise = |probabilities: &[f32]| furniture::advice(&lines, &facts, probabilities);
    let mend = |account: &mut Account| {
        furniture::mend_choice(&lines, &facts, account);
        candidates::pick(&context, &rules.judge, account);
        furniture::mend_reading(&lines, &facts, account);
    };
    let Choice { mut account, repeats_another_page } =
        choose::choose(&context, &rules.models, evidence.site, &advise, mend);
    let mut block_hashes = host::block_hashes(&head.document, &head.headline, &account);
    let block_excerpts = host::block_excerpts(&head.document);
    let canonical = head.metadata.canonical_url.as_ref();
    if let Some(hash) = canonical.and_then(|canonical| host::canonical_hash(canonical, page)) {
        block_hashes.push(hash);
        head.metadata.canonical_url.take_if(|_| host::is_shared_canonical(hash, evidence.site));
    }
    match &head.operators_body {
        Some(body) => account.decide(body, Rule::OperatorBody),
        None => clean(&lines, &facts, &mut account, &mut head.metadata),
    }
    Reading {
        has_wall: has_wall(&lines, &account, &rules.phrases),
        stated_body: head.stated_body,
        account,
        repeats_another_page,
        block_hashes,
        block_excerpts,
        document: head.document,
        metadata: head.metadata,
        partial: head.partial,
        next_page: head.next_page,
        may_be_listing: head.said.may_be_listing(evidence.entry.is_some()),
        is_liveblog: head.is_liveblog,
        is_not_free: head.is_not_free,
        removed: head.removed,
        selectors: head.selectors,
    }
}

/// Reads plain text, given its lines and whether they are all of it. All lines belong to the article, except those that repeat
/// the title and those whose words identify them as furniture.
fn read_text(
    text: &str,
    (document, is_whole): (Document, bool),
    mut metadata: Metadata,
    page: &Page,
    rules: &Rules,
) -> Reading {
    /// Lower than for HTML fragments, since there is no markup to confirm it.
    const PROBABILITY: f32 = 0.8;
    let headline = Headline::new(&document, metadata.title.as_deref());
    let context = Context::new(&document, &headline, Hints::default(), &rules.phrases);
    let lines = context.lines();
    let fate = Fate { kept: true, rule: Rule::Body, probability: PROBABILITY };
    let mut account = Account::new(vec![fate; lines.len()]);
    let block_hashes = host::block_hashes(&document, &headline, &account);
    let block_excerpts = host::block_excerpts(&document);
    let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
    clean(&lines, &facts, &mut account, &mut metadata);
    metadata.language = metadata::language_of(metadata.language.as_deref(), text);
    Reading {
        has_wall: has_wall(&lines, &account, &rules.phrases),
        account,
        repeats_another_page: false,
        block_hashes,
        block_excerpts,
        document,
        metadata,
        partial: !is_whole,
        next_page: None,
        may_be_listing: false,
        is_liveblog: false,
        is_not_free: false,
        stated_body: None,
        removed: Vec::new(),
        selectors: Vec::new(),
    }
}

/// Drops lines whose words identify them as furniture, and fills empty metadata fields from them.
fn clean(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account, metadata: &mut Metadata) {
    furniture::drop_lines(lines, facts, account);
    metadata::complete(metadata, lines, account, facts.fetched_at);
    furniture::drop_persons(lines, &Facts { authors: &metadata.authors, ..*facts }, account);
}

/// Returns whether a paywall prompt follows the end of the text: a line that says what it takes to read on. Labels ("Log in",
/// "Premium") do not count, since they are on every page, nor do prompts to log in for commenting.
fn has_wall(lines: &[Line<'_>], account: &Account, phrases: &Phrases) -> bool {
    const LEAST_WORDS: f32 = 5.0;
    /// Lines allowed between the end of the text and the prompt.
    const REACH: usize = 8;
    let is_claimed = |at: usize| account.verdict(at) == Some(Rule::Words(Furniture::Paywall));
    let asks = |at: usize| is_claimed(at) && phrases.asks_for_access(lines[at].text);
    let Some(last) = account.kept().next_back() else {
        return (0..lines.len()).any(|at| account.was_chosen(at) && asks(at));
    };
    let behind = last..lines.len().min(last + 1 + REACH);
    let mut before_asides = behind.take_while(|&at| at == last || !phrases.is_aside(lines[at].text));
    before_asides.any(|at| lines[at].words() >= LEAST_WORDS && asks(at))
}

/// Returns the blocks of a page in page order, with the facts of the first stage. If `first` holds the first stage's
/// probability of each block, the facts of the second stage are included. For the program that fits the model.
pub fn samples(page: &Page, rules: &Rules, first: Option<&[f32]>) -> Vec<Sample> {
    let PageBody::Html(html) = &page.body else { return Vec::new() };
    let head = Head::read(html, page, Place::first(&page.final_url), None, None, &rules.kinds);
    let context = Context::new(&head.document, &head.headline, head.hints(), &rules.phrases);
    let lines = context.lines();
    let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
    fitting::samples(&context, first, &|probabilities| furniture::advice(&lines, &facts, probabilities))
}

/// Returns the readings of a page among which the judge would pick. For the program that fits the judge.
pub fn readings(page: &Page, rules: &Rules) -> Vec<ReadingSample> {
    let PageBody::Html(html) = &page.body else { return Vec::new() };
    let head = Head::read(html, page, Place::first(&page.final_url), None, None, &rules.kinds);
    let context = Context::new(&head.document, &head.headline, head.hints(), &rules.phrases);
    let lines = context.lines();
    let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
    let advise = |probabilities: &[f32]| furniture::advice(&lines, &facts, probabilities);
    let mut account = Account::new(choose::fates(&context, &rules.models, None, &[], &advise));
    furniture::mend_choice(&lines, &facts, &mut account);
    let sample = |candidate: Candidate| {
        let is_text = |(at, kept): (usize, &bool)| *kept && !lines[at].is_title;
        let kept: Vec<bool> = candidate.kept.iter().enumerate().map(is_text).collect();
        let text = judge::text::render(&head.document, &kept);
        ReadingSample { text, features: candidate.features }
    };
    candidates::all(&context, account.fates()).into_iter().map(sample).collect()
}

/// A reading of a whole page, as the judge sees it.
#[derive(Clone, Debug)]
pub struct ReadingSample {
    /// The reading's text, without the headline.
    pub text: String,
    /// What the judge sees of it: indices into the concatenated groups of [`reading_groups`].
    pub features: Vec<u16>,
}

/// Returns the groups of facts that the judge sees of a reading, in the order of the facts' indices.
pub fn reading_groups() -> Vec<FeatureGroup> {
    fitting::described(candidates::groups(), &Names::default())
}

/// Returns the names of all rules that an account may name.
#[cfg(test)]
pub(crate) fn rule_names() -> impl Iterator<Item = &'static str> {
    let of_words = Furniture::ALL.iter().map(|furniture| furniture.rule());
    Rule::NAMES.iter().copied().chain(of_words).chain(candidates::ACCOUNT_NAMES)
}

#[cfg(test)]
mod tests {
    use super::rule_names;

    #[test]
    fn every_rule_is_described_in_the_documents() {
        let page = include_str!("../../docs/extraction.md");
        let (_, table) = page.split_once("| rule | meaning |\n|---|---|\n").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let names = table.lines().flat_map(|row| row.split('|').nth(1).unwrap().split(','));
        let described: Vec<&str> = names.map(|name| name.trim().trim_matches('`')).collect();
        let is_of = |described: &str, name: &str| match described.strip_suffix('*') {
            Some(family) => name.starts_with(family),
            None => name == described,
        };
        for name in rule_names() {
            assert!(described.iter().any(|described| is_of(described, name)), "{name} is not described");
        }
        for described in &described {
            assert!(rule_names().any(|name| is_of(described, name)), "there is no rule {described}");
        }
    }
}
