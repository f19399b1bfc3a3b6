//! What readers wrote, from the line that names it to the end of the page.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Facts;
use super::body::Body;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::{Coverage, fold};

/// Comments may be longer than the article, but hardly stand above so many words of it.
const LEAST_PROSE: f32 = 100.0;
/// So much of a short post stands above a line that counts its comments.
const LEAST_OF_POST: f32 = 15.0;
/// A line that is mostly link leads to the comments, wherever they are.
const MOST_LINKED: f32 = 0.5;
/// A line comes so often only where it stands under every comment.
const AGAIN_AND_AGAIN: usize = 3;

pub(crate) fn claim(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    let last_heading = account.kept().rev().find(|at| lines[*at].is_heading());
    let thread = last_before_thread(lines);
    let among_prose = among_prose(lines, facts, account);
    // Whether everything after a line is comments though the body is not over: the line was taken for one of the body,
    // stands in one box with what is above it or opens a thread, and no heading of the body follows.
    let opens = |account: &Account, at: usize| {
        lines[at].block.measure.link_share < MOST_LINKED
            && prose.before(at) >= LEAST_PROSE
            && last_heading.is_none_or(|heading| heading <= at)
            && (account.is_kept(at) || among_prose[at] || thread.is_some_and(|thread| at < thread))
    };
    for (at, coverage) in of_kind(lines, Furniture::Comments).filter(|(at, _)| !body.goes_on_under(*at)) {
        let is_open = coverage == Coverage::Whole && (prose.is_over(at) || opens(account, at));
        let end = if is_open { lines.len() } else { at + 1 };
        account.claim(at..end, Rule::Words(Furniture::Comments));
    }
    if let Some(at) = counts_answers(lines, facts, &prose) {
        account.claim(at..lines.len(), Rule::Words(Furniture::Comments));
    }
}

/// Whether each line stands in the box of the last running text of the body above it, and says more than a heading would:
/// "Discussion" may be a section.
fn among_prose(lines: &[Line<'_>], facts: &Facts<'_>, account: &Account) -> Vec<bool> {
    const LEAST_WORDS: f32 = 3.0;
    let mut last = None;
    let mut among = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let own = line.block.container;
        among.push(last == Some(own) && line.words() >= LEAST_WORDS);
        if account.is_kept(at) && line.is_prose() {
            let container = &facts.context.document.containers[own];
            // A paragraph is a box of its own.
            let is_paragraph = (container.first, container.end) == (at, at + 1);
            last = Some(if is_paragraph { container.parent } else { own });
        }
    }
    among
}

/// The line below a post that counts the answers to its headline, as blogs of every language have it: `92 Responses to
/// "Depth Compositing"`, `7 Kommentare zu „Nebel im Tal“`. It needs no word list, and says so of a post of a few words, too.
/// In a thread the answers are the text.
fn counts_answers(lines: &[Line<'_>], facts: &Facts<'_>, prose: &Prose) -> Option<usize> {
    const LEAST_TITLE_BYTES: usize = 8;
    const MOST_WORDS_BESIDE: f32 = 6.0;
    let headline = lines.iter().position(|line| line.is_title)?;
    let title = fold(lines[headline].text);
    if title.len() < LEAST_TITLE_BYTES || facts.context.said.is_thread() {
        return None;
    }
    let most_words = lines[headline].words() + MOST_WORDS_BESIDE;
    (headline + 1..lines.len()).find(|&at| {
        let line = &lines[at];
        line.text.trim_start().starts_with(|first: char| first.is_ascii_digit())
            && !line.is_title
            && line.words() <= most_words
            && line.words() > lines[headline].words()
            && line.block.measure.link_share < MOST_LINKED
            && prose.before(at) >= LEAST_OF_POST
            && counts(&fold(line.text), &title)
    })
}

/// Whether a folded line is a number, words, and the headline at its end. The number of an item has a dot behind it.
fn counts(line: &str, title: &str) -> bool {
    line.starts_with("# ") && line.ends_with(title)
}

/// The line from which on no thread follows any more: behind all lines before it one that names comments comes again and
/// again, as it does under each of them ("Report this comment").
fn last_before_thread(lines: &[Line<'_>]) -> Option<usize> {
    let mut counts: HashMap<&str, usize, RandomState> = HashMap::default();
    (0..lines.len()).rev().filter(|at| lines[*at].is_named(Furniture::Comments)).find(|at| {
        let count = counts.entry(lines[*at].text).or_default();
        *count += 1;
        *count >= AGAIN_AND_AGAIN
    })
}
