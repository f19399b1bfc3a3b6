//! Removal of old articles, and the error for readers that come too late.

use feedmill::model::Record;
use jiff::SignedDuration;

use crate::support::daemon::{OpenedDaemon, TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// A daemon whose feed shows one more entry with each poll, and whose retention is set by `options`.
async fn mill(options: &str) -> (Server, OpenedDaemon) {
    mill_of(TestDaemon::new(), options).await
}

async fn mill_of(daemon: TestDaemon, options: &str) -> (Server, OpenedDaemon) {
    let server = Server::start().await;
    let items: Vec<Item> =
        (0..4).map(|n| Item::new(&format!("Number {n}"), &server.url(&format!("/page/{n}")))).collect();
    for count in 1..=items.len() {
        server.respond("/feed", Reply::ok("application/rss+xml", rss(&items[..count])));
    }
    server.handle(|request| Reply::ok("text/html", page(&format!("quay {}", request.path()))));
    let daemon = daemon.feed_with(&server.url("/feed"), options).open().await;
    (server, daemon)
}

async fn days_pass(daemon: &OpenedDaemon, days: usize) {
    for _ in 0..days {
        daemon.once().await;
        daemon.advance(SignedDuration::from_hours(25));
    }
}

fn seqs(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.seq).collect()
}

#[tokio::test]
async fn articles_are_kept_for_their_days() {
    for (table, options) in [
        ("[articles]\nkeep_days = 2", ""),
        ("", "keep_days = 2"),
        ("[articles]\nkeep_days = 300", "keep_days = 2"),
    ] {
        let (server, daemon) = mill_of(TestDaemon::new().tables(table), options).await;
        days_pass(&daemon, 4).await;
        assert_eq!(seqs(&daemon.records().await), [3, 4], "{table} {options}: of today and of yesterday");
        daemon.advance(SignedDuration::from_hours(24 * 30));
        days_pass(&daemon, 2).await;
        assert!(daemon.records().await.is_empty(), "{table} {options}");
        for n in 0..4 {
            assert_eq!(server.requests(&format!("/page/{n}")).len(), 1, "in its feed still, and not new");
        }
        assert_eq!(daemon.files().len(), 4, "files are their owner's to remove");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_old_texts_go_with_their_partitions() {
    let Some(database) = FreshDatabase::create(Backend::Postgres).await else { return };
    let url = database.settings.url.expose_secret();
    let (_server, daemon) = mill_of(TestDaemon::new().database(url), "keep_days = 2").await;
    database.execute("DROP TABLE revisions_1_500001, article_words_1_500001").await;
    for (first, past) in [(1, 2), (2, 3), (3, 500_001)] {
        for table in ["revisions", "article_words"] {
            let part = format!("CREATE TABLE {table}_{first}_{past} PARTITION OF {table}");
            database.execute(&format!("{part} FOR VALUES FROM ({first}) TO ({past})")).await;
        }
    }
    days_pass(&daemon, 4).await;
    assert_eq!(seqs(&daemon.records().await), [3, 4]);
    let partitions = "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'";
    assert_eq!(database.number(partitions).await, 2, "one of texts and one of their words");
    drop(daemon);
    database.drop().await;
}

#[tokio::test]
async fn a_file_gives_back_the_pages_of_what_went() {
    let server = Server::start().await;
    let items: Vec<Item> =
        (0..30).map(|n| Item::new(&format!("Number {n}"), &server.url(&format!("/page/{n}")))).collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.handle(|request| {
        let body = page(&format!("quay {}", request.path()));
        // Incompressible bytes, since the archived pages are compressed.
        let noise: String = (0..40_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
        Reply::ok("text/html", body.replace("</body>", &format!("<!-- {noise} --></body>")))
    });
    let options = "keep_days = 2\nraw = \"keep\"";
    let daemon = TestDaemon::new().feed_with(&server.url("/feed"), options).open().await;
    daemon.once().await;
    let size = || std::fs::metadata(daemon.database_file()).unwrap().len();
    let full = size() + daemon.database_file().with_extension("db-wal").metadata().map_or(0, |wal| wal.len());
    server.replace("/feed", Reply::ok("application/rss+xml", rss(&[])));
    days_pass(&daemon, 3).await;
    assert!(daemon.records().await.is_empty());
    assert!(size() * 2 < full, "{} of {full} bytes are left", size());
    let log = daemon.database_file().with_extension("db-wal");
    assert!(log.metadata().unwrap().len() < 1 << 20, "the log of changes is cut");
}

#[tokio::test]
async fn nothing_goes_unless_the_operator_says_so() {
    for options in ["", "keep_days = 0\nkeep_raw_days = 0"] {
        let (_server, daemon) = mill(options).await;
        days_pass(&daemon, 4).await;
        daemon.advance(SignedDuration::from_hours(24 * 3_650));
        daemon.once().await;
        assert_eq!(daemon.records().await.len(), 4, "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_comes_too_late_is_told_once() {
    let (_server, daemon) = mill("keep_days = 2").await;
    days_pass(&daemon, 1).await;
    let config = daemon.config_path();
    let export = |arguments: &[&str]| {
        let arguments = [&["export", "--format", "jsonl"], arguments].concat();
        let output = tokio::task::block_in_place(|| feedmill(&config, &arguments).output().unwrap());
        let lines = String::from_utf8(output.stdout).unwrap();
        let seqs: Vec<i64> =
            lines.lines().map(|line| serde_json::from_str::<Record>(line).unwrap().seq).collect();
        (output.status.code(), seqs, String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(export(&["--cursor", "late"]).1, [1]);
    assert_eq!(export(&["--cursor", "punctual"]).1, [1]);
    days_pass(&daemon, 1).await;
    assert_eq!(export(&["--cursor", "punctual"]).1, [2]);
    days_pass(&daemon, 3).await;

    let (code, read, log) = export(&["--cursor", "late"]);
    assert_eq!((code, read), (Some(1), vec![]));
    assert!(log.contains("records after 1 were removed") && log.contains("--skip-removed"), "{log}");
    let (code, read, log) = export(&["--cursor", "late", "--skip-removed"]);
    assert_eq!((code, read), (Some(0), vec![4]), "{log}");
    assert!(log.contains("removed before they were read"), "{log}");
    let (code, read, log) = export(&["--cursor", "late"]);
    assert_eq!((code, read), (Some(0), vec![]), "{log}");
    assert_eq!(export(&[]).1, [4], "whoever starts at the beginning asks for what there is");
}
