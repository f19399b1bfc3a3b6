//! Which entries are the same article and which are not, and what is recorded of each.

use feedmill::model::{Event, QualityFlag, Record};
use jiff::SignedDuration;
use url::Url;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{page, paragraphs};

mod impostors;
mod own_text;
mod shared_links;
mod templates;
mod trust;

/// The paragraphs of a story as HTML in a feed.
fn story(topic: &str) -> String {
    paragraphs(topic).iter().map(|text| format!("<p>{text}</p>")).collect()
}

fn html(body: impl Into<String>) -> Reply {
    Reply::ok("text/html; charset=utf-8", body.into())
}

/// A feed of items, each given by its XML elements.
fn rss(items: &[String]) -> Reply {
    let items: String = items.iter().map(|item| format!("<item>{item}</item>")).collect();
    Reply::ok(
        "application/rss+xml",
        format!(
            "<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
             xmlns:media=\"http://search.yahoo.com/mrss/\" xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\">\
             <channel><title>Gazette</title>{items}</channel></rss>"
        ),
    )
}

/// The XML elements of an item; empty arguments are omitted.
fn item(title: &str, link: &str, guid: &str, description: &str) -> String {
    let element = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("<{name}><![CDATA[{text}]]></{name}>"),
    };
    let guid = match guid {
        "" => String::new(),
        guid => format!("<guid isPermaLink=\"false\">{guid}</guid>"),
    };
    element("title", title) + &element("link", link) + &guid + &element("description", description)
}

/// Opens a daemon with one feed at `/feed`.
async fn mill(server: &Server, options: &str) -> OpenedDaemon {
    TestDaemon::new().feed_with(&server.url("/feed"), options).open().await
}

/// Polls until every entry has reached its final state.
async fn to_the_end(mill: &OpenedDaemon) {
    for _ in 0..8 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(12));
    }
}

/// The titles of the articles in their latest revisions, sorted.
fn titles(records: &[Record]) -> Vec<&str> {
    let mut titles: Vec<&str> =
        latest(records).iter().filter_map(|it| it.metadata.title.as_deref()).collect();
    titles.sort_unstable();
    titles
}

/// The latest record of each article.
fn latest(records: &[Record]) -> Vec<&Record> {
    let is_latest =
        |record: &&Record| !records.iter().any(|other| other.id == record.id && other.seq > record.seq);
    records.iter().filter(is_latest).collect()
}

fn has(record: &Record, flag: QualityFlag) -> bool {
    record.quality_flags.contains(&flag)
}

fn text_of(records: &[Record], url: &Url) -> String {
    let found = records.iter().rev().find(|record| record.url == *url);
    found.unwrap_or_else(|| panic!("no record of {url}")).text.clone()
}

fn events(records: &[Record]) -> Vec<Event> {
    records.iter().map(|record| record.event).collect()
}
