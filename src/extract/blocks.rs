//! A page's tree as a row of text blocks, in one iterative walk.
//!
//! A block is what a reader sees as one piece: a paragraph, a heading, an item, a row of a table, a line of verse. It
//! hangs on the innermost block-level element around it; those elements form a tree of their own, the containers.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use html5ever::{Attribute, LocalName, local_name};

use super::lexicon::{Lexicon, Traits, hides};
use super::links::{Targets, target_of};
use super::measure::{Measure, measure};
use super::site::{Hashed, hash_text, path_hash};
use super::tree::{Element, Node, NodeId, NodeRef, Tree};

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Paragraph,
    /// With its level, 1 to 6.
    Heading(u8),
    ListItem,
    Quote,
    /// Cells are separated by tabs.
    TableRow,
    /// White space counts.
    Preformatted,
}

/// One piece of text.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Index of the container it hangs on.
    pub(crate) container: usize,
    pub(crate) kind: Kind,
    /// Where its text stands in [`Document::text`].
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether a single line break, not a block boundary, parts it from the block before.
    pub(crate) continues: bool,
    /// Traits of the inline elements that span nearly all of it.
    pub(crate) inline: Traits,
    /// Where its links lead.
    pub(crate) targets: Targets,
    /// What stands between the block before and this one.
    pub(crate) gap: Gap,
    /// Whether an attribute or an inline style keeps it from the reader's eyes.
    pub(crate) is_hidden: bool,
    pub(crate) measure: Measure,
    /// Hash of its letters, case and the digits' values left out.
    pub(crate) text_hash: u64,
}

/// Things without text that stand between two blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gap {
    pub(crate) images: u16,
    /// Players, frames and other embedded documents.
    pub(crate) players: u16,
    /// Fields and buttons of a form.
    pub(crate) fields: u16,
}

/// A block-level element.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) node: NodeId,
    /// Index of the container around it; the root is its own parent.
    pub(crate) parent: usize,
    pub(crate) depth: u16,
    pub(crate) tag: LocalName,
    /// The traits it has by itself.
    pub(crate) traits: Traits,
    /// Hash of the names on the way from the root, digits left out.
    pub(crate) path: u64,
    /// Number of that path among the page's, from 0.
    pub(crate) kin: usize,
    /// The blocks under it are `first..end`.
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// A page as blocks and containers, both in document order.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) containers: Vec<Container>,
}

impl Document {
    /// How many different paths the containers have.
    pub(crate) fn kin_count(&self) -> usize {
        self.containers.iter().map(|container| container.kin + 1).max().unwrap_or(1)
    }

    /// The number of the path that a block hangs on.
    pub(crate) fn kin_of(&self, block: &Block) -> usize {
        self.containers[block.container].kin
    }

    pub(crate) fn text_of(&self, block: &Block) -> &str {
        &self.text[block.start..block.end]
    }
}

/// Cuts the page into blocks.
///
/// `host` is the page's own: links to others are told apart.
pub(crate) fn segment<'a>(tree: &'a Tree, host: &'a str) -> Document {
    let root = tree.root();
    let mut walk = Walk::new(root.id(), host);
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

/// An inline element that is open, or closed but inside the block being gathered.
struct Inline {
    node: NodeId,
    traits: Traits,
    start: usize,
    end: usize,
    /// Letters at its start and, once closed, inside it.
    open: bool,
}

struct Walk<'a> {
    host: &'a str,
    document: Document,
    /// Open containers, innermost last.
    stack: Vec<usize>,
    /// Start of the block being gathered.
    start: usize,
    pending_space: bool,
    continues: bool,
    link_depth: u32,
    strong_depth: u32,
    link_bytes: usize,
    strong_bytes: usize,
    links: u32,
    targets: Targets,
    gap: Gap,
    kins: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    lexicon: Lexicon<'a>,
    inlines: Vec<Inline>,
    /// The containers that are not shown.
    hidden: Vec<usize>,
    preformatted: u32,
    list_items: u32,
    quotes: u32,
    /// The open row of a data table, whose cells become one block.
    row: Option<NodeId>,
}

impl<'a> Walk<'a> {
    fn new(root: NodeId, host: &'a str) -> Self {
        let document = Document {
            containers: vec![Container {
                node: root,
                parent: 0,
                depth: 0,
                tag: local_name!("html"),
                traits: Traits::NONE,
                path: 0,
                kin: 0,
                first: 0,
                end: 0,
            }],
            ..Document::default()
        };
        Self {
            host,
            document,
            stack: vec![0],
            start: 0,
            pending_space: false,
            continues: false,
            link_depth: 0,
            strong_depth: 0,
            link_bytes: 0,
            strong_bytes: 0,
            links: 0,
            targets: Targets::default(),
            gap: Gap::default(),
            kins: HashMap::from_iter([(0, 0)]),
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
        self.document
    }

    /// Enters a node; false where nothing below it is text of the page.
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
        if is_skipped(tag) || is_void(tag) && *tag != local_name!("br") {
            self.see_gap(element);
            return false;
        }
        if *tag == local_name!("br") {
            self.line_break();
            return false;
        }
        if is_inline(tag) {
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
                    self.links += 1;
                    self.targets.insert(target_of(element, self.host));
                }
                local_name!("b") | local_name!("strong") => self.strong_depth += 1,
                _ => {}
            }
            return true;
        }
        if self.row.is_some() && is_cell_or_inside(tag) {
            if matches!(*tag, local_name!("td") | local_name!("th")) {
                self.cell_break();
            } else {
                self.pending_space = true;
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
        let parent = *self.stack.last().expect("the root is never closed");
        let around = &self.document.containers[parent];
        let described = self.lexicon.describe(element);
        let path = path_hash(around.path, tag, &described);
        let next_kin = self.kins.len();
        let kin = *self.kins.entry(path).or_insert(next_kin);
        let container = Container {
            node: node.id(),
            parent,
            depth: around.depth + 1,
            tag: tag.clone(),
            traits: described.traits,
            path,
            kin,
            first: self.document.blocks.len(),
            end: 0,
        };
        let index = self.document.containers.len();
        if container.traits.intersects(Traits::HIDDEN) && is_really_hidden(element) {
            self.hidden.push(index);
        }
        self.stack.push(index);
        self.document.containers.push(container);
        true
    }

    /// Counts what has no text of its own.
    fn see_gap(&mut self, element: &Element) {
        let is_hidden_field = || {
            element.attribute(&local_name!("type")).is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"))
        };
        let gap = &mut self.gap;
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
        if let Some(row) = self.row
            && row != node.id()
        {
            self.pending_space = true;
            return;
        }
        let is_innermost =
            self.stack.last().is_some_and(|&top| self.document.containers[top].node == node.id());
        if !is_innermost || self.stack.len() == 1 {
            return;
        }
        self.flush(false);
        self.row = None;
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
            push_folded(&mut self.document.text, self.start, &mut self.pending_space, text);
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
            self.document.text.push('\n');
        } else if self.row.is_some() {
            self.pending_space = true;
        } else if self.document.text.len() > self.start {
            self.flush(true);
        } else {
            // A second break in a row parts paragraphs.
            self.continues = false;
        }
    }

    fn cell_break(&mut self) {
        self.pending_space = false;
        if self.document.text.len() > self.start {
            self.document.text.push('\t');
        }
    }

    /// Ends the block being gathered, if there is any text in it.
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
            let mut inline = Traits::NONE;
            // Byline and date often share a line, each in a span of its own.
            let (mut credits, mut credited, mut credited_to) = (Traits::NONE, 0, self.start);
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
            let measure = measure(&text[self.start..trimmed], self.link_bytes, self.strong_bytes, self.links);
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
                text_hash: hash_text(&text[self.start..trimmed]),
            });
            self.continues = by_line_break;
        }
        self.begin(by_line_break);
    }

    /// Begins to gather the next block.
    fn begin(&mut self, by_line_break: bool) {
        self.continues &= by_line_break;
        self.pending_space = false;
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

/// Appends `text` with runs of white space as one space and without what no reader sees.
fn push_folded(out: &mut String, start: usize, pending_space: &mut bool, text: &str) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let plain = plain_prefix(rest);
        let is_space = plain == 0 && c.is_whitespace() && c != '\u{85}';
        let length = if plain > 0 { plain } else { c.len_utf8() };
        let (piece, after) = rest.split_at(length);
        rest = after;
        if plain > 0 {
            if *pending_space {
                push_space(out, start);
                *pending_space = false;
            }
            out.push_str(piece);
        }
        *pending_space |= is_space;
    }
}

/// Bytes at the start that stay as they are: what readers see, and the single spaces between ASCII signs.
fn plain_prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_sign = |at: usize| matches!(bytes.get(at), Some(b'!'..=b'~'));
    let mut end = 0;
    loop {
        if is_sign(end) {
            end += 1;
        } else if end > 0 && bytes.get(end) == Some(&b' ') && is_sign(end + 1) {
            end += 2;
        } else if bytes.get(end).is_some_and(|byte| !byte.is_ascii())
            && let Some(c) = text[end..].chars().next()
            && !(c.is_whitespace() || is_invisible(c))
        {
            end += c.len_utf8();
        } else {
            return end;
        }
    }
}

fn push_space(out: &mut String, start: usize) {
    if out.len() > start && !out.ends_with(['\t', '\n']) {
        out.push(' ');
    }
}

fn push_preformatted(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|&c| c == '\n' || c == '\t' || !(c.is_control() || is_invisible(c))));
}

/// Controls, and marks that carry no meaning in running text: zero-width spaces, soft hyphens, direction overrides. The
/// zero-width joiners stay: Persian and Hindi need them.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffc}' | '\u{e000}'..='\u{f8ff}')
}

fn is_skipped(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("script")
            | local_name!("style")
            | local_name!("noscript")
            | local_name!("template")
            | local_name!("head")
            | local_name!("iframe")
            | local_name!("object")
            | local_name!("svg")
            | local_name!("canvas")
            | local_name!("select")
            | local_name!("datalist")
            | local_name!("textarea")
            | local_name!("button")
            | local_name!("audio")
            | local_name!("video")
            | local_name!("noframes")
            | local_name!("noembed")
            | local_name!("applet")
            | local_name!("map")
            | local_name!("rp")
            | local_name!("rt")
    )
}

fn is_void(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("img")
            | local_name!("hr")
            | local_name!("input")
            | local_name!("wbr")
            | local_name!("link")
            | local_name!("meta")
            | local_name!("source")
            | local_name!("col")
            | local_name!("area")
            | local_name!("embed")
            | local_name!("param")
            | local_name!("track")
    )
}

fn is_inline(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("a")
            | local_name!("span")
            | local_name!("b")
            | local_name!("strong")
            | local_name!("i")
            | local_name!("em")
            | local_name!("font")
            | local_name!("small")
            | local_name!("big")
            | local_name!("sup")
            | local_name!("sub")
            | local_name!("u")
            | local_name!("s")
            | local_name!("strike")
            | local_name!("del")
            | local_name!("ins")
            | local_name!("code")
            | local_name!("kbd")
            | local_name!("samp")
            | local_name!("var")
            | local_name!("tt")
            | local_name!("cite")
            | local_name!("q")
            | local_name!("abbr")
            | local_name!("acronym")
            | local_name!("dfn")
            | local_name!("mark")
            | local_name!("time")
            | local_name!("data")
            | local_name!("label")
            | local_name!("bdi")
            | local_name!("bdo")
            | local_name!("nobr")
            | local_name!("ruby")
            | local_name!("rb")
            | local_name!("picture")
            | local_name!("output")
            | local_name!("blink")
    )
}

fn is_cell_or_inside(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("td") | local_name!("th") | local_name!("p") | local_name!("div") | local_name!("center")
    )
}

/// Whether an element is not shown at all; `aria-hidden` and class names only hint at it.
fn is_really_hidden(element: &Element) -> bool {
    element.attrs.iter().any(|Attribute { name, value }| match name.local {
        local_name!("hidden") => &**value != "until-found",
        local_name!("style") => hides(value),
        _ => false,
    })
}

/// Whether the table around a row holds data: every row of the first few has two or more cells, and no cell holds
/// more than a line of text or a structure of its own. Old sites lay their whole page out in the other kind.
fn in_data_table(row: NodeRef<'_>) -> bool {
    const MAX_CELL_BYTES: usize = 200;
    let cells = row.children().filter_map(|child| Some((child, child.value().as_element()?)));
    let mut count = 0;
    for (cell, element) in cells {
        if !matches!(element.name.local, local_name!("td") | local_name!("th")) {
            continue;
        }
        count += 1;
        let mut bytes = 0;
        for inside in cell.descendants().skip(1) {
            match inside.value() {
                Node::Text(text) => bytes += text.trim().len(),
                Node::Element(inner)
                    if !is_inline(&inner.name.local)
                        && !is_void(&inner.name.local)
                        && !is_cell_content(&inner.name.local) =>
                {
                    return false;
                }
                _ => {}
            }
            if bytes > MAX_CELL_BYTES {
                return false;
            }
        }
    }
    count >= 2
}

fn is_cell_content(tag: &LocalName) -> bool {
    matches!(*tag, local_name!("p") | local_name!("br") | local_name!("div"))
}
