//! What is not shown goes, where it is a small part of the text. Some sites show their articles by script, and the answers
//! below folded questions are answers: there, what is hidden is most of the text, and the model's word stands.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};

/// Hidden words for each that is shown, at most.
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
