//! One daemon, fifty good feeds, one bad neighbour: it must harm only itself. The limits are counts (requests, articles, bytes),
//! never wall time.
//!
//! [`kinds`] is the list of neighbours that all must meet the same bars. Those that need more than one server, a bar of their own or
//! a process of their own are in the other modules. What a neighbour costs the store is in `store`, `pipeline` and `turns`;
//! `docs/reliability.md` names the test of each promise.

mod failing;
mod kinds;
mod process;
mod stops;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feedmill::model::{Event, Record};
use flate2::Compression;
use flate2::write::GzEncoder;
use url::Url;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

const GOOD_FEEDS: usize = 50;
const PAGES_OF_EACH: usize = 2;
const GOOD_ARTICLES: usize = GOOD_FEEDS * PAGES_OF_EACH;

/// The good feeds, each on a server, and so a party, of its own.
struct Good {
    servers: Vec<Server>,
    /// Number of pages that each feed announces.
    announced: Arc<AtomicUsize>,
}

impl Good {
    async fn start() -> Self {
        let gate = Gate::new();
        gate.open();
        Self::start_behind(&gate).await
    }

    /// Good feeds that answer once the gate is open.
    async fn start_behind(gate: &Gate) -> Self {
        let announced = Arc::new(AtomicUsize::new(PAGES_OF_EACH));
        let mut servers = Vec::new();
        for number in 0..GOOD_FEEDS {
            let server = Server::start().await;
            let (base, gate, announced) = (server.url("/"), gate.clone(), Arc::clone(&announced));
            server.handle(move |request| match request.path() {
                "/robots.txt" => Reply::status(404),
                "/feed" => {
                    let links = (0..announced.load(Ordering::SeqCst)).map(|n| format!("/{number}-{n}"));
                    let links = links.map(|path| base.join(&path).unwrap());
                    feed(&links.map(|link| Item::new("Quay", &link)).collect::<Vec<_>>()).gated(&gate)
                }
                path => Reply::ok("text/html", page(&topic(path))),
            });
            servers.push(server);
        }
        Self { servers, announced }
    }

    /// Adds the good feeds to a daemon, behind the neighbour's.
    fn beside(&self, neighbour: TestDaemon) -> TestDaemon {
        self.servers.iter().fold(neighbour, |test, server| test.feed(&server.url("/feed")))
    }

    /// Returns the links to the articles.
    fn links(&self) -> impl Iterator<Item = Url> {
        let pages = self.announced.load(Ordering::SeqCst);
        let of_feed = move |(number, server): (usize, &Server)| {
            (0..pages).map(|n| server.url(&format!("/{number}-{n}"))).collect::<Vec<_>>()
        };
        self.servers.iter().enumerate().flat_map(of_feed)
    }

    /// Waits until all articles of the good feeds are stored, each with its own text.
    async fn stored(&self, daemon: &OpenedDaemon) {
        let stored = &daemon.daemon.shared().articles_stored;
        let mut missing: HashSet<Url> = self.links().collect();
        let mut after = 0;
        loop {
            let more = stored.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            for record in daemon.store().records_after(after, 10_000).await.unwrap() {
                after = record.seq;
                if missing.remove(&record.url) {
                    assert_genuine(&record);
                }
            }
            if missing.is_empty() {
                return;
            }
            more.await;
        }
    }

    /// Checks that all articles of the good feeds are stored, each once and with its own text.
    async fn assert_stored(&self, daemon: &OpenedDaemon) {
        let records = daemon.records().await;
        for link in self.links() {
            let is_own = |record: &&Record| record.event == Event::Created && record.url == link;
            let own: Vec<&Record> = records.iter().filter(is_own).collect();
            assert_eq!(own.len(), 1, "articles of {link}");
            assert_genuine(own[0]);
        }
    }
}

/// Checks that the record of a good feed has the text of its page.
fn assert_genuine(record: &Record) {
    assert_eq!(record.text, paragraphs(&topic(record.url.path())).join("\n\n"), "{}", record.url);
}

fn topic(path: &str) -> String {
    format!("quay{path}")
}

/// Starts a neighbour whose feed has `entries` entries, all answered with `page`.
async fn neighbour(entries: usize, page: String) -> Server {
    let server = Server::start().await;
    announce(&server, entries, move |path| Reply::ok("text/html", page.replace("PATH", path)));
    server
}

/// Has a server announce this many entries; `reply` answers the requests for their pages.
fn announce(server: &Server, entries: usize, reply: impl Fn(&str) -> Reply + Send + Sync + 'static) {
    let items: Vec<Item> =
        (0..entries).map(|n| Item::new("Slow", &server.url(&format!("/slow/{n}")))).collect();
    server.respond("/feed", feed(&items));
    server.handle(move |request| match request.path() {
        "/robots.txt" => Reply::status(404),
        path => reply(path),
    });
}

/// A page of at least this many bytes whose paragraphs are all different.
fn long_page(bytes: usize) -> String {
    let mut page = String::from("<html lang=en><title>PATH</title><body><article><h1>PATH</h1>");
    let mut number = 0;
    while page.len() < bytes {
        write!(
            page,
            "<p>Number {number} of PATH says that the ferries would return before the week ended.</p>"
        )
        .unwrap();
        number += 1;
    }
    page + "</article></body></html>"
}

fn feed(items: &[Item]) -> Reply {
    Reply::ok("application/rss+xml", rss(items))
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
