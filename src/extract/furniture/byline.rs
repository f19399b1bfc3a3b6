//! Drops bylines: "By Jane Doe", "Von unserem Korrespondenten".

use super::Facts;
use super::names::of_kind;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::metadata::date_of_text;
use crate::extract::words::furniture::Furniture;
use crate::extract::words::openings::inner_byline;

pub(crate) fn claim(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    for (at, _) in of_kind(lines, Furniture::Byline).filter(|(at, _)| looks_like_byline(&lines[*at])) {
        account.claim(at..at + 1, Rule::Words(Furniture::Byline));
    }
}

/// Drops labels above the first paragraph that begin with the author's name: the byline without its opening words, also with
/// the date and the opening words before the name.
pub(crate) fn drop_bare(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    const MOST_WORDS: f32 = 12.0;
    /// A paragraph of more words is not part of the article's head.
    const HEAD_WORDS: f32 = 20.0;
    let names_author =
        |text: &str| facts.authors.iter().any(|author| author.contains(' ') && text.starts_with(&**author));
    let is_paragraph = |at: &usize| account.is_kept(*at) && lines[*at].words() > HEAD_WORDS;
    let first_paragraph = (0..lines.len()).find(is_paragraph).unwrap_or(0);
    let is_label = |line: &Line<'_>| line.words() <= MOST_WORDS && !line.block.measure.ends_sentence;
    for (at, line) in lines[..first_paragraph].iter().enumerate().filter(|(_, line)| is_label(line)) {
        if names_author(behind_the_day(line.text, facts).unwrap_or(line.text)) {
            account.drop(at..at + 1, Rule::Words(Furniture::Byline));
        }
    }
}

/// Returns the text after "by" in "4 May 2024 by Jane Doe".
fn behind_the_day<'t>(text: &'t str, facts: &Facts<'_>) -> Option<&'t str> {
    let after = inner_byline(text)?;
    date_of_text(&text[..text.len() - after.len()], facts.fetched_at).map(|_| after)
}

/// Returns whether a line looks like a byline: "By Jane Doe" does, "By noon the square was full" does not.
pub(crate) fn looks_like_byline(line: &Line<'_>) -> bool {
    /// Maximum characters of a name, its role and an address, in a script without capitals.
    const MOST_CHARS: usize = 30;
    /// At least half of the words are names.
    const LEAST_CAPITALS: f32 = 0.5;
    /// The same if the line contains the date of publication.
    const LEAST_CAPITALS_DATED: f32 = 0.3;
    const LEAST_DIGITS: f32 = 0.05;
    let measure = &line.block.measure;
    let has_case = || line.text.chars().any(|c| c.is_uppercase() || c.is_lowercase());
    let looks_like_names = || {
        measure.capital_share >= LEAST_CAPITALS
            || measure.capital_share >= LEAST_CAPITALS_DATED && measure.digit_share > LEAST_DIGITS
            || line.text.chars().count() <= MOST_CHARS && !has_case()
    };
    let is_one_phrase = !measure.ends_sentence && measure.sentences <= 1;
    !line.is_heading() && (is_one_phrase && looks_like_names() || !has_case() && is_name_and_date(line.text))
}

/// Returns whether a text in a script without capitals looks like a name and a date: short words, with digits among them. It
/// may contain dots, since they abbreviate months there.
fn is_name_and_date(text: &str) -> bool {
    const MOST_CHARS: usize = 60;
    const MOST_CHARS_OF_WORD: usize = 8;
    /// Maximum number of characters per digit.
    const CHARS_OF_FIGURE: usize = 10;
    let chars = text.chars().count();
    let figures = text.chars().filter(|c| c.is_numeric()).count();
    chars <= MOST_CHARS
        && chars <= text.split_whitespace().count() * MOST_CHARS_OF_WORD
        && chars <= figures * CHARS_OF_FIGURE
}
