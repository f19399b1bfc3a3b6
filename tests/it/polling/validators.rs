use super::{LONG, feed, mill, polls};
use crate::support::server::{Reply, Request, Server};

/// Returns the value of the request's header line, byte for byte.
fn line(request: &Request, name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(&request.raw).into_owned();
    let start = format!("{name}: ");
    head.split("\r\n").find_map(|line| line.strip_prefix(start.as_str()).map(str::to_owned))
}

fn asked_with(request: &Request) -> (Option<String>, Option<String>) {
    (line(request, "if-none-match"), line(request, "if-modified-since"))
}

fn dressed(reply: Reply, etag: Option<&str>, modified: Option<&str>) -> Reply {
    let reply = etag.into_iter().fold(reply, |reply, etag| reply.header("ETag", etag));
    modified.into_iter().fold(reply, |reply, modified| reply.header("Last-Modified", modified))
}

const MONDAY: &str = "Mon, 02 Mar 2026 07:00:00 GMT";

#[tokio::test]
async fn b01_b02_validators_go_out_as_they_came() {
    for (etag, modified) in [
        (Some("\"abc\""), Some(MONDAY)),
        (Some("W/\"a b, c\""), None),
        (Some("unquoted"), Some("Monday, 02-Mar-26 07:00:00 GMT")),
        (Some("\"half"), Some("2026-03-02T07:00:00Z")),
        (None, Some("0")),
        (None, Some("Mon, 02 Mar 2026 8:00:00 +0100")),
    ] {
        let requests = polls(vec![dressed(feed("one"), etag, modified), Reply::status(304)]).await;
        assert_eq!(asked_with(&requests[0]), (None, None));
        let expected = (etag.map(str::to_owned), modified.map(str::to_owned));
        assert_eq!(asked_with(&requests[1]), expected);
    }
}

#[tokio::test]
async fn b03_validators_outlive_a_restart() {
    let server = Server::start().await;
    server.respond("/feed", dressed(feed("one"), Some("\"1\""), Some(MONDAY)));
    server.respond("/feed", Reply::status(304));
    let mill = mill(&server).await;
    mill.once().await;
    let mill = mill.restarted().await;
    mill.advance(LONG);
    mill.once().await;
    let requests = server.requests("/feed");
    assert_eq!(asked_with(&requests[1]), (Some("\"1\"".to_owned()), Some(MONDAY.to_owned())));
}

#[tokio::test]
async fn b04_the_second_poll_is_conditional() {
    let requests = polls(vec![dressed(feed("one"), Some("\"1\""), None), feed("two")]).await;
    assert_eq!(asked_with(&requests[0]), (None, None));
    assert_eq!(asked_with(&requests[1]), (Some("\"1\"".to_owned()), None));
}

#[tokio::test]
async fn b05_b06_b07_b08_b09_what_is_kept() {
    let one = || dressed(feed("one"), Some("\"1\""), Some(MONDAY));
    let half = "HTTP/1.1 200 OK\r\nETag: \"2\"\r\nContent-Length: 9999\r\n\r\n<rss><channel>";
    for (name, second, etag, modified) in [
        ("5 a new ETag", dressed(feed("two"), Some("\"2\""), Some(MONDAY)), Some("\"2\""), Some(MONDAY)),
        ("6 the same body", dressed(feed("one"), Some("\"2\""), None), Some("\"2\""), None),
        ("7 304 with", dressed(Reply::status(304), Some("\"2\""), Some("x")), Some("\"2\""), Some("x")),
        ("7 304 without", Reply::status(304), Some("\"1\""), Some(MONDAY)),
        ("8 200 without", feed("two"), None, None),
        (
            "9 no feed",
            dressed(Reply::ok("text/html", "<html>"), Some("\"2\""), None),
            Some("\"1\""),
            Some(MONDAY),
        ),
        ("9 half a feed", Reply::raw(half), Some("\"1\""), Some(MONDAY)),
        ("9 an error", dressed(Reply::status(500), Some("\"2\""), None), Some("\"1\""), Some(MONDAY)),
    ] {
        let requests = polls(vec![one(), second, Reply::status(304)]).await;
        let expected = (etag.map(str::to_owned), modified.map(str::to_owned));
        assert_eq!(asked_with(&requests[2]), expected, "{name}");
    }
}

#[tokio::test]
async fn a_304_for_ever_silences_no_feed() {
    let server = Server::start().await;
    let asked = std::sync::atomic::AtomicU32::new(0);
    server.handle(move |request| {
        let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match request.header("if-none-match") {
            Some(_) => Reply::status(304).header("ETag", "\"1\""),
            None => dressed(feed(&format!("entry {count}")), Some("\"1\""), None),
        }
    });
    let mill = mill(&server).await;
    for _ in 0..12 {
        mill.once().await;
        mill.advance(LONG);
    }
    let requests = server.requests("/feed");
    let whole = requests.iter().filter(|request| request.header("if-none-match").is_none()).count();
    assert_eq!(requests.len(), 12);
    assert!((2..=5).contains(&whole), "{whole} of 12 were unconditional");
}

#[tokio::test]
async fn a_last_modified_in_the_future_silences_no_feed() {
    let server = Server::start().await;
    server.handle(|request| match request.header("if-modified-since") {
        Some(_) => Reply::status(304),
        None => dressed(feed("one"), None, Some("Sat, 16 Nov 2041 18:11:00 GMT")),
    });
    let mill = mill(&server).await;
    for _ in 0..3 {
        mill.once().await;
        mill.advance(LONG);
    }
    let requests = server.requests("/feed");
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.header("if-modified-since").is_none()));
}
