//! Settings that bound what is used and how long something takes or is kept: memory, threads, times, sizes, days.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use feedmill::lifecycle::Lifecycle;
use feedmill::model::DuplicateKind;
use feedmill::pipeline::websub;
use feedmill::store::RawSelection;
use feedmill::telemetry::metrics::Metrics;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::effects::opened;
use super::{feed, html, site};
use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

#[tokio::test]
async fn no_more_memory_is_in_use_than_the_operator_allows() {
    // The work may take a quarter, and one piece goes on without memory of its own.
    for (table, pieces) in [("", 7), ("[pipeline]\nmemory_mb = 128", 3)] {
        let mill = TestDaemon::new().tables(table).open().await;
        let shares: Vec<_> = (0..10).map(|_| mill.daemon.shared().memory.share()).collect();
        let held = shares.iter().filter(|share| share.hold(16 << 20).now_or_never().is_some()).count();
        assert_eq!(held, pieces, "{table}");
    }
}

#[tokio::test]
async fn no_more_is_computed_at_once_than_the_operator_says() {
    const WORKS: usize = 6;
    for at_once in [1, 3] {
        let table = format!("[extract]\nconcurrency = {at_once}");
        let mill = TestDaemon::new().tables(&table).open().await;
        let workers = &mill.daemon.shared().workers;
        let (said, mut heard) = mpsc::channel(WORKS);
        let mut leashes = Vec::new();
        let mut works = Vec::new();
        for number in 0..WORKS {
            let (leash, is_held) = std::sync::mpsc::sync_channel::<()>(0);
            leashes.push(leash);
            let said = said.clone();
            // Each is of another party, since no party may exceed its share.
            works.push(async move {
                let piece = move || {
                    said.blocking_send(number).unwrap();
                    is_held.recv().is_err()
                };
                workers.run(&format!("party {number}"), piece).await
            });
        }
        let counted = async {
            for _ in 0..at_once {
                heard.recv().await.unwrap();
            }
            // Further ones would have begun at once.
            for _ in 0..100 {
                tokio::task::yield_now().await;
                assert!(heard.try_recv().is_err(), "more than {at_once}");
            }
            drop(leashes);
        };
        let (done, ()) = tokio::join!(join_all(works), counted);
        assert!(done.iter().all(|done| *done == Ok(Ok(true))), "{done:?}");
    }
}

/// Of the two limits on the time of an answer, the one that is set to a second ends it; the error names the limit.
#[tokio::test]
async fn an_answer_is_waited_for_as_long_as_the_operator_says() {
    for (lines, options, is_total) in [
        ("timeout_secs = 1\nread_timeout_secs = 20", "", true),
        ("read_timeout_secs = 20", "timeout_secs = 1", true),
        ("timeout_secs = 20\nread_timeout_secs = 1", "", false),
    ] {
        let server = Server::start().await;
        let begins = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome";
        server.respond("/feed", Reply::raw(begins).then_hang());
        let mill = TestDaemon::new().fetch(lines).feed_with(&server.url("/feed"), options).open().await;
        mill.once().await;
        let error = mill.store().feeds_list().await.unwrap().remove(0).last_error.unwrap();
        assert!(error.contains("no complete answer in time"), "{lines}: {error}");
        assert_eq!(error.contains("the total time limit"), is_total, "{lines}: {error}");
    }
}

#[tokio::test]
async fn a_host_is_left_alone_between_requests_for_as_long_as_the_operator_says() {
    for (gap_ms, pages) in [(0, 1), (60_000, 0)] {
        let server = site(html(page("mooring"))).await;
        let test = TestDaemon::new().feed(&server.url("/feed"));
        let gap = format!("host_min_gap_ms = {gap_ms}");
        let daemon = opened(&test.write_config(), "host_min_gap_ms = 0", &gap).await;
        daemon.step().await.unwrap();
        // A page of the host that had its request just now is put off.
        assert_eq!((server.requests("/feed").len(), server.requests("/one").len()), (1, pages), "{gap_ms}");
        daemon.store().close().await;
    }
}

#[tokio::test]
async fn copies_are_found_within_the_days_that_the_operator_says() {
    for (table, kind) in [("", Some(DuplicateKind::Near)), ("[dedup]\nwindow_days = 1", None)] {
        let server = site(html(page("mooring"))).await;
        let copy = page("mooring").replacen("before the bells rang", "after the horns blew", 1);
        server.respond("/copies", feed(&[]));
        server.respond("/copies", feed(&[Item::new("Copy", &server.url("/copy"))]));
        server.respond("/copy", html(copy));
        let mill = TestDaemon::new()
            .tables(table)
            .feed(&server.url("/feed"))
            .feed(&server.url("/copies"))
            .open()
            .await;
        mill.once().await;
        mill.advance(SignedDuration::from_hours(60));
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(records.len(), 2, "{records:?}");
        assert_eq!(records[1].duplicate_kind, kind, "{table}");
    }
}

#[tokio::test]
async fn pages_are_kept_for_the_days_that_the_operator_says() {
    for (table, options, left) in [
        ("", "", 1),
        ("keep_raw_days = 2", "", 0),
        ("", "keep_raw_days = 2", 0),
        ("keep_raw_days = 2", "keep_raw_days = 30", 1),
    ] {
        let server = site(html(page("mooring"))).await;
        let table = format!("[articles]\nraw = \"keep\"\n{table}");
        let mill = TestDaemon::new().tables(&table).feed_with(&server.url("/feed"), options).open().await;
        let kept = async || mill.store().raw_pages_after(0, &RawSelection::default(), 9).await.unwrap().len();
        mill.once().await;
        assert_eq!(kept().await, 1, "{table} {options}");
        mill.advance(SignedDuration::from_hours(60));
        mill.once().await;
        assert_eq!(kept().await, left, "{table} {options}");
        assert_eq!(mill.records().await.len(), 1, "the article stays");
    }
}

#[tokio::test]
async fn a_hub_is_asked_for_the_lease_that_the_operator_says() {
    let server = Server::start().await;
    let hub = format!("</description><atom:link rel=\"hub\" href=\"{}\"/>", server.url("/hub"));
    let body = rss(&[]).replace("</description>", &hub);
    let body = body.replace("<rss ", "<rss xmlns:atom=\"http://www.w3.org/2005/Atom\" ");
    server.respond("/feed", Reply::ok("application/rss+xml", body));
    server.respond("/hub", Reply::status(202));
    let table = "[websub]\ncallback_url = \"https://feeds.example/hubs/\"\nlisten = \"127.0.0.1:0\"\n\
        lease_secs = 7200";
    let mill = TestDaemon::new().tables(table).feed(&server.url("/feed")).open().await;
    mill.once().await;
    assert_eq!(websub::step(mill.daemon.shared()).await.unwrap(), 1);
    let asked = server.requests("/hub").remove(0).body;
    let lease = url::form_urlencoded::parse(&asked).find(|(name, _)| name == "hub.lease_seconds");
    assert_eq!(lease.unwrap().1, "7200");
}

/// Returns the status line of the answer to `GET path`.
async fn status(address: SocketAddr, path: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_where_the_operator_says() {
    for (lines, of_main) in [("", "200 "), ("metrics_listen = \"127.0.0.2:0\"", "404 ")] {
        let mill = TestDaemon::new().http(lines).open().await;
        let lifecycle = Lifecycle::new(Duration::from_mins(1));
        let addresses = Arc::clone(&mill.daemon).start(&lifecycle, Metrics::install()).await.unwrap();
        let main = status(addresses.http.unwrap(), "/metrics").await;
        assert!(main.contains(of_main), "{lines}: {main}");
        assert_eq!(addresses.metrics.is_some(), !lines.is_empty());
        if let Some(apart) = addresses.metrics {
            assert_eq!(apart.ip().to_string(), "127.0.0.2");
            let answer = status(apart, "/metrics").await;
            assert!(answer.contains("200 "), "{answer}");
        }
        lifecycle.stop_soft();
        lifecycle.wait().await;
        mill.store().close().await;
    }
}

#[tokio::test]
async fn archived_files_end_at_the_size_that_the_operator_says() {
    const PAGES: usize = 3;
    // Its letters take more than a megabyte when compressed.
    let noise: String = (0..2_200_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
    let body = page("mooring").replace("</body>", &format!("<!-- {noise} --></body>"));
    for (line, expected) in [("", 1), ("warc_max_file_bytes = 1048576", PAGES)] {
        let server = Server::start().await;
        let items = (0..PAGES).map(|n| Item::new(&format!("Number {n}"), &server.url(&format!("/page/{n}"))));
        server.respond("/feed", feed(&items.collect::<Vec<_>>()));
        for number in 0..PAGES {
            server.respond(&format!("/page/{number}"), html(body.clone()));
        }
        let folder = tempfile::tempdir().unwrap();
        let lines = format!("warc_dir = {:?}\n{line}", folder.path());
        let mill = TestDaemon::new().output(&lines).feed(&server.url("/feed")).open().await;
        mill.once().await;
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, expected, "{line}");
    }
}

/// A page of more than 64 KiB of text.
fn long_page(topic: &str) -> String {
    let topics = (0..80).map(|number| format!("{topic} {number}"));
    let more = topics.flat_map(|topic| paragraphs(&topic)).map(|text| format!("<p>{text}</p>\n"));
    page(topic).replace("</article>", &(more.collect::<String>() + "</article>"))
}

#[tokio::test]
async fn files_of_records_end_at_the_size_and_the_time_that_the_operator_says() {
    for (keys, files) in [("", 2), ("every = \"24h\"", 1), ("every = \"24h\"\nmax_bytes = 65536", 3)] {
        let server = Server::start().await;
        let topics = ["mooring", "dredging", "pilotage"];
        let items = topics.map(|topic| Item::new(topic, &server.url(&format!("/{topic}"))));
        for topic in topics {
            server.respond(&format!("/{topic}"), html(long_page(topic)));
        }
        server.respond("/feed", feed(&items[..2]));
        server.respond("/feed", feed(&items));
        let mill = TestDaemon::new().feed_with(&server.url("/feed"), "interval_secs = 1800").open().await;
        mill.once().await;
        mill.advance(SignedDuration::from_hours(2));
        mill.once().await;
        let sizes: Vec<_> = mill.records().await.iter().map(|record| record.text.len()).collect();
        assert!(sizes.len() == topics.len() && sizes.iter().all(|bytes| *bytes > 65_536), "{sizes:?}");
        let (lines, columns) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sinks = [("jsonl", &lines), ("parquet", &columns)].map(|(form, folder)| {
            let to = folder.path();
            format!("[[sink]]\nname = \"{form}\"\n[sink.{form}]\nto = {to:?}\n{keys}\n")
        });
        let mill = mill.restarted_with(|test| test.tables(&sinks.concat())).await;
        mill.once().await;
        for folder in [&lines, &columns] {
            assert_eq!(files_in(folder.path()), files, "{keys}");
        }
    }
}

/// Returns the number of files in a folder and those below it, without hidden ones.
fn files_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| {
        let is_hidden = path.file_name().unwrap().to_str().unwrap().starts_with('.');
        if path.is_dir() { files_in(&path) } else { usize::from(!is_hidden) }
    };
    entries.map(count).sum()
}
