//! Initials: the large first letter of a text, which belongs to its first word.

use html5ever::local_name;

use super::super::elements::is_inline;
use super::super::tree::{Node, NodeId, NodeRef, Tree};
use super::{after, is_in_line, is_words};

/// Maximum bytes of an initial with a quotation mark before it.
const LONGEST_BYTES: usize = 8;

/// Joins an initial to the rest of its word if it has a box of its own or white space follows it.
pub(super) fn join(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    let Some(initial) = initial(node) else { return };
    if !is_in_line(node) {
        join_box(tree, id, &initial);
    } else if node.previous_sibling().is_none_or(super::is_blank)
        && !is_word(&initial)
        && let Some(rest) = node.next_sibling()
        && let Node::Text(text) = rest.value()
        && text.starts_with(char::is_whitespace)
        && text.trim_start().starts_with(char::is_lowercase)
    {
        let (rest, joined) = (rest.id(), text.trim_start().to_owned());
        *tree.value_mut(rest) = Node::Text(joined.as_str().into());
    }
}

/// Returns the initial if an element contains nothing but one capital letter.
fn initial(node: NodeRef<'_>) -> Option<String> {
    let mut at = node.first_child()?;
    while at.next_sibling().is_none()
        && let Some(below) = at.first_child()
    {
        at = below;
    }
    let text = at.value().as_text().filter(|_| at.next_sibling().is_none())?;
    if text.len() > LONGEST_BYTES + 8 {
        return None;
    }
    let text = text.trim();
    let mut letters = text.chars().filter(|c| c.is_alphanumeric());
    let is_capital = letters.next().is_some_and(char::is_uppercase) && letters.next().is_none();
    (is_capital && text.len() <= LONGEST_BYTES && text.ends_with(char::is_alphabetic))
        .then(|| text.to_owned())
}

/// Returns whether a letter is a word in some language, like "A", "I" and "Y".
fn is_word(initial: &str) -> bool {
    const NO_WORDS: &str = "BCDFGHJLMNPQRTX";
    !initial.ends_with(|c| NO_WORDS.contains(c))
}

/// Moves an initial from its box into the following paragraph.
fn join_box(tree: &mut Tree, id: NodeId, initial: &str) {
    let Some(next) = after(tree.node(id)).filter(|next| holds_paragraph(*next)) else { return };
    let Some(first) = next.descendants().take(super::MAX_NODES).find(|below| is_words(*below)) else {
        return;
    };
    let text = first.value().as_text().unwrap_or_default().trim_start();
    let rest = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    if !rest.starts_with(char::is_lowercase) {
        return;
    }
    let is_apart = is_word(initial) && stands_alone(next, rest);
    let joined = [initial, if is_apart { " " } else { "" }, text].concat();
    let first = first.id();
    *tree.value_mut(first) = Node::Text(joined.as_str().into());
    tree.detach(id);
}

fn holds_paragraph(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| {
        matches!(element.name.local, local_name!("p") | local_name!("div")) || is_inline(&element.name.local)
    })
}

/// Returns whether the text after an initial occurs elsewhere as a word of its own: "boat", but not "fter".
fn stands_alone(paragraph: NodeRef<'_>, word: &str) -> bool {
    /// Maximum number of nodes and bytes of the text that are searched.
    const REACH: usize = 400;
    const REACH_BYTES: usize = 16_384;
    let around = paragraph.parent().unwrap_or(paragraph);
    let mut is_first = true;
    let mut bytes_left = REACH_BYTES;
    for text in around.descendants().take(REACH).filter_map(|below| below.value().as_text()) {
        let text = &text[..text.floor_char_boundary(bytes_left)];
        bytes_left -= text.len();
        let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|found| *found == word);
        // The first occurrence is the one after the initial itself.
        if words.next().is_some() && (!std::mem::take(&mut is_first) || words.next().is_some()) {
            return true;
        }
    }
    false
}
