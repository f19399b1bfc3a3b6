//! The standfirst stands right under the headline, in its box or the one beside, and the body follows. What else stands
//! there has digits or signs: dates, bylines, tools.

use std::ops::RangeInclusive;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Block;
use crate::extract::words::classes::Traits;

const WORDS: RangeInclusive<f32> = 5.0..=60.0;
/// A standfirst of less is none.
const LEAST_PROBABILITY: f32 = 0.12;
/// Blocks of bylines and tools between it and the body.
const REACH: usize = 12;
/// Dates have more digits.
const MOST_DIGITS: f32 = 0.04;
/// Bylines and labels have more capitals.
const MOST_CAPITALS: f32 = 0.6;

pub(crate) fn keep(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let Some(title) = facts.context.title_at else { return };
    let at = title + 1;
    let Some(line) = lines.get(at) else { return };
    let parent = |block: &Block| facts.context.document.containers[block.container].parent;
    let opens_body = !(0..title).any(|at| account.is_kept(at))
        && (at..lines.len()).take(REACH).any(|at| account.is_kept(at));
    if account.is_outside(at)
        && account.fate(at).probability >= LEAST_PROBABILITY
        && parent(line.block) == parent(lines[title].block)
        && is_sentence(line)
        && !is_caption(line.block, facts)
        && !(line.found.is_some() || line.block.inline.intersects(Traits::CREDITS))
        && opens_body
    {
        account.keep(at, Rule::Standfirst);
    }
}

fn is_sentence(line: &Line<'_>) -> bool {
    let measure = &line.block.measure;
    WORDS.contains(&measure.words)
        && measure.link_share == 0.0
        && measure.digit_share < MOST_DIGITS
        && measure.capital_share < MOST_CAPITALS
        && !line.text.contains(['|', '·', '@', '/'])
}

/// Under a picture stands its caption.
fn is_caption(block: &Block, facts: &Facts<'_>) -> bool {
    let container = &facts.context.document.containers[block.container];
    block.gap.images > 0 || block.gap.players > 0 || container.traits.intersects(Traits::CAPTION)
}
