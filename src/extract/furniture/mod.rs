//! The rules that drop furniture and keep article text of which the model is unsure, in the order in which they run.
//!
//! A rule is one function. It takes the lines of a page, what is known about the page, and the account; it writes to the
//! account and knows nothing of the other rules. A new rule needs a file, a line in one of the lists below, its words in
//! `config/words/`, and a case in `tests/pages/`.

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

/// What is known about the page.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) fetched_at: Timestamp,
    /// The article's authors, as far as they are known.
    pub(crate) authors: &'a [String],
}

type Rule = fn(&[Line<'_>], &Facts<'_>, &mut Account);

/// The rules that correct the model's choice, by the markup around the blocks.
const OF_CHOICE: &[Rule] = &[standfirst::keep, between::keep, inset::keep, captions::drop];

/// The rules that correct the reading that the judge picked.
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

/// The rules that read the lines. They need no markup, so plain text is cleaned by them too.
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

/// The rules that need the settled claims on lines.
const OF_NEIGHBOURS: &[Rule] = &[offers::drop];

/// The rules that need to know the article's authors.
const OF_PERSONS: &[Rule] = &[byline::drop_bare, author_bio::drop_last];

/// Corrects the model's choice.
pub(crate) fn mend_choice(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_CHOICE, lines, facts, account);
}

/// Corrects the reading that the judge picked.
pub(crate) fn mend_reading(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_READING, lines, facts, account);
}

/// Returns the rules' advice on every block, given the blocks' probabilities.
pub(crate) fn advice(lines: &[Line<'_>], facts: &Facts<'_>, probabilities: &[f32]) -> Vec<Advice> {
    /// The line rules treat blocks of at least this probability as the body.
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

/// Returns the probability from which on a line is kept against a rule. Lines that have a field of their own are always
/// dropped, and so are comments; but in a thread, comments and their authors are the text.
fn sure(context: &Context<'_>, rule: Claimed) -> f32 {
    const IN_THREAD: f32 = 0.6;
    const ELSEWHERE: f32 = 0.97;
    const NEVER: f32 = f32::INFINITY;
    match rule {
        // A button or a count below a post is not part of it.
        Claimed::Title | Claimed::Words(Furniture::Share) => NEVER,
        _ if context.said.is_thread() => IN_THREAD,
        Claimed::Words(Furniture::Byline | Furniture::Dateline | Furniture::Credit | Furniture::Comments) => {
            NEVER
        }
        _ => ELSEWHERE,
    }
}

/// Drops lines whose words identify them as furniture.
pub(crate) fn drop_lines(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_LINES, lines, facts, account);
    account.settle(|rule| sure(facts.context, rule));
    apply(OF_NEIGHBOURS, lines, facts, account);
}

/// Drops lines about the authors.
pub(crate) fn drop_persons(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    apply(OF_PERSONS, lines, facts, account);
}

fn apply(rules: &[Rule], lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    for rule in rules {
        rule(lines, facts, account);
    }
}
