//! What no article needs, and what it does though the model wavers: the rules, in their order.
//!
//! A rule is one function: in go the lines of a page, what is known of it, and the account; it writes to the account, and
//! knows nothing of the other rules. A new one is its file, its line in one of the lists below, its words in
//! `config/words/`, and its case in `tests/pages/`.

mod author_bio;
mod bare_date;
mod between;
mod body;
mod boxes;
mod byline;
mod captions;
mod comments;
mod consent;
mod contents;
mod credits;
mod entries;
mod hidden;
mod inset;
mod named;
mod names;
mod next_article;
mod offers;
mod prose;
mod related;
mod repeated;
mod standfirst;
mod tabs;
mod title;
mod values;

use jiff::Timestamp;

use super::account::{Account, Advice, Fate, Line, Rule as Claimed};
use super::choose::context::Context;
use super::words::furniture::Furniture;

/// What is known of the page.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) fetched_at: Timestamp,
    /// Who wrote the article, as far as it is known.
    pub(crate) authors: &'a [String],
}

type Rule = fn(&[Line<'_>], &Facts<'_>, &mut Account);

/// The rules that mend the model's choice, by the markup around the blocks.
const OF_CHOICE: &[Rule] = &[standfirst::keep, between::keep, inset::keep, captions::drop];

/// The rules that mend whichever reading of the page is believed.
const OF_READING: &[Rule] = &[
    entries::keep,
    inset::keep_posts,
    consent::drop,
    hidden::drop,
    contents::drop,
    tabs::drop,
    next_article::drop,
    repeated::drop,
    values::drop,
];

/// The rules that read the lines. They need no markup: plain text is cleaned by them alone.
const OF_LINES: &[Rule] = &[
    title::claim,
    byline::claim,
    credits::claim,
    bare_date::claim,
    comments::claim,
    author_bio::claim,
    related::claim,
    named::claim_boxes,
    named::claim_lines,
];

/// The rules that need to know which lines named themselves.
const OF_NEIGHBOURS: &[Rule] = &[offers::drop];

/// The rules that need to know who wrote the article.
const OF_PERSONS: &[Rule] = &[byline::drop_bare, author_bio::drop_last];

/// Mends a choice of the model's.
pub(crate) fn mend_choice(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_CHOICE, lines, facts, account);
}

/// Mends the reading that is believed.
pub(crate) fn mend_reading(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_READING, lines, facts, account);
}

/// What the rules say of every block, where the blocks of these probabilities were chosen.
pub(crate) fn advice(lines: &[Line<'_>], facts: &Facts<'_>, probabilities: &[f32]) -> Vec<Advice> {
    /// Blocks of this probability are the body to the line rules.
    const LIKELY: f32 = 0.4;
    let fate =
        |&probability: &f32| Fate { kept: probability >= LIKELY, rule: Claimed::Body, probability: 0.0 };
    let mut account = Account::new(probabilities.iter().map(fate).collect());
    apply(OF_LINES, lines, facts, &mut account);
    account.settle(|_| 1.0);
    let boxes = boxes::kinds(lines, facts.context);
    let advice = |(at, boxes)| Advice { line: account.verdict(at), boxes };
    boxes.into_iter().enumerate().map(advice).collect()
}

/// From which probability on a line stays, whatever a rule says. What a field of its own says goes, and so do comments; but
/// in a thread, comments and their authors are the text.
fn sure(context: &Context<'_>, rule: Claimed) -> f32 {
    const IN_THREAD: f32 = 0.6;
    const ELSEWHERE: f32 = 0.97;
    const NEVER: f32 = f32::INFINITY;
    match rule {
        // A button or a count below a post is no part of it.
        Claimed::Title | Claimed::Words(Furniture::Share) => NEVER,
        _ if context.said.is_thread() => IN_THREAD,
        Claimed::Words(Furniture::Byline | Furniture::Dateline | Furniture::Credit | Furniture::Comments) => {
            NEVER
        }
        _ => ELSEWHERE,
    }
}

/// Takes out what names itself.
pub(crate) fn drop_lines(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_LINES, lines, facts, account);
    account.settle(|rule| sure(facts.context, rule));
    apply(OF_NEIGHBOURS, lines, facts, account);
}

/// Takes out what speaks of the authors.
pub(crate) fn drop_persons(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_PERSONS, lines, facts, account);
}

fn apply(rules: &[Rule], lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    for rule in rules {
        rule(lines, facts, account);
    }
}
