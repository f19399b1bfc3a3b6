//! The text of the feed entry, where the page has none or a stub of it.

use super::Reading;
use crate::model::{EntryEvidence, QualityFlag};

/// A text of fewer words is a teaser, not an article.
const LEAST_WORDS: f32 = 60.0;
/// Beside a page with hardly a word, a teaser is more than nothing.
const LEAST_WORDS_BESIDE_NONE: f32 = 30.0;
/// The page's text is a stub where the feed has so many times its words.
const STUB_FACTOR: f32 = 1.6;
/// Behind a wall, or beside a page that is no article, less will do.
const WALL_FACTOR: f32 = 1.1;

/// Bytes that a word takes at least, with the space behind it.
const LEAST_BYTES_OF_WORD: f32 = 3.0;

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
    let least = if has_none { LEAST_WORDS_BESIDE_NONE } else { LEAST_WORDS };
    let wanted = least.max(reading.words() * if is_no_article { WALL_FACTOR } else { STUB_FACTOR });
    if at_most < wanted {
        return None;
    }
    let content = read(content);
    (content.words() >= wanted).then_some(content)
}
