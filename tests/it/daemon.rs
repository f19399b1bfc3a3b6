//! The running daemon: concurrency, soft and hard stop, reload, network outage.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use feedmill::lifecycle::{Lifecycle, StopReport};
use feedmill::telemetry::metrics::Metrics;
use jiff::SignedDuration;
use url::Url;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page, rss};

/// Longer than any test here takes.
const LONG: Duration = Duration::from_mins(2);

async fn start(opened: &OpenedDaemon) -> Lifecycle {
    let lifecycle = Lifecycle::new(LONG);
    Arc::clone(&opened.daemon).start(&lifecycle, Metrics::install()).await.unwrap();
    lifecycle
}

/// Waits until this many records are stored.
async fn stored(opened: &OpenedDaemon, records: usize) {
    let wait = async {
        while opened.records().await.len() < records {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("the records come");
}

fn feed(title: &str, link: &Url) -> Reply {
    Reply::ok("application/rss+xml", rss(&[Item::new(title, link)]))
}

fn html(topic: &str) -> Reply {
    Reply::ok("text/html; charset=utf-8", page(topic))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_feed_and_a_slow_page_delay_no_other() {
    let slow = Server::start().await;
    let server = Server::start().await;
    let gate = Gate::new();
    slow.respond("/feed", feed("Slow", &slow.url("/page")).gated(&gate));
    server.respond("/feed", feed("Fast", &server.url("/page")));
    server.respond("/page", html("mooring"));
    server.respond("/other", feed("Slow page", &slow.url("/slow-page")));
    slow.respond("/slow-page", html("dredging").gated(&gate));
    let opened = TestDaemon::new()
        .feed(&slow.url("/feed"))
        .feed(&server.url("/other"))
        .feed(&server.url("/feed"))
        .open()
        .await;

    let lifecycle = start(&opened).await;
    slow.arrived("/feed", 1).await;
    slow.arrived("/slow-page", 1).await;
    stored(&opened, 1).await;
    assert_eq!(opened.records().await[0].metadata.title.as_deref(), Some("The mooring affair"));

    slow.respond("/page", html("ballast"));
    gate.open();
    stored(&opened, 3).await;
    lifecycle.stop_soft();
    assert!(lifecycle.wait().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_stop_finishes_and_writes_what_is_in_hand() {
    let server = Server::start().await;
    let gate = Gate::new();
    server.respond("/feed", feed("One", &server.url("/page")));
    server.respond("/page", html("mooring").gated(&gate));
    let opened = TestDaemon::new().feed(&server.url("/feed")).open().await;

    let lifecycle = start(&opened).await;
    server.arrived("/page", 1).await;
    lifecycle.stop_soft();
    gate.open();

    assert_eq!(lifecycle.wait().await, StopReport::default());
    assert_eq!(opened.records().await.len(), 1);
    assert_eq!(opened.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_stop_gives_back_what_was_claimed_ahead() {
    const FEEDS: usize = 100;
    const PROMPT: usize = 40;
    const AT_ONCE: usize = 4;
    let server = Server::start().await;
    let (gate, asked) = (Gate::new(), AtomicUsize::new(0));
    let held = gate.clone();
    // Prompt replies at first, so that many feeds are claimed ahead, then none.
    server.handle(move |_| {
        let reply = Reply::ok("application/rss+xml", rss(&[]));
        if asked.fetch_add(1, Ordering::Relaxed) < PROMPT { reply } else { reply.gated(&held) }
    });
    let mut test = TestDaemon::new().tables(&format!("[pipeline]\nfeed_concurrency = {AT_ONCE}"));
    for number in 0..FEEDS {
        test = test.feed(&server.url(&format!("/{number}")));
    }
    let opened = test.open().await;

    let lifecycle = start(&opened).await;
    let all_held = async {
        while server.all_requests().len() < PROMPT + AT_ONCE {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, all_held).await.expect("the feeds are asked for");
    lifecycle.stop_soft();
    gate.open();
    assert!(lifecycle.wait().await.is_clean());
    let begun = server.all_requests().len();
    assert!(begun < FEEDS, "{begun} feeds were begun");

    opened.once().await;
    for number in 0..FEEDS {
        assert_eq!(server.requests(&format!("/{number}")).len(), 1, "/{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_stop_gives_back_what_is_in_hand() {
    let server = Server::start().await;
    let gate = Gate::new();
    server.respond("/feed", feed("One", &server.url("/page")));
    server.respond("/page", html("mooring").gated(&gate));
    server.respond("/page", html("mooring"));
    let opened = TestDaemon::new().feed(&server.url("/feed")).open().await;

    let lifecycle = start(&opened).await;
    server.arrived("/page", 1).await;
    lifecycle.stop_hard();
    assert_eq!(lifecycle.wait().await, StopReport::default(), "it had time to give back");
    assert!(opened.records().await.is_empty());

    opened.once().await;
    assert_eq!(opened.records().await.len(), 1, "due again at once");
}

#[tokio::test]
async fn a_reload_takes_feeds_in_and_out() {
    let server = Server::start().await;
    for name in ["old", "new"] {
        server.respond(&format!("/{name}"), feed(name, &server.url(&format!("/page-{name}"))));
        server.respond(&format!("/page-{name}"), html(name));
    }
    let mut opened = TestDaemon::new().feed(&server.url("/old")).open().await;
    opened.once().await;

    let changed = opened.reload(&[&server.url("/new")]).await.unwrap();
    assert_eq!((changed.added, changed.removed, changed.restored), (1, 1, 0));
    opened.advance(SignedDuration::from_hours(48));
    opened.once().await;
    assert_eq!((server.requests("/old").len(), server.requests("/new").len()), (1, 1));

    let changed = opened.reload(&[&server.url("/new"), &server.url("/old")]).await.unwrap();
    assert_eq!((changed.added, changed.removed, changed.restored), (0, 0, 1));
    opened.advance(SignedDuration::from_hours(48));
    opened.once().await;
    assert_eq!(server.requests("/old").len(), 2);
    assert_eq!(server.requests("/page-old").len(), 1, "its entry is not new again");
}

#[tokio::test]
async fn when_nothing_connects_no_feed_is_blamed() {
    // A port without a listener, on many hosts.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut daemon = TestDaemon::new();
    for host in 2..32 {
        daemon = daemon.feed(&format!("http://127.0.0.{host}:{port}/feed").parse().unwrap());
    }
    let opened = daemon.open().await;

    opened.once().await;

    let feeds = opened.store().feeds_list().await.unwrap();
    let blamed = feeds.iter().filter(|feed| feed.last_error.is_some()).count();
    assert!(blamed < 6, "{blamed} feeds were blamed before the pattern showed");
    let soon = opened.now() + SignedDuration::from_mins(1);
    let put_off =
        feeds.iter().filter(|feed| feed.last_polled_at.is_none() && feed.next_poll_at <= soon).count();
    assert_eq!(put_off + blamed, feeds.len(), "the others are due when the pause ends");
}
