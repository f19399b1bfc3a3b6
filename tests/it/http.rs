//! The service surface: health, metrics and records by cursor.

use std::time::Duration;

use feedmill::health::Health;
use feedmill::http::counts::Counts;
use feedmill::http::{Surface, router};
use feedmill::model::Record;
use feedmill::pipeline::workers::Workers;
use feedmill::store::Cutoff;
use feedmill::telemetry::metrics::Metrics;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// A daemon that has stored `articles` articles, and its surface.
async fn surface(articles: usize) -> (OpenedDaemon, Server, axum::Router, CancellationToken) {
    watched(articles, &Health::default()).await
}

/// The same, with what is known of the store's health.
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
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    daemon.once().await;
    let soft = CancellationToken::new();
    let router = router(Surface {
        store: daemon.store().clone(),
        clock: daemon.clock.clone(),
        workers: Workers::new(1, Duration::from_secs(1)),
        metrics: Metrics::install(),
        soft: soft.clone(),
        health: health.clone(),
    });
    (daemon, server, router, soft)
}

async fn get(router: &axum::Router, path: &str) -> (u16, String) {
    use tower::ServiceExt as _;
    let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
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
        ("limit=0", "limit 1 to 1000"),
        ("limit=1001", "limit 1 to 1000"),
        ("after=-1", "after must be 0 or more"),
        ("after=x", "hint: /v1/articles?after=SEQ&limit=N&removed=skip"),
        ("afterr=1", "afterr"),
    ] {
        let (status, body) = get(&router, &format!("/v1/articles?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(body.contains(expected), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_reader_that_comes_too_late_is_refused_until_it_says_skip() {
    let (daemon, _server, router, _soft) = surface(3).await;
    let feeds = daemon.store().feeds_known().await.unwrap();
    let before = daemon.now() + jiff::SignedDuration::from_secs(1);
    let cutoffs = [Cutoff { feed_id: feeds[0].0, before }];
    assert_eq!(get(&router, "/v1/articles?after=0&limit=1").await.0, 200);
    assert_eq!(daemon.store().articles_remove(&cutoffs).await.unwrap(), 3);

    let (status, body) = get(&router, "/v1/articles?after=1").await;
    assert_eq!(status, 410);
    assert!(body.contains("records after 1 were removed") && body.contains("up to 3"), "{body}");
    assert!(body.contains("removed=skip"), "{body}");
    assert_eq!(get(&router, "/v1/articles?after=0").await.0, 410);
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
    // However long the count took.
    daemon.advance(SignedDuration::from_hours(1));
    assert_eq!(counts.recent().await.unwrap(), daemon.store().totals().await.unwrap());
}

#[tokio::test]
async fn readiness_follows_the_feeds_at_once() {
    let (mut daemon, _server, router, _soft) = surface(1).await;
    daemon.reload(&[]).await.unwrap();
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && body.contains("no feed is configured"), "{body}");
    assert!(!daemon.store().feeds_any_active().await.unwrap());
}

#[tokio::test]
async fn readiness_follows_the_store() {
    let health = Health::default();
    let (daemon, _server, router, _soft) = watched(1, &health).await;
    health.check_store(daemon.store()).await;
    health.check_integrity(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, 200, "{body}");
    let file = daemon.database_file();
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    health.check_store(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && body.contains("deleted or replaced"), "{body}");
    std::fs::rename(&away, &file).unwrap();
    health.check_store(daemon.store()).await;
    assert_eq!(get(&router, "/readyz").await.0, 200);
}

#[tokio::test]
async fn readiness_tells_its_reasons() {
    let (_daemon, _server, router, soft) = surface(1).await;
    assert_eq!(get(&router, "/healthz").await, (200, "ok\n".to_owned()));
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"reasons":[]}"#));
    soft.cancel();
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, r#"{"ready":false,"reasons":["stopping"]}"#));
}
