//! Reads feeds with feed-rs, if it reads them correctly. The result is checked against the counts of the survey and
//! discarded if they disagree.

use std::io::{self, Read};
use std::panic::catch_unwind;

use chrono::DateTime;
use feed_rs::model::{Entry, Feed, Link, Text};
use url::Url;

use super::content::{capped_body, capped_line, html_of_plain};
use super::dates::{Region, parse_date};
use super::entry::page_rank;
use super::links::{join, site};
use super::survey::{Tally, survey};
use super::text::{fold_space, plain_line};
use super::{EntryDraft, FeedInfo, Flavour, add_new, enclose, identity, people};
use crate::model::Enclosure;
use crate::work;

/// A feed, its entries and authors.
pub(super) struct UpstreamFeed {
    pub(super) info: FeedInfo,
    pub(super) entries: Vec<EntryDraft>,
    pub(super) authors: Vec<String>,
}

/// Reads a feed that needs no repair; `None` for any other.
pub(super) fn read(source: &str, base_url: Option<&Url>) -> Option<UpstreamFeed> {
    let (flavour, seen) = survey(source)?;
    // The survey has bounded the depth, so no recursion in feed-rs can overflow the stack. A panic in feed-rs is caught.
    let feed = catch_unwind(|| parser().parse(Counted(source.as_bytes()))).ok()?.ok()?;
    let info = feed_info(&feed, flavour, base_url);
    let site_url = info.link.as_deref().and_then(|link| Url::parse(link).ok());
    let base_url = base_url.or(site_url.as_ref());
    let authors = if flavour == Flavour::Atom { names(&feed.authors) } else { Vec::new() };
    let entries: Vec<_> = feed.entries.into_iter().map(|entry| draft(entry, flavour, base_url)).collect();
    let agrees = tally(&entries) == seen && (seen.guids == 0 || identity::guids_are_sound(&entries));
    agrees.then_some(UpstreamFeed { info, entries, authors })
}

/// A reader that counts the bytes that feed-rs reads as steps, since feed-rs itself counts none. If the work is stopped, that
/// unwinds like a panic of feed-rs and is caught, and unwinds once more when the next step is counted.
struct Counted<'a>(&'a [u8]);

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        work::count(length);
        Ok(length)
    }
}

/// Returns a feed-rs parser with our date parser and without generated ids. No date depends on the region: the survey checks.
fn parser() -> feed_rs::parser::Parser {
    let date = |text: &str| {
        let date = parse_date(text, Region::default())?;
        DateTime::from_timestamp(date.as_second(), u32::try_from(date.subsec_nanosecond()).ok()?)
    };
    feed_rs::parser::Builder::new().timestamp_parser(date).id_generator(|_, _, _| String::new()).build()
}

fn tally(entries: &[EntryDraft]) -> Tally {
    let count = |has: fn(&EntryDraft) -> bool| entries.iter().filter(|entry| has(entry)).count();
    Tally {
        entries: entries.len(),
        titles: count(|entry| entry.evidence.title.is_some()),
        links: count(|entry| entry.link.is_some()),
        guids: count(|entry| entry.guid.is_some()),
        dates: count(|entry| entry.evidence.published_at.or(entry.evidence.updated_at).is_some()),
        bodies: count(|entry| entry.evidence.content.as_ref().or(entry.evidence.summary.as_ref()).is_some()),
    }
}

fn feed_info(feed: &Feed, flavour: Flavour, base_url: Option<&Url>) -> FeedInfo {
    let hubs = feed.links.iter().filter(|link| link.rel.as_deref() == Some("hub"));
    let own = feed.links.iter().find(|link| link.rel.as_deref() == Some("self"));
    let page = page(&feed.links).map(|link| link.href.as_str());
    let mut info = FeedInfo {
        title: feed.title.as_ref().and_then(|title| line(title, flavour)),
        link: page.and_then(|link| site(link, join(link, base_url))),
        id: Some(feed.id.trim().to_owned()).filter(|id| !id.is_empty()),
        description: feed.description.as_ref().and_then(|text| body(&text.content)),
        language: feed.language.clone(),
        self_url: own.and_then(|link| join(&link.href, base_url)),
        hubs: hubs.filter_map(|link| join(&link.href, base_url)).collect(),
        ..FeedInfo::default()
    };
    info.hints.ttl_minutes = feed.ttl;
    info
}

fn draft(entry: Entry, flavour: Flavour, base_url: Option<&Url>) -> EntryDraft {
    let relation = |wanted| entry.links.iter().filter(move |link| link.rel.as_deref() == Some(wanted));
    let media_type = |text: &str| capped_line(fold_space(text));
    let attached = relation("enclosure").filter_map(|link| {
        Some(Enclosure {
            url: join(&link.href, base_url)?,
            media_type: link.media_type.as_deref().and_then(media_type),
            length: link.length.filter(|length| *length > 0),
        })
    });
    let media = entry.media.iter().flat_map(|media| &media.content).filter_map(|content| {
        Some(Enclosure {
            url: content.url.clone()?,
            media_type: content.content_type.as_ref().and_then(|it| media_type(it.as_ref())),
            length: content.size.filter(|length| *length > 0),
        })
    });
    let mut draft = EntryDraft {
        guid: capped_line(entry.id.trim().to_owned()),
        link: page(&entry.links).and_then(|link| join(&link.href, base_url)),
        ..EntryDraft::default()
    };
    for enclosure in attached.chain(media) {
        enclose(&mut draft.evidence.enclosures, enclosure);
    }
    let timestamp = |date: DateTime<chrono::Utc>| {
        let nanoseconds = i32::try_from(date.timestamp_subsec_nanos()).ok()?;
        jiff::Timestamp::new(date.timestamp(), nanoseconds).ok()
    };
    let evidence = &mut draft.evidence;
    evidence.title = entry.title.as_ref().and_then(|title| line(title, flavour));
    let html = |text: &str, subtype: &str| match flavour {
        Flavour::Atom if subtype == "plain" => html_of_plain(text),
        Flavour::Atom | Flavour::Rss => body(text),
    };
    evidence.summary = entry.summary.and_then(|text| html(&text.content, text.content_type.subty().as_str()));
    evidence.content = entry
        .content
        .and_then(|content| html(content.body.as_deref()?, content.content_type.subty().as_str()));
    evidence.authors = names(&entry.authors);
    evidence.published_at = entry.published.and_then(timestamp);
    // For RSS, feed-rs copies the only date there is.
    evidence.updated_at = entry.updated.filter(|_| flavour == Flavour::Atom).and_then(timestamp);
    let tags = entry.categories.into_iter().map(|category| category.label.unwrap_or(category.term));
    add_new(&mut evidence.tags, tags.filter_map(|tag| capped_line(plain_line(&tag))));
    draft
}

/// Returns the link to the page of a feed or entry.
fn page(links: &[Link]) -> Option<&Link> {
    let pages = links
        .iter()
        .filter(|link| link.target.is_none() && matches!(link.rel.as_deref(), None | Some("alternate")));
    pages.min_by_key(|link| match link.rel {
        None => 0,
        Some(_) => page_rank(link.media_type.as_deref().unwrap_or_default()),
    })
}

fn names(persons: &[feed_rs::model::Person]) -> Vec<String> {
    let mut found = Vec::new();
    add_new(&mut found, persons.iter().filter_map(|person| person.name.as_deref()).flat_map(people::names));
    found
}

fn line(text: &Text, flavour: Flavour) -> Option<String> {
    let is_plain = flavour == Flavour::Atom && text.content_type.subty() == "plain";
    let line = if is_plain { fold_space(&text.content) } else { plain_line(&text.content) };
    capped_line(line)
}

fn body(text: &str) -> Option<String> {
    capped_body(text.into())
}
