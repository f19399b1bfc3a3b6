//! Drops a line that is only a date above the first paragraph: it is the article's own. Further down it may head a section.

use jiff::Timestamp;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;
use crate::extract::metadata::date_of_text;
use crate::extract::words::furniture::Furniture;

/// A longer line is more than a date.
const LONGEST_BYTES: usize = 60;
/// Maximum number of words with letters: the day of the week, the month, and AM or PM.
const MOST_NAMES: usize = 3;
/// A paragraph of more words is not part of the article's head.
const HEAD_WORDS: f32 = 20.0;

pub(crate) fn claim(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let is_paragraph = |at: &usize| account.is_kept(*at) && lines[*at].words() > HEAD_WORDS;
    let first_paragraph = (0..lines.len()).find(is_paragraph).unwrap_or(0);
    for (at, line) in lines[..first_paragraph].iter().enumerate() {
        let may_be_date = account.is_kept(at) && line.block.kind == Kind::Paragraph && line.found.is_none();
        if may_be_date && is_date(line.text, facts.fetched_at) {
            account.claim(at..at + 1, Rule::Words(Furniture::Dateline));
        }
    }
}

fn is_date(text: &str, fetched_at: Timestamp) -> bool {
    let names = text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count();
    text.len() <= LONGEST_BYTES
        && names <= MOST_NAMES
        && text.contains(char::is_numeric)
        && !text.contains(": ")
        && date_of_text(text, fetched_at).is_some()
}
