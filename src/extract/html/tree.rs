//! A page's tree: small nodes in one vector, in the order in which the parser created them, linked by their indexes.
//!
//! It holds only what extraction reads. scraper's tree, which also supports CSS selectors, costs a quarter more
//! to build; it is built only for pages of sites with selectors of their own (`operator`).

use std::collections::HashSet;
use std::iter::successors;
use std::num::NonZeroU32;

use html5ever::tendril::StrTendril;
use html5ever::tree_builder::QuirksMode;
use html5ever::{Attribute, LocalName, QualName};

use crate::work;

/// A node's index in its tree, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(NonZeroU32);

/// The root node of every tree.
pub(crate) const ROOT: NodeId = NodeId(NonZeroU32::MIN);

impl NodeId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The content of a node.
#[derive(Debug)]
pub(crate) enum Node {
    /// A document or the contents of a template: only a container of child nodes.
    Root,
    Element(Element),
    Text(StrTendril),
}

impl Node {
    pub(crate) fn as_element(&self) -> Option<&Element> {
        if let Self::Element(element) = self { Some(element) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A tag with its attributes in source order.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: QualName,
    pub(crate) attrs: Vec<Attribute>,
}

impl Element {
    /// Returns the value of an attribute. Names are interned, so no text is compared.
    pub(crate) fn attribute(&self, name: &LocalName) -> Option<&str> {
        self.attrs.iter().find(|attribute| attribute.name.local == *name).map(|attribute| &*attribute.value)
    }
}

#[derive(Debug)]
struct Slot {
    node: Node,
    parent: Option<NodeId>,
    previous: Option<NodeId>,
    next: Option<NodeId>,
    first: Option<NodeId>,
    last: Option<NodeId>,
}

impl Slot {
    fn new(node: Node) -> Self {
        Self { node, parent: None, previous: None, next: None, first: None, last: None }
    }
}

/// The nodes of a page.
#[derive(Debug)]
pub(crate) struct Tree {
    slots: Vec<Slot>,
    pub(crate) quirks_mode: QuirksMode,
    /// Elements that hold the notes that marks in the text link to.
    pub(crate) notes: HashSet<NodeId>,
}

impl Tree {
    /// Creates an empty document with room for `nodes` nodes.
    pub(crate) fn with_capacity(nodes: usize) -> Self {
        let mut slots = Vec::with_capacity(nodes + 1);
        slots.push(Slot::new(Node::Root));
        Self { slots, quirks_mode: QuirksMode::NoQuirks, notes: HashSet::new() }
    }

    pub(crate) fn root(&self) -> NodeRef<'_> {
        self.node(ROOT)
    }

    pub(crate) fn node(&self, id: NodeId) -> NodeRef<'_> {
        NodeRef { tree: self, id }
    }

    /// Returns all nodes, including detached ones, in the order in which the parser created them.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.ids().map(|id| self.node(id))
    }

    /// Returns the ids of all present nodes, including detached ones, in the same order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.slots.len())
            .filter_map(|number| Some(NodeId(NonZeroU32::new(u32::try_from(number).ok()?)?)))
    }

    /// Returns the number of nodes, including detached ones.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Creates a detached node.
    pub(crate) fn create(&mut self, node: Node) -> NodeId {
        self.slots.push(Slot::new(node));
        let number = u32::try_from(self.slots.len()).ok().and_then(NonZeroU32::new);
        NodeId(number.expect("the guard ends a parse long before four billion nodes"))
    }

    pub(crate) fn value_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.slot_mut(id).node
    }

    /// Appends a node to the children of `parent`.
    pub(crate) fn append(&mut self, parent: NodeId, child: NodeId) {
        self.detach(child);
        let last = self.slot_mut(parent).last.replace(child);
        let slot = self.slot_mut(child);
        slot.parent = Some(parent);
        slot.previous = last;
        match last {
            Some(last) => self.slot_mut(last).next = Some(child),
            None => self.slot_mut(parent).first = Some(child),
        }
    }

    /// Inserts a node before `sibling`, which has a parent.
    pub(crate) fn insert_before(&mut self, sibling: NodeId, node: NodeId) {
        self.detach(node);
        let (parent, previous) = {
            let slot = self.slot_mut(sibling);
            (slot.parent, slot.previous.replace(node))
        };
        let slot = self.slot_mut(node);
        slot.parent = parent;
        slot.previous = previous;
        slot.next = Some(sibling);
        match (previous, parent) {
            (Some(previous), _) => self.slot_mut(previous).next = Some(node),
            (None, Some(parent)) => self.slot_mut(parent).first = Some(node),
            (None, None) => {}
        }
    }

    /// Inserts a text node before `sibling`, which has a parent.
    pub(crate) fn insert_text_before(&mut self, sibling: NodeId, text: &str) {
        let id = self.create(Node::Text(StrTendril::from_slice(text)));
        self.insert_before(sibling, id);
    }

    /// Appends a text node to the children of `parent`.
    pub(crate) fn append_text(&mut self, parent: NodeId, text: &str) {
        let id = self.create(Node::Text(StrTendril::from_slice(text)));
        self.append(parent, id);
    }

    /// Replaces a node and its descendants by a text node; does nothing if the node has no parent.
    pub(crate) fn replace_by_text(&mut self, id: NodeId, text: &str) {
        if self.node(id).parent().is_some() {
            self.insert_text_before(id, text);
            self.detach(id);
        }
    }

    /// Changes the tag of an element.
    pub(crate) fn rename(&mut self, id: NodeId, tag: LocalName) {
        if let Node::Element(element) = self.value_mut(id) {
            element.name.local = tag;
        }
    }

    /// Detaches a node and its descendants from its parent.
    pub(crate) fn detach(&mut self, id: NodeId) {
        let slot = self.slot_mut(id);
        let (parent, previous, next) = (slot.parent.take(), slot.previous.take(), slot.next.take());
        match (previous, parent) {
            (Some(previous), _) => self.slot_mut(previous).next = next,
            (None, Some(parent)) => self.slot_mut(parent).first = next,
            (None, None) => {}
        }
        match (next, parent) {
            (Some(next), _) => self.slot_mut(next).previous = previous,
            (None, Some(parent)) => self.slot_mut(parent).last = previous,
            (None, None) => {}
        }
    }

    /// Moves all children of `from` to the end of `to`.
    pub(crate) fn move_children(&mut self, from: NodeId, to: NodeId) {
        while let Some(child) = self.slots[from.index()].first {
            self.append(to, child);
        }
    }

    fn slot_mut(&mut self, id: NodeId) -> &mut Slot {
        &mut self.slots[id.index()]
    }
}

/// A reference to a node in its tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeRef<'a> {
    tree: &'a Tree,
    id: NodeId,
}

impl<'a> NodeRef<'a> {
    pub(crate) fn id(self) -> NodeId {
        self.id
    }

    pub(crate) fn value(self) -> &'a Node {
        &self.slot().node
    }

    pub(crate) fn parent(self) -> Option<Self> {
        self.at(self.slot().parent)
    }

    pub(crate) fn previous_sibling(self) -> Option<Self> {
        self.at(self.slot().previous)
    }

    pub(crate) fn next_sibling(self) -> Option<Self> {
        self.at(self.slot().next)
    }

    pub(crate) fn first_child(self) -> Option<Self> {
        self.at(self.slot().first)
    }

    pub(crate) fn last_child(self) -> Option<Self> {
        self.at(self.slot().last)
    }

    pub(crate) fn ancestors(self) -> impl Iterator<Item = Self> {
        successors(self.parent(), |node| node.parent())
    }

    pub(crate) fn children(self) -> impl Iterator<Item = Self> {
        successors(self.first_child(), |node| node.next_sibling())
    }

    /// Returns the node itself and its descendants in document order.
    pub(crate) fn descendants(self) -> impl Iterator<Item = Self> {
        successors(Some(self), move |node| {
            node.first_child().or_else(|| {
                let mut at = *node;
                while at.id != self.id {
                    if let Some(next) = at.next_sibling() {
                        return Some(next);
                    }
                    at = at.parent()?;
                }
                None
            })
        })
    }

    fn slot(self) -> &'a Slot {
        work::count(1);
        &self.tree.slots[self.id.index()]
    }

    fn at(self, id: Option<NodeId>) -> Option<Self> {
        Some(Self { tree: self.tree, id: id? })
    }
}
