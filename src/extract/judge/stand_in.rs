//! The text that stands in where a page's markup holds none or a stub of it: the page's own, from its JSON-LD or the state of
//! a script, and the feed entry's.

use super::Reading;
use crate::extract::evidence::state;
use crate::model::{EntryEvidence, QualityFlag};

/// A text of fewer words is a teaser, not an article.
const LEAST_WORDS: f32 = 60.0;
/// Beside a page with hardly a word, a teaser is more than nothing.
const LEAST_WORDS_BESIDE_NONE: f32 = 30.0;
/// Beside a page without a word, so is anything.
const LEAST_WORDS_BESIDE_EMPTY: f32 = 1.0;
/// The page's text is a stub where the feed has so many times its words.
const STUB_FACTOR: f32 = 1.6;
/// Behind a wall, or beside a page that is no article, less will do.
const WALL_FACTOR: f32 = 1.1;

/// Bytes that a word takes at least, with the space behind it.
const LEAST_BYTES_OF_WORD: f32 = 3.0;

/// The reading of the body that the page holds outside of its markup, where that is missing in it: most pages are told from
/// such ones by their words alone.
pub(crate) fn of_page(html: &str, reading: &Reading, read: impl Fn(&str) -> Reading) -> Option<Reading> {
    /// A text of so many times the markup's is no copy of it, cut or edited.
    const FACTOR: f32 = 3.0;
    let words = reading.words();
    if words >= LEAST_WORDS {
        return None;
    }
    let found = [reading.stated_body.clone(), state::body(html)].into_iter().flatten();
    let read = found.map(|body| read(&body)).max_by(|one, other| one.words().total_cmp(&other.words()))?;
    (read.words() >= LEAST_WORDS.max(words * FACTOR)).then_some(read)
}

/// The reading of the entry's own text, wherever the feed put it, where it should stand in for the page's text. `read` reads
/// it.
pub(crate) fn stand_in(
    entry: &EntryEvidence,
    reading: &Reading,
    flags: &[QualityFlag],
    read: impl FnOnce(&str) -> Reading,
) -> Option<Reading> {
    let content = entry.own_text().filter(|_| !entry.only_mentions)?;
    // Markup can only be longer than its words: most pages are told from stubs without reading the content.
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
