//! The tree as a reader sees it.
//!
//! Some markup says what its text alone does not: that a number is raised, a word struck out, that a row of letters is
//! one formula, that a card opens over a name. Before anything is read of a page all of that is written out as text or
//! taken away, in one pass over the nodes: whoever reads after it sees lines in boxes and need not know of it.

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

/// Writes out what the page's markup shows.
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

/// Nodes below an element that are looked at where a few letters are expected.
const MAX_NODES: usize = 64;

/// The text inside a node, where it has no more than so many bytes.
fn short_text(node: NodeRef<'_>, most_bytes: usize) -> Option<String> {
    let mut text = String::new();
    for (number, below) in node.descendants().enumerate() {
        let piece = below.value().as_text().map_or("", |piece| piece);
        // Not copied first: elements that stand in one another would copy a long text once each.
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

/// Whether a node is text with more than white space in it.
fn is_words(node: NodeRef<'_>) -> bool {
    node.value().as_text().is_some_and(|text| !text.trim().is_empty())
}

/// The sibling before, white space left out.
fn before(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.previous_sibling()
        .and_then(|before| if is_blank(before) { before.previous_sibling() } else { Some(before) })
}

/// The sibling after, white space left out.
fn after(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.next_sibling().and_then(|after| if is_blank(after) { after.next_sibling() } else { Some(after) })
}

fn is_in_line(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| is_inline(&element.name.local))
}

fn is_heading(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| is_heading_tag(&element.name.local))
}

/// The element around a node that is no part of a line, and the outermost part of its line that the node is in.
fn line_around(node: NodeRef<'_>) -> Option<(NodeRef<'_>, NodeRef<'_>)> {
    /// Inline elements around one another.
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

/// The text that ends right before a node in its line.
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

/// The text that begins right after a node in its line.
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
