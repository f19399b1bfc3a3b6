//! The HTTP listener: health, metrics and records by cursor.

mod access;
mod ready;
mod removed;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, Request};
use feedmill::health::Health;
use feedmill::http::auth::{InForce, Role, Token, Tokens};
use feedmill::http::counts::Counts;
use feedmill::http::hosts::Hosts;
use feedmill::http::listener::{Limits, serve};
use feedmill::http::{Surface, router, routers_apart};
use feedmill::lifecycle::process;
use feedmill::memory::Memory;
use feedmill::model::Record;
use feedmill::pipeline::workers::Workers;
use feedmill::store::Cutoff;
use feedmill::telemetry::metrics::Metrics;
use flate2::read::GzDecoder;
use futures_util::StreamExt as _;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// A daemon that has stored `articles` articles, and its router.
pub(crate) async fn surface(articles: usize) -> (OpenedDaemon, Server, axum::Router, CancellationToken) {
    watched(articles, &Health::default()).await
}

/// Like [`surface`], with the given store health.
async fn watched(
    articles: usize,
    health: &Health,
) -> (OpenedDaemon, Server, axum::Router, CancellationToken) {
    let server = Server::start().await;
    let items: Vec<Item> = (0..articles)
        .map(|n| Item::new(&format!("Number {n}"), &server.url(&format!("/page/{n}"))))
        .collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.handle(|request| Reply::ok("text/html", page(&format!("quay {}", request.path()))));
    let daemon = TestDaemon::new().feed_with(&server.url("/feed"), "tags = [\"coast\"]").open().await;
    daemon.once().await;
    let surface = Surface { health: health.clone(), ..surface_of(&daemon) };
    let soft = surface.soft.clone();
    (daemon, server, router(surface), soft)
}

/// What the routes of a daemon need.
pub(crate) fn surface_of(daemon: &OpenedDaemon) -> Surface {
    Surface {
        store: daemon.store().clone(),
        clock: daemon.clock.clone(),
        workers: Workers::new(1, Duration::from_secs(1)),
        memory: Memory::new(32 << 20),
        metrics: Metrics::install(),
        soft: CancellationToken::new(),
        stored: Arc::new(Notify::new()),
        tokens: in_force(Tokens::default()),
        hosts: Hosts::default(),
        health: Health::default(),
        plan: daemon.daemon.shared().plan.clone(),
        sinks: watch::Sender::new(Arc::default()).subscribe(),
        selectors: Arc::default(),
        steering: None,
    }
}

fn in_force(tokens: Tokens) -> InForce {
    watch::Sender::new(tokens).subscribe()
}

async fn get(router: &axum::Router, path: &str) -> (u16, String) {
    let (status, _, body) = get_with(router, path, &[]).await;
    (status, String::from_utf8(body).unwrap())
}

pub(crate) async fn get_with(
    router: &axum::Router,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, HeaderMap, Vec<u8>) {
    let response = answer(router, path, headers).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, headers, body.to_vec())
}

async fn answer(router: &axum::Router, path: &str, headers: &[(&str, &str)]) -> axum::response::Response {
    use tower::ServiceExt as _;
    let own = [("host", "127.0.0.1")];
    let own = own.iter().filter(|(name, _)| headers.iter().all(|(given, _)| given != name));
    let request =
        own.chain(headers).fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn records_come_by_cursor_without_gap_or_repeat() {
    let (daemon, _server, router, _soft) = surface(7).await;
    let mut after = 0;
    let mut got: Vec<Record> = Vec::new();
    loop {
        let (status, body) = get(&router, &format!("/v1/articles?after={after}&limit=3")).await;
        assert_eq!(status, 200);
        let page: Vec<Record> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = last.seq;
        got.extend(page);
    }
    assert_eq!(got, daemon.records().await);
    assert_eq!(got.len(), 7);
}

#[tokio::test]
async fn a_bad_query_is_refused_with_its_bounds() {
    let (_daemon, _server, router, _soft) = surface(0).await;
    for (query, expected) in [
        ("limit=0", "must be 1 to 1000"),
        ("limit=1001", "must be 1 to 1000"),
        ("after=-1", "must be a cursor, or a seq of 0 or more"),
        ("after=x", "hint: /v1/articles?after=CURSOR&limit=N"),
        ("afterr=1", "unknown parameter"),
        ("event=deleted", "withdrawn"),
    ] {
        let (status, body) = get(&router, &format!("/v1/articles?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(body.contains(expected), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_problem_in_detail() {
    let (_daemon, _server, router, _soft) = surface(0).await;
    for (path, status) in [
        ("/v1/articles?limit=0", 400),
        ("/v1/articles/none", 400),
        (&*format!("/v1/articles/{}", "0".repeat(64)), 404),
        (&*format!("/v1/clusters/{}", "0".repeat(64)), 404),
        ("/v1/feeds/77", 404),
        ("/v1/nothing", 404),
    ] {
        let (got, headers, body) = get_with(&router, path, &[]).await;
        assert_eq!(got, status, "{path}");
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], status, "{path}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_filter_changes_what_comes_and_never_what_a_cursor_means() {
    let (daemon, _server, router, _soft) = surface(5).await;
    let json = [("accept", "application/json")];
    let page = async |query: &str| -> serde_json::Value {
        let (status, _, body) = get_with(&router, &format!("/v1/articles?{query}"), &json).await;
        assert_eq!(status, 200, "{query}");
        serde_json::from_slice(&body).unwrap()
    };
    let all = page("limit=3").await;
    assert_eq!((all["records"].as_array().unwrap().len(), &all["more"]), (3, &true.into()));
    let cursor = all["cursor"].as_str().unwrap();
    let rest = page(&format!("after={cursor}")).await;
    assert_eq!(rest["records"][0]["seq"], 4);
    for nothing in ["host=example.org", "event=!created", "tag=!coast", "feed=https://x.example/"] {
        let filtered = page(&format!("{nothing}&limit=3")).await;
        assert!(filtered["records"].as_array().unwrap().is_empty(), "{nothing}");
        assert_eq!((&filtered["cursor"], &filtered["more"]), (&rest["cursor"], &false.into()), "{nothing}");
        let after = page(&format!("after={cursor}&{nothing}")).await;
        assert_eq!(after["cursor"], rest["cursor"], "{nothing}");
    }
    for everything in ["host=127.0.0.1", "event=created&event=revised", "tag=coast"] {
        assert_eq!(page(everything).await["records"].as_array().unwrap().len(), 5, "{everything}");
    }
    daemon
        .execute(
            "UPDATE revisions SET language = 'en', quality_flags = '[]'; \
             UPDATE revisions SET language = 'pt-BR', quality_flags = '[\"gallery\"]' WHERE text LIKE '%/page/0%'; \
             UPDATE revisions SET language = NULL, quality_flags = '[\"partial\", \"gallery\"]' WHERE text LIKE '%/page/1%'",
        )
        .await;
    for (some, numbers) in [
        ("language=pt", &[0][..]),
        ("language=en&language=pt-br", &[0, 2, 3, 4]),
        ("language=!pt", &[1, 2, 3, 4]),
        ("flags=gallery", &[0, 1]),
        ("flags=!gallery", &[2, 3, 4]),
        ("flags=gallery&flags=!partial", &[0]),
        ("language=en&flags=partial", &[]),
    ] {
        let filtered = page(some).await;
        let urls =
            filtered["records"].as_array().unwrap().iter().map(|record| record["url"].as_str().unwrap());
        let mut got: Vec<i32> = urls.map(|url| url.rsplit('/').next().unwrap().parse().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, numbers, "{some}");
        assert_eq!(filtered["cursor"], rest["cursor"], "{some}");
    }
    let (_, headers, _) = get_with(&router, "/v1/articles", &[]).await;
    assert_eq!(headers["feedmill-cursor"].to_str().unwrap(), rest["cursor"].as_str().unwrap());
    assert_eq!(daemon.records().await.len(), 5);
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_take_it() {
    let (_daemon, _server, router, _soft) = surface(3).await;
    let (_, plain, lines) = get_with(&router, "/v1/articles", &[]).await;
    assert!(plain.get("content-encoding").is_none());
    let (_, headers, packed) = get_with(&router, "/v1/articles", &[("accept-encoding", "zstd")]).await;
    assert_eq!(headers["content-encoding"], "zstd");
    assert_eq!(zstd::decode_all(packed.as_slice()).unwrap(), lines);
    let (_, headers, packed) = get_with(&router, "/v1/articles", &[("accept-encoding", "gzip")]).await;
    assert_eq!(headers["content-encoding"], "gzip");
    let unpacked = std::io::read_to_string(GzDecoder::new(packed.as_slice())).unwrap();
    assert_eq!(unpacked.as_bytes(), lines);
}

#[tokio::test]
async fn a_reader_may_wait_for_what_comes() {
    let (mut daemon, server, _router, _soft) = surface(1).await;
    let surface = surface_of(&daemon);
    let (stored, soft) = (Arc::clone(&surface.stored), surface.soft.clone());
    let router = router(surface);
    let waiting = async {
        let (status, body) = get(&router, "/v1/articles?after=1&wait=60s").await;
        (status, body.lines().count())
    };
    let storing = async {
        server.respond("/more", Reply::ok("text/xml", rss(&[Item::new("More", &server.url("/page/more"))])));
        daemon.reload(&[&server.url("/more")]).await.unwrap();
        daemon.once().await;
        stored.notify_waiters();
    };
    let (got, ()) = futures_util::future::join(waiting, storing).await;
    assert_eq!(got, (200, 1));
    soft.cancel();
    let (status, body) = get(&router, "/v1/articles?after=2&wait=60s").await;
    assert_eq!((status, body.as_str()), (200, ""), "a stop waits for no reader");
}

#[tokio::test]
async fn events_are_streamed_and_resumed_by_their_id() {
    let (_daemon, _server, router, soft) = surface(3).await;
    let stream = [("accept", "text/event-stream")];
    let first = answer(&router, "/v1/articles?after=0", &stream).await;
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    let mut events = first.into_body().into_data_stream();
    let event = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
    let field = |name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{name}: {event}")).to_owned()
    };
    assert_eq!(field("event"), "created");
    let record: Record = serde_json::from_str(&field("data")).unwrap();
    assert_eq!(record.seq, 1);
    drop(events);
    let id = field("id");
    let again = answer(&router, "/v1/articles", &[stream[0], ("last-event-id", &id)]).await;
    let mut rest = String::new();
    let mut events = again.into_body().into_data_stream();
    for _ in 0..2 {
        rest.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        rest.contains("\"seq\":2") && rest.contains("\"seq\":3") && !rest.contains("\"seq\":1,"),
        "{rest}"
    );
    soft.cancel();
    assert!(events.next().await.is_none(), "a stop ends the stream");
}

#[tokio::test]
async fn clients_that_wait_leave_places_for_other_requests() {
    // Another test may raise it in the meantime, and the number of places depends on it.
    process::raise_descriptor_limit();
    let (_daemon, _server, router, _soft) = surface(1).await;
    let stream = [("accept", "text/event-stream")];
    let mut streams = Vec::new();
    for _ in 0..Limits::within(process::descriptors()).waiters() {
        let opened = answer(&router, "/v1/articles", &stream).await;
        assert_eq!(opened.status(), 200);
        streams.push(opened);
    }
    for (path, headers) in [("/v1/articles", &stream[..]), ("/v1/articles?after=1&wait=60s", &stream[..0])] {
        let (status, answered, body) = get_with(&router, path, headers).await;
        let problem = String::from_utf8(body).unwrap();
        assert_eq!(status, 503, "{path} {headers:?}: {problem}");
        assert_eq!(answered["retry-after"], "10", "{path} {headers:?}");
        assert!(problem.contains("too many clients wait for records; hint: "), "{problem}");
    }
    // Whoever finds a record does not wait.
    for path in ["/v1/articles?wait=60s", "/v1/articles", "/healthz"] {
        assert_eq!(get(&router, path).await.0, 200, "{path}");
    }
    streams.pop();
    // A place is free, and the request that waits returns it.
    assert_eq!(get(&router, "/v1/articles?after=1&wait=1s").await.0, 200);
    assert_eq!(answer(&router, "/v1/articles", &stream).await.status(), 200);
}

#[tokio::test]
async fn an_article_its_cluster_and_its_feed_can_be_looked_up() {
    let (daemon, _server, router, _soft) = surface(1).await;
    let record = daemon.records().await.remove(0);
    let (status, body) = get(&router, &format!("/v1/articles/{}", record.id)).await;
    assert_eq!((status, serde_json::from_str::<Record>(&body).unwrap()), (200, record.clone()));
    let (_, text) = get(&router, &format!("/v1/articles/{}.txt?revision=1", record.id)).await;
    assert!(text.ends_with(&format!("\n\n{}\n", record.text)), "{text}");
    assert_eq!(get(&router, &format!("/v1/articles/{}?revision=2", record.id)).await.0, 404);
    let account = get(&router, &format!("/v1/articles/{}/account", record.id)).await.1;
    assert!(account.contains("blocks_kept"), "{account}");
    let cluster = get(&router, &format!("/v1/clusters/{}", record.cluster_id)).await.1;
    assert!(cluster.contains(&record.id.to_string()), "{cluster}");
    let feeds: serde_json::Value = serde_json::from_str(&get(&router, "/v1/feeds").await.1).unwrap();
    let feed = &feeds["feeds"][0];
    let one = get(&router, &format!("/v1/feeds/{}", feed["id"])).await.1;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&one).unwrap(), *feed);
}

#[tokio::test]
async fn a_reader_may_ask_for_some_fields() {
    let (daemon, _server, router, _soft) = surface(2).await;
    let records = daemon.records().await;
    let (status, lines) = get(&router, "/v1/articles?fields=id,revision,feeds").await;
    assert_eq!(status, 200, "{lines}");
    for (line, record) in lines.lines().zip(&records) {
        let shown: serde_json::Value = serde_json::from_str(line).unwrap();
        let whole = serde_json::to_value(record).unwrap();
        let expected = serde_json::json!({ "id": whole["id"], "revision": 1, "feeds": whole["feeds"] });
        assert_eq!(shown, expected);
        assert_eq!(shown["feeds"][0]["tags"], serde_json::json!(["coast"]));
    }
    assert_eq!(lines.lines().count(), 2);
    let (status, refused) = get(&router, "/v1/articles?fields=id,body").await;
    assert!(status == 400 && refused.contains("is not a field of a record"), "{refused}");
    let (status, schema) = get(&router, "/v1/schema").await;
    assert!(status == 200 && schema.contains("quality_flags"), "{schema}");
}

#[tokio::test]
async fn where_there_are_tokens_each_permits_what_it_is_for() {
    let (daemon, _server, _router, _soft) = surface(1).await;
    let token = |name: &str, role| Token {
        name: name.to_owned(),
        role,
        secret: format!("{name} may come in here").into(),
    };
    let tokens = [token("reader", Role::Read), token("operator", Role::Operator)];
    let router = router(Surface { tokens: in_force(Tokens::from_iter(tokens)), ..surface_of(&daemon) });
    for (bearer, records, metrics) in [
        (None, 401, 401),
        (Some("Bearer reader may come in here"), 200, 403),
        (Some("bearer operator may come in here"), 200, 200),
        (Some("Bearer reader may come in her"), 401, 401),
        (Some("Basic reader may come in here"), 401, 401),
    ] {
        let headers: Vec<(&str, &str)> = bearer.map(|value| ("authorization", value)).into_iter().collect();
        let status = async |path| get_with(&router, path, &headers).await.0;
        assert_eq!(
            (status("/v1/articles").await, status("/metrics").await),
            (records, metrics),
            "{bearer:?}"
        );
        assert_eq!(status("/healthz").await, 200, "whoever asks whether it lives");
    }
    let (_, headers, _) = get_with(&router, "/v1/articles", &[]).await;
    assert_eq!(headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn metrics_may_have_a_listener_of_their_own() {
    let (daemon, _server, _router, _soft) = surface(1).await;
    let secret = "operator's token".to_owned();
    let token = Token { name: "ops".to_owned(), role: Role::Operator, secret: secret.clone().into() };
    let (main, apart) =
        routers_apart(Surface { tokens: in_force(Tokens::from_iter([token])), ..surface_of(&daemon) });
    let bearer = format!("Bearer {secret}");
    let authorised = [("authorization", &*bearer)];
    let status = async |router, path, headers| get_with(router, path, headers).await.0;
    assert_eq!(status(&apart, "/metrics", &authorised).await, 200);
    assert_eq!(status(&apart, "/metrics", &[]).await, 401);
    assert_eq!(status(&main, "/metrics", &authorised).await, 404);
    assert_eq!(status(&apart, "/v1/articles", &authorised).await, 404);
    assert_eq!(status(&apart, "/", &authorised).await, 404);
    for router in [&main, &apart] {
        assert_eq!(status(router, "/healthz", &[]).await, 200);
        assert_eq!(status(router, "/readyz", &[]).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_trickling_clients_starve_nobody() {
    let (_daemon, _server, router, soft) = surface(1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connections: 3, head_timeout: Duration::from_millis(300), ..Limits::default() };
    let serving = serve(listener, router, limits, soft.clone());
    let asking = async {
        let mut idle = Vec::new();
        for n in 0..20 {
            let mut client = TcpStream::connect(address).await.unwrap();
            if n % 2 == 0 {
                client.write_all(b"GET /v1/articles HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
            }
            idle.push(client);
        }
        let mut honest = TcpStream::connect(address).await.unwrap();
        honest.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        honest.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let mut large = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(1 << 16));
        // The server may have closed the connection before all of it is sent.
        let sent = large.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let read = large.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{sent:?} {read:?}");
        drop(idle);
        soft.cancel();
    };
    futures_util::future::join(serving, asking).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_answers_that_do_not_end() {
    let (asked, is_asked) = tokio::sync::mpsc::channel(1);
    let never = move || {
        let asked = asked.clone();
        async move {
            asked.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    };
    let router = axum::Router::new().route("/", axum::routing::get(never));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let soft = CancellationToken::new();
    let serving = serve(listener, router, Limits::default(), soft.clone());
    let asking = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut is_asked = is_asked;
        is_asked.recv().await.unwrap();
        soft.cancel();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty());
    };
    futures_util::future::join(serving, asking).await;
}

#[tokio::test]
async fn a_reader_that_comes_too_late_is_refused_until_it_says_skip() {
    let (daemon, _server, router, _soft) = surface(3).await;
    let feeds = daemon.store().feeds_known().await.unwrap();
    let before = daemon.now() + jiff::SignedDuration::from_secs(1);
    let cutoffs = [Cutoff { feed_id: feeds[0].0, before }];
    assert_eq!(get(&router, "/v1/articles?after=0&limit=1").await.0, 200);
    assert_eq!(daemon.store().articles_remove(&cutoffs, &[]).await.unwrap(), 3);

    let (status, body) = get(&router, "/v1/articles?after=1").await;
    assert_eq!(status, 410);
    assert!(body.contains("records after 1 were removed") && body.contains("up to 3"), "{body}");
    assert!(body.contains("removed=skip"), "{body}");
    assert_eq!(get(&router, "/v1/articles").await, (200, String::new()), "from the start: whatever there is");
    assert_eq!(get(&router, "/v1/articles?after=1&removed=skip").await, (200, String::new()));
    assert_eq!(get(&router, "/v1/articles?after=3").await, (200, String::new()), "nothing was missed");
}

#[tokio::test]
async fn tables_are_counted_now_and_then() {
    let (mut daemon, server, _router, _soft) = surface(2).await;
    let counts = Counts::new(daemon.store().clone(), daemon.clock.clone());
    assert_eq!(counts.recent().await.unwrap().articles, 2);
    server.respond("/more", Reply::ok("text/xml", rss(&[Item::new("More", &server.url("/page/more"))])));
    daemon.reload(&[&server.url("/more")]).await.unwrap();
    daemon.once().await;
    assert_eq!(daemon.store().totals().await.unwrap().articles, 3);
    assert_eq!(counts.recent().await.unwrap().articles, 2, "not counted again so soon");
    // An hour is enough for a new count, however long the last one took.
    daemon.advance(SignedDuration::from_hours(1));
    assert_eq!(counts.recent().await.unwrap(), daemon.store().totals().await.unwrap());
}

#[tokio::test]
async fn an_answer_longer_than_what_is_kept_is_sent_in_parts() {
    const ARTICLES: usize = 6;
    let (daemon, _server, router, _) = surface(ARTICLES).await;
    // A million bytes each.
    daemon.execute("UPDATE revisions SET text = replace(hex(zeroblob(100000)), '0', 'tide ')").await;

    let answer = answer(&router, "/v1/articles?limit=5", &[]).await;
    assert_eq!(answer.headers().get("content-length"), None, "its length is not known when it begins");
    let (_, headers, body) = get_with(&router, "/v1/articles?limit=5", &[]).await;
    let lines = String::from_utf8(body).unwrap();
    let seqs = |lines: &str| -> Vec<i64> {
        let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        lines.lines().map(|line| record(line)["seq"].as_i64().unwrap()).collect()
    };
    assert_eq!(seqs(&lines), [1, 2, 3, 4, 5]);
    assert!(lines.ends_with("}\n") && lines.len() > 5_000_000);

    let cursor = headers["feedmill-cursor"].to_str().unwrap();
    let (_, rest) = get(&router, &format!("/v1/articles?after={cursor}")).await;
    assert_eq!(seqs(&rest), [6]);

    let accept = [("accept", "application/json")];
    let (_, _, body) = get_with(&router, "/v1/articles?fields=seq,text", &accept).await;
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["records"].as_array().unwrap().len(), ARTICLES);
    assert_eq!((&page["more"], page["cursor"].is_string()), (&serde_json::Value::Bool(false), true));
}

/// On one thread: the bytes sent between two answers on health show how long other requests have to wait.
#[tokio::test]
async fn health_is_answered_between_the_slices_of_long_answers() {
    const READERS: usize = 24;
    const TEXT_BYTES: usize = 300_000;
    const SLICE_BYTES: usize = 64 << 10;
    let (daemon, _server, router, _) = surface(3).await;
    daemon.execute("UPDATE revisions SET text = replace(hex(zeroblob(30000)), '0', 'tide ')").await;
    let sent = Arc::new(AtomicUsize::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let (router, sent) = (router.clone(), Arc::clone(&sent));
        readers.spawn(async move {
            let answer = answer(&router, "/v1/articles?limit=1000", &[]).await;
            let mut body = answer.into_body().into_data_stream();
            while let Some(slice) = body.next().await {
                sent.fetch_add(slice.unwrap().len(), Ordering::Relaxed);
            }
        });
    }
    let (mut most_between, mut before) = (0, 0);
    while !readers.is_empty() {
        while let Some(read) = readers.try_join_next() {
            read.unwrap();
        }
        assert_eq!(get(&router, "/healthz").await.0, 200);
        let now = sent.load(Ordering::Relaxed);
        most_between = most_between.max(now - before);
        before = now;
        tokio::task::yield_now().await;
    }
    assert!(before > READERS * TEXT_BYTES * 3);
    assert!(most_between <= READERS * SLICE_BYTES, "{most_between} bytes between two answers");
}
