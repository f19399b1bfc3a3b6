//! Pictures in place of characters: an emoji, a formula, an initial.

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::{formulas, is_words};

/// Replaces such a picture by the characters in its `alt` text.
pub(super) fn write_out(tree: &mut Tree, id: NodeId) {
    const LONGEST_BYTES: usize = 500;
    let node = tree.node(id);
    let Some(element) = node.value().as_element() else { return };
    let alternative = element.attribute(&local_name!("alt")).map(str::trim).unwrap_or_default();
    if alternative.is_empty() || alternative.len() > LONGEST_BYTES {
        return;
    }
    let class = element.attribute(&local_name!("class")).unwrap_or_default();
    let sign = if is_emoji(alternative) || is_smiley(class, alternative) || is_initial(node, alternative) {
        alternative.to_owned()
    } else if formulas::is_tex(alternative) {
        formulas::plain_tex(alternative)
    } else {
        return;
    };
    tree.replace_by_text(id, &sign);
}

fn is_emoji(text: &str) -> bool {
    const MOST_CHARS: usize = 12;
    let is_pictograph = |c: char| matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}');
    text.chars().count() <= MOST_CHARS
        && text.contains(is_pictograph)
        && !text.contains(|c: char| c.is_alphabetic() || c.is_whitespace())
}

/// Returns whether a picture is what a forum or blog shows for `:)` or `:wave:`.
fn is_smiley(class: &str, text: &str) -> bool {
    const LONGEST_BYTES: usize = 24;
    (class.contains("smil") || class.contains("emoji")) && text.len() <= LONGEST_BYTES && !text.contains(' ')
}

/// Returns whether a picture is the first letter of the word that continues after it.
fn is_initial(node: NodeRef<'_>, text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_alphabetic)
        && chars.next().is_none()
        && node
            .next_sibling()
            .filter(|next| is_words(*next))
            .and_then(|next| next.value().as_text())
            .is_some_and(|text| text.starts_with(char::is_lowercase))
}
