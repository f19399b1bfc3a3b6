//! Short lines that the markup identifies as the author or the date.

use super::Facts;
use super::byline::looks_like_byline;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::classes::Traits;
use crate::extract::words::furniture::Furniture;

/// Maximum words: a name, a role and a date.
const MOST_WORDS: f32 = 10.0;

pub(crate) fn claim(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.found.is_none()) {
        match credited(line) {
            Some(Furniture::Byline) if !looks_like_byline(line) => {}
            Some(furniture) => account.claim(at..at + 1, Rule::Words(furniture)),
            None => {}
        }
    }
}

/// Returns what the line names according to its markup.
fn credited(line: &Line<'_>) -> Option<Furniture> {
    let block = line.block;
    let is_credit = line.words() <= MOST_WORDS
        && !block.measure.ends_sentence
        && block.inline.intersects(Traits::CREDITS);
    let is_date = block.inline.intersects(Traits::DATE);
    is_credit.then_some(if is_date { Furniture::Dateline } else { Furniture::Byline })
}
