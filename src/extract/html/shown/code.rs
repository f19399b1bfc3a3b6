//! Removes line numbers from code.

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};

/// Fewer consecutive numbers may be anything.
const LEAST_LINES: usize = 2;

/// Removes line numbers beside preformatted text or at the start of each of its lines.
pub(super) fn drop_line_numbers(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    if is_column_of_numbers(node) {
        tree.detach(id);
        return;
    }
    for number in numbers_of_lines(node) {
        tree.detach(number);
    }
}

fn texts(node: NodeRef<'_>) -> impl Iterator<Item = &str> {
    node.descendants().filter_map(|below| below.value().as_text())
}

/// Returns whether a text consists of consecutive numbers, and other elements are beside it.
fn is_column_of_numbers(node: NodeRef<'_>) -> bool {
    let mut count = 0;
    let mut next = None;
    for number in texts(node).flat_map(str::split_whitespace) {
        let Ok(number) = number.parse::<u32>() else { return false };
        if next.is_some_and(|next| number != next) {
            return false;
        }
        next = number.checked_add(1);
        count += 1;
    }
    let has_neighbours = || {
        node.ancestors().take_while(|above| !is_body(*above)).any(|above| above.children().nth(1).is_some())
    };
    count >= LEAST_LINES && has_neighbours()
}

fn is_body(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| element.name.local == local_name!("body"))
}

/// Returns the elements with line numbers: each holds the next number at the start of a line.
fn numbers_of_lines(node: NodeRef<'_>) -> Vec<NodeId> {
    let mut numbers = Vec::new();
    let mut next = None;
    let mut lines = 0;
    let mut at_start = true;
    for below in node.descendants().skip(1) {
        let Some(text) = below.value().as_text() else { continue };
        if at_start
            && let Ok(number) = text.trim().parse::<u32>()
            && next.is_none_or(|next| number == next)
            && let Some(around) = below.parent().filter(|around| around.id() != node.id())
            && around.children().nth(1).is_none()
        {
            next = number.checked_add(1);
            numbers.push(around.id());
            at_start = text.ends_with('\n');
            lines += 1;
            continue;
        }
        lines += usize::from(at_start && !text.trim().is_empty());
        lines += text.trim_end().matches('\n').count();
        at_start = text.trim_end_matches([' ', '\t']).ends_with('\n') || at_start && text.trim().is_empty();
    }
    if numbers.len() > LEAST_LINES && numbers.len() * 10 >= lines * 9 { numbers } else { Vec::new() }
}
