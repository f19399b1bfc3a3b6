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
mod comments;
mod cookies;
mod credits;
mod forms;
mod hidden;
mod inset;
mod named;
mod offers;
mod prose;
mod related;
mod repeated;
mod standfirst;
mod title;

use jiff::Timestamp;

use super::account::{Account, Line};
use super::choose::context::Context;

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
const OF_CHOICE: &[Rule] =
    &[standfirst::keep, between::keep, inset::keep, cookies::drop, forms::drop, hidden::drop, repeated::drop];

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

/// Takes out what names itself.
pub(crate) fn drop_lines(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_LINES, lines, facts, account);
    account.settle();
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
