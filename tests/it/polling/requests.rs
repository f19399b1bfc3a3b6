use std::io::Write as _;

use super::{LONG, feed, mill, status};
use crate::support::daemon::TestDaemon;
use crate::support::server::{Gate, Reply, Server};

#[tokio::test]
async fn b28_b29_b31_b32_the_request_to_the_byte() {
    let server = Server::start().await;
    let modified = "Mon, 02 Mar 2026 07:00:00 GMT";
    let first = feed("one").header("Set-Cookie", "seen=1; Path=/");
    server.respond("/feed", first.header("ETag", "W/\"1\"").header("Last-Modified", modified));
    server.respond("/feed", Reply::status(304));
    let mill = TestDaemon::new()
        .fetch("contact_url = \"https://example.org/bot\"")
        .feed(&server.url("/feed?format=rss"))
        .open()
        .await;
    mill.once().await;
    mill.advance(LONG);
    mill.once().await;
    let request = server.requests("/feed").remove(1);
    let mut lines: Vec<String> =
        String::from_utf8(request.raw).unwrap().trim_end().split("\r\n").map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "GET /feed?format=rss HTTP/1.1", "nothing is added to bust a cache");
    lines.sort();
    let expected = [
        "accept-encoding: gzip, br, zstd".to_owned(),
        "accept: application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
         application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
            .to_owned(),
        format!("host: {}", server.address()),
        format!("if-modified-since: {modified}"),
        "if-none-match: W/\"1\"".to_owned(),
        format!("user-agent: feedmill/{} (+https://example.org/bot)", env!("CARGO_PKG_VERSION")),
    ];
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| match line.strip_prefix("accept-encoding: ") {
            // The client library sends them in arbitrary order.
            Some(encodings) => {
                let mut encodings: Vec<&str> = encodings.split(',').map(str::trim).collect();
                encodings.sort_unstable_by_key(|name| {
                    ["gzip", "br", "zstd"].iter().position(|known| known == name)
                });
                format!("accept-encoding: {}", encodings.join(", "))
            }
            None => line,
        })
        .collect();
    assert_eq!(lines, expected, "no Referer, no cookie, no cache control");
}

#[tokio::test]
async fn b30_nothing_is_asked_for_that_nobody_named() {
    let server = Server::start().await;
    let link = crate::support::site::Item::new("One", &server.url("/one"));
    server.respond("/feed", Reply::ok("text/xml", crate::support::site::rss(&[link])));
    server.respond("/one", Reply::ok("text/html", crate::support::site::page("mooring")));
    let mill = mill(&server).await;
    mill.once().await;
    let asked: Vec<String> = server
        .all_requests()
        .into_iter()
        .map(|request| format!("{} {}", request.method, request.target))
        .collect();
    assert_eq!(asked, ["GET /feed", "GET /robots.txt", "GET /one"]);
}

#[tokio::test]
async fn b33_an_inflated_body_is_capped() {
    let server = Server::start().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    let bomb = Reply::ok("text/xml", encoder.finish().unwrap()).header("Content-Encoding", "gzip");
    server.respond("/feed", bomb);
    let test = TestDaemon::new().fetch("feed_max_body_bytes = 65536").feed(&server.url("/feed"));
    let mill = test.open().await;
    mill.once().await;
    let error = status(&mill, "/feed").await.last_error.unwrap();
    assert!(error.contains("body exceeds 65536 bytes"), "{error}");
}

#[tokio::test]
async fn b34_one_request_in_flight_a_feed() {
    let server = Server::start().await;
    let gate = Gate::new();
    server.respond("/feed", feed("one").gated(&gate));
    let mill = mill(&server).await;
    let others = async {
        server.arrived("/feed", 1).await;
        // A step during the poll finds nothing due, however late it is.
        mill.advance(jiff::SignedDuration::from_mins(4));
        assert_eq!(mill.daemon.step().await.unwrap(), (0, 0));
        gate.open();
    };
    tokio::join!(mill.once(), others);
    assert_eq!(server.requests("/feed").len(), 1);
}

#[tokio::test]
async fn b35_the_http_charset_counts() {
    let server = Server::start().await;
    let body = "<rss><channel><title>Café crème</title><item><guid>1</guid></item></channel></rss>";
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(body);
    server.respond("/feed", Reply::ok("text/xml; charset=windows-1252", latin.into_owned()));
    let mill = mill(&server).await;
    mill.once().await;
    assert_eq!(status(&mill, "/feed").await.title.as_deref(), Some("Café crème"));
}

#[tokio::test]
async fn a_feed_that_renews_its_dates_has_no_page_fetched_again() {
    let server = Server::start().await;
    let asked = std::sync::atomic::AtomicU32::new(10);
    let base = server.url("/").to_string();
    server.handle(move |request| {
        if request.path() != "/feed" {
            return Reply::ok("text/html", "<html><body><h1>Ferry</h1><p>The ferry sails at nine.</p></body></html>");
        }
        let minute = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let entry = |number: u32| {
            format!(
                "<entry><id>urn:{number}</id><title>Ferry {number}</title><link href='{base}page{number}'/>\
                 <updated>2026-03-01T10:{minute}:00Z</updated>\
                 <content type='html'>&lt;p nonce='{minute}'&gt;The ferry sails.&lt;img src='https://p.example/?{minute}'&gt;&lt;/p&gt;</content></entry>"
            )
        };
        let entries: String = (0..3).map(entry).collect();
        Reply::ok(
            "application/atom+xml",
            format!("<feed xmlns='http://www.w3.org/2005/Atom'><title>Harbour</title><id>urn:f</id>{entries}</feed>"),
        )
    });
    let mill = mill(&server).await;
    for _ in 0..4 {
        mill.once().await;
        mill.advance(LONG);
    }
    assert_eq!(server.requests("/feed").len(), 4);
    for number in 0..3 {
        assert_eq!(server.requests(&format!("/page{number}")).len(), 1, "each page once");
    }
    assert_eq!(mill.records().await.len(), 3, "and no revision");
}

#[tokio::test]
async fn a_changed_entry_has_its_page_asked_for_conditionally() {
    let server = Server::start().await;
    let page = crate::support::site::page("mooring");
    server.handle(move |request| match request.header("if-none-match") {
        Some("\"a\"") => Reply::status(304),
        _ => Reply::ok("text/html", page.clone()).header("ETag", "\"a\""),
    });
    for words in ["One", "Two", "Three"] {
        let item = crate::support::site::Item::new("The mooring affair", &server.url("/page"));
        let teaser = format!("<p>{words} of the harbour's boats are moored elsewhere.</p>");
        server.respond(
            "/feed",
            Reply::ok("text/xml", crate::support::site::rss(&[item.with_content(&teaser)])),
        );
    }
    let mill = mill(&server).await;
    for _ in 0..3 {
        mill.once().await;
        mill.advance(LONG);
    }
    let sent: Vec<Option<String>> = server
        .requests("/page")
        .iter()
        .map(|request| request.header("if-none-match").map(str::to_owned))
        .collect();
    assert_eq!(sent, [None, Some("\"a\"".to_owned()), Some("\"a\"".to_owned())]);
    assert_eq!(mill.records().await.len(), 1, "and no revision");
}
