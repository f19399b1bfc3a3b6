//! A feed as a tree, however broken it is. Text and attributes stay slices of the source until they are requested:
//! most of a feed never is.

mod builder;

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::events::attributes::Attributes;

use builder::Builder;

use super::space::Space;
use super::text::{Entities, unescape};
use crate::work;

/// Most entries read of one feed.
pub(in crate::parse) const MAX_ENTRIES: usize = 2_000;

/// HTML elements that never have an end tag, and that no feed format uses as a name.
const VOID_ELEMENTS: &[&str] = &["br", "hr", "img", "wbr", "input"];

/// Index of a node. 0 is the document itself.
type NodeIndex = u32;
const NONE: NodeIndex = u32::MAX;

struct Node<'a> {
    parent: NodeIndex,
    first_child: NodeIndex,
    last_child: NodeIndex,
    next: NodeIndex,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Document,
    Element {
        name: &'a str,
        attributes: &'a str,
        space: Space,
    },
    /// Text with its references unresolved, as a range of the source: adjacent texts are joined by widening it.
    Text(Range<u32>),
    Cdata(&'a str),
}

/// A document and its faults.
pub(super) struct Document<'a> {
    source: &'a str,
    nodes: Vec<Node<'a>>,
    entities: Entities<'a>,
    /// Whether any element may have `xml:base`, or the `BASE` of CDF.
    has_base: bool,
    /// What was repaired, and where; only the first faults of a document with many.
    pub(super) warnings: Vec<String>,
}

impl<'a> Document<'a> {
    /// Reads as much of `source` as can be read.
    pub(super) fn read(source: &'a str) -> Self {
        Builder::new(Self {
            source,
            nodes: vec![Node::new(NONE, Kind::Document)],
            entities: Entities::new(),
            has_base: false,
            warnings: Vec::new(),
        })
        .build()
    }

    /// Returns the document as the parent of its top elements.
    pub(super) fn top(&self) -> Element<'_> {
        Element { document: self, index: 0 }
    }
}

impl<'a> Node<'a> {
    fn new(parent: NodeIndex, kind: Kind<'a>) -> Self {
        Self { parent, first_child: NONE, last_child: NONE, next: NONE, kind }
    }
}

/// Returns the position of a byte, counted from 1: `line 3, column 14`.
pub(super) fn place(source: &str, offset: usize) -> String {
    work::count(offset);
    let before = &source.as_bytes()[..offset.min(source.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = String::from_utf8_lossy(&before[..line_start]).lines().count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    format!("line {line}, column {column}")
}

/// Returns the offset of a slice of `source`.
fn offset_in(source: &str, slice: &str) -> usize {
    (slice.as_ptr() as usize).saturating_sub(source.as_ptr() as usize)
}

/// An element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    document: &'d Document<'d>,
    index: NodeIndex,
}

impl<'d> Element<'d> {
    fn node(self) -> &'d Node<'d> {
        work::count(1);
        &self.document.nodes[self.index as usize]
    }

    fn qualified_name(self) -> &'d str {
        match &self.node().kind {
            Kind::Element { name, .. } => name,
            _ => "",
        }
    }

    /// Returns the name without its prefix, as written.
    pub(super) fn name(self) -> &'d str {
        let name = self.qualified_name();
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    /// Returns the line and column of the element.
    pub(super) fn place(self) -> String {
        let source = self.document.source;
        place(source, offset_in(source, self.qualified_name()).saturating_sub(1))
    }

    /// Returns the vocabulary of the name.
    pub(super) fn space(self) -> Space {
        match &self.node().kind {
            Kind::Element { space, .. } => *space,
            _ => Space::Other,
        }
    }

    fn attributes(self) -> &'d str {
        match &self.node().kind {
            Kind::Element { attributes, .. } => attributes,
            _ => "",
        }
    }

    /// Returns the value of an attribute, references resolved. A name without a prefix also finds a prefixed attribute
    /// (`about` is `rdf:about`) if there is none of exactly that name.
    pub(super) fn attribute(self, name: &str) -> Option<Cow<'d, str>> {
        let attributes = self.attributes();
        if attributes.len() <= name.len() {
            return None;
        }
        let mut prefixed = None;
        for attribute in Attributes::html(attributes, 0).with_checks(false).flatten() {
            let key = attribute.key.into_inner();
            let found = key.eq_ignore_ascii_case(name);
            let same_local =
                || key.split_once(':').is_some_and(|(_, local)| local.eq_ignore_ascii_case(name));
            if found || (prefixed.is_none() && same_local()) {
                let value = match attribute.value {
                    Cow::Borrowed(raw) => unescape(raw, &self.document.entities),
                    Cow::Owned(raw) => Cow::Owned(unescape(&raw, &self.document.entities).into_owned()),
                };
                if found {
                    return Some(value);
                }
                prefixed = Some(value);
            }
        }
        prefixed
    }

    fn nodes(self) -> impl Iterator<Item = Element<'d>> {
        let document = self.document;
        let at = move |index: NodeIndex| (index != NONE).then_some(Element { document, index });
        std::iter::successors(at(self.node().first_child), move |element| at(element.node().next))
    }

    /// Returns the child elements.
    pub(super) fn children(self) -> impl Iterator<Item = Element<'d>> {
        self.nodes().filter(|node| matches!(node.node().kind, Kind::Element { .. }))
    }

    /// Returns this element and all elements inside it, in document order.
    pub(super) fn descendants(self) -> impl Iterator<Item = Element<'d>> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let element = stack.pop()?;
            let below = stack.len();
            stack.extend(element.children());
            stack[below..].reverse();
            Some(element)
        })
    }

    pub(super) fn parent(self) -> Option<Element<'d>> {
        let index = self.node().parent;
        (index != NONE).then_some(Element { document: self.document, index })
    }

    /// Returns the text directly inside the element, references resolved.
    pub(super) fn text(self) -> Cow<'d, str> {
        let mut parts = self.nodes().filter_map(Element::own_text);
        let Some(first) = parts.next() else { return Cow::Borrowed("") };
        let Some(second) = parts.next() else { return first };
        let mut text = first.into_owned();
        text.push_str(&second);
        parts.for_each(|part| text.push_str(&part));
        Cow::Owned(text)
    }

    fn own_text(self) -> Option<Cow<'d, str>> {
        match &self.node().kind {
            Kind::Text(range) => Some(unescape(self.document.slice(range), &self.document.entities)),
            Kind::Cdata(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// Returns the content as HTML: child elements as tags, without prefixes; text as in the source, where it is escaped.
    pub(super) fn inner_html(self, max_bytes: usize) -> String {
        enum Work<'d> {
            Node(Element<'d>),
            Close(&'d str),
        }
        let mut html = String::new();
        let push_children = |stack: &mut Vec<Work<'d>>, element: Element<'d>| {
            let below = stack.len();
            stack.extend(element.nodes().map(Work::Node));
            stack[below..].reverse();
        };
        let mut stack = Vec::new();
        push_children(&mut stack, self);
        while let Some(work) = stack.pop() {
            if html.len() > max_bytes {
                break;
            }
            match work {
                Work::Close(name) => html.extend(["</", name, ">"]),
                Work::Node(element) => match &element.node().kind {
                    Kind::Element { attributes, .. } => {
                        let name = element.name();
                        html.extend(["<", name, attributes.trim_end(), ">"]);
                        if !VOID_ELEMENTS.contains(&name) {
                            stack.push(Work::Close(name));
                            push_children(&mut stack, element);
                        }
                    }
                    Kind::Text(range) => html.push_str(self.document.slice(range)),
                    Kind::Cdata(text) => html.push_str(text),
                    Kind::Document => {}
                },
            }
        }
        html
    }

    /// Returns the values of `xml:base` and similar attributes on this element and its ancestors, innermost first.
    pub(super) fn bases(self) -> impl Iterator<Item = Cow<'d, str>> {
        let start = self.document.has_base.then_some(self);
        std::iter::successors(start, |element| element.parent())
            .filter_map(|element| element.attribute("base"))
    }
}

impl Document<'_> {
    fn slice(&self, range: &Range<u32>) -> &str {
        &self.source[range.start as usize..range.end as usize]
    }
}
