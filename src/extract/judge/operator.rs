//! Applies the operator's selectors and patterns, which override everything.
//!
//! CSS selectors need scraper's tree. It is built from ours, only for pages of sites that have selectors.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use scraper::node::{Element, Text};
use scraper::{ElementRef, Html};

use super::Reading;
use super::selectors::{Compiled, CompiledSite, Pattern};
use crate::extract::account::Rule;
use crate::extract::blocks::Document;
use crate::extract::html::tree::{Node, NodeId, ROOT, Tree};
use crate::extract::metadata;
use crate::model::{Metadata, SelectorUse};
use crate::work;

/// A page in the form that CSS selectors are matched against.
pub(crate) struct Selected<'a> {
    site: &'a CompiledSite,
    html: Html,
    /// Maps each of scraper's nodes to the node that it was made from.
    originals: HashMap<ego_tree::NodeId, NodeId>,
}

impl<'a> Selected<'a> {
    pub(crate) fn new(tree: &Tree, site: &'a CompiledSite) -> Self {
        let mut html = Html::new_document();
        html.quirks_mode = tree.quirks_mode;
        let mut copies = HashMap::from([(ROOT, html.tree.root().id())]);
        for node in tree.root().descendants() {
            let Some(&parent) = node.parent().and_then(|parent| copies.get(&parent.id())) else { continue };
            let mut parent = html.tree.get_mut(parent).expect("made in an earlier round");
            copies.insert(node.id(), parent.append(copy(node.value())).id());
        }
        let originals = copies.into_iter().map(|(original, copy)| (copy, original)).collect();
        Self { site, html, originals }
    }

    /// Returns, for each selector, whether it matches anything.
    pub(crate) fn uses(&self) -> Vec<SelectorUse> {
        let used = |compiled: &Compiled| SelectorUse {
            name: compiled.name.clone(),
            matches: self.html.select(&compiled.selector).next().is_some(),
        };
        self.site.all().map(used).collect()
    }

    /// Overwrites the metadata fields that have a matching selector.
    pub(crate) fn overwrite(&self, fetched_at: Timestamp, metadata: &mut Metadata) {
        if let Some(title) = self.matches(&self.site.title).map(value_of).find(|title| !title.is_empty()) {
            metadata.title = Some(title);
        }
        let authors: Vec<String> = self
            .matches(&self.site.author)
            .map(value_of)
            .flat_map(|text| {
                let names = metadata::authors_of_byline(&text);
                if names.is_empty() && !text.is_empty() { vec![text] } else { names }
            })
            .collect();
        if !authors.is_empty() {
            metadata.authors = authors;
        }
        let date = self
            .matches(&self.site.date)
            .find_map(|element| metadata::date_of_text(&value_of(element), fetched_at));
        if date.is_some() {
            metadata.published_at = date;
        }
    }

    /// Removes the elements that the operator drops. Returns their texts, for the account.
    pub(crate) fn remove_dropped(&mut self, tree: &mut Tree) -> Vec<String> {
        let found: Vec<(ego_tree::NodeId, String)> =
            self.matches(&self.site.drop).map(|element| (element.id(), text_of(element))).collect();
        for (id, _) in &found {
            if let Some(mut node) = self.html.tree.get_mut(*id) {
                node.detach();
            }
            tree.detach(self.originals[id]);
        }
        found.into_iter().map(|(_, text)| text).filter(|text| !text.is_empty()).collect()
    }

    /// Returns which blocks are inside the operator's body elements; `None` if the page has none of them.
    pub(crate) fn body(&self, document: &Document) -> Option<Vec<bool>> {
        let bodies: HashSet<NodeId> =
            self.matches(&self.site.body).map(|element| self.originals[&element.id()]).collect();
        let mut inside = vec![false; document.blocks.len()];
        for container in document.containers.iter().filter(|container| bodies.contains(&container.node)) {
            inside[container.first..container.end].fill(true);
        }
        inside.contains(&true).then_some(inside)
    }

    fn matches<'s>(&'s self, selectors: &'s [Compiled]) -> impl Iterator<Item = ElementRef<'s>> {
        selectors.iter().flat_map(|compiled| self.html.select(&compiled.selector))
    }
}

/// Bytes of text that count as one step of work for a pattern.
const BYTES_A_STEP: usize = 64;

/// Applies the site's patterns: blocks that match `keep_text` are kept, else those that match `drop_text` are dropped.
pub(crate) fn heed_patterns(site: &CompiledSite, reading: &mut Reading) {
    let CompiledSite { keep_text, drop_text, .. } = site;
    if keep_text.is_empty() && drop_text.is_empty() {
        return;
    }
    let patterns: Vec<&Pattern> = keep_text.iter().chain(drop_text).collect();
    let mut matches = vec![false; patterns.len()];
    for (at, block) in reading.document.blocks.iter().enumerate() {
        let text = reading.document.text_of(block);
        work::count(1 + text.len() / BYTES_A_STEP);
        let (mut is_kept, mut is_dropped) = (false, false);
        for (number, _) in patterns.iter().enumerate().filter(|(_, pattern)| pattern.regex.is_match(text)) {
            matches[number] = true;
            is_kept |= number < keep_text.len();
            is_dropped |= number >= keep_text.len();
        }
        if is_kept {
            reading.account.keep(at, Rule::OperatorKeepText);
        } else if is_dropped {
            reading.account.drop(at..at + 1, Rule::OperatorDropText);
        }
    }
    let uses = patterns.into_iter().zip(matches);
    reading
        .selectors
        .extend(uses.map(|(pattern, matches)| SelectorUse { name: pattern.name.clone(), matches }));
}

fn copy(node: &Node) -> scraper::Node {
    match node {
        Node::Root => scraper::Node::Fragment,
        Node::Element(element) => {
            scraper::Node::Element(Element::new(element.name.clone(), element.attrs.clone()))
        }
        Node::Text(text) => scraper::Node::Text(Text { text: text.clone() }),
    }
}

/// Returns an element's value: the machine-readable one if it has one, else its text.
fn value_of(element: ElementRef<'_>) -> String {
    let stated = ["content", "datetime"].into_iter().find_map(|name| element.value().attr(name));
    stated.map_or_else(|| text_of(element), |value| value.trim().to_owned())
}

fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
