//! The text of an element, in one line or in pieces.

use html5ever::local_name;

use crate::extract::html::elements::joins_words;
use crate::extract::html::text::fold_space;
use crate::extract::html::tree::{Node, NodeRef};
use crate::work;

/// Nodes looked at for the text of one element.
pub(super) const MAX_TEXT_NODES: usize = 200;
/// Bytes read for each that is wanted, since white space is folded.
const SPACE: usize = 8;

/// The text of `node` as it reads on one line.
pub(super) fn inline_text(node: NodeRef<'_>, max_chars: usize) -> String {
    fold_space(&gather(node, max_chars, ""))
}

/// The texts inside `node`, each element's on a line of its own.
pub(super) fn pieces(node: NodeRef<'_>, max_chars: usize) -> String {
    let lines = gather(node, max_chars, "\n");
    lines.lines().map(fold_space).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn gather(node: NodeRef<'_>, max_chars: usize, between: &str) -> String {
    let mut text = String::new();
    for node in node.descendants().take(MAX_TEXT_NODES) {
        work::count(1);
        match node.value() {
            Node::Text(piece) if !is_hidden(node) => {
                // Of a long text its beginning: elements that stand in one another would copy it once each.
                let piece = &piece[..piece.floor_char_boundary(max_chars * SPACE)];
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
        if text.len() > max_chars {
            break;
        }
    }
    text.truncate(text.floor_char_boundary(max_chars));
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
                // The reading beside a character.
                | local_name!("rt")
                | local_name!("rp")
        )
    })
}
