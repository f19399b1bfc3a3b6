//! The operator's selectors, which win over everything.

use std::collections::HashSet;

use ego_tree::NodeId;
use html5ever::local_name;
use jiff::Timestamp;
use scraper::{ElementRef, Html, Selector};

use super::blocks::Document;
use super::dom::attribute;
use super::metadata::{self, Metadata};
use super::rules::CompiledSite;

/// Takes what the operator drops out of the page. Gives the texts that went, for the account.
pub(crate) fn remove_dropped(html: &mut Html, site: &CompiledSite) -> Vec<String> {
    let found: Vec<(NodeId, String)> =
        matches(html, &site.drop).map(|element| (element.id(), text_of(element))).collect();
    for (id, _) in &found {
        if let Some(mut node) = html.tree.get_mut(*id) {
            node.detach();
        }
    }
    found.into_iter().map(|(_, text)| text).filter(|text| !text.is_empty()).collect()
}

/// Which blocks stand in what the operator calls the body; `None` where the page has no such thing.
pub(crate) fn body(html: &Html, document: &Document, site: &CompiledSite) -> Option<Vec<bool>> {
    let bodies: HashSet<NodeId> = matches(html, &site.body).map(|element| element.id()).collect();
    let mut inside = vec![false; document.blocks.len()];
    for container in document.containers.iter().filter(|container| bodies.contains(&container.node)) {
        inside[container.first..container.end].fill(true);
    }
    inside.contains(&true).then_some(inside)
}

/// Overwrites the fields that the operator points at.
pub(crate) fn overwrite(html: &Html, site: &CompiledSite, fetched_at: Timestamp, metadata: &mut Metadata) {
    if let Some(title) = matches(html, &site.title).map(value_of).find(|title| !title.is_empty()) {
        metadata.title = Some(title);
    }
    let authors: Vec<String> = matches(html, &site.author)
        .map(value_of)
        .flat_map(|text| {
            let names = metadata::authors_of_byline(&text);
            if names.is_empty() && !text.is_empty() { vec![text] } else { names }
        })
        .collect();
    if !authors.is_empty() {
        metadata.authors = authors;
    }
    let date =
        matches(html, &site.date).find_map(|element| metadata::date_of_text(&value_of(element), fetched_at));
    if date.is_some() {
        metadata.published_at = date;
    }
}

fn matches<'a>(html: &'a Html, selectors: &'a [Selector]) -> impl Iterator<Item = ElementRef<'a>> {
    selectors.iter().flat_map(|selector| html.select(selector))
}

/// What an element says: a machine-readable value where it has one, else its text.
fn value_of(element: ElementRef<'_>) -> String {
    let stated = [local_name!("content"), local_name!("datetime")];
    let stated = stated.iter().find_map(|name| attribute(element.value(), name));
    stated.map_or_else(|| text_of(element), |value| value.trim().to_owned())
}

fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
