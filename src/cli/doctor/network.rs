//! Network checks: name resolution, proxies, one poll, and our clock against the date in its response.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use url::{Host, Url};

use super::finding::Finding;
use super::store::TOLERANCE;
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::{self, Content, FetchError, Fetcher, Purpose, Request, Response};
use crate::model::{Validators, masked};
use crate::parse::parse;
use crate::pipeline::FeedOptions;

pub(super) async fn look(config: &Config, feed: Option<&Url>, clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    for proxy in proxies(config) {
        findings.push(reach(proxy, config.fetch.connect_timeout).await);
    }
    let Some(feed) = feed.or_else(|| config.feeds.keys().min()) else {
        findings.push(
            Finding::note("poll", "no feeds are configured: none was polled")
                .with_hint("`feedmill doctor --feed URL` polls any feed"),
        );
        return findings;
    };
    let options = config.feeds.get(feed).unwrap_or(&config.feed_defaults);
    findings.extend(resolve(feed, config, options).await);
    findings.extend(poll(feed, config, options, clock).await);
    findings
}

/// Returns the configured proxies, both the default and those of single feeds.
fn proxies(config: &Config) -> BTreeSet<&Url> {
    let of_feeds = config.feeds.values().filter_map(|options| options.request.proxy.as_ref());
    config.fetch.proxy.iter().chain(of_feeds).collect()
}

async fn reach(proxy: &Url, patience: Duration) -> Finding {
    const CHECK: &str = "proxy";
    let host = proxy.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = proxy.port_or_known_default().unwrap_or_default();
    let failed = |reason: String| {
        Finding::problem(CHECK, format!("{proxy} does not answer: {reason}"))
            .with_hint("is it running, and are host and port in fetch.proxy correct?")
    };
    match timeout(patience, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Finding::ok(CHECK, format!("{proxy} answers")),
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed(format!("no response for {} s", patience.as_secs())),
    }
}

/// Checks that the feed's host resolves, with the daemon's resolver. Skipped if a proxy resolves names.
async fn resolve(feed: &Url, config: &Config, options: &FeedOptions) -> Option<Finding> {
    const CHECK: &str = "dns";
    let Some(Host::Domain(name)) = feed.host() else { return None };
    if options.request.proxy.as_ref().or(config.fetch.proxy.as_ref()).is_some() {
        return Some(Finding::note(CHECK, format!("{name} is resolved by the proxy")));
    }
    let began = Instant::now();
    let failed = |reason: String| {
        Finding::problem(CHECK, format!("{name}: {reason}")).with_hint(
            "check /etc/resolv.conf and fetch.name_servers, or set fetch.proxy if a proxy resolves names",
        )
    };
    Some(match fetch::look_up(&config.fetch, name).await {
        Ok(addresses) => {
            let (count, ms) = (addresses.len(), began.elapsed().as_millis());
            Finding::ok(CHECK, format!("{name} has {count} addresses, found in {ms} ms"))
        }
        Err(error) => failed(error.to_string()),
    })
}

/// Polls the feed without storing anything.
async fn poll(feed: &Url, config: &Config, options: &FeedOptions, clock: &Clock) -> Vec<Finding> {
    const CHECK: &str = "poll";
    let shown = masked(feed);
    let failed = |error: &FetchError| vec![Finding::problem(CHECK, format!("{shown}: {error}"))];
    let fetcher = match Fetcher::new(config.fetch.clone(), clock.clone()) {
        Ok(fetcher) => fetcher,
        Err(error) => return failed(&error),
    };
    let request = Request {
        purpose: Purpose::Feed,
        url: feed,
        validators: &Validators::default(),
        options: &options.request.for_target(feed, feed),
    };
    let began = Instant::now();
    let response = match fetcher.fetch(&request).await {
        Ok(response) => response,
        Err(error) => return failed(&error),
    };
    let took = began.elapsed();
    let mut findings = vec![read(&shown, &response, took)];
    findings.extend(response.date.map(|date| compare_clocks(date, clock.now(), &response.final_url)));
    findings
}

fn read(feed: &Url, response: &Response, took: Duration) -> Finding {
    const CHECK: &str = "poll";
    let Content::Body(body) = &response.content else {
        return Finding::problem(CHECK, format!("{feed}: the response has no body"));
    };
    match parse(body, response.content_type.as_deref(), Some(&response.final_url)) {
        Ok(parsed) => {
            let (entries, ms) = (parsed.entries.len(), took.as_millis());
            Finding::ok(CHECK, format!("{feed}: {entries} entries in {ms} ms"))
        }
        Err(error) => Finding::problem(CHECK, format!("{feed}: {error}"))
            .with_hint("`feedmill feeds discover` finds the feeds of a site"),
    }
}

fn compare_clocks(theirs: Timestamp, ours: Timestamp, url: &Url) -> Finding {
    const CHECK: &str = "clock";
    let host = url.host_str().unwrap_or_default();
    let apart = ours.duration_since(theirs);
    if apart.abs() <= TOLERANCE {
        return Finding::ok(CHECK, format!("within {} s of the clock of {host}", apart.abs().as_secs()));
    }
    let direction = if apart.is_positive() { "ahead of" } else { "behind" };
    Finding::problem(CHECK, format!("{} s {direction} the clock of {host}", apart.abs().as_secs()))
        .with_hint("set the clock: timedatectl set-ntp true; or the server's clock is wrong")
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn clocks_that_part_are_a_problem() {
        let url: Url = "https://news.example/feed".parse().unwrap();
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-03-01T12:10:00Z".parse().unwrap();
        assert_eq!(compare_clocks(noon, noon, &url).state, State::Ok);
        assert_eq!(compare_clocks(noon, later, &url).message, "600 s ahead of the clock of news.example");
        assert_eq!(compare_clocks(later, noon, &url).message, "600 s behind the clock of news.example");
    }
}
