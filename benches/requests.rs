//! The number of requests that a publisher sees per new article: `cargo bench --bench requests`.
//!
//! Feeds of several kinds, each with a new entry every hour, are polled for two days by the daemon itself, with a simulated clock.
//! The requests that arrive at the server are counted, and compared with a reader that fetches an entry's page whenever anything in
//! the entry differs from the last time.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use feedmill::clock::Clock;
use feedmill::config::{Config, Environment};
use feedmill::daemon::Daemon;
use feedmill::model::Event;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

const HOURS: usize = 48;
const ENTRIES_SHOWN: usize = 20;

/// A kind of feed, by its oddity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Steady,
    /// Every poll shows all entries as updated just now.
    RenewedDates,
    /// A part of the content's markup differs each time.
    Nonce,
    /// The URL of a picture differs each time.
    Pixel,
    /// The links carry a campaign parameter that differs each time.
    Campaign,
    /// All entries have new guids each time.
    NewGuids,
    /// A second feed announces the same pages.
    Twice,
    /// The text of the newest entry is corrected an hour later, in the feed and on its page.
    Corrected,
}

const KINDS: &[(Kind, &str)] = &[
    (Kind::Steady, "steady"),
    (Kind::RenewedDates, "dates renewed"),
    (Kind::Nonce, "a nonce in the content"),
    (Kind::Pixel, "a pixel in the content"),
    (Kind::Campaign, "campaigns in the links"),
    (Kind::NewGuids, "new guids"),
    (Kind::Twice, "announced by two feeds"),
    (Kind::Corrected, "each corrected once"),
];

#[derive(Default)]
struct Seen {
    feeds: usize,
    pages: usize,
    not_modified: usize,
    /// Pages that a reader would fetch to which every difference matters.
    differences: usize,
    /// The entries as they were last served, by guid and feed.
    entries: HashMap<String, String>,
}

struct Site {
    kind: Kind,
    clock: Clock,
    start: Timestamp,
    seen: Mutex<Seen>,
}

#[tokio::main]
async fn main() {
    println!("{HOURS} hours, an entry an hour, {ENTRIES_SHOWN} entries shown; requests that the server saw");
    println!(
        "{:26} {:>6} {:>9} {:>6} {:>6} {:>12} {:>24}",
        "", "polls", "articles", "pages", "304", "per article", "by every difference"
    );
    for (kind, name) in KINDS {
        measure(*kind, name).await;
    }
}

async fn measure(kind: Kind, name: &str) {
    let clock = Clock::system();
    let start = clock.now();
    let clock = Clock::manual(start);
    let site = Arc::new(Site { kind, clock: clock.clone(), start, seen: Mutex::default() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let router = axum::Router::new().fallback(answer).with_state((Arc::clone(&site), base.clone()));
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::open(config(folder.path(), kind, &base), clock.clone()).await.unwrap();
    let rounds = async {
        for _ in 0..=HOURS {
            daemon.once(&CancellationToken::new()).await.unwrap();
            clock.advance(SignedDuration::from_hours(1));
        }
    };
    tokio::select! {
        served = axum::serve(listener, router) => served.unwrap(),
        () = rounds => {}
    }
    let records = daemon.store().records_after(0, 10_000).await.unwrap();
    let articles = records.iter().filter(|record| record.event == Event::Created).count();
    daemon.store().close().await;
    daemon.store().close().await;
    let seen = site.seen.lock().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let per_article = |requests: usize| requests as f64 / articles as f64;
    println!(
        "{name:26} {:>6} {articles:>9} {:>6} {:>6} {:>12.2} {:>24.2}",
        seen.feeds,
        seen.pages,
        seen.not_modified,
        per_article(seen.pages),
        per_article(seen.differences),
    );
}

fn config(folder: &Path, kind: Kind, base: &str) -> Config {
    let mut text = format!(
        "[database]\nurl = \"sqlite:{}\"\n[http]\nlisten = \"\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\nhost_min_gap_ms = 0\nhost_concurrency = 16\n\
         [schedule]\ninitial_spread_secs = 0\n[[feed]]\nurl = \"{base}/feed\"\n",
        folder.join("feedmill.db").display()
    );
    if kind == Kind::Twice {
        writeln!(text, "[[feed]]\nurl = \"{base}/feed?of=section\"").unwrap();
    }
    let path = folder.join("feedmill.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path), &Environment::default()).unwrap().config
}

async fn answer(State((site, base)): State<(Arc<Site>, String)>, uri: Uri, headers: HeaderMap) -> Response {
    match uri.path() {
        "/robots.txt" => StatusCode::NOT_FOUND.into_response(),
        "/feed" => ([(header::CONTENT_TYPE, "application/atom+xml")], site.feed(&base, &uri)).into_response(),
        path => site.page(path, &headers),
    }
}

impl Site {
    fn hour(&self) -> usize {
        usize::try_from(self.clock.now().duration_since(self.start).as_hours()).unwrap()
    }

    fn feed(&self, base: &str, uri: &Uri) -> String {
        let mut seen = self.seen.lock().unwrap();
        seen.feeds += 1;
        let poll = seen.feeds;
        let newest = self.hour() + ENTRIES_SHOWN;
        let mut entries = String::new();
        for number in (newest - ENTRIES_SHOWN..newest).rev() {
            let entry = self.entry(base, number, poll);
            let known = seen.entries.insert(format!("{number} {uri}"), entry.clone());
            seen.differences += usize::from(known.is_none_or(|known| known != entry));
            entries.push_str(&entry);
        }
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Quay</title><id>{base}/</id><updated>{}</updated>{entries}</feed>",
            self.clock.now()
        )
    }

    fn entry(&self, base: &str, number: usize, poll: usize) -> String {
        let only = |kind: Kind, text: String| if self.kind == kind { text } else { String::new() };
        let published = self.start + SignedDuration::from_hours(i64::try_from(number).unwrap() - 20);
        let updated = if self.kind == Kind::RenewedDates { self.clock.now() } else { published };
        let guid = format!("{base}/{number}{}", only(Kind::NewGuids, format!("#{poll}")));
        let link =
            format!("{base}/{number}{}", only(Kind::Campaign, format!("?utm_source=rss&amp;utm_id={poll}")));
        let nonce = only(Kind::Nonce, format!(" data-nonce=\"{poll}\""));
        let pixel =
            only(Kind::Pixel, format!("<img src=\"https://stats.example/{poll}.gif\" width=1 height=1>"));
        let words = self.words(number);
        format!(
            "<entry><title>Ferry {number}</title><id>{guid}</id><link href=\"{link}\"/><published>{published}</published>\
             <updated>{updated}</updated><content type=\"html\"><![CDATA[<p{nonce}>{words}</p>{pixel}]]></content></entry>"
        )
    }

    fn words(&self, number: usize) -> String {
        let is_corrected = self.kind == Kind::Corrected && number + 1 < self.hour() + ENTRIES_SHOWN;
        let captain = if is_corrected { "captain Ada Orlov" } else { "captain Ida Orlow" };
        format!("Ferry {number} left the quay at dawn, and its {captain} said that nobody had missed it.")
    }

    fn page(&self, path: &str, headers: &HeaderMap) -> Response {
        let mut seen = self.seen.lock().unwrap();
        seen.pages += 1;
        let number: usize = path.trim_start_matches('/').parse().unwrap();
        let words = self.words(number);
        let etag = format!("\"{}\"", words.len() + words.matches("Ada").count());
        if headers.get(header::IF_NONE_MATCH).is_some_and(|sent| *sent == *etag) {
            seen.not_modified += 1;
            return StatusCode::NOT_MODIFIED.into_response();
        }
        let mut html = format!(
            "<!DOCTYPE html><html lang=en><title>Ferry {number}</title><article><h1>Ferry {number}</h1><p>{words}</p>"
        );
        for part in 1..8 {
            write!(html, "<p>Part {part} of ferry {number}: the crew counted {part} barrels, and {} were left on the quay.</p>", number + part).unwrap();
        }
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::ETAG, &*etag)], html).into_response()
    }
}
