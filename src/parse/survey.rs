//! A first pass over a feed that decides whether feed-rs reads it correctly: it must be well-formed RSS 2.0 or Atom 1.0,
//! without any of the extensions and deviations that feed-rs drops, misreads or rejects. The pass also counts the fields of
//! the entries, so that the result of feed-rs can be checked against the counts.

use quick_xml::Reader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::Flavour;
use super::dates::depends_on_region;
use super::space::Space;
use super::tree::MAX_ENTRIES;
use crate::work;

/// The number of entries in a feed, and how many of them have each field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) entries: usize,
    pub(super) titles: usize,
    pub(super) links: usize,
    pub(super) guids: usize,
    pub(super) dates: usize,
    pub(super) bodies: usize,
}

// The fields of an entry, as bits.
const TITLE: u8 = 1;
const LINK: u8 = 2;
const GUID: u8 = 4;
const PUBLISHED: u8 = 8;
const UPDATED: u8 = 16;
const SUMMARY: u8 = 32;
const CONTENT: u8 = 64;
/// Fields that are neither counted nor limited to one per entry.
const ASIDE: u8 = 0;

/// Surveys a document; `None` if feed-rs may not read it correctly.
pub(super) fn survey(source: &str) -> Option<(Flavour, Tally)> {
    let mut reader = Reader::from_str(source);
    let mut survey = Survey::default();
    loop {
        work::count(1);
        match reader.read_event().ok()? {
            Event::Decl(declaration) if survey.flavour.is_none() && is_utf8(&declaration) => {}
            Event::Start(tag) => {
                survey.start(&tag)?;
                survey.depth += 1;
            }
            Event::Empty(tag) => {
                survey.start(&tag)?;
                survey.end()?;
            }
            Event::End(_) => {
                survey.depth -= 1;
                survey.end()?;
            }
            Event::Text(text) if text.bytes().all(|byte| byte.is_ascii_whitespace()) => {}
            Event::GeneralRef(reference) if !is_plain_reference(&reference) => return None,
            Event::CData(text) if text.is_empty() => {}
            Event::Text(text) if survey.field & (PUBLISHED | UPDATED) != 0 && depends_on_region(&text) => {
                return None;
            }
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => survey.filled |= survey.field,
            Event::Comment(_) | Event::PI(_) => {}
            Event::Decl(_) | Event::DocType(_) => return None,
            Event::Eof => break,
        }
    }
    // If only some entries have a guid, `identity` needs more about the guids than feed-rs keeps.
    let Tally { entries, guids, .. } = survey.tally;
    (guids == 0 || guids == entries).then_some(())?;
    Some((survey.flavour?, survey.tally))
}

fn is_utf8(declaration: &BytesDecl<'_>) -> bool {
    match declaration.encoding() {
        None => true,
        Some(label) => label.is_ok_and(|label| label.eq_ignore_ascii_case("utf-8")),
    }
}

/// Returns whether a reference is an XML entity, or refers to a character that is not a control character.
fn is_plain_reference(reference: &BytesRef<'_>) -> bool {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => !c.is_control(),
        Ok(None) => is_xml_entity(reference),
        Err(_) => false,
    }
}

fn is_xml_entity(name: &str) -> bool {
    ["amp", "lt", "gt", "quot", "apos"].contains(&name)
}

#[derive(Default)]
struct Survey {
    flavour: Option<Flavour>,
    /// Prefixes with their vocabularies, all declared on the root.
    namespaces: Vec<(String, Space)>,
    /// Number of open elements.
    depth: usize,
    /// Whether the elements at depth 3 (Atom: 2) are inside an entry.
    in_entry: bool,
    /// The depth of an open element whose content does not matter: an extension, an image, a person.
    closed_at: Option<usize>,
    field: u8,
    /// Fields of the entry; `filled` are those that are not empty.
    seen: u8,
    filled: u8,
    tally: Tally,
}

impl Survey {
    /// Checks a start tag at `self.depth`.
    fn start(&mut self, tag: &BytesStart<'_>) -> Option<()> {
        if self.closed_at.is_some() {
            return (self.depth < 16).then_some(());
        }
        let name = tag.name().into_inner();
        let Some(flavour) = self.flavour else { return self.root(name, tag) };
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let top = if flavour == Flavour::Rss { 2 } else { 1 };
        if self.depth < top {
            return (name == "channel" && tag.attributes_raw().trim().is_empty()).then_some(());
        }
        if has_unusual_attributes(flavour, tag, prefix, local) {
            return None;
        }
        let space = self.space_of(prefix)?;
        if space == Space::Other {
            // feed-rs reads the podcast vocabulary into an entry's media, so that one cannot be ignored.
            self.closed_at = Some(self.depth);
            return (prefix != "podcast").then_some(());
        }
        if self.depth == top && prefix.is_empty() && matches!(local, "item" | "entry") {
            self.in_entry = true;
            (self.seen, self.filled) = (0, 0);
            self.tally.entries += 1;
            return ((local == "item") == (flavour == Flavour::Rss) && self.tally.entries <= MAX_ENTRIES)
                .then_some(());
        }
        if self.depth == top {
            return self.feed_element(flavour, prefix, local, space);
        }
        if self.depth > top + 1 {
            // Unescaped markup inside a text.
            return None;
        }
        let field = match flavour {
            Flavour::Rss => rss_field(prefix, local, space)?,
            Flavour::Atom => atom_field(prefix, local)?,
        };
        let repeated = self.seen & field != 0 && !(flavour == Flavour::Atom && field == LINK);
        self.seen |= field;
        self.field = field;
        if flavour == Flavour::Atom && field == LINK {
            self.filled |= field;
        }
        if flavour == Flavour::Atom && matches!(local, "author" | "contributor") {
            self.closed_at = Some(self.depth);
        }
        (!repeated).then_some(())
    }

    fn root(&mut self, name: &str, tag: &BytesStart<'_>) -> Option<()> {
        let mut version_is_2 = false;
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            let (key, value) = (attribute.key.into_inner(), attribute.value);
            match key.split_once(':') {
                Some(("xmlns", prefix)) => {
                    self.namespaces.push((prefix.to_owned(), Space::of_uri(&value, prefix, true)));
                }
                None if key == "xmlns" => (name == "feed" && value == ATOM).then_some(())?,
                None if key == "version" => version_is_2 = value == "2.0",
                Some(("xml", "lang")) if name == "feed" => {}
                _ => return None,
            }
        }
        self.flavour = match name {
            "rss" if version_is_2 => Some(Flavour::Rss),
            "feed" => Some(Flavour::Atom),
            _ => return None,
        };
        Some(())
    }

    fn space_of(&self, prefix: &str) -> Option<Space> {
        if prefix.is_empty() {
            return Some(Space::Core);
        }
        self.namespaces.iter().find(|(declared, _)| declared == prefix).map(|(_, space)| *space)
    }

    fn feed_element(&mut self, flavour: Flavour, prefix: &str, local: &str, space: Space) -> Option<()> {
        let known = match (flavour, prefix) {
            (Flavour::Rss, "") => RSS_CHANNEL.contains(&local),
            (Flavour::Rss, _) => space == Space::Core && local == "link",
            (Flavour::Atom, "") => ATOM_FEED.contains(&local),
            (Flavour::Atom, _) => false,
        };
        if known && matches!(local, "image" | "author" | "contributor") {
            self.closed_at = Some(self.depth);
        }
        known.then_some(())
    }

    /// Handles the end of an element, whose depth is `self.depth`.
    fn end(&mut self) -> Option<()> {
        match self.closed_at {
            Some(depth) if depth == self.depth => self.closed_at = None,
            Some(_) => return Some(()),
            None => {}
        }
        self.field = ASIDE;
        let top = if self.flavour == Some(Flavour::Rss) { 2 } else { 1 };
        if self.depth == top && std::mem::take(&mut self.in_entry) {
            let has = |fields: u8| usize::from(self.filled & fields != 0);
            self.tally.titles += has(TITLE);
            self.tally.links += has(LINK);
            self.tally.guids += has(GUID);
            self.tally.dates += has(PUBLISHED | UPDATED);
            self.tally.bodies += has(SUMMARY | CONTENT);
            // feed-rs drops whether a guid is a link, which matters if the entry has no other link.
            return (self.flavour == Some(Flavour::Atom) || self.filled & LINK != 0).then_some(());
        }
        Some(())
    }
}

const ATOM: &str = "http://www.w3.org/2005/Atom";

const RSS_CHANNEL: &[&str] = &[
    "title",
    "link",
    "description",
    "language",
    "copyright",
    "managingEditor",
    "webMaster",
    "pubDate",
    "lastBuildDate",
    "category",
    "generator",
    "docs",
    "cloud",
    "ttl",
    "image",
];

const ATOM_FEED: &[&str] = &[
    "id",
    "title",
    "updated",
    "author",
    "contributor",
    "link",
    "category",
    "generator",
    "icon",
    "logo",
    "rights",
    "subtitle",
];

fn rss_field(prefix: &str, local: &str, space: Space) -> Option<u8> {
    Some(match (prefix, local) {
        ("", "title") => TITLE,
        ("", "link") => LINK,
        ("", "guid") => GUID,
        ("", "pubDate") => PUBLISHED,
        ("", "description") => SUMMARY,
        ("", "category" | "comments" | "source") => ASIDE,
        (_, "encoded") if space == Space::Content => CONTENT,
        _ => return None,
    })
}

fn atom_field(prefix: &str, local: &str) -> Option<u8> {
    Some(match (prefix, local) {
        ("", "title") => TITLE,
        ("", "link") => LINK,
        ("", "id") => GUID,
        ("", "published") => PUBLISHED,
        ("", "updated") => UPDATED,
        ("", "summary") => SUMMARY,
        ("", "content") => CONTENT,
        ("", "author" | "contributor" | "category" | "rights") => ASIDE,
        _ => return None,
    })
}

/// Returns whether a start tag has attributes that feed-rs ignores or reads differently than we do.
fn has_unusual_attributes(flavour: Flavour, tag: &BytesStart<'_>, prefix: &str, local: &str) -> bool {
    let raw = tag.attributes_raw();
    if raw.trim_ascii().is_empty() {
        // An Atom category without attributes is in the style of RSS, which feed-rs does not read in Atom.
        return flavour == Flavour::Atom && local == "category";
    }
    let attributes = Attributes::new(raw, 0);
    let mut attributes = attributes.map(|attribute| match attribute {
        Ok(attribute) => Some((attribute.key.into_inner(), attribute.value)),
        Err(_) => None,
    });
    attributes.any(|attribute| {
        let Some((key, value)) = attribute else { return true };
        let references =
            value.split('&').skip(1).map(|rest| rest.split_once(';').map_or("", |(name, _)| name));
        let usual = match (prefix, local) {
            ("", "guid") => key == "isPermaLink",
            ("", "title" | "subtitle" | "summary" | "content" | "rights") => {
                key == "type" && matches!(value.as_ref(), "text" | "html")
            }
            ("", "category") => raw.contains("term=") == (flavour == Flavour::Atom),
            (_, "link") if key == "rel" => {
                ["alternate", "self", "hub", "edit", "replies"].contains(&value.as_ref())
            }
            ("", "cloud" | "source" | "generator") | (_, "link") => !key.contains(':'),
            // Attributes of extension elements do not matter, unless they begin with `xml`.
            (prefix, _) => !prefix.is_empty() && !key.starts_with("xml"),
        };
        !usual || !references.into_iter().all(is_xml_entity)
    })
}
