//! A reload that shortens the intervals of feeds.
//!
//! When a feed is next due is stored after each poll, by the settings of that time. After a reload, a feed is due as much sooner as
//! it would have been if the new settings had been in force at its last poll; if that is past, it is due at once. Both times are
//! computed from the same history, and the jitter in the stored time stays, so a reload that changes nothing for a feed does not move
//! it. A later time is not stored: longer intervals take effect after the next poll.
//!
//! A poll in progress is not concerned: its result is concluded by the settings in force at that moment. A result that was concluded
//! before the reload and is written after it keeps its time by the earlier settings, since the feed is leased until then and leased
//! feeds are left alone. Shorter intervals then take effect after the next poll.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::bounds;
use crate::model::after;
use crate::pipeline::{FeedOptions, Plan, Shared};
use crate::schedule::{Bounds, Decision, due_within};
use crate::store::{ScheduledFeed, Sooner, StoreError};

/// Feeds whose times are read and written at a time: a change for all feeds must not hold up other writers, nor fill the memory with
/// the histories of all.
const FEEDS_AT_ONCE: usize = 1_000;

/// Brings forward the next polls of the feeds whose bounds were wider in `before` than in the plan in force. A failure is logged: the
/// plan is in force nevertheless, and shorter intervals then take effect after the next poll, too.
pub async fn bring_forward(shared: &Shared, before: &Plan) {
    match brought_forward(shared, before).await {
        Ok(0) => {}
        Ok(feeds) => tracing::info!(feeds, "next polls brought forward"),
        Err(error) => {
            tracing::error!(error = %error, "cannot bring polls forward: shorter intervals take effect later");
        }
    }
}

async fn brought_forward(shared: &Shared, before: &Plan) -> Result<u64, StoreError> {
    let plan = shared.plan();
    // Which feeds a hub delivers is known to the store only.
    let are_delivered_sooner = match (&before.websub, &plan.websub) {
        (Some(before), Some(websub)) => websub.poll_interval < before.poll_interval,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let may_be_sooner = |url: &Url, options: &FeedOptions| {
        are_delivered_sooner
            || before.feeds.get(url).is_none_or(|before| may_shorten(&before.bounds, &options.bounds))
    };
    let changed: Vec<Url> = plan
        .feeds
        .iter()
        .filter(|(url, options)| may_be_sooner(url, options))
        .map(|(url, _)| url.clone())
        .collect();
    let now = shared.clock.now();
    let mut brought = 0;
    for urls in changed.chunks(FEEDS_AT_ONCE) {
        let scheduled = shared.store.feeds_scheduled(urls).await?;
        let feeds: Vec<Sooner> =
            scheduled.iter().filter_map(|feed| sooner(before, &plan, feed, now)).collect();
        if !feeds.is_empty() {
            brought += shared.store.feeds_bring_forward(&feeds).await?;
        }
        tokio::task::yield_now().await;
    }
    Ok(brought)
}

/// Returns whether any feed may be due sooner within `after` than within `before`. A longer `max_interval` is no reason to poll
/// sooner, although the schedule then weighs times in longer steps, which may round the feed's rhythm down.
fn may_shorten(before: &Bounds, after: &Bounds) -> bool {
    after.min_interval < before.min_interval
        || after.max_interval < before.max_interval
        || after.fixed_interval != before.fixed_interval
        || after.freshness != before.freshness
        || after.unconditional_bytes_per_day > before.unconditional_bytes_per_day
}

fn sooner(before: &Plan, plan: &Plan, feed: &ScheduledFeed, now: Timestamp) -> Option<Sooner> {
    let bounds = |plan: &Plan, options: &FeedOptions| bounds(plan, options, feed.delivered_until, now);
    let due_by = |bounds: &Bounds| due_within(bounds, &feed.history, feed.decided_by, feed.last_polled_at);
    let (due, decided_by) = due_by(&bounds(plan, &plan.options(&feed.configured_url)))?;
    let at = match before.feeds.get(&feed.configured_url) {
        Some(options) => {
            let mut bounds = bounds(before, options);
            if feed.decided_by == Decision::Delivered {
                // The reload may have ended the subscription already.
                bounds.delivered_interval = before.websub.as_ref().map(|websub| websub.poll_interval);
            }
            let (was_due, _) = due_by(&bounds)?;
            if due >= was_due {
                return None;
            }
            after(due, jitter_within(feed, was_due, due))
        }
        // It was not configured: the settings that determined its time are not known.
        None => due,
    };
    let is_sooner = at < feed.next_poll_at;
    is_sooner.then_some(Sooner { id: feed.id, instead_of: feed.next_poll_at, at, decided_by })
}

/// Returns the jitter in the stored time of a feed that was due at `was_due` without it, shortened with the interval: an hour of
/// jitter may be right for a day, and would be too much for ten minutes. There is none if the stored time was earlier for any other
/// reason.
fn jitter_within(feed: &ScheduledFeed, was_due: Timestamp, due: Timestamp) -> Duration {
    let jitter = Duration::try_from(feed.next_poll_at.duration_since(was_due)).unwrap_or_default();
    let interval = |due: Timestamp| due.duration_since(feed.last_polled_at).as_secs_f64();
    jitter.mul_f64(interval(due) / interval(was_due))
}
