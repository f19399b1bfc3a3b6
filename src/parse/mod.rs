//! Parses feeds: decodes the bytes, reads the entries, repairs what is broken, and reports what was lost.

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

/// Most names, categories, files and the like kept per entry.
const MAX_LIST: usize = 100;

/// A parsed feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ParsedFeed {
    /// The feed's metadata.
    pub feed: FeedInfo,
    /// The entries in document order.
    pub entries: Vec<ParsedEntry>,
    /// What was repaired or lost.
    pub warnings: Vec<String>,
}

/// A feed's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct FeedInfo {
    /// Title, as text.
    pub title: Option<String>,
    /// The link to the feed's site.
    pub link: Option<String>,
    /// Id of the feed.
    pub id: Option<String>,
    /// Description, as given.
    pub description: Option<String>,
    /// BCP 47 language tag as given, in lower case.
    pub language: Option<String>,
    /// When and how often the feed wants to be polled.
    #[serde(flatten)]
    pub hints: PublisherHints,
    /// The feed's own address (`rel=self`).
    pub self_url: Option<Url>,
    /// WebSub hubs.
    pub hubs: Vec<Url>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParsedEntry {
    /// Identifies the entry within its feed, from poll to poll.
    pub key: Sha256Hash,
    /// Other keys under which the entry may have been recorded, the best first.
    #[serde(skip)]
    pub other_keys: Vec<EntryKey>,
    /// The guid as given.
    pub guid: Option<String>,
    /// The address of the article, resolved: http or https only.
    pub link: Option<Url>,
    /// Whether the link is not the entry's own page: other entries have it too, or it is the site's.
    pub shares_link: bool,
    /// Whether parameters of the link that look like tracking distinguish its page from those of other entries.
    #[serde(skip)]
    pub has_exact_link: bool,
    /// Everything else that the feed says about the entry.
    pub evidence: EntryEvidence,
}

/// The bytes are not a feed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What was found instead, and where.
    pub message: String,
}

/// Parses a feed. Returns a partial result rather than none; `warnings` say what was lost. Of a feed that takes more than
/// [`work::BUDGET`] steps, only the beginning is read.
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
        return Err(ParseError { message: "it exceeds the work limit for a feed".to_owned() });
    };
    let mut parsed = parsed?;
    if !is_whole {
        parsed.warnings.insert(0, "it exceeds the work limit: only its beginning is read".to_owned());
    }
    Ok(parsed)
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0')
}

/// The format whose rules a document follows where the formats disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// Texts are plain unless declared otherwise.
    Atom,
    /// Texts are HTML, or whatever the publisher wrote.
    Rss,
}

/// An entry before its identity is determined.
#[derive(Clone, Debug, Default)]
struct EntryDraft {
    guid: Option<String>,
    /// The guid, if it is declared to be a link.
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

/// Reads feeds that need repair or that feed-rs does not fully support.
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
        // Entries inside a non-standard wrapper element.
        items.extend(root.descendants().filter(|element| is_entry(*element)));
    }
    let (feed, authors) = reader.finish();
    // Without any other base, relative links are resolved against the site's address.
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

/// Passes the elements of the feed to `reader` and collects the entries, in document order.
fn walk<'d>(root: Element<'d>, reader: &mut FeedReader<'_>, items: &mut Vec<Element<'d>>) {
    let mut stack = vec![root];
    while let Some(element) = stack.pop() {
        let below = stack.len();
        match (element.space(), element.name().to_ascii_lowercase().as_str()) {
            (Space::Core, "item" | "entry") => {
                items.push(element);
                // An unclosed entry contains those that follow.
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

/// Does what all formats have in common: determines identities, and adds what entries inherit from their feed.
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
        // "Ada Quay, Harbour Gazette": the site's name beside that of an author is not an author.
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

/// Adds the items that a list does not contain yet, up to [`MAX_LIST`].
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

/// Adds a file; if its URL is already listed, completes the listed file's type and length.
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

/// Parses the length of a file. Zero counts as unknown: feeds must give a length even if they do not know it.
fn file_length(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|length| *length > 0)
}

/// Normalizes a language tag: lower case, with hyphens.
fn language_tag(tag: &str) -> Option<String> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    (!tag.is_empty()).then_some(tag)
}

/// Returns an error that says what was found instead of a feed, and where.
fn no_feed(source: &str, top: Element<'_>) -> ParseError {
    let message = match top.children().next() {
        _ if source.is_empty() => "empty: nothing to read".to_owned(),
        Some(root) if root.name().eq_ignore_ascii_case("html") => {
            format!("an HTML page, not a feed: <{}> at {}", root.name(), root.place())
        }
        Some(root) => {
            format!("not a feed: the root element is {:?}, at {}", cut(root.name().into(), 60), root.place())
        }
        None => {
            let start = source.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
            format!("not a feed: text without markup, line 1, column 1: {:?}", cut(start.into(), 60))
        }
    };
    ParseError { message }
}
