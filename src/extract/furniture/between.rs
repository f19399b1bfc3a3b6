//! What stands between two blocks of the article and is like them: a row of a table, a heading that has no markup of one.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;
use crate::extract::evidence::headline::Likeness;

/// A short line between two kept blocks of its kind stays from this probability on.
const LEAST_PROBABILITY: f32 = 0.12;
/// A heading is no longer, and the paragraphs around it are no shorter.
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

/// Headings without markup are short lines in boxes like their neighbours': what is around them speaks for them.
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

/// A short sentence right behind one that is kept, in the same box and of the same kind, is the next of its text.
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
