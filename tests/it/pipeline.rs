//! The whole daemon, from a feed on a server to records and files.

use jiff::SignedDuration;

use feedmill::model::{DuplicateKind, Event, QualityFlag};
use feedmill::store::FeedState;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

fn html(body: String) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

fn feed(items: &[Item]) -> Reply {
    Reply::ok("application/rss+xml", rss(items))
}

#[tokio::test]
async fn a_feed_becomes_clean_records_and_files() {
    let server = Server::start().await;
    let links = [server.url("/one"), server.url("/two")];
    server.respond("/feed", feed(&[Item::new("One", &links[0]), Item::new("Two", &links[1])]));
    server.respond("/one", html(page("mooring")));
    server.respond("/two", html(page("dredging")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;

    let records = daemon.records().await;
    let files = daemon.files();
    assert_eq!((records.len(), files.len()), (2, 2));
    for (index, record) in records.iter().enumerate() {
        // Pages are processed concurrently, in no fixed order.
        let topic = if record.url == links[0] { "mooring" } else { "dredging" };
        assert_eq!(record.event, Event::Created);
        assert_eq!(record.revision, 1);
        assert_eq!(record.metadata.title.as_deref(), Some(format!("The {topic} affair").as_str()));
        assert_eq!(record.text, paragraphs(topic).join("\n\n"));
        assert_eq!(record.duplicate_of, None);
        assert_eq!(record.cluster_id, record.id);
        assert_eq!(record.feeds.len(), 1);
        assert_eq!(record.feeds[0].feed_url, server.url("/feed"));
        assert_eq!(record.fetched_at, daemon.now());
        let (name, content) = &files[index];
        assert_eq!(*name, format!("{:012}_{}.txt", record.seq, record.content_sha256.hash16()));
        assert_eq!(*content, format!("{}\n\n{}\n", record.metadata.title.as_deref().unwrap(), record.text));
    }
}

#[tokio::test]
async fn a_step_is_one_round_of_each_half() {
    let server = Server::start().await;
    let links = [server.url("/one"), server.url("/two")];
    server.respond("/feed", feed(&[Item::new("One", &links[0]), Item::new("Two", &links[1])]));
    server.respond("/one", html(page("mooring")));
    server.respond("/two", html(page("dredging")));
    let opened = TestDaemon::new().feed(&server.url("/feed")).open().await;

    assert_eq!(opened.daemon.step().await.unwrap(), (1, 2));
    assert_eq!(opened.records().await.len(), 2);
    assert_eq!(opened.daemon.step().await.unwrap(), (0, 0), "nothing is due");
}

#[tokio::test]
async fn nothing_is_fetched_twice() {
    let server = Server::start().await;
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]).header("ETag", "W/\"a b\""));
    server.respond("/feed", Reply::status(304));
    server.respond("/one", html(page("mooring")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;
    daemon.once().await;
    assert_eq!(server.requests("/feed").len(), 1, "it is not due again");
    daemon.advance(SignedDuration::from_hours(25));
    daemon.once().await;

    let requests = server.requests("/feed");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("if-none-match"), None);
    assert_eq!(requests[1].header("if-none-match"), Some("W/\"a b\""));
    assert_eq!(server.requests("/one").len(), 1);
    assert_eq!(daemon.records().await.len(), 1);
}

#[tokio::test]
async fn a_feed_that_falls_due_again_is_polled_once_a_round() {
    let server = Server::start().await;
    let paths: Vec<String> = (0..100).map(|number| format!("/feed/{number}")).collect();
    let mut daemon = TestDaemon::new();
    for path in &paths {
        daemon = daemon.feed_with(&server.url(path), "interval_secs = 1");
    }
    let daemon = daemon.open().await;
    let clock = daemon.clock.clone();
    server.handle(move |_| {
        // With every answer, all feeds polled earlier become due again.
        clock.advance(SignedDuration::from_secs(5));
        feed(&[])
    });

    for round in 1..=2 {
        daemon.once().await;
        for path in &paths {
            assert_eq!(server.requests(path).len(), round, "{path}");
        }
    }
}

#[tokio::test]
async fn an_article_of_two_feeds_is_fetched_once_and_names_both() {
    let server = Server::start().await;
    let link = server.url("/one");
    let tracked = server.url("/one?utm_source=second&fbclid=x");
    server.respond("/feed", feed(&[Item::new("One", &link)]));
    server.respond("/other", feed(&[Item::new("One again", &tracked)]));
    server.respond("/one", html(page("mooring")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).feed(&server.url("/other")).open().await;

    daemon.once().await;

    assert_eq!(server.requests("/one").len() + server.requests(tracked.path()).len() / 2, 1);
    let records = daemon.records().await;
    assert_eq!(
        records.iter().map(|record| record.event).collect::<Vec<_>>(),
        [Event::Created, Event::Linked]
    );
    let mut feeds: Vec<String> =
        records[1].feeds.iter().map(|mention| mention.feed_url.path().to_owned()).collect();
    feeds.sort();
    assert_eq!(feeds, ["/feed", "/other"]);
    assert_eq!(daemon.files().len(), 1);
}

#[tokio::test]
async fn a_copy_is_linked_and_kept() {
    let server = Server::start().await;
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
    server.respond("/copies", feed(&[Item::new("Copy", &server.url("/copy"))]));
    server.respond("/one", html(page("mooring")));
    server.respond("/copy", html(page("mooring").replace("never miss a tide", "be the first to know")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).feed(&server.url("/copies")).open().await;

    daemon.once().await;

    let records = daemon.records().await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].duplicate_of, None);
    assert_eq!(records[1].duplicate_of, Some(records[0].id));
    assert_eq!(records[1].duplicate_kind, Some(DuplicateKind::Exact));
    assert_eq!(records[1].cluster_id, records[0].id);
    assert_eq!(records[1].text, records[0].text);
    assert_eq!(daemon.files().len(), 1, "a copy makes no second file");
}

#[tokio::test]
async fn a_page_that_fails_gives_way_to_the_feeds_content() {
    let server = Server::start().await;
    let content: String = paragraphs("ballast").iter().map(|text| format!("<p>{text}</p>")).collect();
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one")).with_content(&content)]));
    server.respond("/one", Reply::status(500));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;

    let records = daemon.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].text, paragraphs("ballast").join("\n\n"));
    assert!(records[0].quality_flags.contains(&QualityFlag::FeedContentUsed));
}

#[tokio::test]
async fn a_page_that_fails_is_tried_again_later() {
    let server = Server::start().await;
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
    server.respond("/one", Reply::status(503));
    server.respond("/one", html(page("mooring")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;
    assert_eq!(daemon.store().totals().await.unwrap().entries_pending, 1);
    daemon.once().await;
    assert_eq!(server.requests("/one").len(), 1, "not before its time");
    daemon.advance(SignedDuration::from_hours(1));
    daemon.once().await;

    assert_eq!(daemon.records().await.len(), 1);
    assert_eq!(daemon.store().totals().await.unwrap().entries_done, 1);
}

#[tokio::test]
async fn a_page_that_is_not_there_is_given_up_with_its_reason() {
    let server = Server::start().await;
    server.respond(
        "/feed",
        feed(&[Item::new("One", &server.url("/gone")), Item::new("Two", &server.url("/two"))]),
    );
    server.respond("/gone", Reply::status(404));
    server.respond("/two", html(page("mooring")));
    let daemon = TestDaemon::new().feed_with(&server.url("/feed"), "content = \"page\"").open().await;

    daemon.once().await;

    let totals = daemon.store().totals().await.unwrap();
    assert_eq!((totals.entries_failed, totals.entries_done), (1, 1));
}

#[tokio::test]
async fn a_bad_feed_is_recorded_and_hinders_no_other() {
    let server = Server::start().await;
    server.respond("/page", html("<!DOCTYPE html><html><body><p>Not a feed.</p></body></html>".to_owned()));
    server.respond("/down", Reply::status(500));
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
    server.respond("/one", html(page("mooring")));
    let daemon = TestDaemon::new()
        .feed(&server.url("/page"))
        .feed(&server.url("/down"))
        .feed(&server.url("/feed"))
        .open()
        .await;

    daemon.once().await;

    assert_eq!(daemon.records().await.len(), 1);
    let feeds = daemon.store().feeds_list().await.unwrap();
    let error = |path: &str| {
        let feed = feeds.iter().find(|feed| feed.configured_url.path() == path).unwrap();
        assert_eq!(feed.state, FeedState::Active);
        assert!(feed.next_poll_at > daemon.now());
        feed.last_error.clone()
    };
    assert!(error("/page").unwrap().to_lowercase().contains("html"), "{:?}", error("/page"));
    assert!(error("/down").unwrap().contains("500"), "{:?}", error("/down"));
    assert_eq!(error("/feed"), None);
}

#[tokio::test]
async fn a_feed_that_is_gone_is_polled_no_more() {
    let server = Server::start().await;
    server.respond("/feed", Reply::status(410));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;
    daemon.advance(SignedDuration::from_hours(24 * 30));
    daemon.once().await;

    assert_eq!(server.requests("/feed").len(), 1);
    assert_eq!(daemon.store().feeds_list().await.unwrap()[0].state, FeedState::Gone);
}

#[tokio::test]
async fn content_feed_fetches_no_page() {
    let server = Server::start().await;
    let content: String = paragraphs("ballast").iter().map(|text| format!("<p>{text}</p>")).collect();
    let without_link =
        Item { title: "Loose".into(), guid: "loose".into(), content: Some(content.clone()), link: None };
    let other = content.replace("ballast", "rigging");
    let linked = Item::new("Linked", &server.url("/one")).with_content(&other);
    server.respond("/feed", feed(&[without_link, linked]));
    let daemon = TestDaemon::new().feed_with(&server.url("/feed"), "content = \"feed\"").open().await;

    daemon.once().await;

    assert!(server.requests("/one").is_empty());
    let mut records = daemon.records().await;
    records.sort_by(|one, other| one.metadata.title.cmp(&other.metadata.title));
    assert_eq!(
        records.iter().filter_map(|record| record.metadata.title.as_deref()).collect::<Vec<_>>(),
        ["Linked", "Loose"]
    );
    assert_eq!(records[0].original_url, server.url("/one"));
    assert_eq!(records[1].text, paragraphs("ballast").join("\n\n"));
}

#[tokio::test]
async fn a_page_read_anew_is_not_its_own_furniture() {
    let server = Server::start().await;
    let item =
        |content: &str| Item::new("One", &server.url("/one")).with_content(&format!("<p>{content}</p>"));
    server.respond("/feed", feed(&[item("An early word from the quay.")]));
    server.respond("/feed", feed(&[item("A later and much longer word from the quay.")]));
    let before = page("mooring");
    let replaced = &paragraphs("mooring")[2];
    let after = before.replace(replaced.as_str(), &paragraphs("dredging")[2]);
    server.respond("/one", html(before));
    server.respond("/one", html(after));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;
    daemon.advance(SignedDuration::from_hours(25));
    daemon.once().await;

    let records = daemon.records().await;
    assert_eq!(records.len(), 2);
    let mut expected = paragraphs("mooring");
    expected[2] = paragraphs("dredging").remove(2);
    assert_eq!(records[1].text, expected.join("\n\n"));
}

#[tokio::test]
async fn furniture_is_learned_from_page_to_page() {
    // The markup does not distinguish it from the body: only the site's other pages do.
    const FURNITURE: &str =
        "Readers of the Gazette gather on the quay every first Sunday of the month to talk it over.";
    let server = Server::start().await;
    let topics = ["mooring", "dredging", "ballast", "rigging"];
    let items: Vec<Item> =
        topics.iter().map(|topic| Item::new(topic, &server.url(&format!("/{topic}")))).collect();
    for count in 1..=topics.len() {
        server.respond("/feed", feed(&items[..count]));
    }
    for topic in topics {
        let page = page(topic).replace("</article>", &format!("<p>{FURNITURE}</p></article>"));
        server.respond(&format!("/{topic}"), html(page));
    }
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    for _ in topics {
        daemon.once().await;
        daemon.advance(SignedDuration::from_hours(25));
    }

    let records = daemon.records().await;
    assert_eq!(records.len(), topics.len());
    assert!(records[0].text.contains(FURNITURE), "the first page has nothing to go by");
    let last = records.last().unwrap();
    assert_eq!(last.text, paragraphs("rigging").join("\n\n"));
}

#[tokio::test]
async fn an_entry_waits_until_its_hosts_furniture_is_known() {
    let server = Server::start().await;
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
    server.respond("/one", html(page("mooring")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    daemon.execute("ALTER TABLE host_blocks RENAME TO host_blocks_away").await;
    daemon.once().await;
    assert!(daemon.records().await.is_empty(), "no text is stored that may hold furniture");
    assert_eq!(daemon.store().totals().await.unwrap().entries_pending, 1);

    daemon.execute("ALTER TABLE host_blocks_away RENAME TO host_blocks").await;
    daemon.advance(SignedDuration::from_hours(1));
    daemon.once().await;
    assert_eq!(daemon.records().await.len(), 1);
}

#[tokio::test]
async fn a_changed_entry_makes_a_revision() {
    let server = Server::start().await;
    let item =
        |content: &str| Item::new("One", &server.url("/one")).with_content(&format!("<p>{content}</p>"));
    server.respond("/feed", feed(&[item("An early word from the quay.")]));
    server.respond("/feed", feed(&[item("A later and much longer word from the quay.")]));
    server.respond("/one", html(page("mooring")));
    server.respond("/one", html(page("dredging")));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;
    daemon.advance(SignedDuration::from_hours(25));
    daemon.once().await;

    let records = daemon.records().await;
    assert_eq!(
        records.iter().map(|record| (record.event, record.revision)).collect::<Vec<_>>(),
        [(Event::Created, 1), (Event::Revised, 2)]
    );
    assert_eq!(records[0].id, records[1].id);
    assert_eq!(records[0].text, paragraphs("mooring").join("\n\n"));
    assert_eq!(records[1].text, paragraphs("dredging").join("\n\n"));
}
