//! The requests that go out and what is made of the answers, byte by byte.

use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::fetch::{
    AllowedNet, Content, FetchError, Fetcher, Purpose, Request, RequestOptions, Response, Retry, Settings,
};
use feedmill::model::Validators;
use url::Url;

use crate::support::server::{Reply, Server};

/// Settings for servers on loopback: allowed, and without a gap between requests.
pub(crate) fn settings() -> Settings {
    Settings {
        contact_url: Some("https://example.org/bot".parse().unwrap()),
        allow: vec![AllowedNet { net: "127.0.0.0/8".parse().unwrap(), port: None }],
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        max_redirects: 5,
        feed_max_body_bytes: 1 << 20,
        page_max_body_bytes: 1 << 20,
        host_concurrency: 2,
        host_min_gap: Duration::ZERO,
        proxy: None,
        pages_obey_robots: false,
        feeds_obey_robots: false,
    }
}

pub(crate) fn fetcher(settings: Settings) -> Fetcher {
    Fetcher::new(settings, Clock::manual("2026-11-21T20:00:00Z".parse().unwrap())).unwrap()
}

/// An unconditional request for a feed, without options.
pub(crate) async fn get(fetcher: &Fetcher, url: &Url) -> Result<Response, FetchError> {
    let (validators, options) = (Validators::default(), RequestOptions::default());
    fetcher.fetch(&Request { purpose: Purpose::Feed, url, validators: &validators, options: &options }).await
}

#[tokio::test]
async fn a_plain_get_then_a_conditional_one() {
    let server = Server::start().await;
    let etag = "W/\"a b, \u{e9}\"";
    let date = "Sat, 21 Nov 2026 8:00:00 +0000";
    server.respond(
        "/feed",
        Reply::ok("text/xml; charset=utf-8", "<rss/>").header("ETag", etag).header("Last-Modified", date),
    );
    server.respond("/feed", Reply::status(304));
    let fetcher = fetcher(settings());
    let url = server.url("/feed");
    let first = get(&fetcher, &url).await.unwrap();
    assert!(matches!(&first.content, Content::Body(body) if body == b"<rss/>"));
    assert_eq!(first.content_type.as_deref(), Some("text/xml; charset=utf-8"));
    let options = RequestOptions::default();
    let request =
        Request { purpose: Purpose::Feed, url: &url, validators: &first.validators, options: &options };
    let second = fetcher.fetch(&request).await.unwrap();
    assert!(matches!(second.content, Content::NotModified));
    assert_eq!(second.validators, Validators::default());
    let requests = server.requests("/feed");
    assert_eq!(requests[0].header("if-none-match"), None);
    assert_eq!(requests[1].header("if-none-match"), Some(etag));
    assert_eq!(requests[1].header("if-modified-since"), Some(date));
    assert_eq!(server.connections(), 1, "the connection is used again");
}

#[tokio::test]
async fn loopback_is_refused_by_default() {
    let server = Server::start().await;
    let fetcher = fetcher(Settings { allow: Vec::new(), ..settings() });
    let error = get(&fetcher, &server.url("/")).await.unwrap_err();
    assert_eq!((error.label(), error.retry()), ("refused_address", Retry::Never));
    let by_name: Url = format!("http://localhost:{}/", server.address().port()).parse().unwrap();
    assert_eq!(get(&fetcher, &by_name).await.unwrap_err().label(), "refused_address");
    assert_eq!(server.connections(), 0);
}
