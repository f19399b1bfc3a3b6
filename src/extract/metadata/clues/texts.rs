//! The text of an element, as one line or as separate pieces.

use html5ever::local_name;

use crate::extract::html::elements::joins_words;
use crate::extract::html::text::fold_space;
use crate::extract::html::tree::{Node, NodeRef};
use crate::work;

/// Maximum number of nodes read for the text of one element.
pub(super) const MAX_TEXT_NODES: usize = 200;
/// Bytes read for each wanted character, since white space is folded afterwards.
const SPACE: usize = 8;

/// Returns the text of `node` as one line.
pub(super) fn inline_text(node: NodeRef<'_>, max_bytes: usize) -> String {
    fold_space(&gather(node, max_bytes, ""))
}

/// Returns the texts inside `node`, one line per text node.
pub(super) fn pieces(node: NodeRef<'_>, max_bytes: usize) -> String {
    let lines = gather(node, max_bytes, "\n");
    lines.lines().map(fold_space).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn gather(node: NodeRef<'_>, max_bytes: usize, between: &str) -> String {
    let mut text = String::new();
    for node in node.descendants().take(MAX_TEXT_NODES) {
        work::count(1);
        match node.value() {
            Node::Text(piece) if !is_hidden(node) => {
                // Take only the start of a long text: nested elements would each copy all of it.
                let piece = &piece[..piece.floor_char_boundary(max_bytes * SPACE)];
                if between.is_empty() {
                    text.push_str(piece);
                } else {
                    text.push_str(&fold_space(piece));
                    text.push_str(between);
                }
            }
            Node::Element(element) if !joins_words(&element.name.local) => text.push(' '),
            _ => {}
        }
        if text.len() > max_bytes {
            break;
        }
    }
    text.truncate(text.floor_char_boundary(max_bytes));
    text
}

fn is_hidden(text: NodeRef<'_>) -> bool {
    text.parent().and_then(|parent| parent.value().as_element()).is_some_and(|element| {
        matches!(
            element.name.local,
            local_name!("script")
                | local_name!("style")
                | local_name!("noscript")
                | local_name!("button")
                // The pronunciation beside a character (ruby).
                | local_name!("rt")
                | local_name!("rp")
        )
    })
}
