//! Malicious and broken servers: every trick ends soon, in one clear error, and affects no other feed.

use std::io::Write;
use std::time::Duration;

use feedmill::fetch::{RequestOptions, Settings};
use feedmill::model::Validators;
use futures_util::future::join_all;

use crate::support::client::{body, fetcher, get, get_with, settings};
use crate::support::server::{Reply, Server};

mod memory;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// The inflated size of bombs and floods, which must exceed the body cap.
const BOMB_BYTES: usize = 64 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 3, 22);
    encoder.write_all(bytes).unwrap();
    encoder.into_inner()
}

fn encoded(encoding: &str, body: Vec<u8>) -> Reply {
    Reply::ok("text/xml", body).header("Content-Encoding", encoding)
}

fn raw(text: impl AsRef<str>) -> Reply {
    Reply::raw(text.as_ref())
}

/// All tricks against a body cap of `max_body_bytes`, each with the label of the resulting error; `ok` for harmless ones.
fn tricks(max_body_bytes: usize) -> Vec<(&'static str, Reply, &'static str)> {
    let zeros = vec![0; BOMB_BYTES];
    let garbage: Vec<u8> =
        (0..5_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let many_headers = "X-Filler: y\r\n".repeat(1000);
    let wide_headers = format!("X-Filler: {}\r\n", "y".repeat(1000)).repeat(90);
    let half_of_gzip = {
        let whole = gzip(&garbage);
        whole[..whole.len() / 2].to_vec()
    };
    vec![
        // Silence.
        ("says nothing", raw("").then_hang(), "timeout"),
        ("stops in the status line", raw("HTTP/1.1 20").then_hang(), "timeout"),
        ("stops in a header", raw(format!("{OK}Content-Le")).then_hang(), "timeout"),
        ("stops before the body", raw(format!("{OK}Content-Length: 5\r\n\r\n")).then_hang(), "timeout"),
        ("stops in the body", raw(format!("{OK}Content-Length: 5\r\n\r\nab")).then_hang(), "timeout"),
        ("stops in a chunk", raw(format!("{CHUNKED}5\r\nab")).then_hang(), "timeout"),
        ("goes at once", raw(""), "broken_answer"),
        ("goes in a header", raw(format!("{OK}Content-Le")), "broken_answer"),
        // Endless answers.
        (
            "a body without end",
            raw(format!("{OK}\r\n")).then_for_ever("<item/>".repeat(500)),
            "body_too_large",
        ),
        (
            "chunks without end",
            raw(CHUNKED).then_for_ever(format!("400\r\n{}\r\n", "y".repeat(0x400))),
            "body_too_large",
        ),
        ("empty answers without end", raw("").then_for_ever("HTTP/1.1 103 Early Hints\r\n\r\n"), "timeout"),
        ("headers without end", raw(OK).then_for_ever("X-Filler: y\r\n".repeat(100)), "headers_too_large"),
        (
            "a header without end",
            raw(format!("{OK}X-Filler: ")).then_for_ever("y".repeat(4096)),
            "headers_too_large",
        ),
        ("a status without end", raw("HTTP/1.1 200 ").then_for_ever("y".repeat(4096)), "headers_too_large"),
        (
            "a chunk extension without end",
            raw(format!("{CHUNKED}1;")).then_for_ever("y".repeat(4096)),
            "broken_body",
        ),
        (
            "trailers without end",
            raw(format!("{CHUNKED}1\r\na\r\n0\r\n")).then_for_ever("X: y\r\n".repeat(99)),
            "broken_body",
        ),
        // Oversized answers.
        ("a thousand headers", raw(format!("{OK}{many_headers}\r\n")), "headers_too_large"),
        ("wide headers", raw(format!("{OK}{wide_headers}Content-Length: 0\r\n\r\n")), "headers_too_large"),
        ("a body that is too large", Reply::ok("text/xml", vec![b' '; max_body_bytes + 1]), "body_too_large"),
        ("gzip bomb", encoded("gzip", gzip(&zeros)), "body_too_large"),
        ("brotli bomb", encoded("br", brotli(&zeros)), "body_too_large"),
        ("zstd bomb", encoded("zstd", zstd::encode_all(&zeros[..], 3).unwrap()), "body_too_large"),
        // Contradictory or false lengths and encodings.
        ("a length too long", raw(format!("{OK}Content-Length: 9\r\n\r\nshort")), "broken_body"),
        (
            "a length beyond all bounds",
            raw(format!("{OK}Content-Length: 9223372036854775807\r\n\r\nx")),
            "broken_body",
        ),
        ("a length that is no number", raw(format!("{OK}Content-Length: -1\r\n\r\nx")), "broken_answer"),
        (
            "two lengths",
            raw(format!("{OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
            "broken_answer",
        ),
        ("a chunk that is no number", raw(format!("{CHUNKED}zz\r\nab\r\n")), "broken_body"),
        ("a chunk beyond all numbers", raw(format!("{CHUNKED}fffffffffffffffff\r\nab\r\n")), "broken_body"),
        ("chunks that break off", raw(format!("{CHUNKED}5\r\nabcde\r\n")), "broken_body"),
        ("half of a gzip", encoded("gzip", half_of_gzip), "broken_body"),
        ("no gzip at all", encoded("gzip", garbage.clone()), "broken_body"),
        ("no brotli at all", encoded("br", garbage.clone()), "broken_body"),
        ("no zstd at all", encoded("zstd", garbage.clone()), "broken_body"),
        ("gzip in gzip", encoded("gzip, gzip", gzip(&gzip(&zeros))), "body_too_large"),
        ("an unknown encoding", encoded("x-rot13", garbage.clone()), "unknown_encoding"),
        ("not HTTP", raw("SSH-2.0-OpenSSH_9.9\r\n"), "broken_answer"),
        ("HTTP of another age", raw("<rss/>"), "broken_answer"),
        ("an impossible status", raw("HTTP/1.1 99 Odd\r\n\r\n"), "broken_answer"),
        ("an unknown status", raw("HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n"), "http_unexpected"),
        ("304 to an unconditional request", Reply::status(304), "http_unexpected"),
        ("no content", Reply::status(204), "http_unexpected"),
        (
            "a part",
            Reply::status(206).header("Content-Range", "bytes 0-5/10").body("<rss/>"),
            "http_unexpected",
        ),
        // Redirects.
        ("to itself", Reply::redirect(302, "?"), "bad_redirect"),
        ("to nowhere", Reply::status(301), "bad_redirect"),
        ("to no URL", Reply::redirect(301, "http://[broken/"), "bad_redirect"),
        ("on and on", Reply::redirect(302, "x/"), "too_many_redirects"),
        // Harmless oddities.
        (
            "more than the length",
            raw(format!("{OK}Content-Length: 6\r\n\r\n<rss/>HTTP/1.1 200 OK\r\n\r\n")),
            "ok",
        ),
        (
            "an odd header",
            raw(format!("{OK}B\u{e4}d header: x\r\n: y\r\nContent-Length: 6\r\n\r\n<rss/>")),
            "ok",
        ),
    ]
}

#[tokio::test]
async fn every_trick_ends_soon_and_a_hundred_good_feeds_go_on() {
    let (hostile, good) = (Server::start().await, Server::start_at("127.0.0.2:0").await);
    let tricks = tricks(1 << 20);
    for (number, (_, reply, _)) in tricks.iter().enumerate() {
        hostile.respond(&format!("/{number}/"), reply.clone());
    }
    // Each redirect of "on and on" leads one folder deeper.
    hostile.handle(|_| Reply::redirect(302, "x/"));
    good.handle(|request| Reply::ok("text/xml", request.target.clone()));
    let fetcher = fetcher(Settings { host_concurrency: 100, ..settings() });

    let attacks = tricks.iter().enumerate().map(async |(number, (name, _, expected))| {
        let url = hostile.url(&format!("/{number}/"));
        // Only hanging servers need a short time-out; everything else ends by itself, even on a slow machine.
        let timeout = (*expected == "timeout").then_some(Duration::from_secs(1));
        let options = RequestOptions { timeout, ..RequestOptions::default() };
        let result = get_with(&fetcher, &url, &Validators::default(), &options).await;
        let label = result.as_ref().map_or_else(|error| error.kind().as_str(), |_| "ok");
        assert_eq!(label, *expected, "{name}: {:?}", result.err());
    });
    let feeds = (0..100).map(async |number| {
        let path = format!("/feed{number}");
        assert_eq!(body(get(&fetcher, &good.url(&path)).await.unwrap()), path.as_bytes());
    });
    tokio::join!(join_all(attacks), join_all(feeds));
}

#[tokio::test]
async fn silence_ends_at_the_read_timeout() {
    let server = Server::start().await;
    server.respond("/", Reply::raw(format!("{OK}\r\nsome")).then_hang());
    let fetcher = fetcher(Settings { read_timeout: Duration::from_millis(100), ..settings() });
    let error = get(&fetcher, &server.url("/")).await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.is_network()), ("timeout", false));
}

#[tokio::test]
async fn honest_compression_is_understood() {
    let server = Server::start().await;
    let feed = "<rss>€</rss>".repeat(50_000).into_bytes();
    server.respond("/gzip", encoded("gzip", gzip(&feed)));
    server.respond("/br", encoded("br", brotli(&feed)));
    server.respond("/zstd", encoded("zstd", zstd::encode_all(&feed[..], 3).unwrap()));
    server.respond("/identity", encoded("identity", feed.clone()));
    let fetcher = fetcher(settings());
    for path in ["/gzip", "/br", "/zstd", "/identity"] {
        assert!(body(get(&fetcher, &server.url(path)).await.unwrap()) == feed, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_matter_of_the_network() {
    let gone = Server::start().await.url("/");
    let fetcher = fetcher(settings());
    let error = get(&fetcher, &gone).await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.is_network()), ("connect", true), "{error}");
    let error = get(&fetcher, &"http://no-such-host.invalid/".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.is_network()), ("dns", true), "{error}");
}

#[tokio::test]
async fn plain_text_is_no_tls() {
    let server = Server::start().await;
    server.respond("/", Reply::raw("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let url = format!("https://{}/", server.address()).parse().unwrap();
    let fetcher = fetcher(settings());
    let options = RequestOptions { timeout: Some(Duration::from_secs(2)), ..RequestOptions::default() };
    let error = get_with(&fetcher, &url, &Validators::default(), &options).await.unwrap_err();
    assert!(matches!(error.kind().as_str(), "tls" | "timeout"), "{error:?}");
}
