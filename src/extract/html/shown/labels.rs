//! Labels for screen readers that a template repeats: "Article content", "opens in a new window".

use std::collections::HashMap;

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::short_text;

/// Visually hidden elements, by their text.
#[derive(Default)]
pub(super) struct Labels(HashMap<String, Vec<NodeId>>);

impl Labels {
    /// Records an element whose class hides it visually.
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

    /// Removes labels that occur three times or more; a rarer one may be part of the text.
    pub(super) fn drop_repeated(self, tree: &mut Tree) {
        const AGAIN_AND_AGAIN: usize = 3;
        for label in self.0.into_values().filter(|same| same.len() >= AGAIN_AND_AGAIN).flatten() {
            tree.detach(label);
        }
    }
}
