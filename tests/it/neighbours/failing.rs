//! Neighbours that do not answer, or not in time: each is to blame itself, and no one else waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feedmill::model::QualityFlag;
use feedmill::store::EntryState;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{GOOD_ARTICLES, Good, PAGES_OF_EACH, feed, gzipped, long_page, neighbour};
use crate::support::daemon::TestDaemon;
use crate::support::names::NameServer;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page};

#[tokio::test]
async fn dead_links_are_counted_against_their_entries_and_are_no_outage() {
    const DEAD_LINKS: usize = 120;
    let good = Good::start().await;
    let neighbour = Server::start().await;
    // No server listens on these addresses: as many hosts as links.
    let links = (1..=DEAD_LINKS).map(|n| format!("http://127.1.0.{n}:9/{n}").parse().unwrap());
    let items: Vec<Item> = links.map(|link| Item::new("Dead", &link)).collect();
    neighbour.respond("/feed", feed(&items));
    let daemon = good.beside(TestDaemon::new().feed(&neighbour.url("/feed"))).open().await;

    daemon.once().await;

    good.assert_stored(&daemon).await;
    let waiting = daemon.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    let blamed = waiting.iter().filter(|entry| entry.failures == 1 && entry.error_label.is_some());
    assert_eq!((blamed.count(), waiting.len()), (DEAD_LINKS, DEAD_LINKS));
}

#[tokio::test]
async fn a_feed_whose_pages_run_out_of_time_rests() {
    const SLOW_PAGES: usize = 16;
    let good = Good::start().await;
    let neighbour = neighbour(SLOW_PAGES, long_page(9_000_000)).await;
    let daemon = good
        .beside(TestDaemon::new().feed(&neighbour.url("/feed")))
        .tables("[extract]\ntimeout_secs = 1")
        .open()
        .await;

    daemon.once().await;

    good.assert_stored(&daemon).await;
    let waiting = daemon.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    let tried = waiting.iter().filter(|entry| entry.failures > 0).count();
    // Three failures, and the requests in flight at that time.
    assert!((3..=8).contains(&tried), "{tried} of {}", waiting.len());
    let minute = daemon.now() + SignedDuration::from_mins(1);
    assert!(waiting.iter().all(|entry| entry.next_attempt_at > minute), "none is due soon");
}

#[tokio::test]
async fn names_that_hang_hold_up_nobody_else() {
    const NAMED: usize = 5;
    const HANGING: usize = 24;
    /// Two record types, resolved twice, and each query sent up to four times (by `hickory-net`).
    const MOST_ASKED: usize = 2 * 2 * 4;
    let good = Good::start().await;
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
    let daemon = good.beside(test).open().await;

    daemon.once().await;

    good.assert_stored(&daemon).await;
    assert_eq!(daemon.records().await.len(), NAMED + GOOD_ARTICLES);
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
    let daemon = good.beside(test).open().await;

    let soft = CancellationToken::new();
    let once = daemon.daemon.once(&soft);
    tokio::select! {
        done = once => panic!("they time out before all good articles are stored: {done:?}"),
        () = good.stored(&daemon) => {}
    }
    let asked = hanging.iter().map(|server| server.requests("/feed").len()).sum::<usize>();
    assert!(asked >= PLACES, "{asked} of them had a place");
}

/// The good feeds announce another article each minute as well.
#[tokio::test]
async fn a_bomb_a_minute_stops_nobody() {
    const MINUTES: usize = 4;
    let good = Good::start().await;
    let bombs = Server::start().await;
    let minute = Arc::new(AtomicUsize::new(0));
    let (base, so_far) = (bombs.url("/"), Arc::clone(&minute));
    let bomb = gzipped(&vec![b' '; 16 << 20]);
    bombs.handle(move |request| match request.path() {
        "/robots.txt" => Reply::status(404),
        "/feed" => {
            let links =
                (0..=so_far.load(Ordering::SeqCst)).map(|n| base.join(&format!("/bomb/{n}")).unwrap());
            feed(&links.map(|link| Item::new("Bomb", &link)).collect::<Vec<_>>())
        }
        _ => Reply::ok("text/html", bomb.clone()).header("Content-Encoding", "gzip"),
    });
    let test = TestDaemon::new().schedule("min_interval_secs = 1\nmax_interval_secs = 60");
    let daemon = good.beside(test.feed(&bombs.url("/feed"))).open().await;

    for now in 0..MINUTES {
        minute.store(now, Ordering::SeqCst);
        good.announced.store(PAGES_OF_EACH + now, Ordering::SeqCst);
        daemon.once().await;
        good.assert_stored(&daemon).await;
        assert!(!bombs.requests(&format!("/bomb/{now}")).is_empty(), "minute {now}");
        daemon.advance(SignedDuration::from_secs(61));
    }

    // The feed's own words stand in for a page that is too large.
    let port = bombs.url("/").port();
    let records = daemon.records().await;
    let stand_ins: Vec<_> = records.iter().filter(|record| record.url.port() == port).collect();
    assert_eq!(stand_ins.len(), MINUTES);
    let flags = [QualityFlag::TeaserOnly, QualityFlag::FeedContentUsed];
    assert!(stand_ins.iter().all(|record| flags.iter().any(|flag| record.quality_flags.contains(flag))));
}
