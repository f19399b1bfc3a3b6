//! What is not shown goes, unless it is most of the text: some sites show their articles by script.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};

pub(crate) fn drop(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    let (mut hidden, mut shown) = (0.0, 0.0);
    for line in account.kept().map(|at| &lines[at]) {
        *(if line.block.is_hidden { &mut hidden } else { &mut shown }) += line.words();
    }
    if hidden == 0.0 || hidden > shown {
        return;
    }
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.block.is_hidden) {
        account.drop(at..at + 1, Rule::Hidden);
    }
}
