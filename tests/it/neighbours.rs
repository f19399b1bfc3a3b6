//! One daemon, some good feeds, one bad neighbour feed: the bad one must harm only itself. The limits are counts (requests,
//! articles, bytes), never wall time.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use feedmill::store::EntryState;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::support::daemon::{OpenedDaemon, TestDaemon, feedmill};
use crate::support::names::NameServer;
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page, rss};

const GOOD_FEEDS: usize = 20;
const PAGES_OF_EACH: usize = 3;
const GOOD_ARTICLES: usize = GOOD_FEEDS * PAGES_OF_EACH;

/// The good feeds, each on a server, and so a party, of its own.
struct Good(Vec<Server>);

impl Good {
    async fn start() -> Self {
        let mut servers = Vec::new();
        for number in 0..GOOD_FEEDS {
            let server = Server::start().await;
            let links = (0..PAGES_OF_EACH).map(|n| server.url(&format!("/{number}-{n}")));
            let items: Vec<Item> = links.map(|link| Item::new("Quay", &link)).collect();
            server.respond("/feed", feed(&items));
            server.handle(|request| match request.path() {
                "/robots.txt" => Reply::status(404),
                path => Reply::ok("text/html", page(&format!("quay{path}"))),
            });
            servers.push(server);
        }
        Self(servers)
    }

    /// A daemon with the neighbour's feed and the good feeds.
    fn beside(&self, neighbour: &Url) -> TestDaemon {
        let daemon = TestDaemon::new().feed(neighbour);
        self.0.iter().fold(daemon, |daemon, server| daemon.feed(&server.url("/feed")))
    }

    /// Returns for each stored article, in order, whether it is from a good feed.
    async fn order(&self, daemon: &OpenedDaemon) -> Vec<bool> {
        let records = daemon.records().await;
        let hosts: Vec<_> = self.0.iter().map(|server| server.url("/").port()).collect();
        records.iter().map(|record| hosts.contains(&record.url.port())).collect()
    }

    /// Waits until all articles of the good feeds are stored.
    async fn stored(&self, daemon: &OpenedDaemon) {
        let stored = &daemon.daemon.shared().articles_stored;
        loop {
            let more = stored.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            if self.articles(daemon).await == GOOD_ARTICLES {
                return;
            }
            more.await;
        }
    }

    /// Returns how many articles of the good feeds are stored.
    async fn articles(&self, daemon: &OpenedDaemon) -> usize {
        self.order(daemon).await.into_iter().filter(|is_good| *is_good).count()
    }
}

/// Starts a neighbour whose feed has `entries` entries, all answered with `page`.
async fn neighbour(entries: usize, page: String) -> Server {
    let server = Server::start().await;
    let items: Vec<Item> =
        (0..entries).map(|n| Item::new("Slow", &server.url(&format!("/slow/{n}")))).collect();
    server.respond("/feed", feed(&items));
    server.handle(move |request| match request.path() {
        "/robots.txt" => Reply::status(404),
        path => Reply::ok("text/html", page.replace("PATH", path)),
    });
    server
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

#[tokio::test]
async fn dead_links_are_counted_against_their_entries_and_are_no_outage() {
    const DEAD_LINKS: usize = 120;
    let good = Good::start().await;
    let neighbour = Server::start().await;
    // No server listens on these addresses: as many hosts as links.
    let links = (1..=DEAD_LINKS).map(|n| format!("http://127.1.0.{n}:9/{n}").parse().unwrap());
    let items: Vec<Item> = links.map(|link| Item::new("Dead", &link)).collect();
    neighbour.respond("/feed", feed(&items));
    let daemon = good.beside(&neighbour.url("/feed")).open().await;

    daemon.once().await;

    assert_eq!(good.articles(&daemon).await, GOOD_ARTICLES);
    let waiting = daemon.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    let blamed = waiting.iter().filter(|entry| entry.failures == 1 && entry.error_label.is_some());
    assert_eq!((blamed.count(), waiting.len()), (DEAD_LINKS, DEAD_LINKS));
}

#[tokio::test]
async fn slow_pages_take_no_more_than_their_share() {
    const SLOW_PAGES: usize = 30;
    let good = Good::start().await;
    let neighbour = neighbour(SLOW_PAGES, long_page(200_000)).await;
    let daemon = good.beside(&neighbour.url("/feed")).open().await;

    daemon.once().await;

    let order = good.order(&daemon).await;
    assert_eq!(order.len(), GOOD_ARTICLES + SLOW_PAGES, "everybody comes to an end");
    let last_good = order.iter().rposition(|is_good| *is_good).unwrap();
    let slow_before = order[..last_good].iter().filter(|is_good| !**is_good).count();
    assert!(slow_before <= SLOW_PAGES / 2, "{slow_before} slow pages before the last good one");
}

#[tokio::test]
async fn a_feed_whose_pages_run_out_of_time_rests() {
    const SLOW_PAGES: usize = 16;
    let good = Good::start().await;
    let neighbour = neighbour(SLOW_PAGES, long_page(9_000_000)).await;
    let daemon = good.beside(&neighbour.url("/feed")).tables("[extract]\ntimeout_secs = 1").open().await;

    daemon.once().await;

    assert_eq!(good.articles(&daemon).await, GOOD_ARTICLES);
    let waiting = daemon.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    let tried = waiting.iter().filter(|entry| entry.failures > 0).count();
    // Three failures, and the requests in flight at that time.
    assert!((3..=8).contains(&tried), "{tried} of {}", waiting.len());
    let minute = daemon.now() + SignedDuration::from_mins(1);
    assert!(waiting.iter().all(|entry| entry.next_attempt_at > minute), "none is due soon");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_queue_of_slow_pages() {
    const SLOW_PAGES: usize = 16;
    let neighbour = neighbour(SLOW_PAGES, long_page(9_000_000)).await;
    let opened = TestDaemon::new().feed(&neighbour.url("/feed")).open().await;
    let (daemon, soft) = (&opened.daemon, CancellationToken::new());
    let stop = async {
        neighbour.arrived("/slow/3", 1).await;
        soft.cancel();
    };

    let (done, ()) = tokio::join!(daemon.once(&soft), stop);

    done.unwrap();
    let waiting = opened.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    assert!(waiting.len() >= SLOW_PAGES - 4, "the queue was left: {}", waiting.len());
    assert!(waiting.iter().all(|entry| !entry.in_work && entry.failures == 0), "given back, and not blamed");
}

/// A feed and a page that send no byte, and a page that never ends.
#[tokio::test]
async fn a_stop_does_not_wait_for_hosts_that_hang() {
    let html = || Reply::ok("text/html", page("quay"));
    let gate = Gate::new();
    let (quay, silent, silent_page, endless) =
        (Server::start().await, Server::start().await, Server::start().await, Server::start().await);
    let items = [&silent_page, &endless].map(|server| Item::new("Quay", &server.url("/page")));
    quay.respond("/feed", feed(&items));
    silent.respond("/feed", feed(&[]).gated(&gate));
    silent_page.respond("/page", html().gated(&gate));
    endless.respond("/page", Reply::raw("HTTP/1.1 200 OK\r\n\r\n<html>").then_wait(&gate));
    endless.respond("/page", html());
    let opened = TestDaemon::new().feed(&quay.url("/feed")).feed(&silent.url("/feed")).open().await;
    let (daemon, soft) = (&opened.daemon, CancellationToken::new());
    let stop = async {
        silent.arrived("/feed", 1).await;
        silent_page.arrived("/page", 1).await;
        endless.arrived("/page", 1).await;
        soft.cancel();
    };

    let (done, ()) = tokio::join!(daemon.once(&soft), stop);

    // Without the stop they would fail only after their time-outs.
    done.unwrap();
    let waiting = opened.store().entries_list(EntryState::Pending, 10).await.unwrap();
    assert_eq!(waiting.len(), items.len());
    assert!(waiting.iter().all(|entry| !entry.in_work && entry.failures == 0), "given back, and not blamed");
    let feeds = opened.store().feeds_list().await.unwrap();
    assert!(feeds.iter().all(|feed| feed.consecutive_failures == 0));

    gate.open();
    let opened = opened.restarted().await;
    opened.once().await;
    assert_eq!(opened.records().await.len(), items.len(), "due again at once");
    assert_eq!((silent.requests("/feed").len(), quay.requests("/feed").len()), (2, 1));
}

/// Runs a program and returns its peak memory in MiB, sampled until it ends.
fn peak_mb(program: &mut Command) -> u64 {
    let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let high_water = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = high_water.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
        peak_kb = peak_kb.max(kilobytes.unwrap_or(0));
        std::thread::park_timeout(Duration::from_millis(10));
    }
    peak_kb / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pages_wait_for_memory() {
    const LARGE_PAGES: usize = 60;
    const BUDGET_MB: u64 = 384;
    let neighbour = neighbour(LARGE_PAGES, long_page(9_600_000)).await;
    // The pages are fetched, but none is worked on for long.
    let test = TestDaemon::new().feed(&neighbour.url("/feed")).tables("[extract]\ntimeout_secs = 1");
    let config = test.write_config();

    let peak = tokio::task::spawn_blocking(move || peak_mb(&mut feedmill(&config, &["once"]))).await.unwrap();

    let asked = neighbour.all_requests().iter().filter(|request| request.path().starts_with("/slow")).count();
    assert!(asked > LARGE_PAGES / 2, "{asked} pages were asked for");
    assert!((1..=BUDGET_MB).contains(&peak), "{peak} MB");
}

#[tokio::test]
async fn names_that_hang_hold_up_nobody_else() {
    const NAMED: usize = 5;
    const HANGING: usize = 24;
    /// Two record types, resolved twice, and each query sent up to four times (by `hickory-net`).
    const MOST_ASKED: usize = 2 * 2 * 4;
    let names = NameServer::start().await;
    let server = Server::start().await;
    let port = server.address().port();
    let mut test = TestDaemon::new().fetch(&format!("name_servers = [\"{}\"]", names.address()));
    for n in 0..HANGING {
        test = test.feed(&format!("http://feeds.hangs{n}.example/").parse().unwrap());
    }
    for n in 0..NAMED {
        test = test.feed(&format!("http://good{n}.example:{port}/feed").parse().unwrap());
    }
    server.handle(|request| match request.path() {
        "/robots.txt" => Reply::status(404),
        "/feed" => {
            let page = format!("http://{}/page", request.header("host").unwrap());
            feed(&[Item::new("Quay", &page.parse().unwrap())])
        }
        _ => Reply::ok("text/html", page(request.header("host").unwrap())),
    });
    let daemon = test.open().await;

    daemon.once().await;

    assert_eq!(daemon.records().await.len(), NAMED);
    for n in 0..NAMED {
        // Both record types, once for the feed, robots.txt and the page together.
        assert!(names.asked(&format!("good{n}.example")) <= 2);
    }
    let feeds = daemon.store().feeds_list().await.unwrap();
    let failed: Vec<_> = feeds.iter().filter(|feed| feed.consecutive_failures == 1).collect();
    assert_eq!(failed.len(), HANGING, "each is to blame itself");
    assert!(failed.iter().all(|feed| feed.last_error.as_ref().unwrap().contains("resolve")));
    for n in 0..HANGING {
        let asked = names.asked(&format!("feeds.hangs{n}.example"));
        assert!((1..=MOST_ASKED).contains(&asked), "asked {asked} times");
    }
}

/// Each feed is a party of its own, and nothing predicts that it will not answer.
#[tokio::test]
async fn feeds_that_hang_leave_their_places_to_others() {
    const PLACES: usize = 8;
    const HANGING: usize = 2 * PLACES;
    let good = Good::start().await;
    let mut hanging = Vec::new();
    let mut test = TestDaemon::new().tables(&format!("[pipeline]\nfeed_concurrency = {PLACES}"));
    for _ in 0..HANGING {
        let server = Server::start().await;
        server.handle(|_| Reply::raw("").then_hang());
        test = test.feed(&server.url("/feed"));
        hanging.push(server);
    }
    let daemon = good.0.iter().fold(test, |test, server| test.feed(&server.url("/feed"))).open().await;

    let soft = CancellationToken::new();
    let once = daemon.daemon.once(&soft);
    tokio::select! {
        done = once => panic!("they time out before all good articles are stored: {done:?}"),
        () = good.stored(&daemon) => {}
    }
    let asked = hanging.iter().map(|server| server.requests("/feed").len()).sum::<usize>();
    assert!(asked >= PLACES, "{asked} of them had a place");
}
