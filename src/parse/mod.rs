//! Feed bytes to entries: decode, read what can be read, mend what is broken, name what was lost.

#[cfg(test)]
mod agreement;
mod content;
mod dates;
mod decode;
mod discover;
mod entry;
mod feed;
mod identity;
mod json;
mod links;
mod mojibake;
mod newest;
mod people;
mod space;
mod survey;
mod text;
mod tree;
mod upstream;
mod words;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{Enclosure, EntryEvidence, EntryKey, PublisherHints, Sha256Hash};
use crate::work;

use dates::Region;
pub use discover::{FeedLink, feed_links};
use entry::read_entry;
use feed::FeedReader;
use identity::Identity;
use json::JsonFeed;
use space::Space;
use text::cut;
use tree::{Document, Element};
use upstream::UpstreamFeed;
pub use words::words_sha256;

/// Most names, categories, files and the like of one entry that are kept.
const MAX_LIST: usize = 100;

/// A feed as read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ParsedFeed {
    /// What it says of itself.
    pub feed: FeedInfo,
    /// Its entries in document order.
    pub entries: Vec<ParsedEntry>,
    /// What was repaired or lost on the way.
    pub warnings: Vec<String>,
}

/// What a feed says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct FeedInfo {
    /// Title, as text.
    pub title: Option<String>,
    /// The site that it belongs to.
    pub link: Option<String>,
    /// Its id.
    pub id: Option<String>,
    /// Description, as given.
    pub description: Option<String>,
    /// BCP 47 as given, in lower case.
    pub language: Option<String>,
    /// What it says about its rhythm.
    #[serde(flatten)]
    pub hints: PublisherHints,
    /// Its own address (`rel=self`).
    pub self_url: Option<Url>,
    /// WebSub hubs.
    pub hubs: Vec<Url>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParsedEntry {
    /// What identifies it within its feed, from poll to poll.
    pub key: Sha256Hash,
    /// What else it may have been known by, the best first.
    #[serde(skip)]
    pub other_keys: Vec<EntryKey>,
    /// Its guid as given.
    pub guid: Option<String>,
    /// Where its article is: http or https only, resolved.
    pub link: Option<Url>,
    /// Whether the link is no page of its own: other entries have it too, or it is the site's.
    pub shares_link: bool,
    /// Whether what looks like tracking in the link tells its page from those of other entries.
    #[serde(skip)]
    pub has_exact_link: bool,
    /// The rest.
    pub evidence: EntryEvidence,
}

/// The bytes are no feed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What was found instead, and where.
    pub message: String,
}

/// Reads a feed. Partial results come before none; what was lost stands in `warnings`. Of a feed that takes more than
/// [`work::BUDGET`] steps the beginning is read.
pub fn parse(
    body: &[u8],
    content_type: Option<&str>,
    base_url: Option<&Url>,
) -> Result<ParsedFeed, ParseError> {
    let mut warnings = Vec::new();
    let text = decode::decode(body, content_type, &mut warnings);
    let mut parsed = read_within(work::BUDGET, trim_start(&text), base_url)?;
    warnings.append(&mut parsed.warnings);
    parsed.warnings = warnings;
    Ok(parsed)
}

fn read_within(steps: u64, source: &str, base_url: Option<&Url>) -> Result<ParsedFeed, ParseError> {
    let read = |source: &str| {
        if source.starts_with('{') { json(source, base_url) } else { xml(source, base_url) }
    };
    let Some((parsed, is_whole)) = work::in_part_within(steps, source, read) else {
        return Err(ParseError { message: "it takes more work than any feed may".to_owned() });
    };
    let mut parsed = parsed?;
    if !is_whole {
        parsed.warnings.insert(0, "it takes more work than a feed may: its beginning is read".to_owned());
    }
    Ok(parsed)
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0')
}

/// Whose rules a document follows where the formats disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// Texts are plain unless they say otherwise.
    Atom,
    /// Texts are HTML, or whatever the publisher thought.
    Rss,
}

/// An entry before its identity is settled.
#[derive(Clone, Debug, Default)]
struct EntryDraft {
    guid: Option<String>,
    /// The guid, where it says that it is a link.
    permalink: Option<Url>,
    link: Option<Url>,
    evidence: EntryEvidence,
}

fn json(source: &str, base_url: Option<&Url>) -> Result<ParsedFeed, ParseError> {
    let JsonFeed { info, entries, authors, warnings } = json::read(source, base_url)?;
    Ok(finish(info, entries, &authors, warnings, base_url))
}

fn xml(source: &str, base_url: Option<&Url>) -> Result<ParsedFeed, ParseError> {
    if let Some((shorter, warning)) = newest::cut(source) {
        let mut parsed = whole_xml(&shorter, base_url)?;
        parsed.warnings.insert(0, warning);
        return Ok(parsed);
    }
    whole_xml(source, base_url)
}

fn whole_xml(source: &str, base_url: Option<&Url>) -> Result<ParsedFeed, ParseError> {
    match upstream::read(source, base_url) {
        Some(UpstreamFeed { info, entries, authors }) => {
            Ok(finish(info, entries, &authors, Vec::new(), base_url))
        }
        None => mend(source, base_url),
    }
}

/// Reads what needs repair, or more than feed-rs knows.
fn mend(source: &str, base_url: Option<&Url>) -> Result<ParsedFeed, ParseError> {
    let mut document = Document::read(source);
    let warnings = std::mem::take(&mut document.warnings);
    let Some(root) = document.top().descendants().find(|element| is_root(*element)) else {
        return Err(no_feed(source, document.top()));
    };
    let flavour = if ["feed", "entry"].contains(&root.name()) { Flavour::Atom } else { Flavour::Rss };
    let mut reader = FeedReader::new(flavour, base_url);
    let mut items = Vec::new();
    walk(root, &mut reader, &mut items);
    if items.is_empty() {
        // Entries in a wrapper that no format has.
        items.extend(root.descendants().filter(|element| is_entry(*element)));
    }
    let (feed, authors) = reader.finish();
    // Links may be relative to the site where nobody says what they are relative to.
    let site = feed.link.as_deref().and_then(|link| Url::parse(link).ok());
    let entry_base = base_url.or(site.as_ref());
    let region = Region::of(feed.language.as_deref(), [site.as_ref(), entry_base].into_iter().flatten());
    let drafts = items.into_iter().map(|item| read_entry(item, flavour, entry_base, region)).collect();
    Ok(finish(feed, drafts, &authors, warnings, base_url))
}

fn is_root(element: Element<'_>) -> bool {
    ["rss", "rdf", "feed", "channel", "entry", "item"]
        .iter()
        .any(|root| element.name().eq_ignore_ascii_case(root))
}

fn is_entry(element: Element<'_>) -> bool {
    let is = |name| element.name().eq_ignore_ascii_case(name);
    element.space() == Space::Core && (is("item") || is("entry"))
}

/// Hands the elements of the feed to `reader` and gathers those of its entries, in document order.
fn walk<'d>(root: Element<'d>, reader: &mut FeedReader<'_>, items: &mut Vec<Element<'d>>) {
    let mut stack = vec![root];
    while let Some(element) = stack.pop() {
        let below = stack.len();
        match (element.space(), element.name().to_ascii_lowercase().as_str()) {
            (Space::Core, "item" | "entry") => {
                items.push(element);
                // What was never closed has swallowed those that follow.
                stack.extend(element.children().filter(|child| child.name() == element.name()));
            }
            (Space::Core | Space::Rdf, "rss" | "rdf" | "feed" | "channel") => {
                reader.container(element);
                stack.extend(element.children());
            }
            _ => reader.child(element),
        }
        stack[below..].reverse();
    }
}

/// What all formats have in common: identities, and what entries inherit from their feed.
fn finish(
    mut feed: FeedInfo,
    drafts: Vec<EntryDraft>,
    authors: &[String],
    warnings: Vec<String>,
    base_url: Option<&Url>,
) -> ParsedFeed {
    feed.language = feed.language.map(|tag| tag.trim().to_ascii_lowercase()).filter(|tag| !tag.is_empty());
    let site = feed.link.as_deref().and_then(|link| Url::parse(link).ok());
    let sites: Vec<&Url> = site.as_ref().into_iter().chain(base_url).collect();
    let identities = identity::identities(&drafts, &sites);
    let finish = |(draft, identity): (EntryDraft, Identity)| {
        let Identity { keys, link, shares_link, has_exact_link } = identity;
        let mut evidence = draft.evidence;
        if evidence.authors.is_empty() {
            evidence.authors = authors.to_vec();
        }
        // "Ada Quay, Harbour Gazette": the site beside its author is none.
        if evidence.authors.iter().any(|author| Some(author) != feed.title.as_ref()) {
            evidence.authors.retain(|author| Some(author) != feed.title.as_ref());
        }
        let language = evidence.language.or_else(|| feed.language.clone());
        evidence.language = language.and_then(|tag| language_tag(&tag));
        ParsedEntry {
            key: keys[0].sha256,
            other_keys: keys[1..].to_vec(),
            link,
            shares_link,
            has_exact_link,
            guid: draft.guid,
            evidence,
        }
    };
    let entries = drafts.into_iter().zip(identities).map(finish).collect();
    ParsedFeed { feed, entries, warnings }
}

/// Adds what a list does not hold yet, up to [`MAX_LIST`].
fn add_new<T: PartialEq>(list: &mut Vec<T>, items: impl IntoIterator<Item = T>) {
    for item in items {
        if list.len() == MAX_LIST {
            return;
        }
        work::count(list.len());
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// Notes a file once, with all that is said of it in any place.
fn enclose(enclosures: &mut Vec<Enclosure>, enclosure: Enclosure) {
    work::count(enclosures.len());
    match enclosures.iter().position(|known| known.url == enclosure.url) {
        Some(at) => {
            let known = &mut enclosures[at];
            known.media_type = known.media_type.take().or(enclosure.media_type);
            known.length = known.length.or(enclosure.length);
        }
        None if enclosures.len() < MAX_LIST => enclosures.push(enclosure),
        None => {}
    }
}

/// The length of a file: nobody's film has none, though feeds must say something.
fn file_length(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|length| *length > 0)
}

/// A language tag in one spelling.
fn language_tag(tag: &str) -> Option<String> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    (!tag.is_empty()).then_some(tag)
}

/// What was found instead of a feed, and where.
fn no_feed(source: &str, top: Element<'_>) -> ParseError {
    let message = match top.children().next() {
        _ if source.is_empty() => "empty: nothing to read".to_owned(),
        Some(root) if root.name().eq_ignore_ascii_case("html") => {
            format!("an HTML page, not a feed: <{}> at {}", root.name(), root.place())
        }
        Some(root) => {
            format!("no feed: the root element is {:?}, at {}", cut(root.name().into(), 60), root.place())
        }
        None => {
            let start = source.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
            format!("no feed: text without markup, line 1, column 1: {:?}", cut(start.into(), 60))
        }
    };
    ParseError { message }
}
