//! Removes articles and kept pages that are older than their feed's settings keep them: in small batches, so that storing
//! an article never waits long.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{FeedOptions, Keeping, Plan, Shared};
use crate::model::FeedId;
use crate::store::{Cutoff, StoreError};
use crate::telemetry::metrics;

/// Time between two passes.
const INTERVAL: Duration = Duration::from_hours(1);

/// Number of feeds queried in one statement.
const FEEDS_AT_ONCE: usize = 500;

/// The result of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Articles.
    pub articles: usize,
    /// Kept pages whose articles stay.
    pub raw_pages: usize,
}

/// Removes what is old enough, now and every hour, until `soft` is cancelled. One process at a time does it, and another
/// takes over at once when that one is gone.
pub async fn run(shared: &Shared, soft: &CancellationToken) {
    let shards = shared.store.shards();
    while soft.run_until_cancelled(shards.first()).await.is_some() {
        if let Err(error) = pass(shared, soft).await {
            tracing::error!(error = %error, "cannot remove expired articles and pages; trying again");
        }
        tokio::select! {
            () = soft.cancelled() => {}
            () = tokio::time::sleep(INTERVAL) => {}
            () = shards.no_longer_first() => {}
        }
    }
}

/// Removes everything that is old enough now, or until `soft` is cancelled.
pub async fn pass(shared: &Shared, soft: &CancellationToken) -> Result<Removed, StoreError> {
    let plan = shared.plan();
    let mut removed = Removed::default();
    if !limits_anything(&plan) {
        return Ok(removed);
    }
    let feeds = shared.store.feeds_known().await?;
    let now = shared.clock.now();
    let cutoffs = cutoffs(&plan, &feeds, now, |keeping| keeping.keep);
    // If a feed keeps its articles forever, no partition is ever old as a whole.
    let earliest = cutoffs.iter().map(|cutoff| cutoff.before).min().filter(|_| cutoffs.len() == feeds.len());
    let partitions = match earliest {
        Some(before) => shared.store.texts_before(before).await?,
        None => Vec::new(),
    };
    for some in cutoffs.chunks(FEEDS_AT_ONCE) {
        let mut more = true;
        while more && !soft.is_cancelled() {
            let count = shared.store.articles_remove(some, &partitions).await?;
            removed.articles += count;
            more = count > 0;
        }
    }
    for partition in &partitions {
        if !soft.is_cancelled() && !shared.store.texts_drop(partition).await? {
            tracing::info!(?partition, "old texts are in use, for example by a backup; dropping them later");
        }
    }
    let cutoffs = self::cutoffs(&plan, &feeds, now, |keeping| keeping.keep_raw);
    for some in cutoffs.chunks(FEEDS_AT_ONCE) {
        let mut more = true;
        while more && !soft.is_cancelled() {
            let count = shared.store.raw_pages_remove(some).await?;
            removed.raw_pages += count;
            more = count > 0;
        }
    }
    metrics::removed(removed.articles as u64, removed.raw_pages as u64);
    if removed != Removed::default() {
        while !soft.is_cancelled() && shared.store.give_back_pages().await? {}
        tracing::info!(
            articles = removed.articles,
            raw_pages = removed.raw_pages,
            "removed expired articles and pages"
        );
    }
    Ok(removed)
}

fn limits_anything(plan: &Plan) -> bool {
    let limits = |options: &FeedOptions| options.keeping.keep.is_some() || options.keeping.keep_raw.is_some();
    limits(&plan.fallback) || plan.feeds.values().any(|options| limits(options))
}

/// Returns for each feed with a limit the moment before which articles or pages are old; `time` selects the limit.
fn cutoffs(
    plan: &Plan,
    feeds: &[(FeedId, Url)],
    now: Timestamp,
    time: impl Fn(&Keeping) -> Option<Duration>,
) -> Vec<Cutoff> {
    feeds
        .iter()
        .filter_map(|(feed_id, url)| {
            let time = SignedDuration::try_from(time(&plan.options(url).keeping)?).ok()?;
            Some(Cutoff { feed_id: *feed_id, before: now.checked_sub(time).ok()? })
        })
        .collect()
}
