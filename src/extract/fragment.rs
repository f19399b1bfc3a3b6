//! The HTML inside a feed entry: what the publisher gave for the article, and hardly anything else. No model of pages
//! chooses among its blocks, for a post of three words, a list of links or a table is all that there is; nor does what
//! stands on other pages of the host count against it, for feeds have no furniture of pages. Lines that name themselves
//! as furniture go, as long as they are the smaller part.

use super::account::{Account, Fate, Rule};
use super::blocks::Document;
use super::choose::context::Context;
use super::evidence::further_pages::Place;
use super::evidence::host;
use super::furniture::Facts;
use super::head::Head;
use super::judge::Reading;
use super::rules::Rules;
use super::words::phrases::fold;
use super::{clean, has_wall};
use crate::model::{EntryEvidence, Page};

/// The share of a fragment's words below which its furniture is its text.
const LEAST_SHARE: f32 = 0.5;
/// How likely a feed's own words are the article's.
const PROBABILITY: f32 = 0.9;
/// Blocks at the end among which a feed's credit is looked for.
const CREDIT_BLOCKS: usize = 3;
/// Words of a credit beside the title: "The post … first appeared on …".
const CREDIT_WORDS: f32 = 12.0;

/// Reads the HTML inside a feed entry.
pub(super) fn read_fragment(
    html: &str,
    page: &Page,
    entry: Option<&EntryEvidence>,
    rules: &Rules,
) -> Reading {
    let site = rules.site(page.final_url.host_str().unwrap_or_default());
    let mut head = Head::read(html, page, Place::first(&page.final_url), entry, site, &rules.kinds);
    let mut account = own(&head.document);
    let block_hashes = host::block_hashes(&head.document, &head.headline, &account);
    let context = Context::new(&head.document, &head.headline, head.hints(), &rules.phrases);
    let lines = context.lines();
    if let Some(body) = &head.operators_body {
        account.decide(body, Rule::OperatorBody);
    } else {
        let facts = Facts { context: &context, fetched_at: page.fetched_at, authors: &[] };
        clean(&lines, &facts, &mut account, &mut head.metadata);
        account = whole_if_little(account, &head.document);
        let title = entry.and_then(|entry| entry.title.as_deref()).or(head.metadata.title.as_deref());
        if let Some(title) = title {
            drop_credit(&mut account, &head.document, title);
        }
    }
    Reading {
        has_wall: has_wall(&lines, &account, &rules.phrases),
        stated_body: head.stated_body,
        account,
        repeats_another_page: false,
        block_hashes,
        // A feed's text teaches nothing of its site's pages.
        block_excerpts: Vec::new(),
        document: head.document,
        metadata: head.metadata,
        partial: head.partial,
        next_page: head.next_page,
        // A feed that carries links is no page that lists articles.
        may_be_listing: false,
        is_liveblog: head.is_liveblog,
        is_not_free: head.is_not_free,
        removed: head.removed,
        selectors: Vec::new(),
    }
}

/// Blocks that are all the publisher's own.
fn own(document: &Document) -> Account {
    let fate = |is_hidden: bool| Fate { kept: !is_hidden, rule: Rule::FeedOwn, probability: PROBABILITY };
    Account::new(document.blocks.iter().map(|block| fate(block.is_hidden)).collect())
}

/// The account as it was before the line rules, where they left little: a post may be what elsewhere is furniture.
fn whole_if_little(cleaned: Account, document: &Document) -> Account {
    let whole = own(document);
    if cleaned.words(document) < whole.words(document) * LEAST_SHARE { whole } else { cleaned }
}

/// Drops the line that generators put below each entry: it names the title and links to it and to the site.
fn drop_credit(account: &mut Account, document: &Document, title: &str) {
    let title = fold(title);
    let most_words = title.split(' ').count() as f32 + CREDIT_WORDS;
    let kept: Vec<usize> = account.kept().collect();
    let Some((_, behind_first)) = kept.split_first().filter(|_| !title.is_empty()) else { return };
    let is_credit = |at: &&usize| {
        let block = &document.blocks[**at];
        let is_short = block.measure.links > 0 && block.measure.words <= most_words;
        is_short && fold(document.text_of(block)).contains(&title)
    };
    if let Some(&at) = behind_first.iter().rev().take(CREDIT_BLOCKS).find(is_credit) {
        account.drop(at..at + 1, Rule::FeedCredit);
    }
}
