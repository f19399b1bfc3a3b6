//! What a neighbour takes from the whole process: its memory and its descriptors, by the kernel's account.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::SocketAddr;

use feedmill::http::listener::Limits;
use feedmill::lifecycle::process;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Good, announce, feed, gzipped, long_page, topic};
use crate::support::daemon::TestDaemon;
use crate::support::running::Running;
use crate::support::server::{Gate, Reply, Request, Server};
use crate::support::site::{Item, page};

const BUDGET_KIB: u64 = 384 << 10;

/// Runs the program with the good feeds and `neighbour` until all good articles are stored and `is_enough` of the paths of the
/// neighbour's feeds and pages that its log has told of, then stops it; returns its peak memory in KiB.
async fn peak_kib(
    neighbour: TestDaemon,
    of_neighbour: &Server,
    is_enough: impl Fn(&HashSet<String>) -> bool,
) -> u64 {
    let good = Good::start().await;
    let test = good.beside(neighbour);
    let config = test.write_config();
    let port = format!(":{}/", of_neighbour.address().port());
    let links: HashSet<String> = good.links().map(|link| link.to_string()).collect();
    tokio::task::block_in_place(|| {
        let mut running = Running::start(&config);
        let (mut missing, mut told) = (links, HashSet::new());
        running.follow(|event| {
            let spans = event["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
            let url_of = |field| spans.iter().find_map(|span| span[field].as_str());
            let url = url_of("page.url").or_else(|| url_of("feed.url")).unwrap_or_default();
            if event["message"] == "extracted" {
                missing.remove(url);
            }
            if let Some((_, path)) = url.split_once(&port) {
                told.insert(path.to_owned());
            }
            missing.is_empty() && is_enough(&told)
        });
        let peak = running.peak_kib();
        running.stop();
        peak
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pages_wait_for_memory() {
    const LARGE_PAGES: usize = 60;
    let server = Server::start().await;
    let large = long_page(9_600_000);
    announce(&server, 0, move |path| Reply::ok("text/html", large.replace("PATH", path)));
    // The pages are fetched, but none is worked on for long; a feed of its own each, since a feed whose pages run out of time rests.
    let mut test = TestDaemon::new().tables("[extract]\ntimeout_secs = 1");
    for number in 0..LARGE_PAGES {
        let path = format!("/feed/{number}");
        server.respond(&path, feed(&[Item::new("Slow", &server.url(&format!("/slow/{number}")))]));
        test = test.feed(&server.url(&path));
    }
    let is_page = |request: &Request| request.path().starts_with("/slow");
    let asked = || server.all_requests().iter().filter(|request| is_page(request)).count();
    let worked_on = |told: &HashSet<String>| told.iter().filter(|path| path.starts_with("slow")).count();

    let peak = peak_kib(test, &server, |told| worked_on(told) >= 8 && asked() > LARGE_PAGES / 2).await;

    assert!(peak <= BUDGET_KIB, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_feeds_wait_for_memory() {
    const LARGE_FEEDS: usize = 32;
    let item = "<item><title>T</title><description>Words of it and more of them.</description></item>";
    let body =
        format!("<rss version=\"2.0\"><channel>{}</channel></rss>", item.repeat(15_900_000 / item.len()));
    let server = Server::start().await;
    server.handle(move |_| Reply::ok("text/xml", body.clone()));
    let feeds = (0..LARGE_FEEDS).map(|number| server.url(&format!("/{number}")));
    let test = feeds.fold(TestDaemon::new(), |test, feed| test.feed(&feed));

    let peak = peak_kib(test, &server, |told| told.len() >= 4).await;

    assert!(peak <= BUDGET_KIB, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_inflated_within_the_memory() {
    const BOMBS: usize = 100;
    let server = Server::start().await;
    let bomb = gzipped(&vec![b' '; 256 << 20]);
    announce(&server, BOMBS, move |_| {
        Reply::ok("text/html", bomb.clone()).header("Content-Encoding", "gzip")
    });
    let test = TestDaemon::new().feed(&server.url("/feed"));

    let peak = peak_kib(test, &server, |told| told.len() >= BOMBS / 2).await;

    assert!(peak <= BUDGET_KIB, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_long_articles_wait_for_memory() {
    const ARTICLES: usize = 24;
    const READERS: usize = 24;
    /// An answer ends at a limit of its own, after eight such articles or nine.
    const LEAST_ANSWER_BYTES: u64 = 12_000_000;
    let server = Server::start().await;
    announce(&server, ARTICLES, |path| Reply::ok("text/html", page(&topic(path))));
    let stored = TestDaemon::new().feed(&server.url("/feed")).open().await;
    stored.once().await;
    assert_eq!(stored.records().await.len(), ARTICLES);
    // Two million bytes each.
    stored.execute("UPDATE revisions SET text = replace(hex(zeroblob(200000)), '0', 'tide ')").await;
    let test = stored.ended().await;
    let config = test.write_config();

    let running = tokio::task::block_in_place(|| Running::start(&config));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(read_records(running.address));
    }
    let answers = readers.join_all().await;
    let peak = running.peak_kib();
    tokio::task::block_in_place(|| running.stop());

    for (status, bytes) in answers {
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        assert!(bytes > LEAST_ANSWER_BYTES, "{bytes} bytes");
    }
    assert!(peak <= BUDGET_KIB, "{peak} KiB");
}

/// Requests all records and reads the answer to its end; returns its first line and how many bytes follow it.
async fn read_records(address: SocketAddr) -> (String, u64) {
    let mut client = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request = "GET /v1/articles?limit=1000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let mut status = String::new();
    client.read_line(&mut status).await.unwrap();
    let bytes = tokio::io::copy_buf(&mut client, &mut tokio::io::sink()).await.unwrap();
    (status, bytes)
}

/// Without a limit on connections they would leave a third of the descriptors, and the work needs more.
#[tokio::test(flavor = "multi_thread")]
async fn idle_clients_leave_descriptors_for_the_work() {
    const DESCRIPTORS: usize = 300;
    /// As many as are accepted, and as wait to be accepted.
    const IDLE: usize = 200;
    let gate = Gate::new();
    let good = Good::start_behind(&gate).await;
    let test = good.beside(TestDaemon::new());
    let config = test.write_config();
    let running = tokio::task::block_in_place(|| Running::start_within(&config, DESCRIPTORS));
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(running.address).await.unwrap());
    }
    // The work begins when all of them are there.
    gate.open();
    let links: HashSet<String> = good.links().map(|link| link.to_string()).collect();
    let run = move || {
        let (mut running, mut missing) = (running, links);
        running.follow(|event| {
            if event["message"] == "extracted"
                && let Some(url) = event["spans"][0]["page.url"].as_str()
            {
                missing.remove(url);
            }
            missing.is_empty()
        });
        running.stop()
    };
    let log = tokio::task::spawn_blocking(run).await.unwrap();
    drop(idle);
    for line in log.lines() {
        assert!(!line.contains("open files") && !line.contains("the poll failed"), "{line}");
    }
}

/// Half of the clients send nothing, half a byte of a head each time that another client is answered. Those that the daemon has
/// disconnected come again.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_and_trickling_clients_starve_nobody() {
    const CLIENTS: usize = 1_000;
    const REQUESTS: usize = 100;
    /// The fewest with which a listener has its default limits.
    const DESCRIPTORS: usize = 4_096;
    const HEAD: &[u8] = b"GET /v1/articles HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    assert_eq!(Limits::within(DESCRIPTORS), Limits::default());
    process::raise_descriptor_limit();
    assert!(process::descriptors() >= DESCRIPTORS, "the hard limit on open files is too low for this test");
    let test = TestDaemon::new();
    let config = test.write_config();
    let running = tokio::task::block_in_place(|| Running::start_within(&config, DESCRIPTORS));
    let trickling = async || {
        let mut client = TcpStream::connect(running.address).await.unwrap();
        client.write_all(HEAD).await.unwrap();
        client
    };
    let (mut idle, mut slow) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS / 2 {
        idle.push(TcpStream::connect(running.address).await.unwrap());
        slow.push(trickling().await);
    }
    for number in 0..REQUESTS {
        for client in &mut idle {
            let read = client.try_read(&mut [0]);
            if !read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                *client = TcpStream::connect(running.address).await.unwrap();
            }
        }
        for client in &mut slow {
            if client.write_all(b"x").await.is_err() {
                *client = trickling().await;
            }
        }
        for path in ["/healthz", "/v1/articles"] {
            let answer = running.get(path).await;
            assert_eq!(answer.split(' ').nth(1), Some("200"), "request {number} for {path}: {answer}");
        }
    }
    drop((idle, slow));
    tokio::task::block_in_place(|| running.stop());
}
