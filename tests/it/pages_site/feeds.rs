//! The overview, the list of feeds, and the page of a feed.

use feedmill::store::{FeedEdge, FeedOrder, FeedQuery, FeedWindow};
use jiff::SignedDuration;
use serde_json::Value;

use super::{Bench, Mill, on_both, words};
use crate::support::daemon::TestDaemon;
use crate::support::server::Reply;
use crate::support::site::{Item, page, rss};

on_both!(
    the_overview_says_how_the_mill_stands,
    feeds_are_looked_for_sorted_and_paged,
    a_feed_shows_its_polls_and_why_the_next_is_when_it_is,
    an_article_of_two_feeds_is_listed_with_the_first,
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
        "pending 0",
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
    // Follows the links from page to page, in each direction and to both ends.
    let way = async |path: &str, name: &str| -> String {
        let html = mill.page(path).await;
        let link = html.split("<a ").find(|link| link.contains(&format!(">{name}</a>")));
        let address = link.and_then(|link| link.split("href=\"").nth(1)?.split('"').next());
        address.unwrap_or_else(|| panic!("no way {name} from {path}: {html}")).replace("&amp;", "&")
    };
    let next = way("/feeds", "Next").await;
    let second = listed(&next).await;
    assert_eq!((second.len(), second[0].as_str()), (10, "feed_150"));
    assert_eq!(listed(&way(&next, "Previous").await).await, first);
    assert_eq!(listed(&way(&next, "First").await).await, first);
    let last = way("/feeds", "Last").await;
    let ends = listed(&last).await;
    assert_eq!((ends.len(), ends[0].as_str(), ends[49].as_str()), (50, "feed_110", "feed_159"));
    assert_eq!(listed(&way(&last, "Previous").await).await, &first[..10]);
    let kept = way("/feeds?q=feed_1&health=succeeding", "Next").await;
    assert!(kept.starts_with("/feeds?q=feed_1&health=succeeding&after="), "{kept}");
    assert_eq!(listed(&kept).await.len(), 4);
    let failing = ["feed_107", "feed_117", "feed_127", "feed_137", "feed_147", "feed_157"];
    assert_eq!(listed("/feeds?health=failing").await, failing);
    for order in [FeedOrder::Address, FeedOrder::NextPoll, FeedOrder::Newest] {
        let page = async |window| {
            let query = FeedQuery { order, window, ..FeedQuery::default() };
            let page = mill.store().feeds_page(&query, 7).await.unwrap();
            (page.feeds, page.has_before, page.has_behind)
        };
        let (mut forward, mut window) = (Vec::new(), FeedWindow::First);
        loop {
            let (feeds, _, has_behind) = page(window).await;
            window = FeedWindow::After(FeedEdge::of(feeds.last().unwrap()));
            forward.extend(feeds.iter().map(|feed| feed.id.0));
            if !has_behind {
                break;
            }
        }
        assert_eq!(forward.len(), 60, "{order:?}: each once");
        let (mut backward, mut window) = (Vec::new(), FeedWindow::Last);
        loop {
            let (feeds, has_before, _) = page(window).await;
            window = FeedWindow::Before(FeedEdge::of(&feeds[0]));
            backward.extend(feeds.iter().rev().map(|feed| feed.id.0));
            if !has_before {
                break;
            }
        }
        backward.reverse();
        assert_eq!(backward, forward, "{order:?}");
        if order == FeedOrder::Newest {
            assert!(forward.is_sorted_by(|one, next| one > next), "{forward:?}");
        }
    }
    assert_eq!(listed("/feeds?q=FEED_142").await, ["feed_142"]);
    assert_eq!(listed("/feeds?q=harbour+gaz&sort=next_poll").await.len(), 50, "their titles hold it");
    let rest = way("/feeds?q=harbour+gaz", "Next").await;
    assert_eq!(listed(&rest).await.len(), 4, "those that failed have none");
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
        "200, parsed 2 0",
        "Why it failed",
        "the server answered 500",
        "its last polls failed, and each failure makes the wait longer",
        "The mooring affair",
        "/none next attempt 2026-03-02",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(html.contains("<th scope=\"col\">Bytes</th>"), "{html}");
    let bytes = rss(&items).len();
    let grouped = format!("{},{:03}", bytes / 1000, bytes % 1000);
    assert!(said.contains(&grouped) || said.contains(&format!(" {bytes} ")), "{bytes}: {said}");
    mill.stop().await;
}

async fn an_article_of_two_feeds_is_listed_with_the_first(bench: &Bench) {
    let server = &bench.server;
    let items = [Item::new("One", &server.url("/one"))];
    server.respond("/first", feed(&items));
    server.respond("/second", feed(&[]));
    server.respond("/second", feed(&items));
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    let daemon = ["/first", "/second"]
        .iter()
        .fold(bench.daemon(), |daemon, path| daemon.feed_with(&server.url(path), "interval_secs = 3600"));
    let daemon = daemon.open().await;
    daemon.once().await;
    daemon.advance(SignedDuration::from_mins(70));
    daemon.once().await;
    let mill = Mill::open(daemon).await;
    let record = mill.daemon.records().await.pop().unwrap();
    assert_eq!(record.feeds.len(), 2, "{record:?}");
    let feeds: Value = serde_json::from_str(&mill.get("/v1/feeds", &[]).await.body).unwrap();
    let feeds = feeds["feeds"].as_array().unwrap();
    assert_eq!(feeds.len(), 2);
    for feed in feeds {
        let is_first = feed["configured_url"].as_str().unwrap().ends_with("/first");
        let said = words(&mill.page(&format!("/feeds/{}", feed["id"])).await);
        assert!(said.contains("Articles that it announced first"), "{said}");
        assert_eq!(said.contains("The mooring affair"), is_first, "{feed}: {said}");
        assert_eq!(said.contains("of the first one. None."), !is_first, "{feed}: {said}");
    }
    mill.stop().await;
}
