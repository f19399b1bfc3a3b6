//! Text for browsers without scripts: pages that a script renders may hold their whole text in a `noscript` element. Most
//! such elements hold only a picture or the advice to enable scripts.

use html5ever::local_name;
use memchr::memmem;

use super::tree::{Node, NodeRef};

/// Minimum bytes of text for a body; less is a notice.
const LEAST_TEXT_BYTES: usize = 400;

/// Returns whether a `noscript` element in the source holds that much text.
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

/// Counts the bytes between the tags, without white space.
fn text_bytes(markup: &str) -> usize {
    let after_tags = markup.split('<').filter_map(|part| part.split_once('>'));
    after_tags.flat_map(|(_, text)| text.split_ascii_whitespace()).map(str::len).sum()
}

/// Returns whether a node is such a `noscript` element, parsed as markup.
pub(crate) fn is_body(node: NodeRef<'_>) -> bool {
    /// Maximum number of nodes of an element that are checked.
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
