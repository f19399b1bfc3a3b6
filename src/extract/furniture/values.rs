//! Values whose label is not part of the text: "2,431" after "Posts:", beside the name of a post's author.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};

/// A longer line is not a label.
const MOST_WORDS: f32 = 3.0;

/// Drops values without letters that follow a dropped label.
pub(crate) fn drop(lines: &[Line<'_>], _: &Facts<'_>, account: &mut Account) {
    for at in 1..lines.len() {
        let (label, value) = (&lines[at - 1], lines[at].text);
        if account.is_kept(at)
            && !account.is_kept(at - 1)
            && label.words() <= MOST_WORDS
            && label.text.ends_with([':', '：'])
            && !value.contains(char::is_alphabetic)
        {
            account.drop(at..at + 1, Rule::Value);
        }
    }
}
