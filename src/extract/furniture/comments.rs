//! What readers wrote, from the line that names it to the end of the page.

use std::collections::HashMap;

use super::Facts;
use super::body::Body;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::phrases::{Coverage, Furniture};

/// Comments may be longer than the article, but hardly stand above so many words of it.
const LEAST_PROSE: f32 = 100.0;
/// A line that is mostly link leads to the comments, wherever they are.
const MOST_LINKED: f32 = 0.5;
/// A line comes so often only where it stands under every comment.
const AGAIN_AND_AGAIN: usize = 3;

pub(crate) fn claim(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    for (at, coverage) in of_kind(lines, Furniture::Comments).filter(|(at, _)| !body.goes_on_under(*at)) {
        let opens = coverage == Coverage::Whole && (prose.is_over(at) || opens(lines, account, &prose, at));
        let end = if opens { lines.len() } else { at + 1 };
        account.claim(at..end, Rule::Words(Furniture::Comments));
    }
}

/// Whether everything after a line is comments though the body is not over: the line was taken for one of the body or opens
/// a thread, and no heading of the body follows.
fn opens(lines: &[Line<'_>], account: &Account, prose: &Prose, at: usize) -> bool {
    let after = at + 1..lines.len();
    lines[at].block.measure.link_share < MOST_LINKED
        && prose.before(at) >= LEAST_PROSE
        && !after.clone().any(|at| account.is_kept(at) && lines[at].is_heading())
        && (account.is_kept(at) || is_thread(&lines[after]))
}

/// Whether one line that names comments comes again and again, as it does under each of them ("Report this comment").
fn is_thread(lines: &[Line<'_>]) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    lines.iter().filter(|line| line.is_named(Furniture::Comments)).any(|line| {
        let count = counts.entry(line.text).or_default();
        *count += 1;
        *count >= AGAIN_AND_AGAIN
    })
}
