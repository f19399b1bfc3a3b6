//! Pop-up cards over a name in a sentence, with details of the person or links to related articles.

use std::iter::successors;

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::{MAX_NODES, is_words, line_around, short_text};

/// Removes such a card from its sentence.
pub(super) fn drop_card(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    if is_tip(node) || hangs_on_link(node) && goes_on(node) {
        tree.detach(id);
    }
}

/// Returns whether an element is marked as shown on demand only.
fn is_tip(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| {
        element.attrs.iter().any(|attribute| match attribute.name.local {
            local_name!("role") => &*attribute.value == "tooltip",
            ref name => &**name == "popover",
        })
    })
}

/// Returns whether an element follows a link and consists of links, or repeats the link's text before more text and a link.
fn hangs_on_link(node: NodeRef<'_>) -> bool {
    const LONGEST_LINK_BYTES: usize = 120;
    const LONGEST_CARD_BYTES: usize = 2000;
    const LEAST_WORDS: usize = 8;
    let Some(link) = super::before(node).filter(|before| is_link(*before)) else { return false };
    let Some(text) = short_text(node, LONGEST_CARD_BYTES) else { return false };
    let name = short_text(link, LONGEST_LINK_BYTES).unwrap_or_default();
    let (text, name) = (text.trim(), name.trim());
    if text.split_whitespace().count() < LEAST_WORDS {
        return false;
    }
    let links = node.descendants().take(MAX_NODES).filter(|below| is_link(*below));
    let links: Vec<usize> =
        links.filter_map(|link| short_text(link, LONGEST_CARD_BYTES)).map(|text| text.len()).collect();
    let is_linked = links.len() > 1 && links.iter().sum::<usize>() * 20 >= text.len() * 17;
    let says_again = !name.is_empty() && text.starts_with(name) && text.len() > name.len();
    is_linked || says_again && !links.is_empty()
}

fn is_link(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| element.name.local == local_name!("a"))
}

/// Returns whether the sentence that contains an element continues after it.
fn goes_on(node: NodeRef<'_>) -> bool {
    line_around(node).is_some_and(|(_, part)| {
        successors(part.next_sibling(), |next| next.next_sibling()).take(MAX_NODES).any(is_words)
    })
}
