//! Articles split over several pages.

use feedmill::model::{Event, QualityFlag, Record};
use jiff::SignedDuration;

use crate::support::daemon::{OpenedDaemon, TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

/// Repeated below the headline on every page of the article.
const STANDFIRST: &str =
    "It took the town three winters to find out who had moved the buoys, and why nobody had said so.";

fn html(body: String) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

/// One page of the article: the paragraphs on `topic`, and a link to the next page.
fn part(topic: &str, next: &str) -> String {
    let links =
        format!("</article><nav><a href=\"/one\">1</a> <a rel=\"next\" href=\"{next}\">Next page</a></nav>");
    page(topic)
        .replace(&format!("The {topic} affair"), "The mooring affair")
        .replace("</h1>", &format!("</h1>\n<p>{STANDFIRST}</p>"))
        .replace("</article>", &links)
}

fn text(topics: &[&str]) -> String {
    let paragraphs = topics.iter().flat_map(|topic| paragraphs(topic));
    [STANDFIRST.to_owned()].into_iter().chain(paragraphs).collect::<Vec<_>>().join("\n\n")
}

/// A server whose feed announces `/one`, which continues on `/one/2` and `/one/3`.
async fn server() -> Server {
    let server = Server::start().await;
    let item = Item::new("The mooring affair", &server.url("/one"));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[item])));
    server.respond("/one", html(part("mooring", "/one/2")).header("ETag", "\"1\""));
    server.respond("/one/2", html(part("dredging", "/one/3")));
    server.respond("/one/3", html(part("rigging", "/one")));
    server
}

async fn stored(daemon: &OpenedDaemon) -> Record {
    daemon.once().await;
    let [record] = daemon.records().await.try_into().unwrap();
    record
}

fn is_partial(record: &Record) -> bool {
    record.quality_flags.contains(&QualityFlag::Partial)
}

fn asked(server: &Server) -> [usize; 3] {
    ["/one", "/one/2", "/one/3"].map(|path| server.requests(path).len())
}

#[tokio::test]
async fn an_article_on_three_pages_is_one() {
    let server = server().await;
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    let record = stored(&daemon).await;
    assert_eq!(record.text, text(&["mooring", "dredging", "rigging"]));
    assert_eq!(record.url, server.url("/one"));
    assert_eq!(record.quality_flags, []);
    assert_eq!(asked(&server), [1, 1, 1]);
}

#[tokio::test]
async fn the_operator_bounds_the_pages() {
    for (most, topics, requests) in
        [(1, ["mooring"].as_slice(), [1, 0, 0]), (2, &["mooring", "dredging"], [1, 1, 0])]
    {
        let server = server().await;
        let bound = format!("[extract]\nmax_pages_per_article = {most}");
        let daemon = TestDaemon::new().tables(&bound).feed(&server.url("/feed")).open().await;
        let record = stored(&daemon).await;
        assert_eq!((record.text.as_str(), is_partial(&record)), (text(topics).as_str(), true), "{most}");
        assert_eq!(asked(&server), requests);
    }
}

#[tokio::test]
async fn a_page_that_says_the_same_again_ends_the_article() {
    let server = server().await;
    server.replace("/one/2", html(part("mooring", "/one/3")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    let record = stored(&daemon).await;
    assert_eq!((record.text.as_str(), is_partial(&record)), (text(&["mooring"]).as_str(), false));
    assert_eq!(asked(&server), [1, 1, 0]);
}

#[tokio::test]
async fn no_other_host_goes_on_with_the_article() {
    let other = Server::start_at("127.0.0.2:0").await;
    other.respond("/one/2", html(part("dredging", "/one/3")));
    let server = server().await;
    server.replace("/one", html(part("mooring", other.url("/one/2").as_str())));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    let record = stored(&daemon).await;
    assert_eq!((record.text.as_str(), is_partial(&record)), (text(&["mooring"]).as_str(), false));
    assert_eq!(other.requests("/one/2").len(), 0, "a link that leads away is another page's");

    server.replace("/one", html(part("mooring", "/one/2")));
    server.replace("/one/2", Reply::redirect(302, other.url("/one/2").as_str()));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    let record = stored(&daemon).await;
    assert_eq!((record.text.as_str(), is_partial(&record)), (text(&["mooring"]).as_str(), true));
}

#[tokio::test]
async fn what_robots_txt_forbids_is_not_asked_for() {
    let server = server().await;
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /one/"));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    let record = stored(&daemon).await;
    assert_eq!((record.text.as_str(), is_partial(&record)), (text(&["mooring"]).as_str(), true));
    assert_eq!(asked(&server), [1, 0, 0]);
}

#[tokio::test]
async fn a_missing_page_ends_the_article_and_one_that_may_come_is_looked_for_again() {
    for (status, looks) in [(404, 1), (503, 2)] {
        let server = server().await;
        server.replace("/one/2", Reply::status(status));
        server.respond("/one/2", html(part("dredging", "/one/3")));
        let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
        let record = stored(&daemon).await;
        assert_eq!((record.text.as_str(), is_partial(&record)), (text(&["mooring"]).as_str(), true));
        daemon.advance(SignedDuration::from_hours(25));
        daemon.once().await;
        assert_eq!(server.requests("/one").len(), looks, "{status}");
        let records = daemon.records().await;
        assert_eq!(records.len(), looks);
        if let [_, revised] = records.as_slice() {
            assert_eq!((revised.event, revised.id, revised.revision), (Event::Revised, record.id, 2));
            assert_eq!(revised.text, text(&["mooring", "dredging", "rigging"]));
            assert!(!is_partial(revised));
        }
    }
}

#[tokio::test]
async fn another_look_is_at_the_first_page_and_at_all_where_that_has_changed() {
    let server = server().await;
    server.respond("/one", Reply::status(304));
    server.respond("/one", html(part("mooring", "/one/2").replace("Tides", "Winds")));
    server.respond("/one/2", html(part("dredging", "/one/3")));
    server.respond("/one/2", Reply::status(404));
    let daemon = TestDaemon::new()
        .feed_with(&server.url("/feed"), "recheck = [\"24h\", \"48h\", \"72h\"]")
        .open()
        .await;
    let record = stored(&daemon).await;
    for requests in [[2, 1, 1], [3, 2, 2], [4, 3, 2]] {
        daemon.advance(SignedDuration::from_hours(24));
        daemon.once().await;
        assert_eq!(asked(&server), requests);
    }
    assert_eq!(daemon.records().await, [record], "the same text, and then less than before");
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_pages_are_read_anew_together() {
    let server = server().await;
    let test = TestDaemon::new().feed_with(&server.url("/feed"), "raw = \"keep\"");
    let config = test.write_config();
    let run = |arguments: &[&str]| {
        let output = tokio::task::block_in_place(|| feedmill(&config, arguments).output().unwrap());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["once"]);
    assert_eq!(run(&["reextract", "--dry-run"]), "1 pages, 0 texts would change, 0 failed\n");
    let exported = run(&["export", "--format", "jsonl"]);
    let record: Record = serde_json::from_str(exported.trim()).unwrap();
    assert_eq!(record.text, text(&["mooring", "dredging", "rigging"]));
    assert_eq!(asked(&server), [1, 1, 1]);
}
