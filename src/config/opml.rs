//! Reads the feeds from an OPML file, as other feed readers export it.
//!
//! The `opml` crate was considered: it rejects a whole file for one bad outline, and an export of 50,000 feeds always
//! has one. Here a broken outline is skipped with a warning.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::listed::ListedFeed;

/// The contents of an OPML file.
#[derive(Debug, Default)]
pub(super) struct Outlines {
    /// The feeds in document order.
    pub(super) feeds: Vec<ListedFeed>,
    /// Messages about skipped parts, by line.
    pub(super) warnings: Vec<(usize, String)>,
}

/// Reads the outlines, skipping broken ones.
pub(super) fn read(text: &str) -> Outlines {
    let mut outlines = Outlines::default();
    let mut lines = Lines { text, counted_to: 0, line: 1 };
    // The names of the enclosing outlines; a feed's own outline is `None`.
    let mut folders: Vec<Option<String>> = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..) {
        match read_some(rest, start, &mut folders, &mut lines, &mut outlines) {
            Ok(()) => break,
            Err((place, message)) => {
                outlines.warnings.push((lines.at(place), format!("left out: {message}")));
                // Resume at the next outline: the broken part ends there at the latest.
                let after = (place + 1).max(start + 1);
                match text.get(after..).and_then(|rest| rest.find("<outline")) {
                    Some(next) => start = after + next,
                    None => break,
                }
            }
        }
    }
    outlines
}

/// Reads from `offset` to the end or to the first syntax error.
fn read_some(
    rest: &str,
    offset: usize,
    folders: &mut Vec<Option<String>>,
    lines: &mut Lines<'_>,
    outlines: &mut Outlines,
) -> Result<(), (usize, String)> {
    let mut reader = Reader::from_str(rest);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    loop {
        let place = offset + position(&reader);
        match reader.read_event() {
            Ok(Event::Eof) => return Ok(()),
            Ok(Event::Start(tag)) if is_outline(&tag) => {
                // Push before any error can occur: the end tag will follow.
                folders.push(None);
                let mut outline = Outline::of(&tag).map_err(|message| (place, message))?;
                if outline.url.is_none() {
                    *folders.last_mut().expect("just pushed") = outline.name.take();
                }
                outlines.add(outline, folders, lines.at(place));
            }
            Ok(Event::Empty(tag)) if is_outline(&tag) => {
                let outline = Outline::of(&tag).map_err(|message| (place, message))?;
                outlines.add(outline, folders, lines.at(place));
            }
            Ok(Event::End(tag)) if tag.name().as_ref().eq_ignore_ascii_case("outline") => {
                folders.pop();
            }
            Ok(_) => {}
            Err(error) => return Err((place, error.to_string())),
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).expect("a position in memory")
}

fn is_outline(tag: &BytesStart<'_>) -> bool {
    tag.name().as_ref().eq_ignore_ascii_case("outline")
}

/// The relevant attributes of an outline.
#[derive(Debug, Default)]
struct Outline {
    url: Option<String>,
    name: Option<String>,
    categories: Vec<String>,
}

impl Outline {
    fn of(tag: &BytesStart<'_>) -> Result<Self, String> {
        let mut outline = Self::default();
        let mut plain_url = None;
        let mut is_feed = false;
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            // A bare `&` in a URL is common and harmless.
            let value = unescape(&attribute.value).unwrap_or(Cow::Borrowed(&attribute.value));
            let value = value.trim().to_owned();
            if value.is_empty() {
                continue;
            }
            match attribute.key.as_ref().to_ascii_lowercase().as_str() {
                "xmlurl" => outline.url = Some(value),
                "url" => plain_url = Some(value),
                "type" => is_feed = ["rss", "atom"].contains(&value.to_ascii_lowercase().as_str()),
                "title" => outline.name = Some(value),
                "text" if outline.name.is_none() => outline.name = Some(value),
                "category" => {
                    let categories = value.split(',').map(|name| name.trim().trim_matches('/').to_owned());
                    outline.categories = categories.filter(|name| !name.is_empty()).collect();
                }
                _ => {}
            }
        }
        outline.url = outline.url.or(plain_url.filter(|_| is_feed));
        Ok(outline)
    }
}

impl Outlines {
    fn add(&mut self, outline: Outline, folders: &[Option<String>], line: usize) {
        let Some(url) = outline.url else { return };
        let mut tags: Vec<String> = folders.iter().flatten().cloned().collect();
        for category in outline.categories {
            if !tags.contains(&category) {
                tags.push(category);
            }
        }
        self.feeds.push(ListedFeed { line, url, title: outline.name, tags });
    }
}

/// Computes line numbers of ascending positions; scans each byte once.
struct Lines<'t> {
    text: &'t str,
    counted_to: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, place: usize) -> usize {
        let place = place.max(self.counted_to).min(self.text.len());
        self.line += self.text[self.counted_to..place].matches('\n').count();
        self.counted_to = place;
        self.line
    }
}
