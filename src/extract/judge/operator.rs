//! The operator's selectors and patterns, which win over everything.
//!
//! CSS selectors need scraper's tree. It is made from ours, for the pages of sites that have selectors alone.

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

/// A page as its site's selectors see it.
pub(crate) struct Selected<'a> {
    site: &'a CompiledSite,
    html: Html,
    /// The node that each of scraper's was made from.
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

    /// Which selectors match anything.
    pub(crate) fn uses(&self) -> Vec<SelectorUse> {
        let used = |compiled: &Compiled| SelectorUse {
            name: compiled.name.clone(),
            matches: self.html.select(&compiled.selector).next().is_some(),
        };
        self.site.all().map(used).collect()
    }

    /// Overwrites the fields that the operator points at.
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

    /// Takes what the operator drops out of the page. Gives the texts that went, for the account.
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

    /// Which blocks stand in what the operator calls the body; `None` where the page has no such thing.
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

/// Bytes of text that a pattern looks at in a step.
const BYTES_A_STEP: usize = 64;

/// Heeds the site's patterns: what fits `keep_text` stays, else what fits `drop_text` goes.
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

/// What an element says: a machine-readable value where it has one, else its text.
fn value_of(element: ElementRef<'_>) -> String {
    let stated = ["content", "datetime"].into_iter().find_map(|name| element.value().attr(name));
    stated.map_or_else(|| text_of(element), |value| value.trim().to_owned())
}

fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
