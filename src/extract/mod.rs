//! A page to its article: text, metadata and an account of every block kept or dropped.
//!
//! The rooms stand in the order in which a page goes through them; none knows those behind it.
//!
//! | room | in | out |
//! |---|---|---|
//! | `words` | the word lists of `config/words` | what a name of a box or a line of text names |
//! | `html` | the page's bytes | its tree, parsed under guard |
//! | `blocks` | the tree, or plain text | text blocks that hang on boxes |
//! | `account` | | the fates of the blocks, and what rules see of them |
//! | `evidence` | tree, blocks, feed entry, the host's counts | what JSON-LD, the entry and the host's other pages say |
//! | `metadata` | the tree and the statements | title, authors, dates, language and the rest |
//! | `choose` | blocks and evidence | the model's choice |
//! | `furniture` | the lines, the choice | the choice, mended and cleaned by rules |
//! | `judge` | all of it | the article: text, flags, the feed's text in its place |

#![expect(clippy::cast_precision_loss, reason = "counts of words and blocks on a page are far below 2^23")]

mod words;
mod html;
mod blocks;
mod account;
mod evidence;
mod metadata;
mod choose;
mod furniture;
mod judge;

mod head;
mod rules;

use self::account::{Account, Fate, Line, Rule};
use self::blocks::plain;
use self::choose::Choice;
pub use self::choose::SECOND_LOOK;
use self::choose::context::{Context, Hints};
use self::choose::fitting;
pub use self::choose::fitting::{FeatureGroup, Sample, feature_groups, feature_names};
use self::evidence::headline::Headline;
pub use self::evidence::{Evidence, SiteEvidence};
use self::evidence::{entry, host};
use self::furniture::Facts;
use self::head::Head;
pub use self::judge::selectors::{RulesError, SiteRules};
use self::judge::{Reading, flags, stand_in};
pub use self::metadata::amp::amp_canonical;
pub use self::rules::{ModelError, Rules};
use self::words::phrases::Furniture;
use crate::model::{Article, EntryEvidence, Metadata, Page, PageBody, QualityFlag};

/// Changes whenever the same page may give another text.
pub const EXTRACTOR_VERSION: &str = "2";

/// The article on a page.
pub fn extract(page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Article {
    let mut reading = match &page.body {
        PageBody::Html(html) => read_html(html, page, evidence, rules),
        PageBody::Text(text) => read_text(text, page, evidence.entry, rules),
    };
    let mut flags = flags::judge(&reading);
    let read_content = |content: &str| {
        if entry::is_html(content) {
            read_html(content, page, &Evidence::default(), rules)
        } else {
            read_text(content, page, None, rules)
        }
    };
    if let Some(entry) = evidence.entry
        && let Some(content) = stand_in::stand_in(entry, &reading, &flags, read_content)
    {
        reading.replace_body(content, entry);
        flags = flags::judge(&reading);
        flags.push(QualityFlag::FeedContentUsed);
    }
    flags.sort_unstable();
    reading.into_article(flags)
}

/// Reads a web page, or the HTML inside a feed entry.
fn read_html(html: &str, page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Reading {
    let site = rules.site(page.final_url.host_str().unwrap_or_default());
    let mut head = Head::read(html, page, evidence.entry, site);
    let context = Context::new(&head.document, &head.headline, head.hints(), &rules.phrases);
    let lines = context.lines();
    let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
    let mend = |account: &mut Account| furniture::mend_choice(&lines, &facts, account);
    let Choice { mut account, repeats_another_page } =
        choose::choose(&context, &rules.models, evidence.site, mend);
    let block_hashes = host::block_hashes(&head.document, &head.headline, &account);
    match &head.operators_body {
        Some(body) => account.decide(body, Rule::OperatorBody),
        None => clean(&lines, &facts, &mut account, &mut head.metadata),
    }
    Reading {
        has_wall: account.has_claimed(Rule::Words(Furniture::Paywall)),
        account,
        repeats_another_page,
        block_hashes,
        document: head.document,
        metadata: head.metadata,
        partial: head.partial,
        is_liveblog: head.is_liveblog,
        is_not_free: head.is_not_free,
        removed: head.removed,
    }
}

/// Reads plain lines: all of them are the article's, but for those that name themselves.
fn read_text(text: &str, page: &Page, entry: Option<&EntryEvidence>, rules: &Rules) -> Reading {
    /// No markup bears it out.
    const PROBABILITY: f32 = 0.8;
    let document = plain::segment(text);
    let mut metadata = entry.map(metadata::of_entry).unwrap_or_default();
    metadata.title = metadata.title.or_else(|| plain::headline(&document));
    let headline = Headline::new(&document, metadata.title.as_deref());
    let context = Context::new(&document, &headline, Hints::default(), &rules.phrases);
    let lines = context.lines();
    let fate = Fate { kept: true, rule: Rule::Body, probability: PROBABILITY };
    let mut account = Account::new(vec![fate; lines.len()]);
    let block_hashes = host::block_hashes(&document, &headline, &account);
    let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
    clean(&lines, &facts, &mut account, &mut metadata);
    metadata.language = metadata::language_of(metadata.language.as_deref(), text);
    Reading {
        has_wall: account.has_claimed(Rule::Words(Furniture::Paywall)),
        account,
        repeats_another_page: false,
        block_hashes,
        document,
        metadata,
        partial: false,
        is_liveblog: false,
        is_not_free: false,
        removed: Vec::new(),
    }
}

/// Takes out what names itself, and fills what is still empty of the metadata from it.
fn clean(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account, metadata: &mut Metadata) {
    furniture::drop_lines(lines, facts, account);
    metadata::complete(metadata, lines, account, facts.fetched_at);
    furniture::drop_persons(lines, &Facts { authors: &metadata.authors, ..*facts }, account);
}

/// The blocks of a page in its order, with the facts of the first stage; with `first`, the first stage's probability for
/// each block, those of the second as well: for the program that fits the model.
pub fn samples(page: &Page, rules: &Rules, first: Option<&[f32]>) -> Vec<Sample> {
    let PageBody::Html(html) = &page.body else { return Vec::new() };
    let head = Head::read(html, page, None, None);
    let context = Context::new(&head.document, &head.headline, head.hints(), &rules.phrases);
    fitting::samples(&context, first)
}
