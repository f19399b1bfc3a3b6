//! Preparation of a feed's entries for the store.

use std::collections::HashSet;

use jiff::Timestamp;
use url::Url;

use crate::model::{ArticleId, DueFeed, entry_url};
use crate::parse::{ParsedEntry, ParsedFeed};
use crate::pipeline::Shared;
use crate::schedule::PublishedEntry;
use crate::store::NewEntry;

/// How far a feed's date may be ahead of our clock: time zones are often wrong by hours.
const FUTURE_TOLERANCE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Drops the entries' future dates, and returns the entries with whether each is new.
pub(super) async fn read_entries(
    shared: &Shared,
    feed: &DueFeed,
    parsed: &mut ParsedFeed,
) -> Vec<PublishedEntry> {
    drop_future_dates(parsed, shared.clock.now());
    let new = shared.store.entries_new(feed.id, &parsed.entries).await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "cannot determine which entries are new; the poll schedule is not adapted");
        HashSet::new()
    });
    let published = |entry: &ParsedEntry| PublishedEntry {
        published_at: entry.evidence.published_at,
        is_new: new.contains(&entry.key),
    };
    parsed.entries.iter().map(published).collect()
}

pub(super) fn with_articles(feed: &DueFeed, entries: Vec<ParsedEntry>) -> Vec<NewEntry> {
    entries.into_iter().map(|entry| new_entry(&feed.configured_url, entry)).collect()
}

fn drop_future_dates(parsed: &mut ParsedFeed, now: Timestamp) {
    let latest = now + FUTURE_TOLERANCE;
    for entry in &mut parsed.entries {
        for date in [&mut entry.evidence.published_at, &mut entry.evidence.updated_at] {
            date.take_if(|date| *date > latest);
        }
    }
}

/// The longest host name that DNS allows, and the longest URL worth a request: longer links are not fetched.
const MAX_HOST_BYTES: usize = 253;
const MAX_URL_BYTES: usize = 4096;

fn is_fetchable(url: &Url) -> bool {
    url.as_str().len() <= MAX_URL_BYTES && url.host_str().is_some_and(|host| host.len() <= MAX_HOST_BYTES)
}

fn new_entry(feed_url: &Url, mut parsed: ParsedEntry) -> NewEntry {
    parsed.link.take_if(|link| !is_fetchable(link));
    let article_id = match &parsed.link {
        Some(link) if parsed.has_exact_link => ArticleId::of_exact_url(link),
        Some(link) => ArticleId::of_url(link),
        None => ArticleId::of_url(&entry_url(feed_url, parsed.key)),
    };
    NewEntry { parsed, article_id }
}
