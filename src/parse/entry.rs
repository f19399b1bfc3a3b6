//! Reads one item or entry of any format to an `EntryDraft`. The formats share one vocabulary here: feeds mix them freely,
//! so the meaning of an element depends on its name and not on the root of its document.

use jiff::Timestamp;
use url::Url;

use super::content::{capped_line, html, line, value};
use super::dates::{Region, parse_date};
use super::links::resolve;
use super::people::names;
use super::space::Space;
use super::text::fold_space;
use super::tree::Element;
use super::{EntryDraft, Flavour, add_new, enclose, file_length};
use crate::model::Enclosure;

/// The best candidate for a field: the lowest rank wins, or the first of equal rank.
struct Best<T>(Option<(u8, T)>);

impl<T> Best<T> {
    fn offer(&mut self, rank: u8, candidate: Option<T>) {
        if let Some(candidate) = candidate
            && self.0.as_ref().is_none_or(|(best, _)| rank < *best)
        {
            self.0 = Some((rank, candidate));
        }
    }

    fn take(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }
}

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

#[derive(Default)]
struct Fields {
    title: Best<String>,
    summary: Best<String>,
    content: Best<String>,
    /// The description of a podcast episode or video (`itunes:summary`, `media:description`): often longer than the entry's.
    show_notes: Option<String>,
    link: Best<Url>,
    guid: Best<String>,
    permalink: Option<Url>,
    published: Best<Timestamp>,
    updated: Best<Timestamp>,
    authors: Vec<String>,
    tags: Vec<String>,
    image: Best<Url>,
    enclosures: Vec<Enclosure>,
    language: Option<String>,
}

/// Reads an entry of a feed from `region`.
pub(super) fn read_entry(
    entry: Element<'_>,
    flavour: Flavour,
    base: Option<&Url>,
    region: Region,
) -> EntryDraft {
    let mut fields = Fields::default();
    let reader = Reader { flavour, base, region };
    if let Some(about) = entry.attribute("about").filter(|about| !about.trim().is_empty()) {
        fields.guid.offer(1, Some(about.trim().to_owned()));
    }
    // CDF has the link and the date in attributes.
    fields.link.offer(3, entry.attribute("href").and_then(|href| resolve(&href, entry, base)));
    fields.updated.offer(1, entry.attribute("lastmod").and_then(|date| parse_date(&date, region)));
    fields.language = entry.attribute("xml:lang").map(|language| language.trim().to_owned());
    for child in entry.children() {
        reader.child(child, &mut fields, 0);
    }
    fields.finish()
}

impl Fields {
    fn finish(mut self) -> EntryDraft {
        let content_length = self.content.0.as_ref().map_or(0, |(_, content)| content.len());
        match (&self.summary.0, self.show_notes) {
            (Some((0..=2, summary)), Some(notes)) if notes.len() > summary.len().max(content_length) => {
                self.content = Best(Some((6, notes)));
            }
            (_, notes) => self.summary.offer(2, notes),
        }
        let mut draft = EntryDraft {
            guid: self.guid.take(),
            permalink: self.permalink,
            link: self.link.take(),
            ..EntryDraft::default()
        };
        let evidence = &mut draft.evidence;
        evidence.title = self.title.take();
        evidence.summary = self.summary.take();
        evidence.content = self.content.take();
        evidence.authors = self.authors;
        evidence.published_at = self.published.take();
        evidence.updated_at = self.updated.take();
        evidence.language = self.language.filter(|language| !language.is_empty());
        evidence.tags = self.tags;
        evidence.image = self.image.take();
        evidence.enclosures = self.enclosures;
        draft
    }
}

struct Reader<'b> {
    flavour: Flavour,
    base: Option<&'b Url>,
    region: Region,
}

impl Reader<'_> {
    /// Reads one child of an entry; `depth` counts the media groups around it.
    fn child(&self, child: Element<'_>, fields: &mut Fields, depth: u8) {
        let name = child.name().to_ascii_lowercase();
        match child.space() {
            Space::Core => self.core(&name, child, fields),
            Space::Dc | Space::DcTerms => self.dublin_core(&name, child, fields),
            Space::Content if name == "encoded" => fields.content.offer(0, html(child, false)),
            Space::Content if name == "items" => {}
            Space::Xhtml if matches!(name.as_str(), "body" | "div") => {
                fields.content.offer(2, html(child, false));
            }
            Space::Media => self.media(&name, child, fields, depth),
            Space::Itunes => self.itunes(&name, child, fields),
            Space::Feedburner if name == "origlink" => {
                fields.link.offer(6, resolve(&child.text(), child, self.base));
            }
            _ => {}
        }
    }

    fn core(&self, name: &str, child: Element<'_>, fields: &mut Fields) {
        let plain = self.flavour == Flavour::Atom;
        match name {
            "title" => fields.title.offer(0, line(child, plain)),
            "link" => self.link(child, fields),
            "guid" | "id" => self.guid(name, child, fields),
            "description" if fields.summary.0.is_some() => fields.content.offer(4, html(child, false)),
            "description" => fields.summary.offer(0, html(child, false)),
            "summary" if fields.summary.0.is_some() => fields.content.offer(4, html(child, plain)),
            "summary" | "abstract" => fields.summary.offer(0, html(child, plain)),
            "content" if child.attribute("src").is_none() => fields.content.offer(1, html(child, plain)),
            "encoded" | "fullitem" => fields.content.offer(1, html(child, false)),
            "body" => fields.content.offer(2, html(child, false)),
            "pubdate" | "published" => fields.published.offer(0, self.date(child)),
            "issued" => fields.published.offer(1, self.date(child)),
            "date" => fields.published.offer(2, self.date(child)),
            "created" => fields.published.offer(4, self.date(child)),
            "updated" | "modified" => fields.updated.offer(0, self.date(child)),
            "lastbuilddate" | "lastmod" => fields.updated.offer(1, self.date(child)),
            "author" => add_new(&mut fields.authors, authors(child)),
            "category" => Self::category(child, fields),
            "keywords" => push_keywords(child, fields),
            "enclosure" => self.enclosure(child, "url", fields),
            "image" => {
                let url = child.children().find(|part| part.name().eq_ignore_ascii_case("url"));
                let text = url.map_or_else(|| child.text(), Element::text);
                fields.image.offer(1, resolve(&text, child, self.base));
            }
            "language" => fields.language = fields.language.take().or_else(|| value(child)),
            _ => {}
        }
    }

    fn dublin_core(&self, name: &str, child: Element<'_>, fields: &mut Fields) {
        match name {
            "title" => fields.title.offer(1, line(child, false)),
            "description" | "abstract" => fields.summary.offer(1, html(child, false)),
            "identifier" => fields.guid.offer(3, value(child)),
            "date" => fields.published.offer(2, self.date(child)),
            "issued" => fields.published.offer(1, self.date(child)),
            "available" => fields.published.offer(3, self.date(child)),
            "created" => fields.published.offer(4, self.date(child)),
            "modified" => fields.updated.offer(0, self.date(child)),
            "creator" | "author" => add_new(&mut fields.authors, authors(child)),
            "subject" => add_new(&mut fields.tags, line(child, false)),
            "language" => fields.language = fields.language.take().or_else(|| value(child)),
            _ => {}
        }
    }

    fn media(&self, name: &str, child: Element<'_>, fields: &mut Fields, depth: u8) {
        match name {
            "title" => fields.title.offer(2 + depth, line(child, false)),
            "description" => {
                let description = html(child, false);
                note_longest(&mut fields.show_notes, description.as_ref());
                fields.summary.offer(4 + depth, description);
            }
            "keywords" => push_keywords(child, fields),
            "category" => add_new(&mut fields.tags, line(child, false)),
            "thumbnail" => {
                let url = child.attribute("url").unwrap_or_else(|| child.text());
                fields.image.offer(0, resolve(&url, child, self.base));
            }
            "content" => {
                self.media_content(child, fields);
                self.inside(child, fields, depth);
            }
            "group" => self.inside(child, fields, depth),
            _ => {}
        }
    }

    fn inside(&self, element: Element<'_>, fields: &mut Fields, depth: u8) {
        const MAX_GROUPS: u8 = 3;
        if depth < MAX_GROUPS {
            element.children().for_each(|child| self.child(child, fields, depth + 1));
        }
    }

    fn media_content(&self, child: Element<'_>, fields: &mut Fields) {
        let Some(url) = child.attribute("url").and_then(|url| resolve(&url, child, self.base)) else {
            return;
        };
        let is = |name, prefix: &str| child.attribute(name).is_some_and(|value| value.starts_with(prefix));
        if is("medium", "image") || is("type", "image/") {
            fields.image.offer(2, Some(url.clone()));
        }
        enclose(&mut fields.enclosures, file(url, child, "filesize"));
    }

    fn itunes(&self, name: &str, child: Element<'_>, fields: &mut Fields) {
        match name {
            "title" => fields.title.offer(3, line(child, false)),
            "summary" => note_longest(&mut fields.show_notes, html(child, false).as_ref()),
            "subtitle" => fields.summary.offer(3, html(child, false)),
            "author" if fields.authors.is_empty() => add_new(&mut fields.authors, authors(child)),
            "keywords" => push_keywords(child, fields),
            "image" => {
                let url = child.attribute("href").unwrap_or_else(|| child.text());
                fields.image.offer(1, resolve(&url, child, self.base));
            }
            _ => {}
        }
    }

    fn link(&self, child: Element<'_>, fields: &mut Fields) {
        let Some(href) = child.attribute("href") else {
            return fields.link.offer(2, resolve(&child.text(), child, self.base));
        };
        match relation(child).as_str() {
            "" | "alternate" => fields.link.offer(link_rank(child), resolve(&href, child, self.base)),
            "enclosure" => self.enclosure(child, "href", fields),
            "via" | "related" => fields.link.offer(8, resolve(&href, child, self.base)),
            _ => {}
        }
    }

    fn guid(&self, name: &str, child: Element<'_>, fields: &mut Fields) {
        let Some(guid) = value(child) else { return };
        let permalink = child.attribute("ispermalink");
        if name == "guid" && permalink.is_none_or(|value| value.trim().eq_ignore_ascii_case("true")) {
            fields.permalink = fields.permalink.take().or_else(|| resolve(&guid, child, self.base));
        }
        fields.guid.offer(0, Some(guid));
    }

    fn enclosure(&self, child: Element<'_>, attribute: &str, fields: &mut Fields) {
        let url = child.attribute(attribute).or_else(|| child.attribute("href"));
        let Some(url) = url.and_then(|url| resolve(&url, child, self.base)) else { return };
        if child.attribute("type").is_some_and(|value| value.starts_with("image/")) {
            fields.image.offer(3, Some(url.clone()));
        }
        enclose(&mut fields.enclosures, file(url, child, "length"));
    }

    /// Parses the date in an element.
    fn date(&self, element: Element<'_>) -> Option<Timestamp> {
        parse_date(&element.text(), self.region)
    }

    fn category(child: Element<'_>, fields: &mut Fields) {
        let attribute =
            |name| child.attribute(name).map(|value| fold_space(&value)).filter(|text| !text.is_empty());
        let text = attribute("label").or_else(|| attribute("term")).or_else(|| line(child, false));
        add_new(&mut fields.tags, text.and_then(capped_line));
    }
}

/// Returns the relation of a link in lower case; of a relation written as a URL, the registered name at its end.
pub(super) fn relation(link: Element<'_>) -> String {
    let relation = link.attribute("rel").unwrap_or_default().trim().to_ascii_lowercase();
    relation.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Returns how well an alternate link fits as the address of a page; lower is better.
pub(super) fn link_rank(link: Element<'_>) -> u8 {
    page_rank(&link.attribute("type").unwrap_or_default().trim().to_ascii_lowercase())
}

/// Returns how likely a media type is that of a page: 1 is certain, higher is less likely.
pub(super) fn page_rank(media_type: &str) -> u8 {
    match media_type {
        "text/html" | "application/xhtml+xml" | "html" => 1,
        "" => 2,
        _ => 5,
    }
}

fn note_longest(notes: &mut Option<String>, candidate: Option<&String>) {
    if candidate.is_some_and(|text| notes.as_ref().is_none_or(|longest| text.len() > longest.len())) {
        *notes = candidate.cloned();
    }
}

/// Returns the file that `element` attaches.
fn file(url: Url, element: Element<'_>, length: &str) -> Enclosure {
    let media_type = element.attribute("type").and_then(|kind| capped_line(fold_space(&kind)));
    Enclosure { url, media_type, length: element.attribute(length).and_then(|text| file_length(&text)) }
}

fn push_keywords(element: Element<'_>, fields: &mut Fields) {
    for keyword in element.text().split(',') {
        add_new(&mut fields.tags, capped_line(fold_space(keyword)));
    }
}

/// Returns the names of authors: from Atom's child elements, or from a line of text.
pub(super) fn authors(element: Element<'_>) -> Vec<String> {
    if element.children().next().is_none() {
        return line(element, false).map(|text| names(&text)).unwrap_or_default();
    }
    let name = element.children().find(|child| child.name().eq_ignore_ascii_case("name"));
    name.and_then(|name| line(name, true)).map(|text| names(&text)).unwrap_or_default()
}
