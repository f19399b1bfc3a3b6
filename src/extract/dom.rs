//! The guarded parse: one tree for the whole room, built by html5ever and shaped like scraper's, so that CSS
//! selectors work on it.
//!
//! html5ever has no limits of its own: nesting, misnested formatting elements and attribute floods cost quadratic time
//! or gigabytes. The page is therefore fed in small chunks, and after each one the size of the tree, its depth and the
//! work done so far are looked at. The work is counted, not timed, so that the same page always gives the same tree.
//! What was parsed before a limit is kept. Comments and the insides of scripts and style sheets, JSON-LD excepted,
//! never enter the tree.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};

use ego_tree::NodeId;
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, LocalName, ParseOpts, QualName, driver, local_name};
use scraper::node::{Element, Text};
use scraper::{Html, Node};

/// Bytes fed between two looks at the limits.
const CHUNK_BYTES: usize = 4096;
/// Elements above the deepest node.
const MAX_DEPTH: usize = 512;
/// Nodes in the tree, detached ones included.
const MAX_NODES: usize = 300_000;
/// Steps of the tree builder and comparisons of attribute names; an honest page of a megabyte needs a million.
const MAX_WORK: u64 = 40_000_000;
/// Bytes of one tag that could separate attributes, seen while nothing comes out of the tokenizer.
const MAX_SEPARATORS_IN_TAG: usize = 60_000;

/// A page's tree.
pub(crate) struct Parsed {
    /// The tree.
    pub(crate) html: Html,
    /// Whether a limit ended the parse early.
    pub(crate) partial: bool,
}

/// Parses a whole document or a fragment of one; never fails.
pub(crate) fn parse(html: &str) -> Parsed {
    let mut parser = driver::parse_document(Sink::new(), ParseOpts::default());
    let mut partial = false;
    let mut separators = 0;
    let mut rest = html;
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES.max(4)));
        rest = tail;
        let sink = &parser.tokenizer.sink.sink;
        let before = sink.built.get();
        parser.process(StrTendril::from_slice(chunk));
        let sink = &parser.tokenizer.sink.sink;
        separators = if sink.built.get() == before { separators + count_separators(chunk) } else { 0 };
        if separators > MAX_SEPARATORS_IN_TAG || sink.exceeds_limits() {
            partial = !rest.trim().is_empty();
            break;
        }
    }
    Parsed { html: parser.finish(), partial }
}

fn count_separators(chunk: &str) -> usize {
    chunk
        .bytes()
        .filter(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/' | b'=' | b'"' | b'\''))
        .count()
}

/// The value of an attribute, by its local name.
///
/// scraper's `attr` interns the name at each call; this compares interned names.
pub(crate) fn attribute<'a>(element: &'a Element, name: &LocalName) -> Option<&'a str> {
    element.attrs.iter().find(|(key, _)| key.local == *name).map(|(_, value)| &**value)
}

struct Sink {
    html: RefCell<Html>,
    /// Stands for every comment: nothing is ever attached for it.
    comment: NodeId,
    /// Nodes created.
    nodes: Cell<usize>,
    /// Nodes and texts appended: whether the tokenizer gave anything at all.
    built: Cell<u64>,
    work: Cell<u64>,
    /// The node appended last: it tells how deep the tree has become.
    last: Cell<Option<NodeId>>,
}

impl Sink {
    fn new() -> Self {
        let mut html = Html::new_document();
        let comment = html.tree.orphan(Node::Fragment).id();
        Self {
            html: RefCell::new(html),
            comment,
            nodes: Cell::new(1),
            built: Cell::new(0),
            work: Cell::new(0),
            last: Cell::new(None),
        }
    }

    fn exceeds_limits(&self) -> bool {
        let html = self.html.borrow();
        let depth = || {
            let last = self.last.get().and_then(|id| html.tree.get(id));
            last.map_or(0, |node| node.ancestors().take(MAX_DEPTH + 1).count())
        };
        self.nodes.get() > MAX_NODES || self.work.get() > MAX_WORK || depth() > MAX_DEPTH
    }

    fn count(&self, work: u64) {
        self.work.set(self.work.get() + work);
    }

    fn attached(&self, id: NodeId) {
        self.last.set(Some(id));
        self.built.set(self.built.get() + 1);
    }
}

/// Whether the text inside `parent` says anything about the page.
fn holds_text(parent: &Node) -> bool {
    let Node::Element(element) = parent else { return true };
    match element.name.local {
        local_name!("style") => false,
        local_name!("script") => attribute(element, &local_name!("type"))
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("ld+json")),
        _ => true,
    }
}

impl TreeSink for Sink {
    type Output = Html;
    type Handle = NodeId;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Html {
        self.html.into_inner()
    }

    fn parse_error(&self, _message: Cow<'static, str>) {
        self.count(1);
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.html.borrow_mut().quirks_mode = mode;
    }

    fn get_document(&self) -> NodeId {
        self.html.borrow().tree.root().id()
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        self.count(1);
        one == other
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        self.count(1);
        Ref::map(self.html.borrow(), |html| {
            let node = html.tree.get(*target).expect("handles come from this tree");
            &node.value().as_element().expect("the tree builder asks for names of elements only").name
        })
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _flags: ElementFlags) -> NodeId {
        let attribute_count = attributes.len() as u64;
        self.count(attribute_count * attribute_count / 8);
        self.nodes.set(self.nodes.get() + 1);
        let is_template = name.local == local_name!("template");
        let mut html = self.html.borrow_mut();
        let mut node = html.tree.orphan(Node::Element(Element::new(name, attributes)));
        if is_template {
            node.append(Node::Fragment);
        }
        node.id()
    }

    fn create_comment(&self, _text: StrTendril) -> NodeId {
        self.built.set(self.built.get() + 1);
        self.comment
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> NodeId {
        self.comment
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        let mut html = self.html.borrow_mut();
        let mut parent = html.tree.get_mut(*parent).expect("handles come from this tree");
        match child {
            NodeOrText::AppendNode(id) if id == self.comment => {}
            NodeOrText::AppendNode(id) => {
                parent.append_id(id);
                self.attached(id);
            }
            NodeOrText::AppendText(text) => {
                self.built.set(self.built.get() + 1);
                if !holds_text(parent.value()) {
                    return;
                }
                if let Some(mut last) = parent.last_child()
                    && let Node::Text(before) = last.value()
                {
                    before.text.push_tendril(&text);
                    return;
                }
                self.nodes.set(self.nodes.get() + 1);
                parent.append(Node::Text(Text { text }));
            }
        }
    }

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        let mut html = self.html.borrow_mut();
        if let NodeOrText::AppendNode(id) = child {
            if id == self.comment {
                return;
            }
            html.tree.get_mut(id).expect("handles come from this tree").detach();
        }
        let mut sibling = html.tree.get_mut(*sibling).expect("handles come from this tree");
        if sibling.parent().is_none() {
            return;
        }
        match child {
            NodeOrText::AppendNode(id) => {
                sibling.insert_id_before(id);
                self.attached(id);
            }
            NodeOrText::AppendText(text) => {
                self.built.set(self.built.get() + 1);
                if let Some(mut before) = sibling.prev_sibling()
                    && let Node::Text(before) = before.value()
                {
                    before.text.push_tendril(&text);
                    return;
                }
                self.nodes.set(self.nodes.get() + 1);
                sibling.insert_before(Node::Text(Text { text }));
            }
        }
    }

    fn append_based_on_parent_node(&self, element: &NodeId, previous: &NodeId, child: NodeOrText<NodeId>) {
        let has_parent = {
            let html = self.html.borrow();
            html.tree.get(*element).expect("handles come from this tree").parent().is_some()
        };
        if has_parent {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, _name: StrTendril, _public_id: StrTendril, _system_id: StrTendril) {}

    fn remove_from_parent(&self, target: &NodeId) {
        self.count(1);
        self.html.borrow_mut().tree.get_mut(*target).expect("handles come from this tree").detach();
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let mut html = self.html.borrow_mut();
        html.tree.get_mut(*new_parent).expect("handles come from this tree").reparent_from_id_append(*node);
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<Attribute>) {
        let mut html = self.html.borrow_mut();
        let mut node = html.tree.get_mut(*target).expect("handles come from this tree");
        let Node::Element(element) = node.value() else { return };
        for attribute in attributes {
            // scraper looks attributes up by binary search: the order has to hold.
            if let Err(at) = element.attrs.binary_search_by(|(name, _)| name.cmp(&attribute.name)) {
                element.attrs.insert(at, (attribute.name, attribute.value));
            }
        }
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        let html = self.html.borrow();
        let template = html.tree.get(*target).expect("handles come from this tree");
        template.first_child().expect("a template is created with its contents").id()
    }
}
