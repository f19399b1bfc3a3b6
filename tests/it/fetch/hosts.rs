//! Limits per host: robots.txt and one request at a time.

use std::time::{Duration, Instant};

use feedmill::fetch::{RequestOptions, Retry, Settings};
use feedmill::model::Validators;

use crate::support::client::{body, fetcher, get, get_page, get_with, settings};
use crate::support::server::{Gate, Reply, Server};

#[tokio::test]
async fn pages_obey_robots_and_feeds_do_not_ask() {
    let (server, other) = (Server::start().await, Server::start().await);
    let gate = Gate::new();
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /private").gated(&gate));
    other.respond("/robots.txt", Reply::ok("text/plain", "User-agent: feedmill\nDisallow: /"));
    for path in ["/a", "/b", "/private/a"] {
        server.respond(path, Reply::ok("text/html", "<p>"));
    }
    server.respond("/away", Reply::redirect(302, other.url("/page")));
    let fetcher = fetcher(settings());
    get(&fetcher, &server.url("/private/a")).await.expect("a feed does not ask");
    assert!(server.requests("/robots.txt").is_empty());

    let open = async {
        server.arrived("/robots.txt", 1).await;
        gate.open();
    };
    let (a, b) = (server.url("/a"), server.url("/b"));
    let (first, second, ()) = tokio::join!(get_page(&fetcher, &a), get_page(&fetcher, &b), open);
    first.unwrap();
    second.unwrap();
    let refused = get_page(&fetcher, &server.url("/private/a")).await.unwrap_err();
    assert_eq!((refused.kind().as_str(), refused.retry()), ("robots_disallowed", Retry::Never));
    let refused = get_page(&fetcher, &server.url("/away")).await.unwrap_err();
    assert_eq!(refused.kind().as_str(), "robots_disallowed", "the target's host has its own robots.txt");
    assert_eq!(server.requests("/robots.txt").len(), 1, "asked once, however many wait");
    assert!(other.requests("/page").is_empty());
    let asked = server.requests("/robots.txt").remove(0);
    assert!(asked.header("user-agent").unwrap().starts_with("feedmill/"));

    let disobey = RequestOptions { obey_robots: Some(false), ..RequestOptions::default() };
    get_with(&fetcher, &other.url("/page"), &Validators::default(), &disobey).await.unwrap_err();
    assert_eq!(other.requests("/page").len(), 1);
    let obey = RequestOptions { obey_robots: Some(true), ..RequestOptions::default() };
    let refused = get_with(&fetcher, &other.url("/"), &Validators::default(), &obey).await.unwrap_err();
    assert_eq!(refused.kind().as_str(), "robots_disallowed", "a feed that is told to ask");
}

#[tokio::test]
async fn robots_that_cannot_be_had() {
    for (reply, expected) in [
        (Reply::status(404), "ok"),
        (Reply::status(401), "ok"),
        (Reply::redirect(301, "/robots.txt"), "ok"),
        (Reply::status(500), "robots_unreachable"),
        (Reply::status(429), "robots_unreachable"),
        (Reply::raw(""), "robots_unreachable"),
        (
            Reply::ok("text/plain", format!("User-agent: *\nDisallow: /\n{}", "#".repeat(1 << 20))),
            "robots_disallowed",
        ),
    ] {
        let server = Server::start().await;
        server.respond("/robots.txt", reply);
        server.respond("/page", Reply::ok("text/html", "<p>"));
        let result = get_page(&fetcher(settings()), &server.url("/page")).await;
        assert_eq!(result.as_ref().map_or_else(|error| error.kind().as_str(), |_| "ok"), expected);
        assert_eq!(server.requests("/page").len(), usize::from(expected == "ok"));
    }
}

#[tokio::test]
async fn feeds_and_pages_share_a_hosts_turns_and_waiting_costs_no_time() {
    let server = Server::start().await;
    server.handle(|_| Reply::ok("text/xml", "x"));
    let gap = Duration::from_millis(500);
    let fetcher =
        fetcher(Settings { host_min_gap: gap, timeout: gap, pages_obey_robots: false, ..settings() });
    let began = Instant::now();
    let (feed, page) = (server.url("/feed"), server.url("/page"));
    let (first, second, third) =
        tokio::join!(get(&fetcher, &feed), get_page(&fetcher, &page), get(&fetcher, &feed));
    for result in [first, second, third] {
        body(result.expect("the wait for a turn is longer than the timeout, but does not count"));
    }
    assert!(began.elapsed() >= 2 * gap);
}

#[tokio::test]
async fn a_turn_lasts_until_the_body_is_read() {
    let server = Server::start().await;
    let gate = Gate::new();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
    server.respond("/slow", Reply::raw(format!("{head}<rss>")).then_wait(&gate).then("</rss>!"));
    server.respond("/next", Reply::ok("text/xml", "<rss/>"));
    let fetcher = fetcher(Settings { host_concurrency: 1, ..settings() });
    let (slow, next) = (server.url("/slow"), server.url("/next"));
    let open = async {
        server.arrived("/slow", 1).await;
        assert!(fetcher.defer(&next, Duration::ZERO).is_some());
        assert!(server.requests("/next").is_empty());
        gate.open();
    };
    let (slow, next, ()) = tokio::join!(get(&fetcher, &slow), get(&fetcher, &next), open);
    assert_eq!(body(slow.unwrap()), b"<rss></rss>!");
    assert_eq!(body(next.unwrap()), b"<rss/>");
}

#[tokio::test]
async fn a_slow_host_delays_no_other() {
    let (slow, quick) = (Server::start_at("127.0.0.3:0").await, Server::start().await);
    let gate = Gate::new();
    slow.respond("/", Reply::ok("text/xml", "slow").gated(&gate));
    quick.respond("/", Reply::ok("text/xml", "quick"));
    let fetcher = fetcher(Settings { host_concurrency: 1, ..settings() });
    let url = slow.url("/");
    let waiting = futures_util::future::join_all((0..20).map(|_| get(&fetcher, &url)));
    let meanwhile = async {
        slow.arrived("/", 1).await;
        for _ in 0..20 {
            get(&fetcher, &quick.url("/")).await.unwrap();
        }
        assert_eq!(slow.requests("/").len(), 1, "one at a time");
        let patience = Duration::from_millis(500);
        assert!(fetcher.defer(&url, patience).is_some(), "nobody else should wait here");
        assert_eq!(fetcher.defer(&quick.url("/"), patience), None);
        gate.open();
    };
    let (results, ()) = tokio::join!(waiting, meanwhile);
    assert!(results.iter().all(Result::is_ok));
}
