//! Rechecks of pages at certain ages of their articles.

use feedmill::model::{Event, QualityFlag, Record};
use jiff::SignedDuration;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

const RECHECK: &str = "recheck = [\"1h\", \"24h\", \"7d\"]";

fn html(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

/// A server whose feed announces `/one`, and a daemon that polls it.
async fn mill(options: &str) -> (Server, OpenedDaemon) {
    mill_of(TestDaemon::new(), options).await
}

async fn mill_of(daemon: TestDaemon, options: &str) -> (Server, OpenedDaemon) {
    let server = Server::start().await;
    let item = Item::new("One", &server.url("/one"));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[item])));
    let daemon = daemon.feed_with(&server.url("/feed"), options).open().await;
    (server, daemon)
}

/// Advances the clock, then runs what is due.
async fn after_hours(daemon: &OpenedDaemon, hours: i64) {
    daemon.advance(SignedDuration::from_hours(hours));
    daemon.once().await;
}

fn events(records: &[Record]) -> Vec<(Event, u32)> {
    records.iter().map(|record| (record.event, record.revision)).collect()
}

#[tokio::test]
async fn a_page_is_looked_at_again_at_each_age_and_no_more() {
    let (server, daemon) = mill(RECHECK).await;
    let first = page("mooring");
    let revised = first.replace(paragraphs("mooring")[2].as_str(), &paragraphs("dredging")[2]);
    server.respond("/one", html(first).header("ETag", "\"1\"").header("Last-Modified", "yesterday"));
    server.respond("/one", Reply::status(304));
    server.respond("/one", html(revised.clone()).header("ETag", "\"2\""));
    server.respond("/one", html(revised.replace("Sign up for our newsletter", "Subscribe")));

    daemon.once().await;
    daemon.once().await;
    assert_eq!(server.requests("/one").len(), 1, "not before its time");
    after_hours(&daemon, 1).await;
    assert_eq!(server.requests("/one").len(), 2);
    assert_eq!(events(&daemon.records().await), [(Event::Created, 1)], "304");
    after_hours(&daemon, 23).await;
    assert_eq!(events(&daemon.records().await), [(Event::Created, 1), (Event::Revised, 2)]);
    after_hours(&daemon, 6 * 24).await;
    assert_eq!(daemon.records().await.len(), 2, "only the furniture has changed");
    after_hours(&daemon, 30 * 24).await;

    let requests = server.requests("/one");
    let asked: Vec<_> = requests
        .iter()
        .map(|request| (request.header("if-none-match"), request.header("if-modified-since")))
        .collect();
    assert_eq!(
        asked,
        [
            (None, None),
            (Some("\"1\""), Some("yesterday")),
            (Some("\"1\""), Some("yesterday")),
            (Some("\"2\""), None)
        ]
    );
    let records = daemon.records().await;
    assert_eq!(records[0].id, records[1].id);
    assert_eq!(records[0].text, paragraphs("mooring").join("\n\n"), "the earlier text is kept");
    assert!(records[1].text.contains(&paragraphs("dredging")[2]));
    assert_eq!(records[1].feeds.len(), 1);
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once() {
    let (server, daemon) = mill(RECHECK).await;
    server.respond("/one", html(page("mooring")));
    daemon.once().await;
    after_hours(&daemon, 3 * 24).await;
    after_hours(&daemon, 1).await;
    assert_eq!(server.requests("/one").len(), 2, "for 1h and 24h together");
    after_hours(&daemon, 4 * 24).await;
    assert_eq!(server.requests("/one").len(), 3);
    assert_eq!(daemon.records().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_looked_at_again_unless_the_operator_says_so() {
    for (table, options, requests) in [
        ("", "", 1),
        ("", "recheck = []", 1),
        ("[articles]\nrecheck = [\"24h\"]", "", 2),
        ("", "recheck = [\"24h\"]", 2),
        ("[articles]\nrecheck = [\"24h\"]", "recheck = []", 1),
    ] {
        let (server, daemon) = mill_of(TestDaemon::new().tables(table), options).await;
        server.respond("/one", html(page("mooring")));
        daemon.once().await;
        after_hours(&daemon, 30 * 24).await;
        assert_eq!(server.requests("/one").len(), requests, "{table} {options}");
    }
}

#[tokio::test]
async fn a_page_that_is_gone_is_withdrawn_and_kept() {
    let (server, daemon) = mill(RECHECK).await;
    server.respond("/one", html(page("mooring")));
    server.respond("/one", Reply::status(410));
    daemon.once().await;
    assert_eq!(daemon.records().await[0].withdrawn_at, None);
    after_hours(&daemon, 1).await;
    let withdrawn_at = daemon.now();
    after_hours(&daemon, 30 * 24).await;

    assert_eq!(server.requests("/one").len(), 2, "no third look");
    let records = daemon.records().await;
    assert_eq!(events(&records), [(Event::Created, 1), (Event::Withdrawn, 1)]);
    for record in &records {
        assert_eq!(record.withdrawn_at, Some(withdrawn_at), "whoever reads the first event now learns of it");
        assert_eq!(record.text, paragraphs("mooring").join("\n\n"));
    }
    assert_eq!(daemon.files().len(), 1);
    let totals = daemon.store().totals().await.unwrap();
    assert_eq!((totals.entries_done, totals.entries_failed, totals.articles), (1, 0, 1));
}

#[tokio::test]
async fn a_page_that_is_there_again_is_a_revision() {
    let (server, daemon) = mill("").await;
    let item = |word: &str| {
        let item = Item::new("One", &server.url("/one")).with_content(&format!("<p>{word}</p>"));
        Reply::ok("application/rss+xml", rss(&[item]))
    };
    for word in ["Early.", "Late.", "Last."] {
        server.respond("/changing", item(word));
    }
    drop(daemon);
    let daemon = TestDaemon::new().feed(&server.url("/changing")).open().await;
    server.respond("/one", html(page("mooring")));
    server.respond("/one", Reply::status(410));
    server.respond("/one", html(page("mooring")));
    for _ in 0..3 {
        daemon.once().await;
        daemon.advance(SignedDuration::from_hours(25));
    }
    let records = daemon.records().await;
    assert_eq!(events(&records), [(Event::Created, 1), (Event::Withdrawn, 1), (Event::Revised, 2)]);
    assert!(records.iter().all(|record| record.withdrawn_at.is_none()));
}

#[tokio::test]
async fn an_entry_that_leaves_its_feed_leaves_its_article() {
    let (server, daemon) = mill(RECHECK).await;
    server.replace("/feed", Reply::ok("application/rss+xml", rss(&[Item::new("One", &server.url("/one"))])));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[])));
    server.respond("/one", html(page("mooring")));
    daemon.once().await;
    after_hours(&daemon, 25).await;
    after_hours(&daemon, 25).await;

    assert_eq!(server.requests("/feed").len(), 3);
    assert_eq!(server.requests("/one").len(), 2, "its page is looked at again all the same");
    let records = daemon.records().await;
    assert_eq!(events(&records), [(Event::Created, 1)]);
    assert_eq!(records[0].withdrawn_at, None);
    let totals = daemon.store().totals().await.unwrap();
    assert_eq!((totals.articles, totals.entries_done), (1, 1));
}

#[tokio::test]
async fn a_wall_or_a_stub_is_no_revision() {
    let (server, daemon) = mill(RECHECK).await;
    server.respond("/one", html(page("mooring")));
    server.respond(
        "/one",
        html("<html><body><article><h1>The mooring affair</h1><p>Take a free trial.</p></article></body></html>"),
    );
    daemon.once().await;
    after_hours(&daemon, 1).await;
    assert_eq!(server.requests("/one").len(), 2);
    let records = daemon.records().await;
    assert_eq!(events(&records), [(Event::Created, 1)]);
    assert!(!records[0].quality_flags.contains(&QualityFlag::TooShort));
}

#[tokio::test]
async fn a_page_that_fails_is_tried_again_and_costs_the_article_nothing() {
    let content: String = paragraphs("ballast").iter().map(|text| format!("<p>{text}</p>")).collect();
    let (server, daemon) = mill("recheck = [\"1h\"]").await;
    let item = Item::new("One", &server.url("/one")).with_content(&content);
    server.replace("/feed", Reply::ok("application/rss+xml", rss(&[item])));
    server.respond("/one", html(page("mooring")));
    server.respond("/one", Reply::status(503));
    server.respond("/one", Reply::status(404));
    daemon.once().await;
    after_hours(&daemon, 1).await;
    assert_eq!(daemon.store().totals().await.unwrap().entries_pending, 1, "503 may pass");
    after_hours(&daemon, 1).await;
    after_hours(&daemon, 24).await;

    assert_eq!(server.requests("/one").len(), 3);
    assert_eq!(events(&daemon.records().await), [(Event::Created, 1)]);
    let totals = daemon.store().totals().await.unwrap();
    assert_eq!((totals.entries_done, totals.entries_failed, totals.entries_pending), (1, 0, 0));
}

#[tokio::test]
async fn robots_txt_is_asked_again() {
    let (server, daemon) = mill("recheck = [\"7d\"]").await;
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow:\n"));
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /one\n"));
    server.respond("/one", html(page("mooring")));
    daemon.once().await;
    after_hours(&daemon, 7 * 24).await;
    assert_eq!(server.requests("/robots.txt").len(), 2);
    assert_eq!(server.requests("/one").len(), 1);
    assert_eq!(daemon.store().totals().await.unwrap().entries_done, 1);
}

#[tokio::test]
async fn a_text_file_says_what_it_is_and_what_it_takes_the_place_of() {
    let folder = tempfile::TempDir::new().unwrap();
    let tables: String = ["front_matter", "sidecar"]
        .map(|trace| {
            let to = folder.path().join(trace);
            format!("[[sink]]\nname = \"{trace}\"\ntext = {{ to = {to:?}, trace = \"{trace}\" }}\n")
        })
        .concat();
    let server = Server::start().await;
    let item = Item::new("One", &server.url("/one"));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[item])));
    let first = page("mooring");
    let revised = first.replace(paragraphs("mooring")[2].as_str(), &paragraphs("dredging")[2]);
    for reply in [html(first), html(revised), Reply::status(410)] {
        server.respond("/one", reply);
    }
    let daemon = TestDaemon::new().tables(&tables).feed_with(&server.url("/feed"), RECHECK).open().await;
    daemon.once().await;
    after_hours(&daemon, 1).await;
    after_hours(&daemon, 23).await;
    let records = daemon.records().await;
    assert_eq!(events(&records), [(Event::Created, 1), (Event::Revised, 2), (Event::Withdrawn, 2)]);

    let name = |at: usize, extension: &str| {
        let Record { seq, content_sha256, .. } = &records[at];
        format!("{seq:012}_{}.{extension}", content_sha256.hash16())
    };
    let read =
        |trace: &str, name: &str| std::fs::read_to_string(folder.path().join(trace).join(name)).unwrap();
    let expected = [
        (Some(name(0, "txt")), None),
        (Some(name(1, "txt")), Some(name(0, "txt"))),
        (None, Some(name(1, "txt"))),
    ];
    for (at, (file, replaces)) in expected.iter().enumerate() {
        let origin: serde_json::Value = serde_json::from_str(&read("sidecar", &name(at, "json"))).unwrap();
        assert_eq!(origin["file"], serde_json::json!(file));
        assert_eq!(origin["replaces"], serde_json::json!(replaces));
        assert_eq!(origin["id"], records[at].id.to_string());
        let traced = read("front_matter", &name(at, "txt"));
        let (head, text) = traced.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
        for field in ["event", "id", "revision", "url", "fetched_at", "file", "replaces"] {
            assert!(
                head.lines().any(|line| line == format!("{field}: {}", origin[field])),
                "{field}: {head}"
            );
        }
        match file {
            Some(file) => assert_eq!(text, read("sidecar", file)),
            None => assert_eq!(text, ""),
        }
    }
    assert!(!folder.path().join("sidecar").join(name(2, "txt")).exists());
}
