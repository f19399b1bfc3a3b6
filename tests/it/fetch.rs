//! Outgoing requests and the interpretation of responses, byte by byte.

mod credentials;
mod hosts;

use std::io::Write as _;
use std::time::Duration;

use feedmill::fetch::{Content, Hop, Oddity, RequestOptions, Response, Retry, Settings};
use feedmill::model::Validators;
use feedmill::schedule::Freshness;

use crate::support::client::{body, fetcher, get, get_page, get_with, settings};
use crate::support::server::{Reply, Request, Server};

/// Returns the headers of a request, names in lower case, sorted.
fn headers(request: &Request) -> Vec<(String, &str)> {
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    headers.sort();
    headers
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[tokio::test]
async fn a_request_says_who_asks_for_what_and_nothing_else() {
    let server = Server::start().await;
    server.respond("/feed", Reply::redirect(302, "/there"));
    server.respond("/there", Reply::ok("text/xml", "<rss/>").header("Set-Cookie", "a=b; Path=/"));
    let fetcher = fetcher(settings());
    for _ in 0..2 {
        get(&fetcher, &server.url("/feed?x=1#fragment")).await.unwrap();
    }
    let host = server.address().to_string();
    let user_agent = format!("feedmill/{} (+https://example.org/bot)", env!("CARGO_PKG_VERSION"));
    let expected = vec![
        (
            "accept".to_owned(),
            "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
             application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1",
        ),
        ("accept-encoding".to_owned(), "gzip,br,zstd"),
        ("host".to_owned(), &host),
        ("user-agent".to_owned(), &user_agent),
    ];
    let requests = server.all_requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!(request.method, "GET");
        let mut headers = headers(request);
        for (name, value) in &mut headers {
            if name == "accept-encoding" {
                let mut encodings: Vec<&str> = value.split(',').map(str::trim).collect();
                encodings.sort_unstable();
                assert_eq!(encodings, ["br", "gzip", "zstd"]);
                *value = "gzip,br,zstd";
            }
        }
        assert_eq!(headers, expected);
    }
    assert_eq!(requests[0].target, "/feed?x=1");
    assert_eq!(requests[0].connection, requests[2].connection, "the connection is used again");
}

#[tokio::test]
async fn validators_go_out_as_they_came() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    let options = RequestOptions::default();
    for (etag, last_modified) in [
        (Some("\"abc\""), None),
        (Some("W/\"a b, c\""), Some("Sat, 21 Nov 2026 20:00:00 GMT")),
        (Some("unquoted"), Some("Sat, 21 Nov 2026 8:00:00 +0000")),
        (Some("\"\u{fc}ml\u{e4}ut\""), Some("0")),
        (None, Some("yesterday")),
    ] {
        let mut first = Reply::ok("text/xml", "<rss/>");
        for (name, value) in [("ETag", etag), ("Last-Modified", last_modified)] {
            first = value.into_iter().fold(first, |reply, value| reply.header(name, value));
        }
        let url = server.url("/feed");
        server.replace("/feed", first);
        server.respond("/feed", Reply::status(304));
        let Response { validators, .. } =
            get_with(&fetcher, &url, &Validators::default(), &options).await.unwrap();
        let second = get_with(&fetcher, &url, &validators, &options).await.unwrap();
        assert!(matches!(second.content, Content::NotModified));
        assert_eq!(second.validators, Validators::default(), "a 304 that names none");
        let requests = server.requests("/feed");
        let [.., unconditional, conditional] = &requests[..] else { panic!("two requests") };
        for name in ["if-none-match", "if-modified-since"] {
            assert_eq!(unconditional.header(name), None);
        }
        for (name, value) in [("if-none-match", etag), ("if-modified-since", last_modified)] {
            assert_eq!(conditional.header(name), value);
            let line = value.map(|value| format!("\r\n{name}: {value}\r\n"));
            assert!(line.is_none_or(|line| contains(&conditional.raw, line.as_bytes())), "{name}: {value:?}");
        }
    }
}

#[tokio::test]
async fn the_answers_validators_are_reported() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    let old = Validators { etag: Some("\"1\"".to_owned()), last_modified: Some("then".to_owned()) };
    let options = RequestOptions::default();
    for (reply, expected) in [
        (Reply::status(304).header("ETag", "\"2\""), Some("\"2\"")),
        (Reply::ok("text/xml", "x").header("ETag", "\"3\""), Some("\"3\"")),
        (Reply::ok("text/xml", "x"), None),
        (Reply::ok("text/xml", "x").header("ETag", ""), None),
        (Reply::ok("text/xml", "x").header("ETag", "y".repeat(5000)), None),
    ] {
        server.replace("/", reply);
        let response = get_with(&fetcher, &server.url("/"), &old, &options).await.unwrap();
        assert_eq!(response.validators.etag.as_deref(), expected);
        assert_eq!(response.validators.last_modified, None);
    }
}

#[tokio::test]
async fn redirects_are_followed_and_accounted_for() {
    let server = Server::start().await;
    server.respond("/end", Reply::ok("text/xml", "<rss/>"));
    let fetcher = fetcher(settings());
    for (statuses, permanent) in [
        (&[301_u16][..], true),
        (&[308, 301], true),
        (&[302], false),
        (&[303], false),
        (&[307], false),
        (&[301, 302], false),
        (&[301, 301, 301, 301, 301], true),
    ] {
        for (step, status) in statuses.iter().enumerate() {
            let next = if step + 1 == statuses.len() { "end".to_owned() } else { format!("/{}", step + 1) };
            server.replace(&format!("/{step}"), Reply::redirect(*status, next));
        }
        let response = get(&fetcher, &server.url("/0")).await.unwrap();
        let seen: Vec<u16> = response.hops.iter().map(|hop| hop.status).collect();
        assert_eq!(seen, statuses);
        assert_eq!(
            response.hops.last(),
            Some(&Hop { status: *statuses.last().unwrap(), to: server.url("/end") })
        );
        assert_eq!(response.final_url, server.url("/end"));
        assert_eq!(response.moved_to(), permanent.then(|| server.url("/end")).as_ref(), "{statuses:?}");
    }
    server.replace("/4", Reply::redirect(301, "/5"));
    server.respond("/5", Reply::redirect(301, "/end"));
    assert_eq!(get(&fetcher, &server.url("/0")).await.unwrap_err().kind().as_str(), "too_many_redirects");
    assert_eq!(get(&fetcher, &server.url("/end")).await.unwrap().moved_to(), None);
}

#[tokio::test]
async fn a_page_that_moves_on_by_itself_is_a_redirect() {
    let server = Server::start().await;
    let refresh =
        |to: &str| format!(r#"<html><head><meta http-equiv="refresh" content="0;URL='{to}'"></head></html>"#);
    server.respond("/go", Reply::ok("text/html", refresh("/header")));
    server.respond("/header", Reply::ok("text/html", "<p>wait</p>").header("Refresh", "1; url=end"));
    server.respond("/end", Reply::ok("text/html", "<p>words</p>"));
    server.respond("/reload", Reply::ok("text/html", refresh("/reload")));
    server.respond("/loop", Reply::ok("text/html", refresh("/pool")));
    server.respond("/pool", Reply::ok("text/html", refresh("/loop")));
    server.respond("/inside", Reply::ok("text/html", refresh("http://10.0.0.1/")));
    let fetcher = fetcher(Settings { pages_obey_robots: false, ..settings() });
    let response = get_page(&fetcher, &server.url("/go")).await.unwrap();
    assert_eq!(response.final_url, server.url("/end"));
    assert_eq!(response.hops.len(), 2);
    assert_eq!(response.moved_to(), None, "no server says that it is for good");
    assert_eq!(body(response), b"<p>words</p>");
    assert_eq!(get_page(&fetcher, &server.url("/reload")).await.unwrap().final_url, server.url("/reload"));
    assert_eq!(get_page(&fetcher, &server.url("/loop")).await.unwrap().final_url, server.url("/pool"));
    let refused = get_page(&fetcher, &server.url("/inside")).await.unwrap_err();
    assert_eq!(refused.kind().as_str(), "refused_address", "the same guard stands before every hop");
    for step in 0..6 {
        server.respond(&format!("/{step}"), Reply::ok("text/html", refresh(&format!("/{}", step + 1))));
    }
    assert_eq!(
        get_page(&fetcher, &server.url("/0")).await.unwrap_err().kind().as_str(),
        "too_many_redirects"
    );
}

#[tokio::test]
async fn cookies_live_within_one_chain_of_redirects() {
    let (server, away) = (Server::start().await, Server::start_at("127.0.0.4:0").await);
    server.handle(|request| match (request.path(), request.header("cookie")) {
        ("/feed", Some("ok=1")) => Reply::ok("text/xml", "<rss/>"),
        ("/feed", _) => Reply::redirect(302, "/feed").header("Set-Cookie", "ok=1; Path=/"),
        _ => Reply::redirect(302, "/other").header("Set-Cookie", "no=1; Path=/"),
    });
    away.respond("/", Reply::ok("text/xml", "<rss/>"));
    let fetcher = fetcher(settings());
    for _ in 0..2 {
        assert_eq!(body(get(&fetcher, &server.url("/feed")).await.unwrap()), b"<rss/>");
    }
    let sent: Vec<Option<String>> =
        server.requests("/feed").iter().map(|request| request.header("cookie").map(str::to_owned)).collect();
    let once = Some("ok=1".to_owned());
    assert_eq!(sent, [None, once.clone(), None, once], "nothing is remembered from one chain to the next");
    assert_eq!(get(&fetcher, &server.url("/never")).await.unwrap_err().kind().as_str(), "bad_redirect");
    server.respond("/leave", Reply::redirect(302, away.url("/")).header("Set-Cookie", "ok=1; Path=/"));
    get(&fetcher, &server.url("/leave")).await.unwrap();
    assert_eq!(away.requests("/")[0].header("cookie"), None, "no other host sees them");
}

#[tokio::test]
async fn a_whole_document_is_read_however_it_was_sent() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    let feed = "<?xml version=\"1.0\"?><rss><channel><title>Harbour Notes</title></channel></rss>";
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let length = feed.len();
    for (name, reply, oddities) in [
        ("plain", Reply::ok("text/xml", feed), vec![]),
        (
            "a length that is too long",
            Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{feed}", length + 40)),
            vec![Oddity::EndsEarly],
        ),
        (
            "no last chunk",
            Reply::raw(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{feed}\r\n"
            )),
            vec![Oddity::EndsEarly],
        ),
        (
            "gzip without a word",
            Reply::ok("application/gzip", gzip(feed.as_bytes())),
            vec![Oddity::Mislabelled],
        ),
        (
            "only said to be gzip",
            Reply::ok("text/xml", feed).header("Content-Encoding", "gzip"),
            vec![Oddity::Mislabelled],
        ),
        (
            "gzip twice",
            Reply::ok("text/xml", gzip(&gzip(feed.as_bytes()))).header("Content-Encoding", "gzip"),
            vec![Oddity::Mislabelled],
        ),
    ] {
        server.replace("/", reply);
        let response =
            get(&fetcher, &server.url("/")).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(response.oddities, oddities, "{name}");
        assert_eq!(body(response), feed.as_bytes(), "{name}");
    }
    let half = &feed[..length - 10];
    server.replace("/", Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{half}")));
    assert_eq!(
        get(&fetcher, &server.url("/")).await.unwrap_err().kind().as_str(),
        "broken_body",
        "half a feed is none"
    );
}

#[tokio::test]
async fn a_validator_that_lies_in_the_future_is_neither_kept_nor_sent() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    let future = "Sat, 16 Nov 2041 18:11:00 GMT";
    server.respond(
        "/",
        Reply::ok("text/xml", "<rss/>").header("Last-Modified", future).header("ETag", "\"1\""),
    );
    let received = get(&fetcher, &server.url("/")).await.unwrap();
    assert_eq!(received.validators, Validators { etag: Some("\"1\"".to_owned()), last_modified: None });
    assert!(!received.freshness.lacks_validators);
    let kept = Validators { etag: None, last_modified: Some(future.to_owned()) };
    get_with(&fetcher, &server.url("/"), &kept, &RequestOptions::default()).await.unwrap();
    assert_eq!(server.requests("/")[1].header("if-modified-since"), None);
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    for (reply, label, retry_after, fresh_for) in [
        (Reply::status(429).header("Retry-After", "120"), "http_429", minutes(2), None),
        (
            Reply::status(503).header("Retry-After", "Sat, 21 Nov 2026 20:30:00 GMT"),
            "http_503",
            minutes(30),
            None,
        ),
        (Reply::status(429).header("Cache-Control", "max-age=600"), "http_429", None, minutes(10)),
        (Reply::status(500), "http_5xx", None, None),
    ] {
        server.replace("/", reply);
        let error = get(&fetcher, &server.url("/")).await.unwrap_err();
        assert_eq!((error.kind().as_str(), error.retry()), (label, Retry::Later(retry_after)));
        let expected = Freshness { fresh_for, retry_after, lacks_validators: true, body_bytes: 0 };
        assert_eq!(error.freshness(), expected);
    }
}

#[tokio::test]
async fn freshness_is_read_from_answers_with_and_without_a_body() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    let old = Validators { etag: Some("\"1\"".to_owned()), last_modified: None };
    for (reply, body_bytes) in [(Reply::ok("text/xml", "xyz"), 3), (Reply::status(304), 0)] {
        server.replace("/", reply.header("Cache-Control", "max-age=600").header("Age", "60"));
        let response = get_with(&fetcher, &server.url("/"), &old, &RequestOptions::default()).await.unwrap();
        assert_eq!(response.freshness.fresh_for, Some(Duration::from_mins(9)));
        assert_eq!(response.freshness.body_bytes, body_bytes);
    }
}

#[tokio::test]
async fn gone_means_the_url_that_was_asked_for() {
    let server = Server::start().await;
    server.respond("/gone", Reply::status(410));
    server.respond("/moved", Reply::redirect(301, "/gone"));
    server.respond("/elsewhere", Reply::redirect(302, "/gone"));
    let fetcher = fetcher(settings());
    for (path, expected) in [("/gone", Retry::Gone), ("/moved", Retry::Gone), ("/elsewhere", Retry::Never)] {
        assert_eq!(get(&fetcher, &server.url(path)).await.unwrap_err().retry(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_page_is_text() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    for (content_type, expected) in [
        ("text/html; charset=utf-8", true),
        ("application/xhtml+xml", true),
        ("text/plain", true),
        ("", true),
        ("application/octet-stream", true),
        ("html", true),
        ("application/pdf", false),
        ("video/mp4", false),
        ("application/json", false),
    ] {
        server.replace("/", Reply::ok(content_type, "x"));
        assert_eq!(get_page(&fetcher, &server.url("/")).await.is_ok(), expected, "{content_type}");
        assert!(get(&fetcher, &server.url("/")).await.is_ok(), "feeds come as anything");
    }
    server.replace("/", Reply::ok("application/octet-stream", b"%PDF-1.7\n\x00\x01"));
    assert_eq!(get_page(&fetcher, &server.url("/")).await.unwrap_err().kind().as_str(), "not_text");
    server.replace("/", Reply::ok("text/html", vec![b' '; (1 << 19) + 1]));
    assert_eq!(get_page(&fetcher, &server.url("/")).await.unwrap_err().kind().as_str(), "body_too_large");
    assert!(server.requests("/").last().unwrap().header("accept").unwrap().starts_with("text/html"));
}
