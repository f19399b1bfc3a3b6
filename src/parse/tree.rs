//! A feed as a tree, whatever state it is in. quick-xml reads the events; this file decides what broken markup
//! meant: an end tag closes what it matches and is ignored where it matches nothing, a `<` that begins no tag is
//! text, a document that stops in the middle is closed there. Text and attributes stay slices of the source.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::errors::{Error, SyntaxError};
use quick_xml::events::Event;
use quick_xml::events::attributes::Attributes;

use super::space::Space;
use super::text::{Entities, unescape};

/// Elements nested deeper than this are not read: no feed needs it, and attacks do.
pub(super) const MAX_DEPTH: usize = 128;
/// A longer start tag is skipped.
pub(super) const MAX_START_TAG_BYTES: usize = 64 * 1024;
/// Elements and texts kept of one document: bounds the memory that a hostile feed can ask for.
const MAX_NODES: usize = 400_000;
/// Entries read of one feed.
pub(super) const MAX_ENTRIES: usize = 2_000;
/// Faults mended before the rest is given up.
const MAX_FAULTS: usize = 20_000;
/// Namespace declarations in scope.
const MAX_BINDINGS: usize = 200;
/// Bytes that may be read again after faults, beyond the length of the document.
const MAX_REREAD_BYTES: usize = 1024 * 1024;
/// Unclosed elements beyond the depth limit before the rest is given up.
const MAX_OVERFLOW: usize = 10_000;

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
    /// Text with its references unresolved, as a range of the source: neighbours are joined by widening it.
    Text(Range<u32>),
    Cdata(&'a str),
}

/// A document and what was wrong with it.
pub(super) struct Document<'a> {
    source: &'a str,
    nodes: Vec<Node<'a>>,
    entities: Entities<'a>,
    /// Whether any element may carry `xml:base`, or the `BASE` of CDF.
    has_base: bool,
    /// What was repaired, once for each kind of fault.
    pub(super) warnings: Vec<String>,
}

impl<'a> Document<'a> {
    /// Reads all of `source` that can be read.
    pub(super) fn read(source: &'a str) -> Self {
        let document = Self {
            source,
            nodes: vec![Node::new(NONE, Kind::Document)],
            entities: Entities::new(),
            has_base: false,
            warnings: Vec::new(),
        };
        Builder {
            document,
            open: vec![Open { node: 0, name: "" }],
            bindings: Vec::new(),
            overflow: 0,
            entries: 0,
            faults: 0,
        }
        .read()
    }

    /// The document as the parent of its top elements.
    pub(super) fn top(&self) -> Element<'_> {
        Element { document: self, index: 0 }
    }
}

impl<'a> Node<'a> {
    fn new(parent: NodeIndex, kind: Kind<'a>) -> Self {
        Self { parent, first_child: NONE, last_child: NONE, next: NONE, kind }
    }
}

/// The place of a byte, as people count: `line 3, column 14`.
pub(super) fn place(source: &str, offset: usize) -> String {
    let before = &source.as_bytes()[..offset.min(source.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before[..line_start].iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    format!("line {line}, column {column}")
}

struct Open<'a> {
    node: NodeIndex,
    name: &'a str,
}

struct Builder<'a> {
    document: Document<'a>,
    /// The elements not closed yet, outermost first, the document itself at the bottom.
    open: Vec<Open<'a>>,
    /// Prefixes in scope: the element (by its place in `open`) that declares each.
    bindings: Vec<(usize, &'a str, Space)>,
    /// Elements open beyond `MAX_DEPTH`.
    overflow: usize,
    entries: usize,
    faults: usize,
}

/// What to do after an event.
enum Step {
    Next,
    /// Read on from this offset: quick-xml and we disagree on where the markup ends.
    RestartAt(usize),
    Stop,
}

impl<'a> Builder<'a> {
    fn read(mut self) -> Document<'a> {
        let source = self.document.source;
        let mut start = 0;
        let mut reread = 0;
        loop {
            let (stopped_at, resume) = self.read_from(start);
            let Some(resume) = resume else { break };
            reread += stopped_at.saturating_sub(resume);
            if reread > source.len() + MAX_REREAD_BYTES {
                self.warn("too many faults: the rest is not read", resume);
                break;
            }
            start = resume;
        }
        if self.open.len() > 1 {
            let name = self.open.last().map_or("", |open| open.name);
            let warning = format!("the document ends inside <{name}>");
            self.warn(&warning, source.len());
            self.close_to(1);
        }
        self.document
    }

    /// Reads events until the end, or until the reader has to start again elsewhere. Returns how far it came, and
    /// where to go on.
    fn read_from(&mut self, start: usize) -> (usize, Option<usize>) {
        let source = self.document.source;
        let mut reader = Reader::from_str(&source[start..]);
        let config = reader.config_mut();
        config.allow_dangling_amp = true;
        config.allow_unmatched_ends = true;
        config.check_end_names = false;
        let position =
            |reader: &Reader<&[u8]>| start + usize::try_from(reader.buffer_position()).unwrap_or(0);
        loop {
            let from = position(&reader);
            let event = reader.read_event();
            let to = position(&reader);
            let step = match event {
                Ok(Event::Start(tag)) => self.start_tag(from..to, tag.name().as_ref().len(), false),
                Ok(Event::Empty(tag)) => self.start_tag(from..to, tag.name().as_ref().len(), true),
                Ok(Event::End(tag)) => {
                    let name_start = from + 2;
                    self.end_tag(&source[name_start..name_start + tag.name().as_ref().len()], from)
                }
                Ok(Event::Text(_) | Event::GeneralRef(_)) => self.text(from..to),
                Ok(Event::CData(_)) => self.push_text(Kind::Cdata(&source[from + 9..to - 3])),
                Ok(Event::DocType(_)) => {
                    self.declare_entities(&source[from..to]);
                    Step::Next
                }
                Ok(Event::Decl(_) | Event::PI(_) | Event::Comment(_)) => Step::Next,
                Ok(Event::Eof) => return (to, None),
                Err(Error::Syntax(fault)) => self.recover(fault, from),
                // Ill-formed but read all the same: quick-xml has moved on.
                Err(_) if to > from => Step::Next,
                Err(_) => Step::Stop,
            };
            if self.document.nodes.len() >= MAX_NODES || self.faults > MAX_FAULTS {
                self.warn("too many elements or faults: the rest is not read", to);
                return (to, None);
            }
            match step {
                Step::Next => {}
                Step::RestartAt(offset) => return (to, Some(offset)),
                Step::Stop => return (to, None),
            }
        }
    }

    /// quick-xml looked for the end of some markup up to the end of the document in vain.
    fn recover(&mut self, fault: SyntaxError, from: usize) -> Step {
        let source = self.document.source;
        let rest = &source[from..];
        self.warn(&fault.to_string(), from);
        if rest.starts_with("<![CDATA[") {
            // The section ends where its element does, if that can be found.
            let open = self.open.last().map_or("", |open| open.name);
            let end = find_end_tag(rest, open).unwrap_or(rest.len());
            self.push_text(Kind::Cdata(&rest[9..end]));
            return Step::RestartAt(from + end);
        }
        let is_markup = ["<!--", "<!doctype", "<!entity", "<?"]
            .iter()
            .any(|start| rest.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)));
        if rest.starts_with("<!") && !is_markup {
            self.text(from..from + 2);
            return Step::RestartAt(from + 2);
        }
        if is_markup {
            // An unclosed comment, declaration or instruction: the first `>` must do.
            return rest.find('>').map_or(Step::Stop, |end| Step::RestartAt(from + end + 1));
        }
        if let Some(name) = rest.strip_prefix("</") {
            let name = name.split(|c: char| c.is_whitespace() || c == '<').next().unwrap_or_default();
            let step = self.end_tag(name, from);
            return if matches!(step, Step::Next) { Step::RestartAt(from + 2 + name.len()) } else { step };
        }
        // A start tag with an unclosed quote, or cut by the end of the document.
        match rest.find('>') {
            Some(end) if end < MAX_START_TAG_BYTES => {
                let to = from + end + 1;
                let name_length = name_length(&source[from + 1..to - 1]);
                match self.start_tag(from..to, name_length, source[..to - 1].ends_with('/')) {
                    Step::Next => Step::RestartAt(to),
                    step => step,
                }
            }
            _ => match rest[1..].find('<') {
                Some(next) => Step::RestartAt(from + 1 + next),
                None => Step::Stop,
            },
        }
    }

    fn start_tag(&mut self, tag: Range<usize>, name_length: usize, empty: bool) -> Step {
        let source = self.document.source;
        let content_end = tag.end - if empty { 2 } else { 1 };
        let content = &source[tag.start + 1..content_end.max(tag.start + 1)];
        if !content.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':') {
            self.warn("a < that begins no tag", tag.start);
            self.text(tag.start..tag.start + 1);
            return Step::RestartAt(tag.start + 1);
        }
        if content.len() > MAX_START_TAG_BYTES {
            self.warn("a start tag of more than 64 KiB is skipped", tag.start);
            return Step::Next;
        }
        if let Some(cut) = unquoted_less_than(content) {
            self.warn("a tag inside a tag", tag.start);
            let cut = tag.start + 1 + cut;
            let name_length = name_length.min(self::name_length(&source[tag.start + 1..cut]));
            return match self.open_element(&source[tag.start + 1..cut], name_length, false) {
                Step::Next => Step::RestartAt(cut),
                step => step,
            };
        }
        let step = self.open_element(content, name_length, empty);
        if matches!(step, Step::Stop) {
            self.warn("nested too deeply, or too many entries: the rest is not read", tag.start);
        }
        step
    }

    fn open_element(&mut self, content: &'a str, name_length: usize, empty: bool) -> Step {
        let (name, attributes) = content.split_at(name_length);
        if self.open.len() > MAX_DEPTH || self.overflow > 0 {
            if self.overflow == 0 {
                let warning = format!("elements nested deeper than {MAX_DEPTH} are not read");
                self.warn(&warning, offset_in(self.document.source, content));
            }
            if !empty {
                self.overflow += 1;
            }
            return if self.overflow > MAX_OVERFLOW { Step::Stop } else { Step::Next };
        }
        let is_entry = ["item", "entry"].iter().any(|entry| name.eq_ignore_ascii_case(entry));
        if is_entry {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Step::Stop;
            }
            // An entry directly inside another: the outer one was never closed.
            if !empty && self.open.last().is_some_and(|open| open.name.eq_ignore_ascii_case(name)) {
                self.close_to(self.open.len() - 1);
            }
        }
        if is_field(name) && self.open.last().is_some_and(|open| is_leaf(open.name)) {
            self.warn(&format!("<{name}> inside an unclosed element"), offset_in(self.document.source, name));
            self.close_to(self.open.len() - 1);
        }
        let place = self.open.len();
        if attributes.contains("xmlns") {
            self.bind(attributes, place);
        }
        self.document.has_base |= attributes.contains("base=") || attributes.contains("BASE=");
        let space = self.space_of(name);
        let node = self.push(Kind::Element { name, attributes, space });
        if !empty && !VOID_ELEMENTS.contains(&name) {
            self.open.push(Open { node, name });
        } else {
            self.unbind(place);
        }
        Step::Next
    }

    fn end_tag(&mut self, name: &'a str, offset: usize) -> Step {
        if self.overflow > 0 {
            self.overflow -= 1;
            return Step::Next;
        }
        if let Some(less_than) = name.find('<') {
            // `</title<link>`: the end tag lacks its own end.
            self.warn("an end tag without its end", offset);
            let step = self.end_tag(&name[..less_than], offset);
            return if matches!(step, Step::Next) { Step::RestartAt(offset + 2 + less_than) } else { step };
        }
        let name = name.trim();
        let depth = self.open.iter().rposition(|open| open.name == name);
        let depth = depth.or_else(|| self.open.iter().rposition(|open| open.name.eq_ignore_ascii_case(name)));
        match depth {
            Some(depth) if depth > 0 => {
                if depth + 1 < self.open.len() {
                    let warning =
                        format!("</{name}> closes an unclosed <{}>", self.open[self.open.len() - 1].name);
                    self.warn(&warning, offset);
                }
                self.close_to(depth);
            }
            _ if VOID_ELEMENTS.contains(&name) => {}
            _ => self.warn(&format!("</{name}> closes nothing"), offset),
        }
        Step::Next
    }

    /// Closes open elements until only `length` are left.
    fn close_to(&mut self, length: usize) {
        self.open.truncate(length);
        self.unbind(length);
    }

    fn text(&mut self, range: Range<usize>) -> Step {
        let (Ok(start), Ok(end)) = (u32::try_from(range.start), u32::try_from(range.end)) else {
            return Step::Stop;
        };
        if start == end {
            return Step::Next;
        }
        let parent = self.open.last().map_or(0, |open| open.node);
        let last = self.document.nodes[parent as usize].last_child;
        if last != NONE
            && let Kind::Text(text) = &mut self.document.nodes[last as usize].kind
            && text.end == start
        {
            text.end = end;
            return Step::Next;
        }
        self.push_text(Kind::Text(start..end))
    }

    fn push_text(&mut self, kind: Kind<'a>) -> Step {
        self.push(kind);
        Step::Next
    }

    fn push(&mut self, kind: Kind<'a>) -> NodeIndex {
        let parent = self.open.last().map_or(0, |open| open.node);
        let nodes = &mut self.document.nodes;
        let index = NodeIndex::try_from(nodes.len()).expect("MAX_NODES fits");
        nodes.push(Node::new(parent, kind));
        let last = std::mem::replace(&mut nodes[parent as usize].last_child, index);
        if last == NONE {
            nodes[parent as usize].first_child = index;
        } else {
            nodes[last as usize].next = index;
        }
        index
    }

    fn bind(&mut self, attributes: &'a str, place: usize) {
        for attribute in Attributes::html(attributes, 0).with_checks(false).flatten() {
            let key = attribute.key.into_inner();
            let Some(rest) = key.strip_prefix("xmlns") else { continue };
            let prefix = match rest.strip_prefix(':') {
                Some(prefix) => prefix,
                None if rest.is_empty() => "",
                None => continue,
            };
            let space = Space::of_uri(&attribute.value, prefix, place == 1);
            if self.bindings.len() < MAX_BINDINGS {
                self.bindings.push((place, prefix, space));
            }
        }
    }

    fn unbind(&mut self, place: usize) {
        while self.bindings.last().is_some_and(|(declared_at, ..)| *declared_at >= place) {
            self.bindings.pop();
        }
    }

    fn space_of(&self, name: &str) -> Space {
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        let bound = self.bindings.iter().rev().find(|(_, bound, _)| *bound == prefix);
        bound.map_or_else(|| Space::of_prefix(prefix), |(.., space)| *space)
    }

    /// Takes over the entities that the DOCTYPE declares. Their values are texts: nothing inside them is expanded.
    fn declare_entities(&mut self, doctype: &'a str) {
        for declaration in doctype.split("<!ENTITY").skip(1).take(1_000) {
            let declaration = declaration.trim_start();
            let Some((name, value)) = declaration.split_once(char::is_whitespace) else { continue };
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
            let Some((value, _)) = value[1..].split_once(quote) else { continue };
            if value.len() <= 1_000 {
                let value = unescape(value, &Entities::new());
                self.document.entities.entry(name).or_insert(value);
            }
        }
    }

    fn warn(&mut self, what: &str, offset: usize) {
        const MAX_WARNINGS: usize = 20;
        self.faults += 1;
        if self.document.warnings.len() < MAX_WARNINGS {
            let place = place(self.document.source, offset);
            self.document.warnings.push(format!("{place}: {what}"));
        }
    }
}

/// Where a slice of `source` begins.
fn offset_in(source: &str, slice: &str) -> usize {
    (slice.as_ptr() as usize).saturating_sub(source.as_ptr() as usize)
}

/// Elements of RSS and Atom that hold text and nothing else.
fn is_leaf(name: &str) -> bool {
    matches!(name, "title" | "link" | "guid" | "pubDate" | "id" | "updated" | "published" | "comments")
}

/// Elements that never stand inside one of those.
fn is_field(name: &str) -> bool {
    is_leaf(name)
        || matches!(
            name,
            "description" | "content:encoded" | "content" | "summary" | "item" | "entry" | "category"
        )
}

fn name_length(content: &str) -> usize {
    content.find(|c: char| c.is_whitespace() || matches!(c, '/' | '<' | '>' | '=')).unwrap_or(content.len())
}

/// Where a `<` stands in a start tag outside quotes.
fn unquoted_less_than(content: &str) -> Option<usize> {
    if !content.contains('<') {
        return None;
    }
    let mut quote = None;
    content.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'<') => return true,
            _ => {}
        }
        false
    })
}

/// Where `</name` stands.
fn find_end_tag(source: &str, name: &str) -> Option<usize> {
    let tag = format!("</{name}");
    (!name.is_empty()).then(|| source.find(&tag)).flatten()
}

/// An element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    document: &'d Document<'d>,
    index: NodeIndex,
}

impl<'d> Element<'d> {
    fn node(self) -> &'d Node<'d> {
        &self.document.nodes[self.index as usize]
    }

    fn qualified_name(self) -> &'d str {
        match &self.node().kind {
            Kind::Element { name, .. } => name,
            _ => "",
        }
    }

    /// The name without its prefix, as written.
    pub(super) fn name(self) -> &'d str {
        let name = self.qualified_name();
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    /// Where it stands, as people count.
    pub(super) fn place(self) -> String {
        let source = self.document.source;
        place(source, offset_in(source, self.qualified_name()).saturating_sub(1))
    }

    /// The vocabulary that the name belongs to.
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

    /// The value of an attribute by its name, references resolved. A name without a prefix also finds a prefixed
    /// attribute (`about` is `rdf:about`) if there is none of that very name.
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

    /// The elements directly inside.
    pub(super) fn children(self) -> impl Iterator<Item = Element<'d>> {
        self.nodes().filter(|node| matches!(node.node().kind, Kind::Element { .. }))
    }

    /// This element and all inside it, in document order.
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

    /// The text directly inside, references resolved.
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

    /// The content as HTML: child elements as tags, without prefixes; text as it stands, which is escaped.
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

    /// The values of `xml:base` and its like on this element and its ancestors, innermost first.
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
