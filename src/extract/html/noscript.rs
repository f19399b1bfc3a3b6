//! Text for readers without scripts: pages that are drawn by a script hold their whole text in a `noscript` element. Mostly
//! there is a picture in it, or the advice to switch scripts on.

use html5ever::local_name;
use memchr::memmem;

use super::tree::{Node, NodeRef};

/// Bytes of text from which on it is a body, and not a notice.
const LEAST_TEXT_BYTES: usize = 400;

/// Whether any `noscript` element in the source holds so much text.
pub(crate) fn holds_body(html: &str) -> bool {
    const START: &str = "<noscript";
    const END: &str = "</noscript";
    let find = |text: &str, tag: &str| memmem::find(text.as_bytes(), tag.as_bytes());
    let mut rest = html;
    while let Some(start) = find(rest, START) {
        let inside = &rest[start + START.len()..];
        let end = find(inside, END).unwrap_or(inside.len());
        if end > LEAST_TEXT_BYTES && text_bytes(&inside[..end]) >= LEAST_TEXT_BYTES {
            return true;
        }
        rest = &inside[end..];
    }
    false
}

/// Bytes between the tags, without white space.
fn text_bytes(markup: &str) -> usize {
    let after_tags = markup.split('<').filter_map(|part| part.split_once('>'));
    after_tags.flat_map(|(_, text)| text.split_ascii_whitespace()).map(str::len).sum()
}

/// Whether this element is one of those, read as markup.
pub(crate) fn is_body(node: NodeRef<'_>) -> bool {
    /// Of an element with more nodes no more are looked at.
    const MOST_NODES: usize = 5_000;
    let is_noscript = |node: NodeRef<'_>| {
        node.value().as_element().is_some_and(|element| element.name.local == local_name!("noscript"))
    };
    let is_markup = node.children().any(|child| matches!(child.value(), Node::Element(_)));
    is_noscript(node) && is_markup && {
        let texts = node.descendants().take(MOST_NODES).filter_map(|below| below.value().as_text());
        texts.flat_map(str::split_ascii_whitespace).map(str::len).sum::<usize>() >= LEAST_TEXT_BYTES
    }
}
