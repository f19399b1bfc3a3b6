//! Walks over the page, tracks its regions and records what each element and text contributes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use html5ever::{Attribute, local_name};

use super::texts::{MAX_TEXT_NODES, inline_text, pieces};
use super::{Byline, BylineKind, Clues, DateClue, DateKind, HEADING_CHARS, Heading, Place};
use crate::extract::html::text::{fold_space, without_entities};
use crate::extract::html::tree::{Element, Node, NodeId, NodeRef, Tree};
use crate::extract::metadata::words::{self, Roles};
use crate::extract::words::letters::{first_chars, may_hold_date};
use crate::extract::words::openings;
use crate::work;

/// Bytes of running text kept for language detection.
const SAMPLE_BYTES: usize = 1200;
/// Texts of fewer bytes are menus and headlines.
const RUNNING_BYTES: usize = 80;
/// Maximum length of a byline or date, in bytes.
const SHORT_BYTES: usize = 240;
/// Maximum clues of one kind: a page with more is a list.
const MAX_CLUES: usize = 200;

/// Walks over the page and collects its clues.
pub(super) fn walk(tree: &Tree) -> Clues<'_> {
    let mut walk =
        Walk { clues: Clues::default(), at: 0, label: "", regions: Vec::new(), known: HashMap::default() };
    let mut node = tree.root();
    'walk: loop {
        if walk.open(node)
            && let Some(child) = node.first_child()
        {
            node = child;
            continue;
        }
        loop {
            walk.close(node);
            if let Some(sibling) = node.next_sibling() {
                node = sibling;
                break;
            }
            let Some(parent) = node.parent() else { break 'walk };
            node = parent;
        }
    }
    walk.clues
}

/// A region of the page outside of the article that the walk is currently in.
struct Region {
    node: NodeId,
    place: Place,
}

struct Walk<'a> {
    clues: Clues<'a>,
    at: usize,
    /// The preceding text if it is short: it may be the label of the next one.
    label: &'a str,
    regions: Vec<Region>,
    /// Cached roles of class names, since pages repeat them.
    known: HashMap<&'a str, Roles, RandomState>,
}

impl<'a> Walk<'a> {
    /// Reads a node and returns whether to walk its children.
    fn open(&mut self, node: NodeRef<'a>) -> bool {
        work::count(1);
        match node.value() {
            Node::Text(text) => {
                self.text(node, text);
                false
            }
            Node::Element(element) => self.element(node, element),
            Node::Root => true,
        }
    }

    fn close(&mut self, node: NodeRef<'a>) {
        if self.regions.last().is_some_and(|region| region.node == node.id()) {
            self.regions.pop();
        }
    }

    fn place(&self) -> Place {
        self.regions.iter().map(|region| region.place).max().unwrap_or_default()
    }

    fn text(&mut self, node: NodeRef<'a>, text: &'a str) {
        // Most text nodes are a line break and indentation.
        let trimmed = text.trim_ascii().trim();
        if trimmed.is_empty() {
            return;
        }
        self.at += trimmed.len();
        let label = std::mem::replace(&mut self.label, if trimmed.len() <= 40 { trimmed } else { "" });
        if trimmed.len() > RUNNING_BYTES
            && self.clues.sample.len() < SAMPLE_BYTES
            && self.place() == Place::Open
        {
            self.clues.sample.push_str(&trimmed[..trimmed.floor_char_boundary(SAMPLE_BYTES)]);
            self.clues.sample.push('\n');
        }
        if trimmed.len() > SHORT_BYTES {
            return;
        }
        if self.clues.bylines.len() < MAX_CLUES && openings::opens_byline(trimmed) {
            let parent = node.parent().unwrap_or(node);
            let mut text = pieces(parent, SHORT_BYTES);
            // "Author:" is an element of its own: the name is beside it.
            if text.len() <= trimmed.len() && openings::byline_opening(trimmed).is_some_and(str::is_empty) {
                text = parent.parent().map_or(text, |around| pieces(around, SHORT_BYTES));
            }
            // Text before the opening is unrelated to the byline.
            let opening = fold_space(trimmed);
            let opens_line = |at: &usize| *at == 0 || text[..*at].ends_with('\n');
            let start = text.match_indices(&opening).map(|(at, _)| at).find(opens_line).unwrap_or_default();
            // Keep it if it names another contributor: "Reviewed" in an element of its own.
            if openings::without_other_contributors(&text[..start]).len() == start {
                text.drain(..start);
            }
            let place = self.place();
            self.clues.bylines.push(Byline { kind: BylineKind::Text, text, at: self.at, place });
        }
        if self.clues.dates.len() < MAX_CLUES && trimmed.len() < 120 && may_hold_date(trimmed) {
            let (modified, place) =
                (words::speaks_of_change(trimmed) || words::speaks_of_change(label), self.place());
            let text = trimmed.to_owned();
            self.clues.dates.push(DateClue {
                kind: DateKind::Text,
                modified,
                value: None,
                text,
                at: self.at,
                place,
            });
        }
    }

    /// Handles elements that the tag alone identifies; returns whether to walk their children, `None` for other elements.
    fn told_by_tag(&mut self, node: NodeRef<'a>, element: &'a Element) -> Option<bool> {
        match element.name.local {
            local_name!("html") => {
                self.clues.html_language = element
                    .attribute(&local_name!("lang"))
                    .or_else(|| element.attribute(&local_name!("xml:lang")));
                Some(true)
            }
            local_name!("meta") => {
                self.meta(element);
                Some(false)
            }
            local_name!("link") => {
                self.link(element);
                Some(false)
            }
            local_name!("title") => {
                if self.clues.title_element.is_empty() {
                    self.clues.title_element = inline_text(node, HEADING_CHARS);
                }
                Some(false)
            }
            local_name!("script")
            | local_name!("style")
            | local_name!("noscript")
            | local_name!("template")
            | local_name!("svg")
            | local_name!("iframe")
            | local_name!("select")
            | local_name!("textarea")
            | local_name!("button")
            | local_name!("object") => Some(false),
            // The body's classes describe the layout: `has-sidebar`.
            local_name!("body") | local_name!("head") => Some(true),
            _ => None,
        }
    }

    fn element(&mut self, node: NodeRef<'a>, element: &'a Element) -> bool {
        if let Some(is_walked) = self.told_by_tag(node, element) {
            return is_walked;
        }
        let roles = self.roles(element);
        let tag_is_furniture =
            matches!(element.name.local, local_name!("aside") | local_name!("footer") | local_name!("nav"));
        let place = match () {
            () if roles.comments => Place::Comments,
            () if tag_is_furniture || roles.furniture => Place::Furniture,
            () => Place::Open,
        };
        if place != Place::Open {
            self.regions.push(Region { node: node.id(), place });
        }
        let is_h1 = element.name.local == local_name!("h1");
        let is_lesser =
            matches!(element.name.local, local_name!("h2") | local_name!("h3") | local_name!("h4"));
        if is_h1 || is_lesser || roles.headline {
            self.heading(node, element, roles, is_h1);
        }
        if roles.license && self.clues.license.is_none() {
            self.clues.license = element.attribute(&local_name!("href"));
        }
        if (roles.marked_author || roles.author) && self.clues.bylines.len() < MAX_CLUES {
            self.byline(node, element, roles);
        }
        if element.name.local == local_name!("a")
            && self.clues.bylines.len() < MAX_CLUES
            && !(roles.marked_author || roles.author)
            && element.attribute(&local_name!("href")).is_some_and(words::leads_to_author)
        {
            let text = pieces(node, SHORT_BYTES);
            let place = self.place();
            self.clues.bylines.push(Byline { kind: BylineKind::Link, text, at: self.at, place });
        }
        let is_time = element.name.local == local_name!("time");
        if (is_time || roles.date || roles.marked_date || roles.marked_modified)
            && self.clues.dates.len() < MAX_CLUES
        {
            self.date(node, element, roles, is_time);
        }
        true
    }

    /// Returns the roles that an element's attributes indicate.
    fn roles(&mut self, element: &'a Element) -> Roles {
        let mut roles = Roles::default();
        for Attribute { name, value } in &element.attrs {
            match name.local {
                local_name!("class") | local_name!("id") | local_name!("property") => {
                    roles.insert_class(self.roles_of_class(value));
                }
                local_name!("rel") => roles.read_relation(value),
                local_name!("itemprop") => roles.read_item_property(value),
                _ if matches!(&*name.local, "data-testid" | "data-component") => {
                    roles.insert_class(self.roles_of_class(value));
                }
                _ => {}
            }
        }
        roles
    }

    fn roles_of_class(&mut self, value: &'a str) -> Roles {
        *self.known.entry(value).or_insert_with(|| Roles::of_class(value))
    }

    fn meta(&mut self, element: &'a Element) {
        let names = [local_name!("property"), local_name!("name"), local_name!("http-equiv")];
        let names = names.iter().filter_map(|name| element.attribute(name));
        let content = [local_name!("content"), local_name!("value")];
        let content = content.iter().find_map(|name| element.attribute(name)).map(str::trim);
        let item = element.attribute(&local_name!("itemprop"));
        let Some(content) = content.filter(|content| !content.is_empty()) else { return };
        let item = item.filter(|_| self.place() != Place::Comments);
        // One element may name several properties: `property="og:title twitter:title"`.
        let before = self.clues.metas.len();
        for name in names.flat_map(str::split_ascii_whitespace) {
            self.clues.metas.push((name.to_ascii_lowercase(), content));
        }
        if self.clues.metas.len() == before
            && let Some(item) = item
        {
            let items = item.split_ascii_whitespace();
            self.clues.metas.extend(items.map(|item| (item.to_ascii_lowercase(), content)));
        }
        // Microdata inside the body: dates that are not shown to readers.
        let kind = DateKind::Marked;
        let (at, place) = (self.at, self.place());
        if let Some("datePublished" | "dateCreated" | "dateModified" | "dateUpdate") = item
            && self.clues.dates.len() < MAX_CLUES
        {
            let modified = matches!(item, Some("dateModified" | "dateUpdate"));
            let clue = DateClue { kind, modified, value: Some(content), text: String::new(), at, place };
            self.clues.dates.push(clue);
        }
    }

    fn link(&mut self, element: &'a Element) {
        let Some(relation) = element.attribute(&local_name!("rel")) else { return };
        let address = element.attribute(&local_name!("href")).map(str::trim);
        for relation in relation.split_ascii_whitespace() {
            match relation.to_ascii_lowercase().as_str() {
                "canonical" => self.clues.canonical = self.clues.canonical.or(address),
                "license" => self.clues.license = self.clues.license.or(address),
                "alternate" => {
                    let is_feed = element
                        .attribute(&local_name!("type"))
                        .is_some_and(|kind| kind.contains("rss") || kind.contains("atom"));
                    if is_feed && self.clues.feed_titles.len() < MAX_CLUES {
                        self.clues.feed_titles.extend(element.attribute(&local_name!("title")));
                    }
                }
                _ => {}
            }
        }
    }

    fn heading(&mut self, node: NodeRef<'a>, element: &'a Element, roles: Roles, is_h1: bool) {
        if is_h1 {
            // An element that encloses the headline encloses the article, so it is not furniture.
            for region in &mut self.regions {
                region.place = Place::Open;
            }
        }
        let list = if is_h1 || roles.headline { &self.clues.headings } else { &self.clues.lesser_headings };
        if list.len() >= MAX_CLUES {
            return;
        }
        let text = match element.attribute(&local_name!("content")) {
            Some(content) => first_chars(content.trim(), HEADING_CHARS).to_owned(),
            None => without_entities(&inline_text(node, HEADING_CHARS)),
        };
        if text.is_empty() {
            return;
        }
        let inside = || node.descendants().skip(1).take(MAX_TEXT_NODES);
        let elements = || inside().filter_map(|node| Some((node, node.value().as_element()?)));
        let link = elements()
            .find(|(_, element)| element.name.local == local_name!("a"))
            .map(|(_, element)| element)
            .or_else(|| node.parent()?.value().as_element())
            .and_then(|element| element.attribute(&local_name!("href")));
        let core = elements()
            .find(|(_, element)| {
                element.attribute(&local_name!("class")).is_some_and(words::names_headline_inside)
            })
            .map(|(node, _)| without_entities(&inline_text(node, HEADING_CHARS)))
            .filter(|core| !core.is_empty() && *core != text);
        let class = element.attribute(&local_name!("class")).unwrap_or_default();
        let lines = pieces(node, HEADING_CHARS);
        let heading = Heading {
            pieces: lines.lines().map(str::to_owned).filter(|piece| *piece != text).collect(),
            core,
            of_article: roles.headline || words::names_article_title(class),
            of_site: words::names_site_title(class),
            link,
            text,
            at: self.at,
            place: self.place(),
        };
        if is_h1 || roles.headline {
            self.clues.headings.push(heading);
        } else {
            self.clues.lesser_headings.push(heading);
        }
    }

    fn byline(&mut self, node: NodeRef<'a>, element: &'a Element, roles: Roles) {
        let text = match element.attribute(&local_name!("content")) {
            Some(content) => first_chars(content.trim(), HEADING_CHARS).to_owned(),
            None => pieces(node, SHORT_BYTES),
        };
        if !text.is_empty() {
            let kind = if roles.marked_author { BylineKind::Marked } else { BylineKind::Class };
            let place = self.place().max(if roles.portrait { Place::Furniture } else { Place::Open });
            self.clues.bylines.push(Byline { kind, text, at: self.at, place });
        }
    }

    fn date(&mut self, node: NodeRef<'a>, element: &'a Element, roles: Roles, is_time: bool) {
        let value = [local_name!("datetime"), local_name!("content"), local_name!("title")];
        let value = value.iter().find_map(|wanted| {
            element
                .attribute(wanted)
                .map(str::trim)
                .filter(|value| value.contains(|c: char| c.is_ascii_digit()))
        });
        let text = inline_text(node, SHORT_BYTES);
        if value.is_none() && (text.is_empty() || text.len() >= SHORT_BYTES) {
            return;
        }
        let published = element.attrs.iter().any(|attribute| &*attribute.name.local == "pubdate");
        let kind = match () {
            () if roles.marked_date || roles.marked_modified || published => DateKind::Marked,
            () if is_time => DateKind::Time,
            () => DateKind::Class,
        };
        let modified = roles.marked_modified
            || roles.modified
            || words::speaks_of_change(&text)
            || words::speaks_of_change(self.label);
        let place = self.place();
        self.clues.dates.push(DateClue { kind, modified, value, text, at: self.at, place });
    }
}
