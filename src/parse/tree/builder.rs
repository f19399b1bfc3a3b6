//! Builds a tree from broken markup. quick-xml reads the events, and the rules for broken ones are here: an end tag closes
//! the element that it matches and is ignored if it matches none, a `<` that begins no tag is text, and a truncated
//! document is closed at its end.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::errors::{Error, SyntaxError};
use quick_xml::events::Event;
use quick_xml::events::attributes::Attributes;

use super::{Document, Kind, MAX_ENTRIES, NONE, Node, NodeIndex, VOID_ELEMENTS, offset_in, place};
use crate::parse::space::Space;
use crate::parse::text::{Entities, unescape};
use crate::work;

/// Elements nested deeper than this are not read: no feed needs more, but attacks do.
const MAX_DEPTH: usize = 128;
/// A longer start tag is skipped.
const MAX_START_TAG_BYTES: usize = 64 * 1024;
/// Elements and texts kept of one document: bounds the memory that a hostile feed can take.
const MAX_NODES: usize = 400_000;
/// Faults repaired before the rest is skipped.
const MAX_FAULTS: usize = 20_000;
/// Namespace declarations in scope.
const MAX_BINDINGS: usize = 200;
/// Bytes that may be read again after faults, beyond the length of the document.
const MAX_REREAD_BYTES: usize = 1024 * 1024;
/// Unclosed elements beyond the depth limit before the rest is skipped.
const MAX_OVERFLOW: usize = 10_000;

/// Bytes read per counted step, whatever they contain.
const BYTES_A_STEP: usize = 64;

struct Open<'a> {
    node: NodeIndex,
    name: &'a str,
}

/// A tree under construction.
pub(super) struct Builder<'a> {
    document: Document<'a>,
    /// The open elements, outermost first; the document itself is the first.
    open: Vec<Open<'a>>,
    /// Prefixes in scope, each with the declaring element (by its index in `open`).
    bindings: Vec<(usize, &'a str, Space)>,
    /// Number of open elements beyond `MAX_DEPTH`.
    overflow: usize,
    /// Number of entries begun.
    entries: usize,
    /// Number of faults repaired.
    faults: usize,
}

/// What to do after an event.
enum Step {
    Next,
    /// Continue from this offset: quick-xml and the builder disagree on where the markup ends.
    RestartAt(usize),
    Stop,
}

impl<'a> Builder<'a> {
    /// Starts a tree in `document`, which is empty.
    pub(super) fn new(document: Document<'a>) -> Self {
        let open = vec![Open { node: 0, name: "" }];
        Self { document, open, bindings: Vec::new(), overflow: 0, entries: 0, faults: 0 }
    }

    /// Reads the whole document.
    pub(super) fn build(mut self) -> Document<'a> {
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

    /// Reads events until the end, or until the reader has to restart at another offset. Returns how far it came, and where
    /// to continue.
    fn read_from(&mut self, start: usize) -> (usize, Option<usize>) {
        let source = self.document.source;
        // quick-xml drops a byte order mark at the start of its input without counting it.
        let rest = source[start..].trim_start_matches('\u{feff}');
        let start = source.len() - rest.len();
        let mut reader = Reader::from_str(rest);
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
            work::count(1 + (to - from) / BYTES_A_STEP);
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
                // Ill-formed, but quick-xml has moved past it.
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

    /// Recovers after quick-xml found no end of some markup up to the end of the document.
    fn recover(&mut self, fault: SyntaxError, from: usize) -> Step {
        let source = self.document.source;
        let rest = &source[from..];
        self.warn(&fault.to_string(), from);
        if rest.starts_with("<![CDATA[") {
            // The section ends at the end tag of its element, if there is one.
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
            // An unclosed comment, declaration or instruction ends at the first `>`.
            return rest.find('>').map_or(Step::Stop, |end| Step::RestartAt(from + end + 1));
        }
        if let Some(name) = rest.strip_prefix("</") {
            let name = name.split(|c: char| c.is_whitespace() || c == '<').next().unwrap_or_default();
            let step = self.end_tag(name, from);
            return if matches!(step, Step::Next) { Step::RestartAt(from + 2 + name.len()) } else { step };
        }
        // A start tag with an unclosed quote, or truncated by the end of the document.
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
            self.warn("a < that does not begin a tag", tag.start);
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
            // `</title<link>`: the end tag lacks its `>`.
            self.warn("an end tag without its >", offset);
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

    /// Stores the entities that the DOCTYPE declares. Entities of the document inside their values are not expanded.
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

/// Elements of RSS and Atom that contain only text.
fn is_leaf(name: &str) -> bool {
    matches!(name, "title" | "link" | "guid" | "pubDate" | "id" | "updated" | "published" | "comments")
}

/// Elements that never occur inside one of those.
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

/// Returns the offset of a `<` outside quotes in a start tag.
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

/// Returns the offset of `</name`.
fn find_end_tag(source: &str, name: &str) -> Option<usize> {
    let tag = format!("</{name}");
    (!name.is_empty()).then(|| source.find(&tag)).flatten()
}
