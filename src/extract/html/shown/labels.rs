//! Labels for screen readers that a template sets again and again: "Article content", "opens in a new window".

use std::collections::HashMap;

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::short_text;

/// What is set for nobody's eyes, by its text.
#[derive(Default)]
pub(super) struct Labels(HashMap<String, Vec<NodeId>>);

impl Labels {
    /// Takes down an element whose class says that it is not seen.
    pub(super) fn note(&mut self, node: NodeRef<'_>) {
        const LONGEST_BYTES: usize = 40;
        const UNSEEN: &[&str] = &["hidden", "sr-only", "screen-reader", "srOnly"];
        let class = node.value().as_element().and_then(|element| element.attribute(&local_name!("class")));
        if class.is_some_and(|class| UNSEEN.iter().any(|name| class.contains(name)))
            && let Some(text) = short_text(node, LONGEST_BYTES)
        {
            self.0.entry(text.trim().to_owned()).or_default().push(node.id());
        }
    }

    /// Takes out those that the page says again and again: once, it may be a word of the text.
    pub(super) fn drop_repeated(self, tree: &mut Tree) {
        const AGAIN_AND_AGAIN: usize = 3;
        for label in self.0.into_values().filter(|same| same.len() >= AGAIN_AND_AGAIN).flatten() {
            tree.detach(label);
        }
    }
}
