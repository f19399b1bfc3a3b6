//! A reload that shortens the intervals of feeds.
//!
//! When a feed is next due is stored after each poll, by the settings of that time. After a reload, each feed whose settings have
//! changed is due when it would be if they had been in force at its last poll; if that is past, it is due at once. A later time is
//! not stored: longer intervals take effect after the next poll.

use jiff::Timestamp;
use url::Url;

use super::bounds;
use crate::pipeline::{Plan, Shared};
use crate::schedule::due_within;
use crate::store::{ScheduledFeed, Sooner, StoreError};

/// Brings forward the next polls of the feeds whose bounds differ between `before` and the plan in force. A failure is logged: the
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
    let is_changed =
        |url: &Url| before.feeds.get(url).is_none_or(|before| before.bounds != plan.options(url).bounds);
    let changed: Vec<Url> = plan.feeds.keys().filter(|url| is_changed(url)).cloned().collect();
    if changed.is_empty() {
        return Ok(0);
    }
    let now = shared.clock.now();
    let scheduled = shared.store.feeds_scheduled(&changed).await?;
    let sooner: Vec<Sooner> = scheduled.iter().filter_map(|feed| sooner(&plan, feed, now)).collect();
    shared.store.feeds_bring_forward(&sooner).await
}

fn sooner(plan: &Plan, feed: &ScheduledFeed, now: Timestamp) -> Option<Sooner> {
    let options = plan.options(&feed.configured_url);
    let bounds = bounds(plan, &options, feed.delivered_until, now);
    let (at, decided_by) = due_within(&bounds, &feed.history, feed.decided_by, feed.last_polled_at)?;
    let is_sooner = at < feed.next_poll_at;
    is_sooner.then_some(Sooner { id: feed.id, instead_of: feed.next_poll_at, at, decided_by })
}
