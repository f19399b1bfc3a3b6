//! The [`TreeSink`] through which html5ever builds the tree.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, LocalName, QualName, local_name};

use super::shown::is_formula_type;
use super::tree::{Element, Node, NodeId, NodeRef, ROOT, Tree};
use crate::work;

/// Limits on the size of a tree and on the work of building it.
pub(crate) struct Limits {
    /// Nodes, including detached ones; two attributes count as one.
    pub(crate) nodes: usize,
    /// Ancestors of the node that was appended last.
    pub(crate) depth: usize,
    /// Steps of the tree builder, including attribute comparisons.
    pub(crate) work: u64,
}

/// Builds a [`Tree`] and tracks its size.
pub(crate) struct Sink {
    tree: RefCell<Tree>,
    /// The handle of every comment; it is never attached.
    comment: NodeId,
    attributes: Cell<usize>,
    work: Cell<u64>,
    /// The part of `work` that is already counted for the thread.
    counted: Cell<u64>,
    /// The node appended last, used to check the depth of the tree.
    last: Cell<NodeId>,
}

impl Sink {
    /// Creates a builder with room for `nodes` nodes.
    pub(crate) fn with_capacity(nodes: usize) -> Self {
        let mut tree = Tree::with_capacity(nodes);
        let comment = tree.create(Node::Root);
        Self {
            tree: RefCell::new(tree),
            comment,
            attributes: Cell::new(0),
            work: Cell::new(0),
            counted: Cell::new(0),
            last: Cell::new(ROOT),
        }
    }

    /// Returns whether the tree or the work on it exceeds the limits.
    pub(crate) fn is_too_large(&self, limits: &Limits) -> bool {
        self.tree.borrow().len() + self.attributes.get() / 2 > limits.nodes || self.work.get() > limits.work
    }

    /// Returns whether the node appended last is too deep; walks up to the root.
    pub(crate) fn is_too_deep(&self, limits: &Limits) -> bool {
        let tree = self.tree.borrow();
        tree.node(self.last.get()).ancestors().take(limits.depth + 1).count() > limits.depth
    }

    fn count(&self, steps: u64) {
        self.work.set(self.work.get() + steps);
    }

    /// Counts the work since the last call for the thread. The tree builder asks for element names so often that counting
    /// each call by itself would cost more than the call.
    pub(crate) fn count_for_thread(&self) {
        let work = self.work.get();
        let steps = work - self.counted.replace(work);
        work::count(usize::try_from(steps).unwrap_or(usize::MAX));
    }

    fn attached(&self, tree: &Tree, id: NodeId) {
        self.last.set(id);
        let Node::Element(element) = tree.node(id).value() else { return };
        if is_formatting(&element.name.local) {
            // The tree builder has compared its attributes with those of every open element of the same name.
            let same = |node: &NodeRef<'_>| {
                node.value().as_element().is_some_and(|other| other.name.local == element.name.local)
            };
            let open = tree.node(id).ancestors().filter(same).count();
            self.count((open * (element.attrs.len() + 1)) as u64 * STEPS_OF_COMPARISON);
        }
    }
}

/// Cost of comparing two attributes, in steps of the tree builder.
const STEPS_OF_COMPARISON: u64 = 16;
/// Maximum bytes of a media type with its parameters.
const LONGEST_TYPE_BYTES: usize = 100;

/// Returns whether an element is a formatting element, which the parser reopens in the next block if it is not closed.
fn is_formatting(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("a")
            | local_name!("b")
            | local_name!("big")
            | local_name!("code")
            | local_name!("em")
            | local_name!("font")
            | local_name!("i")
            | local_name!("nobr")
            | local_name!("s")
            | local_name!("small")
            | local_name!("strike")
            | local_name!("strong")
            | local_name!("tt")
            | local_name!("u")
    )
}

/// Returns whether the text inside an element is kept: not for styles, and for scripts only if it is JSON-LD or a formula.
pub(crate) fn holds_text(name: &LocalName, attributes: &[Attribute]) -> bool {
    let is_read = |attribute: &Attribute| {
        attribute.name.local == local_name!("type")
            && attribute.value.len() <= LONGEST_TYPE_BYTES
            && (attribute.value.to_ascii_lowercase().contains("ld+json") || is_formula_type(&attribute.value))
    };
    match *name {
        local_name!("style") => false,
        local_name!("script") => attributes.iter().any(is_read),
        _ => true,
    }
}

/// Appends `text` to a text node; returns `text` if `node` is not a text node.
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
        self.attributes.set(self.attributes.get() + attrs.len());
        let mut tree = self.tree.borrow_mut();
        let id = tree.create(Node::Element(Element { name, attrs }));
        if flags.template {
            let contents = tree.create(Node::Root);
            tree.append(id, contents);
        }
        id
    }

    fn create_comment(&self, _text: StrTendril) -> NodeId {
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
                self.attached(&tree, id);
            }
            NodeOrText::AppendText(text) => {
                let around = tree.node(*parent);
                if let Node::Element(element) = around.value()
                    && !holds_text(&element.name.local, &element.attrs)
                {
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
            // The node is detached even if the sibling has no parent.
            tree.detach(id);
        }
        let place = tree.node(*sibling);
        if place.parent().is_none() {
            return;
        }
        match child {
            NodeOrText::AppendNode(id) => {
                tree.insert_before(*sibling, id);
                self.attached(&tree, id);
            }
            NodeOrText::AppendText(text) => {
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
        self.count((element.attrs.len() * attributes.len()) as u64);
        self.attributes.set(self.attributes.get() + attributes.len());
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
