//! Feeds delivered by hubs.

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;

use super::entries::{read_entries, with_articles};
use super::{Feeds, Polled, parsed};
use crate::memory::Share;
use crate::model::{DueFeed, FeedId, masked};
use crate::pipeline::Shared;
use crate::pipeline::line::Stage as _;
use crate::pipeline::workers::Stopped;
use crate::schedule::{Decision, NextPoll};
use crate::store::{PollRecord, PollResult, StoreError, Transfer};

/// A hub's delivery of a feed: the whole feed, or what is new.
#[derive(Debug)]
pub struct Delivery {
    /// The body as sent.
    pub body: Vec<u8>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The URL that the hub knows the feed by: relative links resolve against it.
    pub topic: Url,
}

/// Records a hub's delivery of a feed. It changes neither the time of the next poll nor the validators, since a delivery
/// may be only a part of the feed. Returns `false` if another worker holds the feed at this moment, or if the process
/// stops.
pub async fn deliver(shared: &Shared, feed_id: FeedId, delivery: Delivery) -> Result<bool, StoreError> {
    let lease = shared.plan.borrow().settings.lease;
    let Some((feed, next_poll_at)) = shared.store.feed_claim(feed_id, lease).await? else { return Ok(false) };
    let span = tracing::info_span!("delivery", feed.url = %masked(&feed.url));
    let (began, held) = (Instant::now(), shared.memory.share());
    let delivered = delivered(shared, &feed, next_poll_at, delivery, &held).instrument(span).await;
    let Ok(record) = delivered else {
        shared.store.feeds_release(&[(feed.id, feed.lease, next_poll_at)]).await?;
        return Ok(false);
    };
    Feeds::for_ever(shared.clone()).record(&[Polled::new(record, began, held)]).await?;
    Ok(true)
}

async fn delivered(
    shared: &Shared,
    feed: &DueFeed,
    next_poll_at: Timestamp,
    delivery: Delivery,
    held: &Share,
) -> Result<PollRecord, Stopped> {
    let now = shared.clock.now();
    let Delivery { body, content_type, topic } = delivery;
    let (began, body_bytes) = (Instant::now(), Some(body.len() as u64));
    let mut history = feed.history.clone();
    let (entries, warnings) = match parsed(shared, feed, body, content_type, topic, held).await? {
        Ok(mut parsed) => {
            let published = read_entries(shared, feed, &mut parsed).await;
            history.note_delivery(&published, now);
            let new = published.iter().filter(|entry| entry.is_new).count();
            tracing::info!(entries = published.len(), new, "delivered");
            (with_articles(feed, parsed.entries), parsed.warnings)
        }
        Err((kind, reason)) => {
            tracing::warn!(
                label = kind.as_str(),
                reason,
                "cannot parse the hub's delivery; the next poll will fetch the feed"
            );
            (Vec::new(), Vec::new())
        }
    };
    let next = NextPoll { at: next_poll_at, decided_by: Decision::Delivered, history };
    let transfer = Transfer { body_bytes, took: began.elapsed() };
    let result = PollResult::Delivered { entries, warnings };
    Ok(PollRecord { transfer, ..PollRecord::of(feed, now, next, result) })
}
