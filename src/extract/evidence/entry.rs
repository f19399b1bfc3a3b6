//! What the feed entry says about the page that it announced: how the article starts, and its body.

use crate::extract::html;
use crate::model::EntryEvidence;

/// Returns how the article starts, according to the entry.
pub(crate) fn lead(entry: &EntryEvidence) -> Option<String> {
    let text = entry.summary.as_deref().or(entry.content.as_deref()).map(plain)?;
    (!text.is_empty()).then_some(text)
}

/// Returns the entry's content if it is long enough to be the article rather than a teaser.
pub(crate) fn stated_body(entry: &EntryEvidence) -> Option<String> {
    const LEAST_BYTES: usize = 600;
    entry.content.as_deref().filter(|content| content.len() >= LEAST_BYTES).map(plain)
}

/// Returns whether a feed's text is HTML.
pub(crate) fn is_html(text: &str) -> bool {
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
