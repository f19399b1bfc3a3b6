//! Decides which elements are part of a line and which are separate.
//!
//! The tag makes an element inline or a block, but style sheets override that, and pages use tags unknown to
//! HTML. An unknown element is inline, as in browsers, unless it contains blocks or has nothing beside it.

use std::iter::successors;

use html5ever::{LocalName, local_name};

use super::super::elements::{is_inline, is_known, is_void};
use super::super::tree::{Element, Node, NodeId, NodeRef, Tree};
use super::{MAX_NODES, after, before, is_heading, is_in_line, is_words, line_around, short_text};

/// The layout that an inline style gives an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Display {
    /// On lines of its own.
    Block,
    /// As a row of cells, on lines of its own.
    Cells,
    /// In the line, but separated from its neighbours.
    InlineBlock,
}

/// Returns the layout in an element's `style` attribute; style sheets are not read.
fn display(element: &Element) -> Option<Display> {
    let style = element.attribute(&local_name!("style"))?;
    let (_, value) = style.split_once("display")?;
    let value = value.trim_start().strip_prefix(':')?.trim_start();
    let value = value.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap_or_default();
    match value {
        "block" | "list-item" | "table" | "flow-root" => Some(Display::Block),
        "flex" | "grid" => Some(Display::Cells),
        "inline-block" | "inline-flex" | "inline-grid" | "inline-table" | "table-cell" => {
            Some(Display::InlineBlock)
        }
        _ => None,
    }
}

/// Separates an inline element from its neighbours if its style or its text shows that they do not run together.
pub(super) fn part(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    let Some(element) = node.value().as_element() else { return };
    match display(element) {
        Some(display @ (Display::Block | Display::Cells)) => {
            let is_span = element.name.local == local_name!("span");
            if display == Display::Cells {
                part_children(tree, id);
            }
            // Two lines in a heading are still one heading, and a link has to stay a link.
            if is_span && !line_around(tree.node(id)).is_some_and(|(around, _)| is_heading(around)) {
                tree.rename(id, local_name!("div"));
            } else {
                set_apart(tree, id);
            }
        }
        Some(Display::InlineBlock) => set_apart(tree, id),
        None => {
            if runs_into_words(node) {
                tree.insert_text_before(id, " ");
            }
        }
    }
}

/// Separates the cells of a box that a style lays out side by side.
pub(super) fn part_cells(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    if node.value().as_element().and_then(display) == Some(Display::Cells) {
        part_children(tree, id);
    }
}

fn part_children(tree: &mut Tree, id: NodeId) {
    let cells: Vec<NodeId> =
        tree.node(id).children().filter(|child| is_in_line(*child)).map(NodeRef::id).collect();
    for cell in cells {
        set_apart(tree, cell);
    }
}

fn set_apart(tree: &mut Tree, id: NodeId) {
    if tree.node(id).parent().is_none() {
        return;
    }
    tree.insert_text_before(id, " ");
    if let Some(after) = tree.node(id).next_sibling().map(NodeRef::id) {
        tree.insert_text_before(after, " ");
    }
}

/// Returns whether an element directly follows another inline one but starts a new sentence or title: a date and a headline.
fn runs_into_words(node: NodeRef<'_>) -> bool {
    let Some(beside) = node.previous_sibling().filter(|beside| is_in_line(*beside)) else { return false };
    let last = successors(Some(beside), |at| at.last_child()).last().unwrap_or(beside);
    let first = successors(Some(node), |at| at.first_child()).last().unwrap_or(node);
    let (Some(last), Some(first)) = (last.value().as_text(), first.value().as_text()) else { return false };
    let (Some(end), Some(start)) = (last.chars().next_back(), first.chars().next()) else { return false };
    let begins_anew = start.is_uppercase()
        && (end.is_lowercase() || end.is_ascii_digit() || matches!(end, '.' | '!' | '?'));
    begins_anew
        && (last.trim().contains(' ') || first.trim().contains(' '))
        && !node.ancestors().any(|above| {
            above
                .value()
                .as_element()
                .is_some_and(|element| matches!(element.name.local, local_name!("pre") | local_name!("code")))
        })
}

/// Makes an unknown element inline if it is in a line and contains no block.
pub(super) fn take_in_unknown(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    if node.value().as_element().and_then(display).is_none() && is_part_of_line(node) && holds_no_box(node) {
        tree.rename(id, local_name!("span"));
    }
}

fn is_part_of_line(node: NodeRef<'_>) -> bool {
    let holds_lines =
        |tag: &LocalName| is_inline(tag) || matches!(*tag, local_name!("p") | local_name!("dt"));
    let around = node.parent();
    around.is_some_and(is_heading)
        || around
            .and_then(|around| around.value().as_element())
            .is_some_and(|element| holds_lines(&element.name.local))
        || before(node).is_some_and(is_words)
        || after(node).is_some_and(is_words)
}

fn holds_no_box(node: NodeRef<'_>) -> bool {
    let is_box = |element: &Element| {
        let tag = &element.name.local;
        is_known(tag) && !is_inline(tag) && !is_void(tag)
    };
    let mut below = node.descendants().skip(1);
    below
        .by_ref()
        .take(MAX_NODES)
        .all(|below| !matches!(below.value(), Node::Element(element) if is_box(element)))
        && below.next().is_none()
}

/// Makes a button part of the text if it is in the middle of a sentence, all of a heading, or a question that opens its answer.
pub(super) fn take_in_button(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    if holds_no_box(node) && (is_in_sentence(node) || is_whole_heading(node) || opens_answer(node)) {
        tree.rename(id, local_name!("span"));
    }
}

/// Returns whether a sentence continues directly after a button.
fn is_in_sentence(node: NodeRef<'_>) -> bool {
    let in_lines =
        line_around(node).and_then(|(around, _)| around.value().as_element()).is_some_and(|element| {
            matches!(
                element.name.local,
                local_name!("p")
                    | local_name!("li")
                    | local_name!("dd")
                    | local_name!("td")
                    | local_name!("blockquote")
            )
        });
    in_lines && after(node).is_some_and(is_words)
}

fn is_whole_heading(node: NodeRef<'_>) -> bool {
    let Some((around, part)) = line_around(node) else { return false };
    let is_label = |node: NodeRef<'_>| {
        node.value().as_element().is_some_and(|element| {
            matches!(element.name.local, local_name!("dt") | local_name!("summary") | local_name!("legend"))
        })
    };
    (is_heading(around) || is_label(around))
        && around.children().nth(MAX_NODES).is_none()
        && around.children().all(|child| child.id() == part.id() || !has_words(child))
}

fn has_words(node: NodeRef<'_>) -> bool {
    node.descendants().take(MAX_NODES).any(is_words)
}

/// Returns whether a button is a question that opens its answer.
fn opens_answer(node: NodeRef<'_>) -> bool {
    const LEAST_WORDS: usize = 4;
    const LONGEST_BYTES: usize = 300;
    let opens = node.value().as_element().is_some_and(|element| {
        element
            .attrs
            .iter()
            .any(|attribute| matches!(&*attribute.name.local, "aria-expanded" | "aria-controls"))
    });
    opens
        && short_text(node, LONGEST_BYTES).is_some_and(|text| {
            text.split_whitespace().count() >= LEAST_WORDS || text.trim_end().ends_with(['?', '？'])
        })
}
