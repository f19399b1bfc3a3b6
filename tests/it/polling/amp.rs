//! AMP pages are copies: the canonical page is fetched in their place.

use feedmill::model::{ArticleId, Event};
use jiff::SignedDuration;

use super::mill;
use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

fn html(body: String) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

fn amp(topic: &str, canonical: &str) -> Reply {
    let head = format!("<head><link rel=\"canonical\" href=\"{canonical}\">");
    html(page(topic).replace("<html ", "<html amp ").replace("<head>", &head))
}

fn feed(server: &Server, paths: &[&str]) {
    let items: Vec<Item> = paths.iter().map(|path| Item::new(path, &server.url(path))).collect();
    server.respond("/feed", Reply::ok("text/xml", rss(&items)));
}

#[tokio::test]
async fn an_amp_page_is_the_article_that_it_is_a_copy_of() {
    let server = Server::start().await;
    feed(&server, &["/amp/one?utm_source=x", "/one"]);
    server.respond("/amp/one", amp("mooring", "/one"));
    server.respond("/one", html(page("dredging")));
    let mill = mill(&server).await;
    mill.once().await;
    let records = mill.records().await;
    let one = server.url("/one");
    assert_eq!(
        records.iter().map(|record| (record.event, record.id)).collect::<Vec<_>>(),
        [(Event::Created, ArticleId::of_url(&one)), (Event::Linked, ArticleId::of_url(&one))]
    );
    assert_eq!((&records[1].url, records[1].feeds.len()), (&one, 2));
    assert_eq!(records[1].text, paragraphs("dredging").join("\n\n"));
}

#[tokio::test]
async fn another_look_goes_to_the_original_and_finds_the_same_article() {
    let server = Server::start().await;
    feed(&server, &["/amp/one"]);
    server.respond("/amp/one", amp("mooring", "/one"));
    server.respond("/one", html(page("dredging")).header("ETag", "\"one\""));
    server.respond("/one", html(page("rigging")));
    server.respond("/one", Reply::status(404));
    let mill = TestDaemon::new().feed_with(&server.url("/feed"), "recheck = [\"1h\", \"24h\"]").open().await;
    mill.once().await;
    for hours in [2, 30] {
        mill.advance(SignedDuration::from_hours(hours));
        mill.once().await;
    }
    let records = mill.records().await;
    let events: Vec<_> = records.iter().map(|record| (record.event, record.id, record.revision)).collect();
    let id = ArticleId::of_url(&server.url("/one"));
    assert_eq!(events, [(Event::Created, id, 1), (Event::Revised, id, 2)], "the copy makes no revision");
    assert_eq!(records[1].text, paragraphs("rigging").join("\n\n"));
    let asked = |path: &str| -> Vec<Option<String>> {
        let requests = server.requests(path);
        requests.iter().map(|request| request.header("if-none-match").map(str::to_owned)).collect()
    };
    assert_eq!(asked("/amp/one"), [None, None, None], "the original's validator is no use with the copy");
    assert_eq!(asked("/one"), [None, Some("\"one\"".to_owned()), None]);
}

/// The article belongs to the original, so the original's 410 withdraws it, although the copy still exists.
#[tokio::test]
async fn an_original_that_is_gone_withdraws_its_article() {
    let server = Server::start().await;
    feed(&server, &["/amp/one"]);
    server.respond("/amp/one", amp("mooring", "/one"));
    server.respond("/one", html(page("dredging")));
    server.respond("/one", Reply::status(410));
    let mill = TestDaemon::new().feed_with(&server.url("/feed"), "recheck = [\"1h\", \"24h\"]").open().await;
    mill.once().await;
    mill.advance(SignedDuration::from_hours(2));
    mill.once().await;
    let withdrawn_at = mill.now();
    mill.advance(SignedDuration::from_hours(30));
    mill.once().await;

    let records = mill.records().await;
    let events: Vec<_> = records.iter().map(|record| (record.event, record.id, record.revision)).collect();
    let id = ArticleId::of_url(&server.url("/one"));
    assert_eq!(events, [(Event::Created, id, 1), (Event::Withdrawn, id, 1)]);
    for record in &records {
        assert_eq!(record.withdrawn_at, Some(withdrawn_at));
        assert_eq!(record.text, paragraphs("dredging").join("\n\n"), "the text stays, and is not the copy's");
    }
    assert_eq!((server.requests("/amp/one").len(), server.requests("/one").len()), (2, 2), "no third look");
    let totals = mill.store().totals().await.unwrap();
    assert_eq!((totals.articles, totals.entries_done, totals.entries_failed), (1, 1, 0));
}

/// When a site abandons AMP, only the copy disappears.
#[tokio::test]
async fn a_copy_that_is_gone_says_nothing_of_the_original() {
    let server = Server::start().await;
    feed(&server, &["/amp/one"]);
    server.respond("/amp/one", amp("mooring", "/one"));
    server.respond("/amp/one", Reply::status(410));
    server.respond("/one", html(page("dredging")));
    let mill = TestDaemon::new().feed_with(&server.url("/feed"), "recheck = [\"1h\"]").open().await;
    mill.once().await;
    mill.advance(SignedDuration::from_hours(2));
    mill.once().await;
    let events: Vec<_> = mill.records().await.iter().map(|record| record.event).collect();
    assert_eq!(events, [Event::Created]);
    let totals = mill.store().totals().await.unwrap();
    assert_eq!((totals.entries_done, totals.entries_failed, totals.entries_pending), (1, 0, 0));
}

#[tokio::test]
async fn where_the_original_cannot_be_had_the_copy_stands() {
    for original in [Reply::status(500), Reply::redirect(302, "http://10.0.0.1/")] {
        let server = Server::start().await;
        feed(&server, &["/amp/one"]);
        server.respond("/amp/one", amp("mooring", "/one"));
        server.respond("/one", original);
        let mill = mill(&server).await;
        mill.once().await;
        let record = mill.records().await.remove(0);
        assert_eq!(record.text, paragraphs("mooring").join("\n\n"));
        assert_eq!(record.id, ArticleId::of_url(&server.url("/amp/one")));
        assert_eq!(server.requests("/one").len(), 1);
    }
}

#[tokio::test]
async fn robots_are_asked_and_no_circle_is_walked() {
    let server = Server::start().await;
    feed(&server, &["/amp/one", "/amp/two"]);
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /closed"));
    server.respond("/amp/one", amp("mooring", "/closed/one"));
    // Each claims to be a copy of the other.
    server.respond("/amp/two", amp("dredging", "/amp/again"));
    server.respond("/amp/again", amp("rigging", "/amp/two"));
    let mill = mill(&server).await;
    mill.once().await;
    assert!(server.requests("/closed/one").is_empty());
    assert_eq!((server.requests("/amp/two").len(), server.requests("/amp/again").len()), (1, 1));
    let mut texts: Vec<String> = mill.records().await.into_iter().map(|record| record.text).collect();
    texts.sort();
    let mut expected = [paragraphs("mooring").join("\n\n"), paragraphs("rigging").join("\n\n")];
    expected.sort();
    assert_eq!(texts, expected);
}
