//! Keeps blocks next to blocks of the article that are like them: a row of a table, a heading without heading markup, a
//! sentence after a sentence.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;
use crate::extract::evidence::headline::Likeness;

/// A short line next to kept blocks of its kind is kept from this probability on.
const LEAST_PROBABILITY: f32 = 0.12;
/// A heading has at most this many words, and the paragraphs around it at least.
const HEADING_WORDS: f32 = 12.0;

pub(crate) fn keep(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    for at in 1..lines.len() {
        if account.is_outside(at)
            && (is_row(lines, account, at)
                || is_heading(lines, facts, account, at)
                || is_sentence_behind(lines, facts, account, at))
        {
            account.keep(at, Rule::Between);
        }
    }
}

fn is_row(lines: &[Line<'_>], account: &Account, at: usize) -> bool {
    let is_row = |at: usize| lines[at].block.kind == Kind::TableRow;
    let is_kept_row = |at: usize| account.is_kept(at) && is_row(at);
    at + 1 < lines.len() && is_row(at) && is_kept_row(at - 1) && is_kept_row(at + 1)
}

/// Returns whether a line is a heading without heading markup: a short line in a box like its neighbours', which are kept.
fn is_heading(lines: &[Line<'_>], facts: &Facts<'_>, account: &Account, at: usize) -> bool {
    let context = facts.context;
    let path = |at: usize| context.document.path_of(lines[at].block);
    let is_label = lines[at].words() <= HEADING_WORDS && lines[at].block.measure.link_share == 0.0;
    let among_equals = |other: usize| {
        path(other) == path(at) && account.is_kept(other) && lines[other].words() >= HEADING_WORDS
    };
    account.fate(at).probability >= LEAST_PROBABILITY
        && lines[at].found.is_none()
        && is_label
        && context.headline.likeness(at) == Likeness::None
        && among_equals(at - 1)
        && at + 1 < lines.len()
        && among_equals(at + 1)
}

/// Returns whether a line is a sentence directly after a kept block, in the same box and of the same kind: the next of its text.
fn is_sentence_behind(lines: &[Line<'_>], facts: &Facts<'_>, account: &Account, at: usize) -> bool {
    let document = facts.context.document;
    let container = |at: usize| &document.containers[lines[at].block.container];
    let (own, before) = (container(at), container(at - 1));
    let measure = &lines[at].block.measure;
    account.fate(at).probability >= LEAST_PROBABILITY
        && account.is_kept(at - 1)
        && (own.parent, own.path) == (before.parent, before.path)
        && lines[at].block.kind == Kind::Paragraph
        && lines[at].found.is_none()
        && measure.ends_sentence
        && measure.link_share == 0.0
}
