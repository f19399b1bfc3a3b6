//! Drops hidden text if it is a small part of the text. Some sites reveal their articles by script, and answers below folded
//! questions are answers: on such pages most of the text is hidden, and the model decides.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};

/// Maximum number of hidden words per shown word.
const LARGEST_PART: f32 = 0.35;

pub(crate) fn drop(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    let (mut hidden, mut shown) = (0.0, 0.0);
    for line in account.kept().map(|at| &lines[at]) {
        *(if line.block.is_hidden { &mut hidden } else { &mut shown }) += line.words();
    }
    if hidden > shown * LARGEST_PART {
        return;
    }
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.block.is_hidden) {
        account.drop(at..at + 1, Rule::Hidden);
    }
}
