//! Declarative shadow roots: every browser shows them, with the host's own children in their slots.

use std::collections::HashMap;

use html5ever::{LocalName, local_name};

use super::super::tree::{Node, NodeId, NodeRef, Tree};

/// Moves the contents of a declared shadow root below its host.
pub(super) fn open(tree: &mut Tree, template: NodeId) {
    let node = tree.node(template);
    let mode = LocalName::from("shadowrootmode");
    let is_root = node.value().as_element().is_some_and(|element| element.attribute(&mode).is_some());
    let (Some(host), Some(contents)) = (node.parent().map(NodeRef::id), node.first_child().map(NodeRef::id))
    else {
        return;
    };
    if !is_root {
        return;
    }
    let own: Vec<NodeId> =
        tree.node(host).children().map(NodeRef::id).filter(|child| *child != template).collect();
    // Of several slots with the same name the first is filled.
    let mut slots = HashMap::new();
    let named = tree.node(contents).descendants().filter_map(|below| {
        let element =
            below.value().as_element().filter(|element| element.name.local == local_name!("slot"))?;
        Some((element.attribute(&local_name!("name")).unwrap_or_default().to_owned(), below.id()))
    });
    for (name, slot) in named {
        slots.entry(name).or_insert(slot);
    }
    tree.detach(template);
    let mut filled = Vec::new();
    for child in own {
        let wanted = match tree.node(child).value() {
            Node::Element(element) => element.attribute(&local_name!("slot")).unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        if let Some(slot) = slots.get(&wanted) {
            tree.insert_before(*slot, child);
            if !super::is_blank(tree.node(child)) {
                filled.push(*slot);
            }
        }
    }
    // A slot's own contents are shown only if nothing fills it.
    for slot in filled {
        tree.detach(slot);
    }
    // Children without a slot come last: a script may be meant to place them.
    match tree.node(host).first_child().map(NodeRef::id) {
        None => tree.move_children(contents, host),
        Some(first) => {
            while let Some(child) = tree.node(contents).first_child().map(NodeRef::id) {
                tree.insert_before(first, child);
            }
        }
    }
}
