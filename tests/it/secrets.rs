//! Secrets in the queries of feeds' URLs are sent to their servers and stand nowhere else: the program's whole output, log, answers
//! and files are searched for them, on both back ends.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::running::Running;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// In the URL of a feed that is read.
const IN_URL: &str = "hidden-in-url";
/// In the URL of a feed whose server fails.
const OF_FAILING: &str = "hidden-of-failing";
/// In the URL of a feed whose server cannot be reached.
const OF_ABSENT: &str = "hidden-of-absent";
/// Where a feed has moved to.
const IN_REDIRECT: &str = "hidden-in-redirect";
/// In a query parameter that the configuration reads from a file.
const IN_FILE: &str = "hidden-in-file";

fn assert_masked(place: &str, text: &str) {
    for secret in [IN_URL, OF_FAILING, OF_ABSENT, IN_REDIRECT, IN_FILE] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} stands in {place}");
    }
}

/// A server with an article, and a daemon with feeds whose URLs have secrets.
async fn mill(database: &FreshDatabase) -> (Server, TestDaemon) {
    let server = Server::start().await;
    let feed = || Reply::ok("application/rss+xml", rss(&[Item::new("One", &server.url("/page"))]));
    server.respond("/feed", feed());
    server.respond("/moving", Reply::redirect(301, format!("/moved?key={IN_REDIRECT}")));
    server.respond("/moved", feed());
    server.respond("/quiet", feed());
    server.respond("/failing", Reply::status(500));
    server.respond("/page", Reply::ok("text/html; charset=utf-8", page("mooring")));
    let test = TestDaemon::new()
        .database(database.settings.url.expose_secret())
        .feed(&server.url(&format!("/feed?format=rss&token={IN_URL}")))
        .feed(&server.url(&format!("/moving?api_key={IN_URL}")))
        .feed(&server.url(&format!("/failing?auth={OF_FAILING}")))
        .feed(&format!("http://127.0.0.1:9/feed?signature={OF_ABSENT}").parse().unwrap())
        .feed_with(&server.url("/quiet"), "query = { token = { file = \"query.token\" } }");
    let config = test.write_config();
    fs::write(config.with_file_name("query.token"), IN_FILE).unwrap();
    (server, test)
}

/// Runs a command and searches what it prints.
fn searched(config: &Path, arguments: &[&str]) -> String {
    let output = feedmill(config, arguments).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_masked(&format!("the output of {arguments:?}"), &out);
    assert_masked(&format!("the log of {arguments:?}"), &err);
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_queries_reach_their_servers_and_nobody_else() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(database) = FreshDatabase::create(backend).await else { continue };
        search_everything(&database).await;
        database.drop().await;
    }
}

async fn search_everything(database: &FreshDatabase) {
    let (server, test) = mill(database).await;
    let config = test.write_config();
    let (feed, failing) = (
        server.url(&format!("/feed?format=rss&token={IN_URL}")),
        server.url(&format!("/failing?auth={OF_FAILING}")),
    );
    let all: &[&[&str]] = &[
        &["-vv", "once"],
        &["config", "check"],
        &["config", "show"],
        &["feeds", "list"],
        &["feeds", "list", "--json"],
        &["feeds", "show", feed.as_str()],
        &["feeds", "show", "--json", failing.as_str()],
        &["feeds", "release", failing.as_str()],
        &["feeds", "discover", failing.as_str()],
        &["articles", "list"],
        &["queue"],
        &["sinks", "list"],
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["tail"],
        &["export", "--format", "jsonl"],
    ];
    let outputs: Vec<String> =
        tokio::task::block_in_place(|| all.iter().map(|arguments| searched(&config, arguments)).collect());
    let sent: Vec<String> = server.all_requests().into_iter().map(|request| request.target).collect();
    for secret in [IN_URL, OF_FAILING, IN_REDIRECT, IN_FILE] {
        assert!(sent.iter().any(|target| target.contains(secret)), "{secret} is sent: {sent:?}");
    }
    // Something was printed that could have had them.
    let of_feeds =
        all.iter().zip(&outputs).filter(|(arguments, _)| arguments.starts_with(&["feeds", "list"]));
    for (arguments, output) in of_feeds {
        assert!(output.contains("***"), "{arguments:?}: {output}");
    }
    assert!(outputs.last().unwrap().contains("=***"), "the record names its feeds");

    let running = tokio::task::block_in_place(|| Running::start(&config));
    let pages = [
        "/",
        "/feeds",
        "/feeds/1",
        "/feeds/2",
        "/feeds/3",
        "/feeds/4",
        "/v1/articles",
        "/v1/feeds",
        "/metrics",
    ];
    for path in pages {
        let mut client = TcpStream::connect(running.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert_masked(path, &answer);
    }
    let log = tokio::task::block_in_place(|| running.stop());
    assert_masked("the log of the daemon", &log);
    for (name, text) in test.files() {
        assert_masked(&name, &text);
    }
}
