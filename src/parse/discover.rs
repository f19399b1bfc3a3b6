//! The feeds that a page links to.
//!
//! Works on tokens and builds no tree, so that deep nesting does no harm and links are found even in broken markup.

use std::collections::HashSet;

use serde::Serialize;
use url::Url;

use super::text::cut;
use crate::markup::{Tag, each_tag};

/// How much of a page is scanned: the links are in its head, or at least near its beginning.
const MAX_PAGE_BYTES: usize = 1 << 20;
const MAX_TITLE_BYTES: usize = 400;
const FEED_TYPES: &[&str] = &[
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "application/rdf+xml",
    "text/rss+xml",
];

/// A feed that a page links to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeedLink {
    /// The feed's address: http or https only.
    pub url: Url,
    /// The title of the link.
    pub title: Option<String>,
}

/// Returns the feeds that the page at `page_url` declares by `<link rel="alternate">` or `rel="feed"`, in document order; if it
/// declares none, the `<a>` links whose addresses look like feeds.
pub fn feed_links(html: &str, page_url: &Url) -> Vec<FeedLink> {
    let mut found = Found::default();
    each_tag(&html[..html.floor_char_boundary(MAX_PAGE_BYTES)], |tag| found.note(tag));
    let base = found.base.and_then(|base| page_url.join(&base).ok());
    let base = base.as_ref().unwrap_or(page_url);
    let declared = resolved(found.declared, base);
    if declared.is_empty() { resolved(found.likely, base) } else { declared }
}

fn resolved(links: Vec<(String, Option<String>)>, base: &Url) -> Vec<FeedLink> {
    let mut resolved: Vec<FeedLink> = Vec::new();
    let mut known = HashSet::new();
    for (href, title) in links {
        let Ok(mut url) = base.join(href.trim()) else { continue };
        url.set_fragment(None);
        if matches!(url.scheme(), "http" | "https") && known.insert(url.clone()) {
            resolved.push(FeedLink { url, title });
        }
    }
    resolved
}

#[derive(Default)]
struct Found {
    base: Option<String>,
    /// Addresses and titles of the links.
    declared: Vec<(String, Option<String>)>,
    likely: Vec<(String, Option<String>)>,
}

impl Found {
    fn note(&mut self, tag: &Tag) {
        let Some(href) = tag.attribute("href") else { return };
        match &*tag.name {
            "base" if self.base.is_none() => self.base = Some(href.to_owned()),
            "link" if is_feed_link(tag) => self.declared.push((href.to_owned(), title(tag))),
            "a" if looks_like_a_feed(href) => self.likely.push((href.to_owned(), title(tag))),
            _ => {}
        }
    }
}

fn is_feed_link(tag: &Tag) -> bool {
    let rel = tag.attribute("rel").unwrap_or_default().to_ascii_lowercase();
    let kind = tag.attribute("type").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let mut words = rel.split_ascii_whitespace();
    words.clone().any(|word| word == "feed")
        || (words.any(|word| word == "alternate") && FEED_TYPES.contains(&kind))
}

/// Returns whether the last path segment of an address is a usual name of feeds.
fn looks_like_a_feed(href: &str) -> bool {
    let path = href.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut parts = name.split('.');
    let stem = parts.next().unwrap_or_default();
    let extension = parts.next_back().unwrap_or_default();
    matches!(stem, "feed" | "feeds" | "rss" | "atom" | "rdf") || matches!(extension, "rss" | "atom")
}

fn title(tag: &Tag) -> Option<String> {
    let title = tag.attribute("title")?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then(|| cut(title.into(), MAX_TITLE_BYTES).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(html: &str) -> Vec<String> {
        let page = Url::parse("https://example.org/news/").unwrap();
        feed_links(html, &page).into_iter().map(|link| link.url.to_string()).collect()
    }

    #[test]
    fn declared_feeds() {
        let html = r#"<!doctype html><head>
            <script>document.write('<link rel="alternate" type="application/rss+xml" href="/script">')</script>
            <!-- <link rel="alternate" type="application/rss+xml" href="/comment"> -->
            <link rel=alternate type=application/rss+xml href=/rss title="  The
               news ">
            <LINK REL="home ALTERNATE" TYPE="Application/Atom+XML; charset=utf-8" HREF="atom?a=1&amp;b=2#x">
            <link rel="alternate" type="application/rss+xml" href="/rss">
            <link rel="feed" href="https://feeds.example.net/all">
            <link rel="alternate" hreflang="de" href="/de/"><link rel="stylesheet" type="text/css" href="/feed.css">
            <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
            <link rel="alternate" type="application/rss+xml">
            </head><a href="/feed/">RSS</a>"#;
        assert_eq!(
            links(html),
            [
                "https://example.org/rss",
                "https://example.org/news/atom?a=1&b=2",
                "https://feeds.example.net/all"
            ]
        );
        let first = feed_links(html, &Url::parse("https://example.org/").unwrap()).remove(0);
        assert_eq!(first.title.as_deref(), Some("The news"));
    }

    #[test]
    fn links_that_look_like_feeds_where_none_is_declared() {
        let html = r#"<base href="https://cdn.example.org/x/"><a href="feed/">a</a><a href="/about">b</a>
            <a href="../news.rss?x">c</a><a href="/index.rdf">d</a><a href="/feedback">e</a><a href="rss.xml">f</a>"#;
        assert_eq!(
            links(html),
            [
                "https://cdn.example.org/x/feed/",
                "https://cdn.example.org/news.rss?x",
                "https://cdn.example.org/x/rss.xml"
            ]
        );
    }

    #[test]
    fn links_for_those_without_scripts_or_frames() {
        for (html, count) in [
            ("<noscript><a href=/feed></a></noscript>", 1),
            ("<noscript><link rel=alternate type=application/rss+xml href=/rss>", 1),
            ("<noframes><a href=/feed></a></noframes>", 0),
            ("<textarea><a href=/feed></a></textarea>", 0),
        ] {
            assert_eq!(links(html).len(), count, "{html}");
        }
    }

    #[test]
    fn any_text_has_links_or_none() {
        assert!(links("").is_empty());
        assert!(links(&"<a <b <link rel=".repeat(1000)).is_empty());
        assert!(links(&"<div>".repeat(300_000)).is_empty());
    }
}
