//! `feedmill feeds discover`: finds the feeds of a site.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;
use url::Url;

use super::terminal::plain;
use super::{block_on, terminal};
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::{Content, FetchError, Fetcher, Purpose, Request, RequestOptions, decode_page};
use crate::model::{Validators, masked};
use crate::parse::{FeedLink, feed_links, parse};

/// Usual paths of feeds, tried if the page links to none.
const WELL_KNOWN: &[&str] =
    &["/feed", "/rss.xml", "/feed.xml", "/atom.xml", "/rss", "/index.xml", "/feed.json"];
/// Maximum number of links to try: a page may link to thousands.
const MAX_CANDIDATES: usize = 20;

/// A feed that was fetched and parsed.
#[derive(Debug, Serialize)]
struct Found {
    url: Url,
    title: Option<String>,
    entries: usize,
}

pub(crate) fn run(url: &Url, json: bool, config: &Config) -> anyhow::Result<ExitCode> {
    let fetcher = Fetcher::new(config.fetch.clone(), Clock::system())?;
    let found = block_on(discover(&fetcher, url))?;
    if found.is_empty() {
        bail!("no feed at {}, among the links of its page, or at the usual paths of its host", masked(url));
    }
    let mut out = terminal::stdout();
    for feed in &found {
        if json {
            serde_json::to_writer(&mut out, feed)?;
            writeln!(out)?;
        } else {
            let title = plain(feed.title.as_deref().unwrap_or_default());
            writeln!(out, "{}\t{}\t{title}", feed.url, feed.entries)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the URL itself if it is a feed, else the feeds that its page links to, else those at the usual paths. All returned
/// feeds were fetched and parsed.
async fn discover(fetcher: &Fetcher, url: &Url) -> anyhow::Result<Vec<Found>> {
    let answer = get(fetcher, url).await.with_context(|| format!("cannot fetch {}", masked(url)))?;
    if let Some(found) = answer.read(None) {
        return Ok(vec![found]);
    }
    let page = decode_page(&answer.body, answer.content_type.as_deref());
    let pointed_to = feed_links(&page, &answer.url);
    let found = read_all(fetcher, pointed_to).await;
    if !found.is_empty() {
        return Ok(found);
    }
    let usual = WELL_KNOWN.iter().filter_map(|path| answer.url.join(path).ok());
    let usual = usual.map(|url| FeedLink { url, title: None });
    Ok(read_all(fetcher, usual.collect()).await)
}

async fn read_all(fetcher: &Fetcher, links: Vec<FeedLink>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for link in links.into_iter().take(MAX_CANDIDATES) {
        match get(fetcher, &link.url).await {
            Ok(answer) => {
                let feed = answer.read(link.title);
                // Several URLs may lead to the same feed.
                found.extend(feed.filter(|feed| found.iter().all(|known| known.url != feed.url)));
            }
            Err(error) => {
                tracing::debug!(url = %masked(&link.url), error = %error, "cannot fetch a possible feed");
            }
        }
    }
    found
}

struct Answer {
    url: Url,
    content_type: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// Parses the answer as a feed; returns `None` if it is not one.
    fn read(&self, title: Option<String>) -> Option<Found> {
        let parsed = parse(&self.body, self.content_type.as_deref(), Some(&self.url)).ok()?;
        Some(Found {
            url: self.url.clone(),
            title: parsed.feed.title.or(title),
            entries: parsed.entries.len(),
        })
    }
}

async fn get(fetcher: &Fetcher, url: &Url) -> Result<Answer, FetchError> {
    let (validators, options) = (Validators::default(), RequestOptions::default());
    let request = Request { purpose: Purpose::Feed, url, validators: &validators, options: &options };
    let response = fetcher.fetch(&request).await?;
    let body = match response.content {
        Content::Body(body) => body,
        Content::NotModified => Vec::new(),
    };
    Ok(Answer { url: response.final_url, content_type: response.content_type, body })
}
