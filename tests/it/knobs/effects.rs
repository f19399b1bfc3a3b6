//! Settings with externally visible effects: listening addresses, credentials, poll times.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::config::{Config, Environment};
use feedmill::daemon::Daemon;
use feedmill::lifecycle::Lifecycle;
use feedmill::telemetry::metrics::Metrics;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{feed, html, site};
use crate::support::daemon::{START, TestDaemon};
use crate::support::server::Server;
use crate::support::site::{Item, page};

/// Opens a daemon whose configuration file has `from` replaced by `to`.
pub(super) async fn opened(config: &Path, from: &str, to: &str) -> Daemon {
    let text = std::fs::read_to_string(config).unwrap();
    assert!(text.contains(from), "{text}");
    let file = config.with_file_name("other.toml");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    let config = Config::load(Some(&file), &Environment::default()).unwrap().config;
    Daemon::open(config, Clock::manual(START.parse().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_surface_is_where_the_operator_says_or_nowhere() {
    for (listen, expected) in [("127.0.0.2:0", Some("127.0.0.2")), ("", None)] {
        let test = TestDaemon::new();
        let config = test.write_config();
        let daemon =
            Arc::new(opened(&config, "listen = \"127.0.0.1:0\"", &format!("listen = \"{listen}\"")).await);
        let lifecycle = Lifecycle::new(Duration::from_mins(1));
        let addresses = Arc::clone(&daemon).start(&lifecycle, Metrics::install()).await.unwrap();
        assert_eq!(addresses.http.map(|address| address.ip().to_string()).as_deref(), expected);
        if let Some(address) = addresses.http {
            let mut client = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
        }
        lifecycle.stop_soft();
        lifecycle.wait().await;
        daemon.store().close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_reads_beyond_loopback_if_the_operator_says_so() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let everywhere = "listen = \"0.0.0.0:0\"\nallow_anonymous = true";
    let daemon = Arc::new(opened(&config, "listen = \"127.0.0.1:0\"", everywhere).await);
    let lifecycle = Lifecycle::new(Duration::from_mins(1));
    let port = Arc::clone(&daemon).start(&lifecycle, Metrics::install()).await.unwrap().http.unwrap().port();
    for (request, status) in [
        ("GET /v1/articles", 200),
        ("GET /metrics", 200),
        ("GET /feeds", 200),
        ("POST /feeds", 403),
        ("POST /feeds/1/poll", 403),
    ] {
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = "Host: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n";
        client.write_all(format!("{request} HTTP/1.1\r\n{head}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    lifecycle.stop_soft();
    lifecycle.wait().await;
    daemon.store().close().await;
    let file = config.with_file_name("other.toml");
    let refused = std::fs::read_to_string(&file).unwrap().replace("allow_anonymous = true", "");
    std::fs::write(&file, refused).unwrap();
    let refused = Config::load(Some(&file), &Environment::default()).unwrap_err().to_string();
    assert!(refused.contains("http.allow_anonymous = true"), "{refused}");
}

#[tokio::test]
async fn first_polls_are_spread_over_the_time_that_the_operator_says() {
    const FEEDS: usize = 300;
    for secs in [0, 120, 240] {
        let test = (0..FEEDS).fold(TestDaemon::new(), |test, number| {
            test.feed(&format!("https://feed{number}.example/").parse().unwrap())
        });
        let config = test.write_config();
        let spread = format!("initial_spread_secs = {secs}");
        let daemon = opened(&config, "initial_spread_secs = 0", &spread).await;
        let start = START.parse().unwrap();
        let feeds = daemon.store().feeds_list().await.unwrap();
        let waits = feeds.iter().map(|feed| feed.next_poll_at.duration_since(start).as_secs());
        let (first, last) =
            waits.fold((i64::MAX, 0), |(first, last), wait| (first.min(wait), last.max(wait)));
        assert_eq!(feeds.len(), FEEDS);
        assert!(first <= secs / 20 && last <= secs && last >= secs * 9 / 10, "{secs}: {first} to {last}");
        daemon.store().close().await;
    }
}

/// Returns the CONNECT message that a NATS server receives from a sink with these keys.
async fn told_to_nats(keys: &str) -> Value {
    let server = site(html(page("mooring"))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sink = format!("[[sink]]\nname = \"bus\"\n[sink.nats]\nservers = [\"nats://{address}\"]\n{keys}\n");
    let mill = TestDaemon::new().tables(&sink).feed(&server.url("/feed")).open().await;
    let (said, mut heard) = mpsc::channel(64);
    let refusing = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.write_all(NATS_INFO.as_bytes()).await.unwrap();
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            said.send(line).await.unwrap();
            stream.write_all(b"-ERR 'Authorization Violation'\r\n").await.unwrap();
        }
    };
    let stop = CancellationToken::new();
    tokio::select! {
        turned = mill.daemon.once(&stop) => assert!(turned.is_err(), "nobody has taken the record"),
        () = refusing => {}
    }
    let status = mill.store().sinks_list().await.unwrap();
    let line = heard.try_recv().unwrap_or_else(|_| panic!("nobody came: {status:?}"));
    serde_json::from_str(line.strip_prefix("CONNECT ").unwrap()).unwrap()
}

/// The greeting of a NATS server that requires authentication.
const NATS_INFO: &str = "INFO {\"server_id\":\"A\",\"server_name\":\"a\",\"version\":\"2.10.0\",\"go\":\"go1\",\
    \"host\":\"127.0.0.1\",\"port\":4222,\"headers\":true,\"max_payload\":1048576,\"proto\":1,\
    \"auth_required\":true,\"nonce\":\"a nonce to sign\"}\r\n";

#[tokio::test]
async fn nats_is_told_who_we_are() {
    // The seed is from NATS's documentation.
    const CREDENTIALS: &str = "-----BEGIN NATS USER JWT-----\nthe.user.jwt\n------END NATS USER JWT------\n\n\
        -----BEGIN USER NKEY SEED-----\nSUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n\
        ------END USER NKEY SEED------\n";
    let nobody = told_to_nats("").await;
    for key in ["user", "pass", "auth_token", "jwt", "sig"] {
        assert!(nobody[key].is_null(), "{key}: {nobody}");
    }
    let password = told_to_nats("auth = { username = \"mill\", password = \"swordfish\" }").await;
    assert_eq!((&password["user"], &password["pass"]), (&"mill".into(), &"swordfish".into()));
    let token = told_to_nats("auth = { bearer = \"swordfish\" }").await;
    assert_eq!(token["auth_token"], "swordfish");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feedmill.creds");
    std::fs::write(&file, CREDENTIALS).unwrap();
    let signed = told_to_nats(&format!("credentials = {{ file = {file:?} }}")).await;
    assert_eq!(signed["jwt"], "the.user.jwt");
    assert!(signed["sig"].as_str().is_some_and(|signature| signature.len() > 80), "{signed}");
}

/// Returns how often each feed is polled within a day, stepping five minutes at a time; each has a new entry every half hour.
async fn polls_of_a_day(mut test: TestDaemon, feeds: &[&str]) -> Vec<usize> {
    let server = Server::start().await;
    for (number, options) in feeds.iter().enumerate() {
        test = test.feed_with(&server.url(&format!("/{number}")), options);
    }
    let mill = test.open().await;
    let clock = mill.clock.clone();
    server.handle(move |request| {
        let now = clock.now().as_second() / 1_800;
        let items = (now - 5..=now).map(|number| Item {
            title: format!("Tide {number}"),
            link: None,
            guid: format!("{}/{number}", request.path()),
            content: None,
        });
        feed(&items.collect::<Vec<_>>())
    });
    for _ in 0..24 * 12 {
        mill.daemon.step().await.unwrap();
        mill.advance(SignedDuration::from_mins(5));
    }
    (0..feeds.len()).map(|number| server.requests(&format!("/{number}")).len()).collect()
}

#[tokio::test]
async fn feeds_are_polled_as_often_as_their_own_tables_say() {
    let polls = polls_of_a_day(
        TestDaemon::new(),
        &[
            "",
            "interval_secs = 1200",
            "min_interval_secs = 14400",
            "max_interval_secs = 600",
            "freshness = \"10m\"",
            "freshness = \"8h\"",
        ],
    )
    .await;
    let [plain, fixed, seldom, often, fresh, stale] = polls[..] else { panic!("{polls:?}") };
    assert!((55..=72).contains(&fixed), "the first look after twenty minutes: {polls:?}");
    assert!(seldom <= 7 && seldom < plain, "each four hours at most: {polls:?}");
    assert!(often >= 140 && often > plain, "each ten minutes at least: {polls:?}");
    assert!(fresh > plain && stale < plain, "{polls:?}");
}

#[tokio::test]
async fn feeds_are_polled_as_often_as_the_operator_says() {
    let mut polls = Vec::new();
    for lines in [
        "",
        "min_interval_secs = 14400",
        "max_interval_secs = 600",
        "freshness = \"10m\"",
        "freshness = \"8h\"",
    ] {
        polls.extend(polls_of_a_day(TestDaemon::new().schedule(lines), &[""]).await);
    }
    let [plain, seldom, often, fresh, stale] = polls[..] else { panic!("{polls:?}") };
    assert!(seldom <= 7 && seldom < plain, "each four hours at most: {polls:?}");
    assert!(often >= 140 && often > plain, "each ten minutes at least: {polls:?}");
    assert!(fresh > plain && stale < plain, "{polls:?}");
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_the_operator_names() {
    let (direct, general, own) = ("direct", "of the table", "of the feed");
    for (in_table, for_feed, expected) in
        [(false, false, direct), (true, false, general), (false, true, own), (true, true, own)]
    {
        let (site, table_proxy, feed_proxy) =
            (Server::start().await, Server::start().await, Server::start().await);
        let line = |proxy: &Server, is_set: bool| {
            if is_set { format!("proxy = \"{}\"", proxy.url("/")) } else { String::new() }
        };
        let url = site.url("/feed");
        for (server, target) in [(&site, "/feed"), (&table_proxy, url.as_str()), (&feed_proxy, url.as_str())]
        {
            server.respond(target, feed(&[]));
        }
        let test = TestDaemon::new().fetch(&line(&table_proxy, in_table));
        let mill = test.feed_with(&url, &line(&feed_proxy, for_feed)).open().await;
        mill.once().await;
        for (way, server) in [(direct, &site), (general, &table_proxy), (own, &feed_proxy)] {
            let requests = server.all_requests();
            assert_eq!(requests.len(), usize::from(way == expected), "{way}: {requests:?}");
        }
        let feeds = mill.store().feeds_list().await.unwrap();
        assert_eq!(feeds[0].last_error, None, "{expected}");
    }
}
