//! JSON Feed 1.0 and 1.1, with the deviations of publishers: numbers for ids, strings for lists, missing required fields,
//! truncated documents. Unknown fields are dropped while reading, so a hostile document costs no more than its length.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use super::content::{capped_body, capped_line, html_of_plain};
use super::dates::{Region, parse_date};
use super::links::{join, site};
use super::people::names;
use super::text::{fold_space, literal_line};
use super::tree::MAX_ENTRIES;
use super::{EntryDraft, FeedInfo, MAX_LIST, ParseError, add_new, enclose, file_length, newest};
use crate::model::Enclosure;
use crate::work;

/// A feed, its entries and authors, and warnings about what was lost.
pub(super) struct JsonFeed {
    pub(super) info: FeedInfo,
    pub(super) entries: Vec<EntryDraft>,
    pub(super) authors: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Reads a document that begins with a brace.
pub(super) fn read(source: &str, base_url: Option<&Url>) -> Result<JsonFeed, ParseError> {
    let mut warnings = Vec::new();
    // Raw control characters such as line ends and tabs inside strings are invalid JSON; spaces are harmless.
    let source = source.replace(|c: char| c.is_ascii_control(), " ");
    let source = match sound_escapes(&source) {
        Some(sound) => {
            warnings.push("invalid escapes are replaced".to_owned());
            sound
        }
        None => source,
    };
    let document = match serde_json::Deserializer::from_str(&source).into_iter::<Document>().next() {
        Some(Ok(document)) => document,
        fault => {
            let fault = fault.and_then(Result::err).map_or_else(String::new, |fault| fault.to_string());
            let Some(document) = rescue(&source) else {
                return Err(ParseError { message: format!("not a feed: invalid JSON: {fault}") });
            };
            warnings.push(format!("broken JSON ({fault}): the items before are kept"));
            document
        }
    };
    let Some(items) = document.items else {
        return Err(ParseError {
            message: "not a feed: a JSON object without a list of \"items\"".to_owned(),
        });
    };
    let entries = items.list.len() + items.passed_over;
    if entries > MAX_ENTRIES {
        warnings.push(newest::warning(entries));
    }
    let info = FeedInfo {
        title: document.title.line(),
        link: document.home_page_url.body().and_then(|link| site(&link, join(&link, base_url))),
        id: document.feed_url.body(),
        description: document.description.body(),
        language: document.language.body(),
        self_url: document.feed_url.url(base_url),
        hubs: document.hubs.list.iter().filter_map(|hub| hub.url.url(base_url)).collect(),
        ..FeedInfo::default()
    };
    let site_url = info.link.as_deref().and_then(|link| Url::parse(link).ok());
    let base_url = base_url.or(site_url.as_ref());
    let entries = items.newest().into_iter().map(|item| entry(item, base_url)).collect();
    let authors = authors(&document.authors, &document.author);
    Ok(JsonFeed { info, entries, authors, warnings })
}

/// Recovers what precedes a fault: the feed's metadata, if that comes first, and the complete items.
fn rescue(source: &str) -> Option<Document> {
    let (head, items) = source.split_once("\"items\"")?;
    let mut rest = items.trim_start().strip_prefix(':')?.trim_start().strip_prefix('[')?;
    let mut found = Items::default();
    loop {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Item>();
        let Some(Ok(item)) = stream.next() else { break };
        found.push(item);
        rest = rest[stream.byte_offset()..].trim_start().trim_start_matches(',');
    }
    let head = format!("{}}}", head.trim_end().trim_end_matches(','));
    let mut document: Document = serde_json::from_str(&head).unwrap_or_default();
    document.items = Some(found).filter(|found| !found.list.is_empty());
    document.items.is_some().then_some(document)
}

/// Returns the document with U+FFFD for unpaired surrogates, and with invalid escapes as literal backslashes; `None` if there
/// are none. One such escape would cost all items after it.
fn sound_escapes(source: &str) -> Option<String> {
    let mut sound = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(start) = source[at..].find('\\').map(|found| at + found) {
        work::count(1);
        let (length, is_sound) = match source[start + 1..].chars().next() {
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => (2, true),
            Some('u') => match (unit(&source[start..]), unit(source.get(start + 6..).unwrap_or_default())) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, true),
                (Some(0xD800..=0xDFFF), _) => (6, false),
                (Some(_), _) => (6, true),
                (None, _) => (1, false),
            },
            Some(_) => (1, false),
            None => break,
        };
        if !is_sound {
            sound.push_str(&source[copied..start]);
            sound.push_str(if length == 1 { "\\\\" } else { "\u{fffd}" });
            copied = start + length;
        }
        at = start + length;
    }
    (copied > 0).then(|| sound + &source[copied..])
}

/// Returns the code unit of the `\uXXXX` that `text` begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

fn entry(item: Item, base_url: Option<&Url>) -> EntryDraft {
    let guid = item.id.body();
    let html = item.content_html.body();
    let plain = item.content_text.html();
    let mut draft = EntryDraft {
        permalink: guid.as_deref().and_then(|guid| join(guid, None)),
        guid,
        link: item.url.url(base_url).or_else(|| item.external_url.url(base_url)),
        ..EntryDraft::default()
    };
    let evidence = &mut draft.evidence;
    evidence.title = item.title.line();
    evidence.summary = item.summary.html().or_else(|| plain.clone().filter(|_| html.is_some()));
    evidence.content = html.or(plain);
    evidence.authors = authors(&item.authors, &item.author);
    evidence.published_at = item.date_published.date();
    evidence.updated_at = item.date_modified.date();
    evidence.language = item.language.body();
    add_new(
        &mut evidence.tags,
        item.tags.list.into_iter().filter_map(|tag| capped_line(fold_space(&tag.0?))),
    );
    evidence.image = item.image.url(base_url).or_else(|| item.banner_image.url(base_url));
    for file in item.attachments.list {
        if let Some(url) = file.url.url(base_url) {
            let length = file.size_in_bytes.0.as_deref().and_then(file_length);
            enclose(&mut evidence.enclosures, Enclosure { url, media_type: file.mime_type.line(), length });
        }
    }
    draft
}

/// Returns the authors: version 1.1 has a list of them, 1.0 a single one.
fn authors(authors: &List<Reference>, author: &Reference) -> Vec<String> {
    let mut found = Vec::new();
    let lines = authors.list.iter().chain([author]).filter_map(|author| author.name.line());
    add_new(&mut found, lines.flat_map(|name| names(&name)));
    found
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    title: Text,
    home_page_url: Text,
    feed_url: Text,
    description: Text,
    language: Text,
    author: Reference,
    authors: List<Reference>,
    hubs: List<Reference>,
    items: Option<Items>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    id: Text,
    url: Text,
    external_url: Text,
    title: Text,
    content_html: Text,
    content_text: Text,
    summary: Text,
    image: Text,
    banner_image: Text,
    date_published: Text,
    date_modified: Text,
    language: Text,
    author: Reference,
    authors: List<Reference>,
    tags: List<Text>,
    attachments: List<Reference>,
}

/// A string, or a number as a string; `None` for any other value.
#[derive(Default)]
struct Text(Option<String>);

impl Text {
    fn body(&self) -> Option<String> {
        capped_body(self.0.as_deref()?.into())
    }

    /// Returns text that is plain by the specification as HTML.
    fn html(&self) -> Option<String> {
        html_of_plain(self.0.as_deref()?)
    }

    fn line(&self) -> Option<String> {
        capped_line(literal_line(&self.body()?))
    }

    /// Parses the date. The format requires RFC 3339, which includes the offset, so the region does not matter.
    fn date(&self) -> Option<Timestamp> {
        parse_date(self.0.as_deref()?, Region::default())
    }

    fn url(&self, base_url: Option<&Url>) -> Option<Url> {
        join(self.0.as_deref()?, base_url)
    }
}

/// An object with a name and a URL: a person, a hub, a file. A bare string is the name.
#[derive(Default)]
struct Reference {
    name: Text,
    url: Text,
    mime_type: Text,
    size_in_bytes: Text,
}

/// A list, or a single value in place of one. Values after the first [`MAX_LIST`] are skipped.
struct List<T> {
    list: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

/// The items of a feed. At most twice [`MAX_ENTRIES`] are held at any time.
#[derive(Default)]
struct Items {
    list: Vec<Item>,
    passed_over: usize,
}

impl Items {
    fn push(&mut self, item: Item) {
        work::count(1);
        self.list.push(item);
        if self.list.len() == 2 * MAX_ENTRIES {
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        let dates: Vec<Option<Timestamp>> = self.list.iter().map(Item::date).collect();
        let mut kept = newest::newest(&dates).into_iter().peekable();
        let mut at = 0;
        self.list.retain(|_| {
            at += 1;
            kept.next_if_eq(&(at - 1)).is_some()
        });
        self.passed_over += dates.len() - self.list.len();
    }

    fn newest(mut self) -> Vec<Item> {
        self.thin_out();
        self.list
    }
}

impl Item {
    fn date(&self) -> Option<Timestamp> {
        self.date_published.date().or_else(|| self.date_modified.date())
    }
}

/// Reads a `T` from a JSON value of any type.
struct Lenient<T>(PhantomData<T>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<Text>(PhantomData))
    }
}

impl<'de> Visitor<'de> for Lenient<Text> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        work::count(text.len());
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<Reference>(PhantomData))
    }
}

impl<'de> Visitor<'de> for Lenient<Reference> {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Reference, E> {
        Ok(Reference { name: Text(Some(name.to_owned())), ..Reference::default() })
    }

    fn visit_unit<E>(self) -> Result<Reference, E> {
        Ok(Reference::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
        let mut reference = Reference::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => reference.name = map.next_value()?,
                "url" => reference.url = map.next_value()?,
                "mime_type" => reference.mime_type = map.next_value()?,
                "size_in_bytes" => reference.size_in_bytes = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(reference)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<List<T>>(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Lenient<List<T>> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut list = List::default();
        while list.list.len() < MAX_LIST {
            match items.next_element()? {
                Some(item) => list.list.push(item),
                None => return Ok(list),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<List<T>, A::Error> {
        let item = T::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(List { list: vec![item] })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<List<T>, E> {
        let item = T::deserialize(serde::de::value::StrDeserializer::new(text))?;
        Ok(List { list: vec![item] })
    }

    fn visit_unit<E>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<Items>(PhantomData))
    }
}

impl<'de> Visitor<'de> for Lenient<Items> {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
        let mut items = Items::default();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Items, A::Error> {
        let item = Item::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Items { list: vec![item], passed_over: 0 })
    }

    fn visit_unit<E>(self) -> Result<Items, E> {
        Ok(Items::default())
    }
}
