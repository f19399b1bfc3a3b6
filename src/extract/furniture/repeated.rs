//! The second copy of the same text.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};

/// A repeated text of fewer words may be a refrain.
const LEAST_WORDS: f32 = 10.0;

pub(crate) fn drop(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    for (at, line) in lines.iter().enumerate() {
        if account.is_kept(at) && line.words() >= LEAST_WORDS && !seen.insert(line.text) {
            account.drop(at..at + 1, Rule::Repeated);
        }
    }
}
