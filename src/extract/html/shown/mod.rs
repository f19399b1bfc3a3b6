//! Rewrites the tree to the text that a reader sees.
//!
//! Some markup carries meaning that its text alone does not: a number is raised, a word struck out, a row of letters is
//! one formula, a card opens over a name. Before anything else reads the page, one pass over the nodes writes all of that
//! out as text or removes it, so that later steps see plain lines in boxes.

mod cards;
mod code;
mod copies;
mod formulas;
mod initials;
mod labels;
mod lines;
mod marks;
mod quotes;
mod shadow;
mod signs;

use html5ever::{local_name, ns};

pub(crate) use formulas::is_formula_type;

use super::elements::{is_heading_tag, is_inline, is_known};
use super::tree::{NodeRef, Tree};

/// Writes out or removes what the page's markup shows or hides.
pub(crate) fn show(tree: &mut Tree) {
    let mut marks = Vec::new();
    let mut labels = labels::Labels::default();
    for id in tree.ids() {
        let node = tree.node(id);
        let Some(element) = node.value().as_element() else { continue };
        if element.name.ns != ns!(html) {
            if element.name.local == local_name!("math") {
                formulas::write_out(tree, id);
            }
            continue;
        }
        match element.name.local {
            local_name!("span") => {
                labels.note(tree.node(id));
                marks::drop_edit_link(tree, id);
                cards::drop_card(tree, id);
                lines::part(tree, id);
                initials::join(tree, id);
            }
            local_name!("a") => {
                marks.extend(marks::drop_link(tree, id).map(|place| (id, place)));
                lines::part(tree, id);
            }
            local_name!("div") | local_name!("p") => {
                copies::drop_microdata(tree, id);
                lines::part_cells(tree, id);
                initials::join(tree, id);
            }
            local_name!("img") => signs::write_out(tree, id),
            local_name!("sup") => marks.extend(marks::raise(tree, id).map(|place| (id, place))),
            local_name!("sub") => marks::lower(tree, id),
            local_name!("q") => quotes::write_out(tree, id),
            local_name!("del") | local_name!("s") | local_name!("strike") => marks::drop_struck(tree, id),
            local_name!("button") => lines::take_in_button(tree, id),
            local_name!("pre") => code::drop_line_numbers(tree, id),
            local_name!("script") => formulas::write_out_script(tree, id),
            local_name!("template") => shadow::open(tree, id),
            ref tag if is_inline(tag) => {
                lines::part(tree, id);
                initials::join(tree, id);
            }
            ref tag if !is_known(tag) => {
                lines::take_in_unknown(tree, id);
                cards::drop_card(tree, id);
            }
            _ => {}
        }
    }
    marks::find_notes(tree, &marks);
    labels.drop_repeated(tree);
}

/// Maximum number of nodes checked below an element that should hold only a short text.
const MAX_NODES: usize = 64;

/// Returns the text inside a node; `None` if it is longer than `most_bytes` or has more than `MAX_NODES` nodes.
fn short_text(node: NodeRef<'_>, most_bytes: usize) -> Option<String> {
    let mut text = String::new();
    for (number, below) in node.descendants().enumerate() {
        let piece = below.value().as_text().map_or("", |piece| piece);
        // Check before copying: nested elements would each copy a long text.
        if number >= MAX_NODES || text.len() + piece.len() > most_bytes {
            return None;
        }
        text.push_str(piece);
    }
    Some(text)
}

fn is_blank(node: NodeRef<'_>) -> bool {
    node.value().as_text().is_some_and(|text| text.trim().is_empty())
}

/// Returns whether a node is a text node with more than white space in it.
fn is_words(node: NodeRef<'_>) -> bool {
    node.value().as_text().is_some_and(|text| !text.trim().is_empty())
}

/// Returns the previous sibling, skipping white space.
fn before(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.previous_sibling()
        .and_then(|before| if is_blank(before) { before.previous_sibling() } else { Some(before) })
}

/// Returns the next sibling, skipping white space.
fn after(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.next_sibling().and_then(|after| if is_blank(after) { after.next_sibling() } else { Some(after) })
}

fn is_in_line(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| is_inline(&element.name.local))
}

fn is_heading(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| is_heading_tag(&element.name.local))
}

/// Returns the nearest non-inline ancestor of a node, and the child of it that contains the node.
fn line_around(node: NodeRef<'_>) -> Option<(NodeRef<'_>, NodeRef<'_>)> {
    /// Maximum number of nested inline elements.
    const MAX_LEVELS: usize = 8;
    let mut part = node;
    for _ in 0..MAX_LEVELS {
        let around = part.parent()?;
        if !is_in_line(around) {
            return Some((around, part));
        }
        part = around;
    }
    None
}

/// Returns the text directly before a node in its line.
fn text_before(node: NodeRef<'_>) -> Option<&str> {
    let mut at = node;
    for _ in 0..MAX_NODES {
        let Some(mut before) = at.previous_sibling() else {
            at = at.parent().filter(|parent| is_in_line(*parent))?;
            continue;
        };
        while is_in_line(before)
            && let Some(last) = before.last_child()
        {
            before = last;
        }
        at = before;
        match at.value().as_text() {
            Some(text) if !text.is_empty() => return Some(text),
            Some(_) => {}
            None if is_in_line(at) => {}
            None => return None,
        }
    }
    None
}

/// Returns the text directly after a node in its line.
fn text_after(node: NodeRef<'_>) -> Option<&str> {
    let mut at = node;
    for _ in 0..MAX_NODES {
        let Some(mut after) = at.next_sibling() else {
            at = at.parent().filter(|parent| is_in_line(*parent))?;
            continue;
        };
        while is_in_line(after)
            && let Some(first) = after.first_child()
        {
            after = first;
        }
        at = after;
        match at.value().as_text() {
            Some(text) if !text.is_empty() => return Some(text),
            Some(_) => {}
            None if is_in_line(at) => {}
            None => return None,
        }
    }
    None
}
