//! The guarded parse: one tree for the whole room, built by html5ever.
//!
//! html5ever has no limits of its own: nesting, misnested formatting elements and attribute floods cost quadratic time
//! or gigabytes. The page is therefore fed in small chunks, and after each one the size of the tree, its depth and the
//! work done so far are looked at. The work is counted, not timed, so that the same page always gives the same tree.
//! What was parsed before a limit is kept. Comments and the insides of scripts and style sheets, JSON-LD excepted,
//! never enter the tree.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ParseOpts, QualName, driver, local_name};

use super::tree::{Element, Node, NodeId, NodeRef, ROOT, Tree};

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
    pub(crate) tree: Tree,
    /// Whether a limit ended the parse early.
    pub(crate) partial: bool,
}

/// Parses a whole document or a fragment of one; never fails.
pub(crate) fn parse(html: &str) -> Parsed {
    let html = &*close_title(html);
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
    Parsed { tree: parser.finish(), partial }
}

/// A title that is never closed swallows the whole page: it ends where the next tag begins.
fn close_title(html: &str) -> Cow<'_, str> {
    const LONGEST_TITLE: usize = 4096;
    let find = |tag: &str, from: usize, to: usize| {
        let bytes = &html.as_bytes()[from..to];
        bytes.windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let Some(start) = find("<title", 0, html.len().min(CHUNK_BYTES * 16)) else { return Cow::Borrowed(html) };
    let end = html.len().min(start + LONGEST_TITLE);
    if find("</title", start, end).is_some() {
        return Cow::Borrowed(html);
    }
    let after = start + "<title".len();
    match html[after..].find('<') {
        Some(next) => {
            let (title, rest) = html.split_at(after + next);
            Cow::Owned([title, "</title>", rest].concat())
        }
        None => Cow::Borrowed(html),
    }
}

fn count_separators(chunk: &str) -> usize {
    chunk
        .bytes()
        .filter(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/' | b'=' | b'"' | b'\''))
        .count()
}

struct Sink {
    tree: RefCell<Tree>,
    /// Stands for every comment: nothing is ever attached for it.
    comment: NodeId,
    /// Nodes and texts appended: whether the tokenizer gave anything at all.
    built: Cell<u64>,
    work: Cell<u64>,
    /// The node appended last: it tells how deep the tree has become.
    last: Cell<NodeId>,
}

impl Sink {
    fn new() -> Self {
        let mut tree = Tree::new();
        let comment = tree.create(Node::Root);
        Self {
            tree: RefCell::new(tree),
            comment,
            built: Cell::new(0),
            work: Cell::new(0),
            last: Cell::new(ROOT),
        }
    }

    fn exceeds_limits(&self) -> bool {
        let tree = self.tree.borrow();
        let depth = || tree.node(self.last.get()).ancestors().take(MAX_DEPTH + 1).count();
        tree.len() > MAX_NODES || self.work.get() > MAX_WORK || depth() > MAX_DEPTH
    }

    fn count(&self, work: u64) {
        self.work.set(self.work.get() + work);
    }

    fn attached(&self, id: NodeId) {
        self.last.set(id);
        self.count_built();
    }

    fn count_built(&self) {
        self.built.set(self.built.get() + 1);
    }
}

/// Whether the text inside `parent` says anything about the page.
fn holds_text(parent: &Node) -> bool {
    let Node::Element(element) = parent else { return true };
    match element.name.local {
        local_name!("style") => false,
        local_name!("script") => element
            .attribute(&local_name!("type"))
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("ld+json")),
        _ => true,
    }
}

/// Adds `text` to the end of a text node; gives it back where there is none.
fn add_to_text(tree: &mut Tree, node: Option<NodeId>, text: StrTendril) -> Option<StrTendril> {
    if let Some(node) = node
        && let Node::Text(before) = tree.value_mut(node)
    {
        before.push_tendril(&text);
        return None;
    }
    Some(text)
}

impl TreeSink for Sink {
    type Output = Tree;
    type Handle = NodeId;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Tree {
        self.tree.into_inner()
    }

    fn parse_error(&self, _message: Cow<'static, str>) {
        self.count(1);
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.tree.borrow_mut().quirks_mode = mode;
    }

    fn get_document(&self) -> NodeId {
        ROOT
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        self.count(1);
        one == other
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        self.count(1);
        Ref::map(self.tree.borrow(), |tree| {
            let element = tree.node(*target).value().as_element();
            &element.expect("the tree builder asks for names of elements only").name
        })
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, flags: ElementFlags) -> NodeId {
        let attribute_count = attrs.len() as u64;
        self.count(attribute_count * attribute_count / 8);
        let mut tree = self.tree.borrow_mut();
        let id = tree.create(Node::Element(Element { name, attrs }));
        if flags.template {
            let contents = tree.create(Node::Root);
            tree.append(id, contents);
        }
        id
    }

    fn create_comment(&self, _text: StrTendril) -> NodeId {
        self.count_built();
        self.comment
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> NodeId {
        self.comment
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        let mut tree = self.tree.borrow_mut();
        match child {
            NodeOrText::AppendNode(id) if id == self.comment => {}
            NodeOrText::AppendNode(id) => {
                tree.append(*parent, id);
                self.attached(id);
            }
            NodeOrText::AppendText(text) => {
                self.count_built();
                let around = tree.node(*parent);
                if !holds_text(around.value()) {
                    return;
                }
                let last = around.last_child().map(NodeRef::id);
                if let Some(text) = add_to_text(&mut tree, last, text) {
                    let id = tree.create(Node::Text(text));
                    tree.append(*parent, id);
                }
            }
        }
    }

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        let mut tree = self.tree.borrow_mut();
        if let NodeOrText::AppendNode(id) = child {
            if id == self.comment {
                return;
            }
            // It goes even where its new place is nowhere.
            tree.detach(id);
        }
        let place = tree.node(*sibling);
        if place.parent().is_none() {
            return;
        }
        match child {
            NodeOrText::AppendNode(id) => {
                tree.insert_before(*sibling, id);
                self.attached(id);
            }
            NodeOrText::AppendText(text) => {
                self.count_built();
                let previous = place.previous_sibling().map(NodeRef::id);
                if let Some(text) = add_to_text(&mut tree, previous, text) {
                    let id = tree.create(Node::Text(text));
                    tree.insert_before(*sibling, id);
                }
            }
        }
    }

    fn append_based_on_parent_node(&self, element: &NodeId, previous: &NodeId, child: NodeOrText<NodeId>) {
        let has_parent = self.tree.borrow().node(*element).parent().is_some();
        if has_parent {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, _name: StrTendril, _public_id: StrTendril, _system_id: StrTendril) {}

    fn remove_from_parent(&self, target: &NodeId) {
        self.count(1);
        self.tree.borrow_mut().detach(*target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        self.tree.borrow_mut().move_children(*node, *new_parent);
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<Attribute>) {
        let mut tree = self.tree.borrow_mut();
        let Node::Element(element) = tree.value_mut(*target) else { return };
        for attribute in attributes {
            if element.attrs.iter().all(|known| known.name != attribute.name) {
                element.attrs.push(attribute);
            }
        }
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        let tree = self.tree.borrow();
        tree.node(*target).first_child().expect("a template is created with its contents").id()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// No limit is looked at within a chunk, whose tags may each open all unclosed formatting elements once more.
    const MAX_NODES_IN_CHUNK: usize = CHUNK_BYTES / "<p>".len() * MAX_DEPTH;
    const MAX_LEVELS_IN_CHUNK: usize = CHUNK_BYTES / "<p>".len();

    fn depth_of(tree: &Tree) -> usize {
        let mut depths = HashMap::from([(ROOT, 0)]);
        for node in tree.root().descendants().skip(1) {
            let parent = node.parent().expect("only the root has none");
            depths.insert(node.id(), depths[&parent.id()] + 1);
        }
        depths.into_values().max().unwrap_or_default()
    }

    #[test]
    fn no_page_makes_a_tree_beyond_the_limits() {
        let fonts: String = (0..20_000).map(|n| format!("<p><font id=f{n}>x")).collect();
        let attributes: String = (0..50_000).map(|n| format!(" a{n}=\"\"")).collect();
        for bomb in [
            "<div>".repeat(100_000),
            fonts,
            "<ul><li>".repeat(10_000),
            "<span>".repeat(20_000) + &"</i>".repeat(20_000),
            "<div>".repeat(500) + &"</i>".repeat(200_000),
            format!("<div{attributes}>"),
            "<p>A sentence of the page.</p>".repeat(200_000),
            "<table><tr><td>".repeat(5_000),
            "<b><i><a>".repeat(5_000) + &"</b></a></i>".repeat(5_000),
            "<svg><g>".repeat(20_000),
            "<template>".repeat(20_000),
        ] {
            let start = bomb[..40].to_owned();
            let Parsed { tree, partial } = parse(&bomb);
            assert!(partial, "{start}");
            assert!(tree.len() < MAX_NODES + MAX_NODES_IN_CHUNK, "{start}: {} nodes", tree.len());
            assert!(depth_of(&tree) < MAX_DEPTH + MAX_LEVELS_IN_CHUNK, "{start}: {} levels", depth_of(&tree));
        }
    }
}
