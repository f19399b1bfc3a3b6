//! The overview, the list of feeds, and a feed's own page.

use feedmill::store::{FeedOrder, FeedQuery};
use jiff::SignedDuration;

use super::{Bench, Mill, on_both, words};
use crate::support::daemon::TestDaemon;
use crate::support::server::Reply;
use crate::support::site::{Item, page, rss};

on_both!(
    the_overview_says_how_the_mill_stands,
    feeds_are_looked_for_sorted_and_paged,
    a_feed_shows_its_polls_and_why_the_next_is_when_it_is,
);

fn feed(items: &[Item]) -> Reply {
    Reply::ok("application/rss+xml", rss(items)).header("ETag", "\"1\"")
}

async fn the_overview_says_how_the_mill_stands(bench: &Bench) {
    let server = &bench.server;
    server.respond("/good", feed(&[Item::new("One", &server.url("/one"))]));
    server.respond("/bad", Reply::status(404));
    server.respond("/gone", Reply::status(410));
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    let daemon =
        ["/good", "/bad", "/gone"].iter().fold(bench.daemon(), |daemon, path| daemon.feed(&server.url(path)));
    let mill = Mill::start(daemon).await;
    let html = mill.page("/").await;
    let said = words(&html);
    for expected in [
        "1 feed failed at its last poll.",
        "1 feed is gone for good (410)",
        "1 article in the last 72 hours",
        "failing 1",
        "succeeding 1",
        "waiting or in work 0",
        "texts text active 0 0 s",
        "The mooring affair",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(html.contains("<svg class=\"chart\" role=\"img\" aria-labelledby=\"chart-title\""), "{html}");
    let article = mill.daemon.records().await.remove(0).id;
    for link in ["href=\"/feeds?health=failing\"".to_owned(), format!("href=\"/articles/{article}\"")] {
        assert!(html.contains(&link), "{link}");
    }
    let hours =
        mill.store().articles_by_hour(mill.daemon.now() - SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(hours.iter().map(|hour| hour.articles).sum::<u64>(), 1);
    mill.stop().await;
}

async fn feeds_are_looked_for_sorted_and_paged(bench: &Bench) {
    let server = &bench.server;
    server.handle(|request| if request.path().ends_with('7') { Reply::status(500) } else { feed(&[]) });
    let addresses: Vec<_> = (100..160).map(|n| server.url(&format!("/feed_{n}"))).collect();
    let daemon = addresses.iter().fold(bench.daemon(), TestDaemon::feed);
    let mill = Mill::start(daemon).await;
    let listed = async |path: &str| -> Vec<String> {
        let html = mill.page(path).await;
        let rows = html.split("<th class=\"long\" scope=\"row\">").skip(1).map(words);
        rows.map(|row| row.split('/').next_back().unwrap().split(' ').next().unwrap().to_owned()).collect()
    };
    let first = listed("/feeds").await;
    assert_eq!((first.len(), first[0].as_str(), first[49].as_str()), (50, "feed_100", "feed_149"));
    let second = listed("/feeds?page=1").await;
    assert_eq!((second.len(), second[0].as_str()), (10, "feed_150"));
    let html = mill.page("/feeds?q=feed_1&health=succeeding").await;
    assert!(html.contains("href=\"/feeds?q=feed_1&amp;health=succeeding&amp;page=1\""), "{html}");
    let failing = ["feed_107", "feed_117", "feed_127", "feed_137", "feed_147", "feed_157"];
    assert_eq!(listed("/feeds?health=failing").await, failing);
    let newest = FeedQuery { order: FeedOrder::Newest, ..FeedQuery::default() };
    let newest = mill.store().feeds_page(&newest, 10, 20).await.unwrap();
    assert!(newest.len() == 20 && newest.is_sorted_by(|one, next| one.id > next.id));
    assert_eq!(listed("/feeds?q=FEED_142").await, ["feed_142"]);
    assert_eq!(listed("/feeds?q=harbour+gaz&sort=next_poll").await.len(), 50, "their titles hold it");
    assert_eq!(listed("/feeds?q=harbour+gaz&page=1").await.len(), 4, "those that failed have none");
    assert_eq!(listed("/feeds?q=feed%25").await.len(), 0, "a sign, no pattern");
    assert_eq!(listed("/feeds?health=new").await.len(), 0);
    let counts = mill.store().feeds_by_health().await.unwrap();
    assert_eq!((counts.succeeding, counts.failing, counts.new), (54, 6, 0));
    mill.stop().await;
}

async fn a_feed_shows_its_polls_and_why_the_next_is_when_it_is(bench: &Bench) {
    let server = &bench.server;
    let items = [Item::new("One", &server.url("/one")), Item::new("Two", &server.url("/none"))];
    server.respond("/feed", feed(&items));
    server.respond("/feed", Reply::status(304));
    server.respond("/feed", feed(&items));
    server.respond("/feed", Reply::status(500));
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    server.respond("/none", Reply::status(500));
    let daemon = bench.daemon().feed_with(&server.url("/feed"), "interval_secs = 3600").open().await;
    daemon.once().await;
    for _ in 0..3 {
        daemon.advance(SignedDuration::from_mins(70));
        daemon.once().await;
    }
    let polls = daemon.store().feed_polls(feedmill::model::FeedId(1)).await.unwrap();
    assert_eq!(polls.len(), 4, "{polls:?}");
    let mill = Mill::open(daemon).await;
    let html = mill.page("/feeds/1").await;
    let said = words(&html);
    for expected in [
        "304, not modified 0 0",
        "200, the same body 0 0",
        "200, read 2 0",
        "Why it failed",
        "the server answered 500",
        "its last polls failed, and each failure makes the wait longer",
        "The mooring affair",
        "/none tried again 2026-03-02",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(html.contains("<th scope=\"col\">Bytes</th>"), "{html}");
    let bytes = rss(&items).len();
    let grouped = format!("{},{:03}", bytes / 1000, bytes % 1000);
    assert!(said.contains(&grouped) || said.contains(&format!(" {bytes} ")), "{bytes}: {said}");
    mill.stop().await;
}
