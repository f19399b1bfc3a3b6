//! What the feed entry brings: where the body is, how it starts, and a body of its own where the page has none.

use crate::extract::html;
use crate::extract::reading::Reading;
use crate::extract::rules::Rules;
use crate::model::{EntryEvidence, Page, QualityFlag};

/// A content of fewer words is a teaser, not an article.
const LEAST_WORDS: f32 = 60.0;
/// The page's text is a stub where the feed has so many times its words.
const STUB_FACTOR: f32 = 1.6;
/// Behind a wall, or beside a page that is no article, less will do.
const WALL_FACTOR: f32 = 1.1;

/// The reading of the entry's own content, where it should stand in for the page's text.
pub(crate) fn stand_in(
    entry: &EntryEvidence,
    page: &Page,
    reading: &Reading,
    flags: &[QualityFlag],
    rules: &Rules,
) -> Option<Reading> {
    let content = entry.content.as_deref()?;
    // Markup can only be longer than its words: most pages are told from stubs without reading the content.
    let at_most = content.len() as f32 / 3.0;
    let is_no_article = flags.iter().any(|flag| {
        matches!(
            flag,
            QualityFlag::Paywalled | QualityFlag::TooShort | QualityFlag::VideoOnly | QualityFlag::Listing
        )
    });
    let wanted = LEAST_WORDS.max(reading.words() * if is_no_article { WALL_FACTOR } else { STUB_FACTOR });
    if at_most < wanted {
        return None;
    }
    let content = if is_html(content) {
        Reading::of_fragment(content, page, Some(entry), rules)
    } else {
        Reading::of_text(content, page, None, rules)
    };
    (content.words() >= wanted).then_some(content)
}

/// How the article starts, by the entry's own words.
pub(crate) fn lead(entry: &EntryEvidence) -> Option<String> {
    let text = entry.summary.as_deref().or(entry.content.as_deref()).map(plain)?;
    (!text.is_empty()).then_some(text)
}

/// The entry's content, where it is the article rather than a teaser.
pub(crate) fn stated_body(entry: &EntryEvidence) -> Option<String> {
    const LEAST_BYTES: usize = 600;
    entry.content.as_deref().filter(|content| content.len() >= LEAST_BYTES).map(plain)
}

/// Whether a feed's text is markup.
fn is_html(text: &str) -> bool {
    text.match_indices('<')
        .any(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'))
}

fn plain(text: &str) -> String {
    if !is_html(text) {
        return text.to_owned();
    }
    let parsed = html::parse(text);
    let texts = parsed.tree.nodes().filter_map(|node| node.value().as_text());
    texts.collect::<Vec<_>>().join(" ")
}
