//! What a reload changes while the daemon runs: sinks, tokens, rules and limits.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feedmill::daemon::{Addresses, DaemonError};
use feedmill::lifecycle::Lifecycle;
use feedmill::model::Record;
use feedmill::telemetry::metrics::Metrics;
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::running::Running;
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

/// Longer than any test here takes.
const LONG: Duration = Duration::from_mins(2);

/// Time between two looks at what is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

async fn start(opened: &OpenedDaemon) -> (Lifecycle, Addresses) {
    let lifecycle = Lifecycle::new(LONG);
    let addresses = Arc::clone(&opened.daemon).start(&lifecycle, Metrics::install()).await.unwrap();
    (lifecycle, addresses)
}

async fn stop(lifecycle: Lifecycle) {
    lifecycle.stop_soft();
    assert!(lifecycle.wait().await.is_clean());
}

/// Waits until `is_so` returns `true`.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        while !is_so().await {
            looks.tick().await;
        }
    };
    tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn html(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

fn feed(items: &[Item]) -> Reply {
    Reply::ok("application/rss+xml", rss(items))
}

/// A server of feeds `/feed/N`, each with one entry, whose page is `/page/N`, and of receivers at any other path.
async fn press() -> Server {
    let server = Server::start().await;
    let origin = server.url("/");
    server.handle(move |request| match request.path().split_at_checked(6) {
        Some(("/feed/", number)) => {
            let link = origin.join(&format!("/page/{number}")).unwrap();
            feed(&[Item::new(&format!("Quay {number}"), &link)])
        }
        Some(("/page/", _)) => html(page(&format!("quay {}", request.path()))),
        _ if request.path() == "/robots.txt" => Reply::status(404),
        _ => Reply::status(204),
    });
    server
}

/// A `[[sink]]` table that posts to the path `/NAME`.
fn hook(server: &Server, name: &str, lines: &str) -> String {
    let url = server.url(&format!("/{name}"));
    format!(
        "[[sink]]\nname = \"{name}\"\nwebhook = {{ url = \"{url}\", max_records = 1, timeout_secs = 600 }}\n{lines}\n"
    )
}

/// A `[[sink]]` table that writes texts into a folder.
fn texts(name: &str, folder: &Path, lines: &str) -> String {
    format!("[[sink]]\nname = \"{name}\"\ntext = {{ to = \"{}\" }}\n{lines}\n", folder.display())
}

/// Returns the paths of the articles that a receiver got, in order.
fn received(server: &Server, name: &str) -> Vec<String> {
    let requests = server.requests(&format!("/{name}"));
    let records = requests.iter().flat_map(|request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        serde_json::from_value::<Vec<Record>>(body["records"].clone()).unwrap()
    });
    records.map(|record| record.url.path().to_owned()).collect()
}

fn files_in(folder: &TempDir) -> usize {
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_adds_changes_and_removes_a_sink() {
    let server = press().await;
    let all = hook(&server, "all", "");
    let tagged = |number: usize| (server.url(&format!("/feed/{number}")), format!("tags = [\"t{number}\"]"));
    let with_feed = |test: TestDaemon, number| {
        let (url, tags) = tagged(number);
        test.feed_with(&url, &tags)
    };
    let mut test = with_feed(TestDaemon::new().tables(&all), 0);
    let running = tokio::task::block_in_place(|| Running::start(&test.write_config()));
    until("the first article", async || received(&server, "all").len() == 1).await;

    // Each reload adds a feed, so that there is something to deliver under the new settings.
    test = with_feed(test.tables(&hook(&server, "own", "")), 1);
    test.write_config();
    running.signal("HUP");
    until("both articles for the new sink", async || received(&server, "own").len() == 2).await;

    let filtered = hook(&server, "own", "filter = { tag = [\"!t2\"] }");
    test = with_feed(with_feed(test.no_tables().tables(&all).tables(&filtered), 2), 3);
    test.write_config();
    running.signal("HUP");
    until("what the filter admits", async || received(&server, "own").contains(&"/page/3".to_owned())).await;
    until("the articles of all feeds", async || received(&server, "all").len() == 4).await;

    test = with_feed(test.no_tables().tables(&all), 4);
    test.write_config();
    running.signal("HUP");
    until("the next article for the sink that stayed", async || received(&server, "all").len() == 5).await;
    let log = tokio::task::block_in_place(|| running.stop());

    assert_eq!(log.matches("the new configuration is in force").count(), 3, "{log}");
    assert!(!log.contains("only after a restart"), "{log}");
    let sorted = |name: &str| {
        let mut paths = received(&server, name);
        paths.sort();
        paths
    };
    assert_eq!(sorted("own"), ["/page/0", "/page/1", "/page/3"], "{log}");
    assert_eq!(sorted("all"), ["/page/0", "/page/1", "/page/2", "/page/3", "/page/4"], "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_restart_is_named_and_the_rest_is_applied() {
    let server = press().await;
    let test = TestDaemon::new().feed(&server.url("/feed/0"));
    let config = test.write_config();
    let running = tokio::task::block_in_place(|| Running::start(&config));
    server.arrived("/page/0", 1).await;

    let test = test.feed(&server.url("/feed/1"));
    test.write_config();
    let written = std::fs::read_to_string(&config).unwrap();
    let changed = written
        .replace("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.2:0\"")
        .replace("feedmill.db", "other.db");
    assert!(changed.contains("127.0.0.2:0") && changed.contains("other.db"), "{changed}");
    std::fs::write(&config, changed).unwrap();
    running.signal("HUP");
    server.arrived("/page/1", 1).await;
    for key in ["database.url", "http.listen"] {
        running.logs(&["takes effect only after a restart", &format!("\"key\":\"{key}\"")], 1).await;
    }
    let answer = running.get("/healthz").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "still at the address of the start: {answer}");
    let log = tokio::task::block_in_place(|| running.stop());
    assert_eq!(log.matches("only after a restart").count(), 2, "{log}");
    assert!(!config.with_file_name("other.db").exists());
}

/// A batch that is being delivered is neither cut off by the change of its sink nor delivered again, and an unchanged sink goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_sink_finishes_the_batch_in_hand() {
    let server = press().await;
    let gate = Gate::new();
    server.respond("/slow", Reply::status(204).gated(&gate));
    server.respond("/slow", Reply::status(204));
    let test = TestDaemon::new().feed(&server.url("/feed/0"));
    let test = test.tables(&hook(&server, "slow", "")).tables(&hook(&server, "other", ""));
    let mut opened = test.open().await;
    let (lifecycle, _) = start(&opened).await;
    server.arrived("/slow", 1).await;

    let changed = hook(&server, "slow", "filter = { event = [\"created\"] }");
    let other = hook(&server, "other", "");
    opened
        .reconfigure(|test| test.no_tables().tables(&changed).tables(&other).feed(&server.url("/feed/1")))
        .await;
    server.arrived("/other", 2).await;
    assert_eq!(server.requests("/slow").len(), 1, "the new relay waits for the old one");
    gate.open();
    server.arrived("/slow", 2).await;
    stop(lifecycle).await;

    for name in ["slow", "other"] {
        assert_eq!(received(&server, name), ["/page/0", "/page/1"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_passes_from_a_removed_sink_to_its_successor() {
    let server = press().await;
    let folder = TempDir::new().unwrap();
    let test = TestDaemon::new().feed(&server.url("/feed/0")).tables(&texts("old", folder.path(), ""));
    let mut opened = test.open().await;
    let (lifecycle, _) = start(&opened).await;
    until("the text of the old sink", async || files_in(&folder) == 1).await;

    let successor = texts("new", folder.path(), "from = \"now\"");
    opened.reconfigure(|test| test.no_tables().tables(&successor).feed(&server.url("/feed/1"))).await;
    until("the text of the new sink", async || files_in(&folder) == 2).await;
    stop(lifecycle).await;

    let sinks = opened.store().sinks_list().await.unwrap();
    let cursor =
        |name: &str| sinks.iter().find(|sink| sink.name == name).map(|sink| (sink.seq, sink.failures));
    assert_eq!((cursor("old"), cursor("new")), (Some((1, 0)), Some((2, 0))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_cannot_be_opened_refuses_the_reload() {
    let server = press().await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let mut opened = TestDaemon::new().feed(&server.url("/feed/0")).open().await;

    let dead = texts("dead", &folder.path().join("file/texts"), "");
    let refused = opened.try_reconfigure(|test| test.tables(&dead).feed(&server.url("/feed/1"))).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.starts_with("sink dead: cannot create "), "{refused}");
    opened.once().await;
    assert!(server.requests("/feed/1").is_empty(), "the old configuration stays in force");
    assert_eq!(opened.files().len(), 1);
}

/// A folder that cannot be opened at the start is a failing sink, not a failing daemon, and is opened once that is possible.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_folder_holds_up_neither_the_start_nor_other_sinks() {
    let metrics = Metrics::install();
    let server = press().await;
    let folder = TempDir::new().unwrap();
    let blocker = folder.path().join("file");
    std::fs::write(&blocker, "").unwrap();
    let dead = texts("dead", &blocker.join("texts"), "");
    let opened = TestDaemon::new().feed(&server.url("/feed/0")).tables(&dead).open().await;
    let undelivered = async || {
        let failed = opened.daemon.once(&CancellationToken::new()).await.unwrap_err();
        assert!(matches!(&failed, DaemonError::Undelivered { sinks } if sinks == "dead"), "{failed}");
    };
    let status = async || {
        let sinks = opened.store().sinks_list().await.unwrap();
        sinks.into_iter().find(|sink| sink.name == "dead").unwrap()
    };

    undelivered().await;
    assert_eq!(opened.files().len(), 1, "the healthy one has delivered");
    let counted = metrics.render();
    assert!(counted.contains("feedmill_sink_failures_total{sink=\"dead\"} 1\n"), "{counted}");
    let failing = status().await;
    assert!(failing.error.as_ref().is_some_and(|error| error.starts_with("cannot create ")), "{failing:?}");
    assert!(failing.failures == 1 && failing.retry_at > Some(opened.now()), "{failing:?}");

    std::fs::remove_file(&blocker).unwrap();
    opened.advance(SignedDuration::from_secs(2));
    opened.once().await;
    assert_eq!(std::fs::read_dir(blocker.join("texts")).unwrap().count(), 2, "the lock and a text");
    assert_eq!((status().await.failures, status().await.error), (0, None));

    // Nor does it need a record to deliver to be in trouble and out of it.
    std::fs::remove_dir_all(&blocker).unwrap();
    std::fs::write(&blocker, "").unwrap();
    undelivered().await;
    assert_eq!(status().await.failures, 1);
    std::fs::remove_file(&blocker).unwrap();
    opened.advance(SignedDuration::from_secs(2));
    opened.once().await;
    assert_eq!((status().await.failures, status().await.error), (0, None));
}

/// A sink that rests after a failure does not keep its new settings waiting. The clock stands still, so the rest never ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_mended_sink_is_tried_at_once() {
    let server = press().await;
    server.respond("/wrong", Reply::status(503));
    let broken = hook(&server, "wrong", "").replace("name = \"wrong\"", "name = \"hook\"");
    let mut opened = TestDaemon::new().feed(&server.url("/feed/0")).tables(&broken).open().await;
    let (lifecycle, _) = start(&opened).await;
    until("the failure is recorded", async || {
        let sinks = opened.store().sinks_list().await.unwrap();
        sinks.iter().any(|sink| sink.name == "hook" && sink.failures == 1)
    })
    .await;
    opened.reconfigure(|test| test.no_tables().tables(&hook(&server, "hook", ""))).await;
    server.arrived("/hook", 1).await;
    stop(lifecycle).await;
    assert_eq!(received(&server, "hook"), ["/page/0"]);
}

/// Sends a request with a token and returns the connection.
async fn ask(address: SocketAddr, token: &str, accept: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /v1/articles?limit=1 HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n\
         Connection: close\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    client
}

async fn status(address: SocketAddr, token: &str) -> String {
    let mut answer = String::new();
    ask(address, token, "application/json").await.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_added_and_withdrawn_at_once() {
    const FIRST: &str = "the first reader's token";
    const SECOND: &str = "the second reader's token";
    let tokens = |secrets: &[&str]| {
        let tokens: Vec<String> =
            secrets.iter().map(|secret| format!("{{ name = \"reader\", secret = \"{secret}\" }}")).collect();
        format!("tokens = [{}]", tokens.join(", "))
    };
    let server = press().await;
    let mut opened = TestDaemon::new().feed(&server.url("/feed/0")).http(&tokens(&[FIRST])).open().await;
    let (lifecycle, addresses) = start(&opened).await;
    let address = addresses.http.unwrap();
    assert_eq!((status(address, FIRST).await, status(address, SECOND).await), ("200".into(), "401".into()));

    opened.reconfigure(|test| test.no_http().http(&tokens(&[FIRST, SECOND]))).await;
    assert_eq!((status(address, FIRST).await, status(address, SECOND).await), ("200".into(), "200".into()));
    let mut stream = ask(address, FIRST, "text/event-stream").await;
    let mut begun = [0; 15];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");

    opened.reconfigure(|test| test.no_http().http(&tokens(&[SECOND]))).await;
    assert_eq!((status(address, FIRST).await, status(address, SECOND).await), ("401".into(), "200".into()));
    let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut Vec::new())).await;
    ended.expect("the stream of the withdrawn token ends").unwrap();
    stop(lifecycle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_token_stays_while_other_machines_reach_the_daemon() {
    let guarded =
        "metrics_listen = \"0.0.0.0:0\"\ntokens = [{ name = \"ops\", secret = \"the operator's token\" }]";
    let mut opened = TestDaemon::new().http(guarded).open().await;
    let refused = opened.try_reconfigure(TestDaemon::no_http).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("http.tokens cannot become empty while http.metrics_listen is 0.0.0.0:0"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_held_open_outlasts_a_reload() {
    let server = press().await;
    let gate = Gate::new();
    server.respond("/page/0", html(page("mooring")).gated(&gate));
    let mut opened = TestDaemon::new().feed(&server.url("/feed/0")).open().await;
    let (lifecycle, _) = start(&opened).await;
    server.arrived("/page/0", 1).await;

    let rule = "[[site]]\nhost = \"127.0.0.1\"\ndrop = [\"footer\"]";
    opened
        .reconfigure(|test| test.fetch("timeout_secs = 40").tables(rule).feed(&server.url("/feed/1")))
        .await;
    until("the article of the new feed", async || opened.records().await.len() == 1).await;
    gate.open();
    until("the article of the held page", async || opened.records().await.len() == 2).await;
    stop(lifecycle).await;

    let records = opened.records().await;
    let paths: Vec<&str> = records.iter().map(|record| record.url.path()).collect();
    assert_eq!(paths, ["/page/1", "/page/0"]);
    assert_eq!(server.requests("/page/0").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_limits_apply_from_the_next_page_on() {
    let server = press().await;
    let mut opened = TestDaemon::new().feed(&server.url("/feed/0")).open().await;
    let text = async |opened: &OpenedDaemon| opened.records().await.pop().unwrap().text;
    opened.once().await;
    let read = text(&opened).await;
    assert!(read.contains(&paragraphs("quay /page/0")[0]), "{read}");

    let rule = "[[site]]\nhost = \"127.0.0.1\"\ndrop = [\"article > p:nth-of-type(1)\"]";
    opened.reconfigure(|test| test.tables(rule).no_feeds().feed(&server.url("/feed/1"))).await;
    opened.once().await;
    let (first, second) = (&paragraphs("quay /page/1")[0], &paragraphs("quay /page/1")[1]);
    let read = text(&opened).await;
    assert!(!read.contains(first) && read.contains(second), "{read}");

    opened
        .reconfigure(|test| test.fetch("page_max_body_bytes = 1024").no_feeds().feed(&server.url("/feed/2")))
        .await;
    opened.once().await;
    assert_eq!(server.requests("/page/2").len(), 1);
    assert!(!text(&opened).await.contains(&paragraphs("quay /page/2")[1]), "the page is too large now");
}
