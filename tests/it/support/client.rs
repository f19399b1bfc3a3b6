//! A `Fetcher` for servers on loopback.

use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::fetch::{
    AllowedNet, Content, FetchError, Fetcher, Purpose, Request, RequestOptions, Response, Settings,
};
use feedmill::memory::Parts;
use feedmill::model::Validators;
use feedmill::publish::Outward;
use tokio::sync::watch;
use url::Url;

/// Settings that allow loopback, without a gap between requests, with time-outs that only a hanging server reaches.
pub(crate) fn settings() -> Settings {
    Settings {
        contact_url: Some("https://example.org/bot".parse().unwrap()),
        allow: vec![AllowedNet { net: "127.0.0.0/8".parse().unwrap(), port: None }],
        name_servers: Vec::new(),
        timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(30),
        read_timeout: Duration::from_mins(1),
        max_redirects: 5,
        feed_max_body_bytes: 1 << 20,
        page_max_body_bytes: 1 << 19,
        host_concurrency: 8,
        host_min_gap: Duration::ZERO,
        max_host_pause: None,
        proxy: None,
        proxy_guards_addresses: false,
        pages_obey_robots: true,
        feeds_obey_robots: false,
    }
}

/// A fetcher with a manual clock.
pub(crate) fn fetcher(settings: Settings) -> Fetcher {
    Fetcher::new(settings, Clock::manual("2026-11-21T20:00:00Z".parse().unwrap())).unwrap()
}

/// The parts of a daemon that sinks receive.
pub(crate) fn outward(clock: &Clock) -> Outward {
    let fetcher = Fetcher::new(settings(), clock.clone()).unwrap();
    let (_, fetcher) = watch::channel(fetcher);
    Outward { clock: clock.clone(), fetcher, memory: Parts::unbounded() }
}

/// Fetches a feed unconditionally.
pub(crate) async fn get(fetcher: &Fetcher, url: &Url) -> Result<Response, FetchError> {
    get_with(fetcher, url, &Validators::default(), &RequestOptions::default()).await
}

/// Fetches a feed.
pub(crate) async fn get_with(
    fetcher: &Fetcher,
    url: &Url,
    validators: &Validators,
    options: &RequestOptions,
) -> Result<Response, FetchError> {
    fetcher.fetch(&Request { purpose: Purpose::Feed, url, validators, options }).await
}

/// Fetches a page without options.
pub(crate) async fn get_page(fetcher: &Fetcher, url: &Url) -> Result<Response, FetchError> {
    let (validators, options) = (Validators::default(), RequestOptions::default());
    fetcher.fetch(&Request { purpose: Purpose::Page, url, validators: &validators, options: &options }).await
}

/// Returns the body; panics if there is none.
pub(crate) fn body(response: Response) -> Vec<u8> {
    match response.content {
        Content::Body(body) => body,
        Content::NotModified => panic!("not modified"),
    }
}
