//! Cuts a page's tree into text blocks, in one iterative walk.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use html5ever::local_name;

use super::describe::{Lexicon, Tokens, path_hash};
use super::hash::Hashed;
use super::links::{Targets, target_of};
use super::measure::measure;
use super::media;
use super::whitespace::{Pending, push_folded, push_preformatted};
use super::{Block, Container, Document, Gap, Kind};
use crate::extract::html::elements::{
    in_data_table, is_cell_or_inside, is_folded, is_inline, is_really_hidden, is_skipped, is_void,
};
use crate::extract::html::noscript;
use crate::extract::html::tree::{Element, Node, NodeId, NodeRef, Tree};
use crate::extract::words::classes::Traits;
use crate::work;

/// Cuts the page into blocks.
///
/// `host` is the page's own host, by which links to other sites are recognised.
pub(crate) fn segment<'a>(tree: &'a Tree, host: &'a str) -> Document {
    let root = tree.root();
    let mut walk = Walk::new(tree, host);
    let mut node = root;
    loop {
        let descend = walk.open(node);
        if descend && let Some(child) = node.first_child() {
            node = child;
            continue;
        }
        if descend {
            walk.close(node);
        }
        loop {
            if node.id() == root.id() {
                walk.flush(false);
                return walk.finish();
            }
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            node = node.parent().expect("the walk stays below the root");
            walk.close(node);
        }
    }
}

/// An inline element that is open, or closed but inside the current block.
struct Inline {
    node: NodeId,
    traits: Traits,
    start: usize,
    end: usize,
    /// Whether the element is still open; `end` is set when it is closed.
    open: bool,
}

struct Walk<'a> {
    tree: &'a Tree,
    host: &'a str,
    document: Document,
    /// Open containers, innermost last.
    stack: Vec<usize>,
    /// Start of the current block in the text.
    start: usize,
    pending: Pending,
    continues: bool,
    link_depth: u32,
    /// Whether the open link leads to another page.
    leads_away: bool,
    strong_depth: u32,
    link_bytes: usize,
    strong_bytes: usize,
    links: u32,
    targets: Targets,
    gap: Gap,
    paths: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    lexicon: Lexicon<'a>,
    inlines: Vec<Inline>,
    /// Open containers that are hidden.
    hidden: Vec<usize>,
    preformatted: u32,
    list_items: u32,
    quotes: u32,
    /// The open row of a data table; its cells become one block.
    row: Option<NodeId>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, host: &'a str) -> Self {
        let document = Document {
            containers: vec![Container {
                node: tree.root().id(),
                parent: 0,
                depth: 0,
                tag: local_name!("html"),
                traits: Traits::empty(),
                path_hash: 0,
                path: 0,
                tokens: [Tokens::default(); 2],
                is_notes: false,
                first: 0,
                end: 0,
            }],
            ..Document::default()
        };
        Self {
            tree,
            host,
            document,
            stack: vec![0],
            start: 0,
            pending: Pending::Nothing,
            continues: false,
            link_depth: 0,
            leads_away: false,
            strong_depth: 0,
            link_bytes: 0,
            strong_bytes: 0,
            links: 0,
            targets: Targets::default(),
            gap: Gap::default(),
            paths: HashMap::from_iter([(0, 0)]),
            lexicon: Lexicon::default(),
            inlines: Vec::new(),
            hidden: Vec::new(),
            preformatted: 0,
            list_items: 0,
            quotes: 0,
            row: None,
        }
    }

    fn finish(mut self) -> Document {
        self.document.containers[0].end = self.document.blocks.len();
        self.document.tokens = self.lexicon.tokens;
        self.document
    }

    /// Enters a node. Returns false if nothing below it is text of the page.
    fn open(&mut self, node: NodeRef<'a>) -> bool {
        let element = match node.value() {
            Node::Text(text) => {
                self.push_text(text);
                return true;
            }
            Node::Element(element) => element,
            Node::Root => return true,
        };
        let tag = &element.name.local;
        if is_skipped(tag) && !noscript::is_body(node) || is_void(tag) && *tag != local_name!("br") {
            self.see_gap(element);
            return false;
        }
        if *tag == local_name!("br") {
            self.line_break();
            return false;
        }
        if is_inline(tag) {
            return self.open_inline(node, element);
        }
        if self.row.is_some() && is_cell_or_inside(tag) {
            if matches!(*tag, local_name!("td") | local_name!("th")) {
                self.cell_break();
            } else {
                self.pending = Pending::Box;
            }
            return true;
        }
        self.flush(false);
        match *tag {
            local_name!("pre") | local_name!("listing") | local_name!("xmp") => self.preformatted += 1,
            local_name!("li") | local_name!("dd") | local_name!("dt") => self.list_items += 1,
            local_name!("blockquote") => self.quotes += 1,
            local_name!("tr") if in_data_table(node) => self.row = Some(node.id()),
            _ => {}
        }
        self.open_container(node, element);
        true
    }

    fn open_inline(&mut self, node: NodeRef<'a>, element: &'a Element) -> bool {
        let tag = &element.name.local;
        let traits = self.lexicon.describe(element).traits;
        if traits.intersects(Traits::HIDDEN) && &**tag != "a" {
            return !is_really_hidden(element);
        }
        self.inlines.push(Inline {
            node: node.id(),
            traits,
            start: self.document.text.len(),
            end: 0,
            open: true,
        });
        match *tag {
            local_name!("a") => {
                self.link_depth += 1;
                self.leads_away = media::is_to_a_page(element);
                self.links += 1;
                self.targets.insert(target_of(element, self.host));
            }
            local_name!("b") | local_name!("strong") => self.strong_depth += 1,
            _ => {}
        }
        true
    }

    fn open_container(&mut self, node: NodeRef<'a>, element: &'a Element) {
        let tag = &element.name.local;
        let parent = *self.stack.last().expect("the root is never closed");
        let around = &self.document.containers[parent];
        let described = self.lexicon.describe(element);
        let path_hash = path_hash(around.path_hash, tag, &described);
        let next_path = self.paths.len();
        let path = *self.paths.entry(path_hash).or_insert(next_path);
        let container = Container {
            node: node.id(),
            parent,
            depth: around.depth + 1,
            tag: tag.clone(),
            traits: described.traits,
            path_hash,
            path,
            tokens: described.tokens,
            is_notes: self.tree.notes.contains(&node.id()),
            first: self.document.blocks.len(),
            end: self.document.blocks.len(),
        };
        let index = self.document.containers.len();
        if container.traits.intersects(Traits::HIDDEN) && is_really_hidden(element) && !is_folded(node) {
            self.hidden.push(index);
        }
        self.stack.push(index);
        self.document.containers.push(container);
    }

    /// Counts an element without text in the current gap.
    fn see_gap(&mut self, element: &Element) {
        let is_hidden_field = || {
            element.attribute(&local_name!("type")).is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"))
        };
        let stands_for_page = self.link_depth > 0 && self.leads_away;
        let gap = &mut self.gap;
        if element.name.local == local_name!("img") {
            let is_picture = !stands_for_page && media::is_large(element);
            gap.pictures = gap.pictures.saturating_add(u16::from(is_picture));
        } else if media::is_player(element) {
            gap.videos = gap.videos.saturating_add(1);
        }
        let count = match element.name.local {
            local_name!("img") => &mut gap.images,
            local_name!("iframe")
            | local_name!("video")
            | local_name!("audio")
            | local_name!("object")
            | local_name!("embed") => &mut gap.players,
            local_name!("button") | local_name!("select") | local_name!("textarea") => &mut gap.fields,
            local_name!("input") if !is_hidden_field() => &mut gap.fields,
            local_name!("hr") => return self.flush(false),
            _ => return,
        };
        *count = count.saturating_add(1);
    }

    /// Leaves a node that was entered.
    fn close(&mut self, node: NodeRef<'_>) {
        let Node::Element(element) = node.value() else { return };
        let tag = &element.name.local;
        if is_inline(tag) {
            let Some(inline) = self.inlines.iter_mut().rev().find(|inline| inline.node == node.id()) else {
                return;
            };
            inline.open = false;
            inline.end = self.document.text.len();
            match *tag {
                local_name!("a") => self.link_depth -= 1,
                local_name!("b") | local_name!("strong") => self.strong_depth -= 1,
                _ => {}
            }
            return;
        }
        // Other elements in a row, for example a form on an old page, are containers of their own.
        if self.row.is_some_and(|row| row != node.id()) && is_cell_or_inside(tag) {
            self.pending = Pending::Box;
            return;
        }
        let is_innermost =
            self.stack.last().is_some_and(|&top| self.document.containers[top].node == node.id());
        if !is_innermost || self.stack.len() == 1 {
            return;
        }
        self.flush(false);
        if self.row == Some(node.id()) {
            self.row = None;
        }
        match *tag {
            local_name!("pre") | local_name!("listing") | local_name!("xmp") => self.preformatted -= 1,
            local_name!("li") | local_name!("dd") | local_name!("dt") => self.list_items -= 1,
            local_name!("blockquote") => self.quotes -= 1,
            _ => {}
        }
        let closed = self.stack.pop().expect("checked above");
        self.hidden.pop_if(|hidden| *hidden == closed);
        self.document.containers[closed].end = self.document.blocks.len();
    }

    fn push_text(&mut self, text: &str) {
        let before = self.document.text.len();
        if self.preformatted > 0 {
            push_preformatted(&mut self.document.text, text);
        } else {
            push_folded(&mut self.document.text, self.start, &mut self.pending, text);
        }
        let added = self.document.text.len() - before;
        if self.link_depth > 0 {
            self.link_bytes += added;
        }
        if self.strong_depth > 0 {
            self.strong_bytes += added;
        }
    }

    fn line_break(&mut self) {
        if self.preformatted > 0 {
            push_preformatted(&mut self.document.text, "\n");
        } else if self.row.is_some() {
            self.pending = Pending::Box;
        } else if self.document.text.len() > self.start {
            self.flush(true);
        } else {
            // Two consecutive breaks separate paragraphs.
            self.continues = false;
        }
    }

    fn cell_break(&mut self) {
        self.pending = Pending::Nothing;
        if self.document.text.len() > self.start {
            self.document.text.push('\t');
        }
    }

    /// Ends the current block, if it has any text.
    fn flush(&mut self, by_line_break: bool) {
        if self.document.text.len() == self.start {
            return self.begin(by_line_break);
        }
        let container = *self.stack.last().expect("the root is never closed");
        let kind = self.kind(container);
        let text = &mut self.document.text;
        let trimmed = self.start + text[self.start..].trim_end().len();
        text.truncate(trimmed);
        if text[self.start..].trim_start().is_empty() {
            text.truncate(self.start);
        } else {
            let length = trimmed - self.start;
            work::count(length + self.inlines.len());
            let mut inline = Traits::empty();
            // Byline and date often share a line, each in its own span.
            let (mut credits, mut credited, mut credited_to) = (Traits::empty(), 0, self.start);
            for seen in &self.inlines {
                let from = seen.start.max(self.start);
                let to = if seen.open { trimmed } else { seen.end.min(trimmed) };
                if to.saturating_sub(from) * 10 >= length * 8 {
                    inline.insert(seen.traits);
                }
                if seen.traits.intersects(Traits::CREDITS) {
                    credited += to.saturating_sub(from.max(credited_to));
                    credited_to = credited_to.max(to);
                    credits.insert(seen.traits);
                }
            }
            if credited * 10 >= length * 8 {
                inline.insert(credits);
            }
            let (measure, text_hash) =
                measure(&text[self.start..trimmed], self.link_bytes, self.strong_bytes, self.links);
            self.document.blocks.push(Block {
                container,
                kind,
                start: self.start,
                end: trimmed,
                continues: self.continues,
                inline,
                targets: self.targets,
                gap: std::mem::take(&mut self.gap),
                is_hidden: !self.hidden.is_empty(),
                measure,
                text_hash,
            });
            self.continues = by_line_break;
        }
        self.begin(by_line_break);
    }

    /// Begins the next block.
    fn begin(&mut self, by_line_break: bool) {
        self.continues &= by_line_break;
        self.pending = Pending::Nothing;
        self.start = self.document.text.len();
        self.inlines.retain(|inline| inline.open);
        self.link_bytes = 0;
        self.strong_bytes = 0;
        self.links = u32::from(self.link_depth > 0);
        if self.link_depth == 0 {
            self.targets = Targets::default();
        }
    }

    fn kind(&self, container: usize) -> Kind {
        if self.row.is_some() {
            return Kind::TableRow;
        }
        match self.document.containers[container].tag {
            local_name!("h1") => Kind::Heading(1),
            local_name!("h2") => Kind::Heading(2),
            local_name!("h3") => Kind::Heading(3),
            local_name!("h4") => Kind::Heading(4),
            local_name!("h5") => Kind::Heading(5),
            local_name!("h6") => Kind::Heading(6),
            _ if self.preformatted > 0 => Kind::Preformatted,
            _ if self.list_items > 0 => Kind::ListItem,
            _ if self.quotes > 0 => Kind::Quote,
            _ => Kind::Paragraph,
        }
    }
}
