//! Machine-readable copies of an article: a box of microdata properties, each a plain text in its own element, one of them a
//! timestamp. They are not meant for readers.

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::{is_heading, is_words};

/// Maximum number of nodes of such a box.
const MAX_NODES: usize = 256;

/// Removes a box of microdata that is only for machines.
pub(super) fn drop_microdata(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    let is_item = node
        .value()
        .as_element()
        .is_some_and(|element| element.attribute(&local_name!("itemscope")).is_some());
    if is_item && is_for_machines(node) {
        tree.detach(id);
    }
}

fn is_for_machines(item: NodeRef<'_>) -> bool {
    let mut has_moment = false;
    for (number, below) in item.descendants().enumerate() {
        if number > MAX_NODES || is_heading(below) {
            return false;
        }
        let Some(text) = below.value().as_text().filter(|_| is_words(below)) else { continue };
        let Some(property) = property_of(below, item) else { return false };
        // The visible body has paragraphs.
        if property == "articleBody" && below.parent().is_none_or(|parent| property_in(parent).is_none()) {
            return false;
        }
        has_moment |= property.starts_with("date") && is_moment(text.trim());
    }
    has_moment
}

/// Returns the property of the innermost element with one around a text.
fn property_of<'t>(text: NodeRef<'t>, item: NodeRef<'t>) -> Option<&'t str> {
    let around = std::iter::successors(text.parent(), |at| at.parent());
    around.take_while(|at| at.id() != item.id()).find_map(property_in)
}

fn property_in(node: NodeRef<'_>) -> Option<&str> {
    node.value().as_element()?.attribute(&local_name!("itemprop"))
}

/// `2026-03-19T08:57:40+01:00`
fn is_moment(text: &str) -> bool {
    text.len() >= 19
        && text.is_ascii()
        && text.as_bytes()[10] == b'T'
        && text.bytes().filter(u8::is_ascii_digit).count() >= 12
}
