//! Keeps the standfirst: it follows the headline, in the same box or one named as a standfirst, and the body follows it. Other
//! lines in that place have digits or signs: dates, bylines, tools.

use std::ops::RangeInclusive;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Block;
use crate::extract::words::classes::Traits;

const WORDS: RangeInclusive<f32> = 5.0..=60.0;
/// The minimum probability of a standfirst that only its position identifies.
const LEAST_PROBABILITY: f32 = 0.12;
/// Number of blocks after the headline within which the body must begin, past bylines and tools.
const REACH: usize = 12;
/// Dates have more digits.
const MOST_DIGITS: f32 = 0.04;
/// Bylines and labels have more capitals.
const MOST_CAPITALS: f32 = 0.6;

pub(crate) fn keep(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let Some(title) = facts.context.title_at else { return };
    let opens_body = !(0..title).any(|at| account.is_kept(at))
        && (title + 1..lines.len()).take(REACH).any(|at| account.is_kept(at));
    let first_kept = (title + 1..lines.len()).find(|&at| account.is_kept(at)).unwrap_or(lines.len());
    let is_standfirst = |at: &usize| {
        let line = &lines[*at];
        (is_right_under(*at, title, lines, facts, account) || is_named(*at, title, lines, facts))
            && account.is_outside(*at)
            && is_sentence(line)
            && !is_caption(line.block, facts)
            && !(line.found.is_some() || line.block.inline.intersects(Traits::CREDITS))
    };
    if opens_body && let Some(at) = (title + 1..first_kept).find(is_standfirst) {
        account.keep(at, Rule::Standfirst);
    }
}

/// Returns whether a line directly follows the headline in the same box, and may belong to the article.
fn is_right_under(at: usize, title: usize, lines: &[Line<'_>], facts: &Facts<'_>, account: &Account) -> bool {
    let parent = |at: usize| facts.context.document.containers[lines[at].block.container].parent;
    at == title + 1 && parent(at) == parent(title) && account.fate(at).probability >= LEAST_PROBABILITY
}

/// Returns whether the box of a line is named as a standfirst and is in the headline's box. A picture may be between them.
fn is_named(at: usize, title: usize, lines: &[Line<'_>], facts: &Facts<'_>) -> bool {
    let containers = &facts.context.document.containers;
    let own = &containers[lines[at].block.container];
    let around_title = &containers[containers[lines[title].block.container].parent];
    own.traits.intersects(Traits::STANDFIRST) && (around_title.first..around_title.end).contains(&at)
}

fn is_sentence(line: &Line<'_>) -> bool {
    let measure = &line.block.measure;
    WORDS.contains(&measure.words)
        && measure.link_share == 0.0
        && measure.digit_share < MOST_DIGITS
        && measure.capital_share < MOST_CAPITALS
        && !line.text.contains(['|', '·', '@', '/'])
}

/// Returns whether a block is a caption: named as one, or directly after a picture or player.
fn is_caption(block: &Block, facts: &Facts<'_>) -> bool {
    let container = &facts.context.document.containers[block.container];
    block.gap.images > 0 || block.gap.players > 0 || container.traits.intersects(Traits::CAPTION)
}
