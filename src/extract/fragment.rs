//! The HTML inside a feed entry: what the publisher gave for the article, and hardly anything else. The page model does not
//! choose among its blocks, because a post of three words, a list of links or a table may be the whole text. Repetition on
//! the host's other pages does not count against it, since feeds have no page furniture. Lines whose words identify them
//! as furniture are dropped, as long as they are the smaller part.

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

/// If line rules leave less than this share of a fragment's words, their drops are undone.
const LEAST_SHARE: f32 = 0.5;
/// The probability assigned to blocks of the feed's own text.
const PROBABILITY: f32 = 0.9;
/// Number of blocks at the end that are searched for the generator's credit line.
const CREDIT_BLOCKS: usize = 3;
/// Words of a credit line besides the title: "The post … first appeared on …".
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
        // A feed's text says nothing about the furniture of its site's pages.
        block_excerpts: Vec::new(),
        document: head.document,
        metadata: head.metadata,
        partial: head.partial,
        next_page: head.next_page,
        // A feed entry full of links is not a page that lists articles.
        may_be_listing: false,
        is_liveblog: head.is_liveblog,
        is_not_free: head.is_not_free,
        removed: head.removed,
        selectors: Vec::new(),
    }
}

/// Returns an account that keeps all blocks except hidden ones.
fn own(document: &Document) -> Account {
    let fate = |is_hidden: bool| Fate { kept: !is_hidden, rule: Rule::FeedOwn, probability: PROBABILITY };
    Account::new(document.blocks.iter().map(|block| fate(block.is_hidden)).collect())
}

/// Undoes the line rules if they left little: what is furniture on a page may be the whole of a post.
fn whole_if_little(cleaned: Account, document: &Document) -> Account {
    let whole = own(document);
    if cleaned.words(document) < whole.words(document) * LEAST_SHARE { whole } else { cleaned }
}

/// Drops the credit line that generators put below each entry: it names the title and links to it and to the site.
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
