//! Finds a substitute text for a page whose markup holds no article or only a stub: the page's own text from its JSON-LD or
//! the state of a script, or the feed entry's.

use super::Reading;
use crate::extract::evidence::state;
use crate::model::{EntryEvidence, QualityFlag};

/// A text of fewer words is a teaser, not an article.
const LEAST_WORDS: f32 = 60.0;
/// If the page has hardly any text, a teaser of this many words is accepted.
const LEAST_WORDS_BESIDE_NONE: f32 = 30.0;
/// If the page has no text at all, any text is accepted.
const LEAST_WORDS_BESIDE_EMPTY: f32 = 1.0;
/// The page's text is a stub if the feed's text has this many times its words.
const STUB_FACTOR: f32 = 1.6;
/// The same factor for a page behind a paywall or without an article.
const WALL_FACTOR: f32 = 1.1;

/// Minimum bytes of a word, with the space after it.
const LEAST_BYTES_OF_WORD: f32 = 3.0;

/// Returns the reading of the body that the page holds outside its markup, if the markup lacks it. Most pages are excluded
/// by their word count alone.
pub(crate) fn of_page(html: &str, reading: &Reading, read: impl Fn(&str) -> Reading) -> Option<Reading> {
    /// A text must have this many times the words of the markup's, or it may be a copy of it, cut or edited.
    const FACTOR: f32 = 3.0;
    let words = reading.words();
    if words >= LEAST_WORDS {
        return None;
    }
    let found = [reading.stated_body.clone(), state::body(html)].into_iter().flatten();
    let read = found.map(|body| read(&body)).max_by(|one, other| one.words().total_cmp(&other.words()))?;
    (read.words() >= LEAST_WORDS.max(words * FACTOR)).then_some(read)
}

/// Returns the reading of the entry's own text if it should replace the page's text. `read` reads it.
pub(crate) fn stand_in(
    entry: &EntryEvidence,
    reading: &Reading,
    flags: &[QualityFlag],
    read: impl FnOnce(&str) -> Reading,
) -> Option<Reading> {
    let content = entry.own_text().filter(|_| !entry.only_mentions)?;
    // Markup is never shorter than its words, so most entries are ruled out without reading the content.
    let at_most = content.len() as f32 / LEAST_BYTES_OF_WORD;
    let is_no_article = flags.iter().any(|flag| {
        matches!(
            flag,
            QualityFlag::Paywalled | QualityFlag::TooShort | QualityFlag::VideoOnly | QualityFlag::Listing
        )
    });
    let has_none = flags.contains(&QualityFlag::TooShort);
    let least = match has_none {
        _ if reading.words() == 0.0 => LEAST_WORDS_BESIDE_EMPTY,
        true => LEAST_WORDS_BESIDE_NONE,
        false => LEAST_WORDS,
    };
    let wanted = least.max(reading.words() * if is_no_article { WALL_FACTOR } else { STUB_FACTOR });
    if at_most < wanted {
        return None;
    }
    let content = read(content);
    (content.words() >= wanted).then_some(content)
}
