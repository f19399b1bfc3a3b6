//! Feeds to entries: poll what is due, read it, record its entries as pending.

use rand::RngExt as _;
use tracing::Instrument as _;
use url::Url;

use super::line::Stage;
use super::{FeedOptions, Plan, Shared, Tally};
use crate::fetch::{Content, FetchError, Purpose, Request, Response, Retry};
use crate::model::{ArticleId, DueFeed, FeedId, Lease, Sha256Hash, url_without_link};
use crate::parse::{ParsedEntry, ParsedFeed, parse};
use crate::schedule::{Freshness, PollOutcome, next_poll};
use crate::store::{NewEntry, PollRecord, PollResult, StoreError};
use crate::telemetry::metrics;

/// A feed's date may run this far ahead of our clock: zones are often wrong by hours.
const FUTURE_TOLERANCE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The first half of the mill.
#[derive(Clone, Debug)]
pub struct Feeds(pub Shared);

impl Stage for Feeds {
    type Item = DueFeed;
    type Claim = (FeedId, Lease);
    type Done = PollRecord;

    const NAME: &'static str = "feeds";

    fn permits(&self) -> u32 {
        self.0.plan.borrow().settings.feed_concurrency
    }

    async fn claim(&self, limit: u32) -> Result<Vec<DueFeed>, StoreError> {
        let lease = self.0.plan.borrow().settings.lease;
        self.0.store.feeds_claim_due(lease, limit).await
    }

    fn claim_of(item: &DueFeed) -> (FeedId, Lease) {
        (item.id, item.lease)
    }

    async fn release(&self, claims: Vec<(FeedId, Lease)>) -> Result<(), StoreError> {
        self.0.store.feeds_release(&claims).await
    }

    async fn process(&self, feed: DueFeed) -> PollRecord {
        let span = tracing::info_span!("poll", feed.url = %feed.url);
        poll(&self.0, feed).instrument(span).await
    }

    async fn record(&self, done: Vec<PollRecord>) -> Result<(), StoreError> {
        let reports = self.0.store.feed_polls_record(&done).await?;
        let tally = &self.0.tally;
        let mut has_entries = false;
        for (poll, report) in done.iter().zip(reports) {
            let Some(report) = report else {
                tracing::warn!(
                    feed.id = poll.feed_id.0,
                    "the poll came too late: another worker has the feed"
                );
                continue;
            };
            let kind = match &poll.result {
                PollResult::Unchanged { .. } => metrics::Poll::Unchanged,
                PollResult::Parsed { .. } => metrics::Poll::Parsed,
                PollResult::Failed { .. } => metrics::Poll::Failed,
            };
            metrics::feed_polled(kind, report.new_entries, report.updated_entries);
            Tally::add(if kind == metrics::Poll::Failed { &tally.polls_failed } else { &tally.polls_ok }, 1);
            Tally::add(&tally.new_entries, report.new_entries.into());
            has_entries |= report.new_entries + report.updated_entries > 0;
        }
        if has_entries {
            self.0.entries_recorded.notify_one();
        }
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<jiff::Timestamp>, StoreError> {
        self.0.store.feeds_next_due().await
    }
}

/// One poll, from the request to what is to be recorded of it.
async fn poll(shared: &Shared, feed: DueFeed) -> PollRecord {
    let plan = shared.plan();
    let options = plan.options(&feed.configured_url);
    let request = Request {
        purpose: Purpose::Feed,
        url: &feed.url,
        validators: &feed.validators,
        options: &options.request,
    };
    let fetched = plan.fetcher.fetch(&request).await;
    let freshness = match &fetched {
        Ok(response) => response.freshness.clone(),
        Err(error) => error.freshness(),
    };
    let (result, outcome) = match fetched {
        Ok(response) => read(shared, &plan, &feed, response).await,
        Err(error) => failed(&error),
    };
    finish(shared, &options, &feed, result, &outcome, &freshness)
}

fn finish(
    shared: &Shared,
    options: &FeedOptions,
    feed: &DueFeed,
    result: PollResult,
    outcome: &PollOutcome,
    freshness: &Freshness,
) -> PollRecord {
    let now = shared.clock.now();
    let jitter = rand::rng().random_range(0.0..1.0);
    let next = next_poll(&options.bounds, &feed.history, outcome, freshness, now, jitter);
    match &result {
        PollResult::Failed { label, reason, .. } => tracing::warn!(
            label,
            reason,
            failures = next.history.consecutive_failures,
            next = %next.at,
            "the poll failed"
        ),
        PollResult::Unchanged { .. } => tracing::debug!(next = %next.at, "unchanged"),
        PollResult::Parsed { entries, warnings, .. } => {
            tracing::info!(entries = entries.len(), repaired = warnings.len(), next = %next.at, "polled");
        }
    }
    PollRecord { feed_id: feed.id, lease: feed.lease, polled_at: now, next, result }
}

fn failed(error: &FetchError) -> (PollResult, PollOutcome) {
    let result = PollResult::Failed {
        label: error.label(),
        reason: error.to_string(),
        gone: error.retry() == Retry::Gone,
    };
    (result, PollOutcome::Failed)
}

/// Reads the answer to a poll.
async fn read(shared: &Shared, plan: &Plan, feed: &DueFeed, response: Response) -> (PollResult, PollOutcome) {
    let body = match response.content {
        // A 304 may bring new validators; one without any keeps the old.
        Content::NotModified => {
            let validators = Some(response.validators).filter(|validators| *validators != Default::default());
            return (PollResult::Unchanged { validators }, PollOutcome::Unchanged);
        }
        Content::Body(body) => body,
    };
    let body_sha256 = Sha256Hash::of(&body);
    if feed.body_sha256 == Some(body_sha256) {
        let validators = Some(response.validators);
        return (PollResult::Unchanged { validators }, PollOutcome::Unchanged);
    }
    let _alone = match shared.precaution(feed.suspect).await {
        Some(alone) => {
            if let Err(error) = shared.store.feeds_mark_attempted(&[(feed.id, feed.lease)]).await {
                tracing::error!(error = %error, "cannot mark the attempt: the feed's lease will run out");
            }
            Some(alone)
        }
        None => None,
    };
    let base = response.final_url.clone();
    let parsed =
        shared.workers.run(move || parse(&body, response.content_type.as_deref(), Some(&base))).await;
    let mut parsed = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(error)) => return not_a_feed("not_a_feed", &error),
        Err(error) => return not_a_feed(error.label(), &error),
    };
    let now = shared.clock.now();
    drop_future_dates(&mut parsed, now);
    let outcome = PollOutcome::Parsed {
        hints: parsed.feed.hints.clone(),
        entry_times: parsed.entries.iter().filter_map(|entry| entry.evidence.published_at).collect(),
        new_entries: 0,
    };
    let result = PollResult::Parsed {
        validators: response.validators,
        body_sha256,
        info: Box::new(parsed.feed),
        entries: parsed.entries.into_iter().map(|entry| new_entry(&feed.configured_url, entry)).collect(),
        warnings: parsed.warnings,
        moved_to: None,
    };
    (result, outcome)
}

fn not_a_feed(label: &'static str, error: &dyn std::error::Error) -> (PollResult, PollOutcome) {
    let result = PollResult::Failed { label, reason: error.to_string(), gone: false };
    (result, PollOutcome::Failed)
}

fn drop_future_dates(parsed: &mut ParsedFeed, now: jiff::Timestamp) {
    let latest = now + FUTURE_TOLERANCE;
    for entry in &mut parsed.entries {
        for date in [&mut entry.evidence.published_at, &mut entry.evidence.updated_at] {
            date.take_if(|date| *date > latest);
        }
    }
}

fn new_entry(feed_url: &Url, parsed: ParsedEntry) -> NewEntry {
    let article_id = match &parsed.link {
        Some(link) => ArticleId::of_url(link),
        None => ArticleId::of_url(&url_without_link(feed_url, parsed.key)),
    };
    NewEntry { parsed, article_id }
}
