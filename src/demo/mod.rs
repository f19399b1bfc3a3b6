//! A small news site on loopback, for the demo and for experiments.
//!
//! Two hosts, as the daemon counts hosts: the papers of a town on `127.0.0.1` and an agency on `localhost`, which reprints one of
//! their stories. The pages have the markup and the furniture of common kinds of site: `ledger` a newspaper that ends in a comment
//! form, `grid` a WordPress site with author boxes, `notes` a Ghost site, `lantern` a WordPress site with links to other stories
//! inside its text, `courier` a clean one, `wire` a modern one with a cookie banner, share bars and related cards.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

const HTML: &str = "text/html; charset=utf-8";

/// The documents of the town's papers.
const TOWN: &[Document] = &[
    Document::feed("/town.rss", "application/rss+xml", include_str!("site/town.rss.xml")),
    Document::feed("/magazines.atom", "application/atom+xml", include_str!("site/magazines.atom.xml")),
    Document::page("/courier/ferry-on-the-tide", include_str!("site/courier.html"), FERRY),
    Document::page("/ledger/library", LEDGER, include_str!("site/stories/library.html")),
    Document::page("/ledger/foundry", LEDGER, include_str!("site/stories/foundry.html")),
    Document::page(
        "/grid/tolland-cable",
        include_str!("site/grid.html"),
        include_str!("site/stories/cable.html"),
    ),
    Document::page("/notes/barley", NOTES, include_str!("site/stories/barley.html")),
    Document::page("/notes/map", NOTES, include_str!("site/stories/map.html")),
    Document::page(
        "/lantern/frost-warning",
        include_str!("site/lantern.html"),
        include_str!("site/stories/frost.html"),
    ),
];

/// The documents of the agency.
const WIRE: &[Document] = &[
    Document::feed("/feed.json", "application/feed+json", include_str!("site/wire.feed.json")),
    Document::page("/story/tram", WIRE_PAGE, include_str!("site/stories/tram.html")),
    Document::page("/story/harwick-ferry", WIRE_PAGE, FERRY),
];

const LEDGER: &str = include_str!("site/ledger.html");
const NOTES: &str = include_str!("site/notes.html");
const WIRE_PAGE: &str = include_str!("site/wire.html");

/// The story that both hosts carry.
const FERRY: &str = include_str!("site/stories/ferry.html");

/// A document that a host serves.
#[derive(Debug)]
struct Document {
    path: &'static str,
    content_type: &'static str,
    /// A feed, with the placeholder `{{base}}` for the host's URL, or a page with placeholders for the story's `{{title}}`,
    /// `{{body}}`…
    template: &'static str,
    /// The content of a page: a line `name: value` for each of its fields, a blank line, the body.
    story: Option<&'static str>,
}

impl Document {
    const fn feed(path: &'static str, content_type: &'static str, template: &'static str) -> Self {
        Self { path, content_type, template, story: None }
    }

    const fn page(path: &'static str, template: &'static str, story: &'static str) -> Self {
        Self { path, content_type: HTML, template, story: Some(story) }
    }

    const fn is_feed(&self) -> bool {
        self.story.is_none()
    }

    fn render(&self, base: &Url) -> String {
        let Some(story) = self.story else {
            return self.template.replace("{{base}}", base.as_str());
        };
        let (fields, body) = story.split_once("\n\n").expect("a story is fields, a blank line and a body");
        let fields = fields.lines().filter_map(|line| line.split_once(": "));
        fields.chain([("body", body)]).fold(self.template.to_owned(), |page, (name, value)| {
            page.replace(&format!("{{{{{name}}}}}"), value)
        })
    }
}

/// The two hosts, bound to free ports of the loopback interface.
#[derive(Debug)]
pub struct DemoSites {
    town: Host,
    wire: Host,
}

impl DemoSites {
    /// Binds both hosts.
    pub async fn bind() -> io::Result<Self> {
        Ok(Self { town: Host::bind("127.0.0.1", TOWN).await?, wire: Host::bind("localhost", WIRE).await? })
    }

    /// Returns the URLs of the feeds: RSS, Atom and JSON Feed.
    pub fn feeds(&self) -> Vec<Url> {
        [&self.town, &self.wire].into_iter().flat_map(Host::feeds).collect()
    }

    /// Returns the addresses of the hosts, which a fetcher that blocks loopback must be told to allow. Both loopback addresses,
    /// since `localhost` resolves to two on most machines.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let loopback = |port| [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        [self.town.port, self.wire.port].into_iter().flat_map(loopback).collect()
    }

    /// Serves both hosts until `stop` is cancelled.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        tokio::try_join!(self.town.serve(stop.clone()), self.wire.serve(stop))?;
        Ok(())
    }
}

#[derive(Debug)]
struct Host {
    listener: TcpListener,
    port: u16,
    base: Url,
    documents: &'static [Document],
}

impl Host {
    async fn bind(name: &str, documents: &'static [Document]) -> io::Result<Self> {
        // By address: a container without /etc/hosts cannot look up `localhost`, the fetcher's resolver always can.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let base = Url::parse(&format!("http://{name}:{port}/")).expect("a host name and a port make a URL");
        Ok(Self { listener, port, base, documents })
    }

    fn feeds(&self) -> impl Iterator<Item = Url> {
        let url = |document: &Document| self.base.join(document.path).expect("a path joins any base");
        self.documents.iter().filter(|document| document.is_feed()).map(url)
    }

    async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let router = self.documents.iter().fold(Router::new(), |router, document| {
            let body = Bytes::from(document.render(&self.base));
            router.route(
                document.path,
                get(move || std::future::ready(([(CONTENT_TYPE, document.content_type)], body.clone()))),
            )
        });
        axum::serve(self.listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn feeds_are_sound_and_announce_every_page() {
        for (documents, base) in [(TOWN, "http://127.0.0.1:1/"), (WIRE, "http://localhost:2/")] {
            let base = Url::parse(base).unwrap();
            let mut announced = Vec::new();
            for feed in documents.iter().filter(|document| document.is_feed()) {
                let parsed =
                    parse(feed.render(&base).as_bytes(), Some(feed.content_type), Some(&base)).unwrap();
                assert!(parsed.warnings.is_empty(), "{}: {:?}", feed.path, parsed.warnings);
                announced
                    .extend(parsed.entries.into_iter().map(|entry| entry.link.unwrap().path().to_owned()));
            }
            let mut served: Vec<&str> = documents
                .iter()
                .filter(|document| !document.is_feed())
                .map(|document| document.path)
                .collect();
            announced.sort_unstable();
            served.sort_unstable();
            assert_eq!(announced, served);
        }
    }

    #[test]
    fn templates_are_filled_in() {
        let base = Url::parse("http://127.0.0.1:1/").unwrap();
        for document in TOWN.iter().chain(WIRE) {
            assert!(!document.render(&base).contains("{{"), "{}", document.path);
        }
    }
}
