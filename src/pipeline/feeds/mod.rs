//! Feeds to entries: poll due feeds, parse them, record their entries as pending.

mod aside;
mod deliver;
mod entries;
mod sooner;

use std::borrow::Borrow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;

use self::aside::Aside;
pub use self::deliver::{Delivery, deliver};
use self::entries::{read_entries, with_articles};
pub use self::sooner::bring_forward;
use super::line::{Stage, Until, Worked};
use super::suspects::guarded;
use super::task::LONGEST_RETRY;
use super::websub::{look_for_hubs, note_hubs};
use super::workers::Stopped;
use super::{FeedOptions, LONGEST_RECHECK, Plan, Shared, Tally, party_of};
use crate::blocking::{self, Queue};
use crate::fetch::{Content, FetchError, Links, Purpose, Request, Response, Retry};
use crate::memory::Share;
use crate::model::{DueFeed, FailureKind, FeedId, Lease, PartyId, Sha256Hash, Validators, after, masked};
use crate::parse::{FeedInfo, ParsedFeed, parse};
use crate::schedule::{
    Bounds, Decision, Freshness, History, NextPoll, PollOutcome, confirm_move, is_lost, next_poll,
};
use crate::store::{LONGEST_REQUEUE, LongestWaits, PollRecord, PollResult, StoreError, Transfer};
use crate::subscription::LONGEST_LEASE;
use crate::telemetry::metrics;

/// Memory that a feed takes while it is read, per byte of its body: the body, its text, the tree and its entries.
const FEED_COST: usize = 5;

/// Maximum number of polls that wait aside for slow responses, per permit: each holds a connection.
const MOST_ASIDE: u32 = 4;

/// The first half of the pipeline.
#[derive(Clone, Debug)]
pub struct Feeds {
    shared: Shared,
    /// The feeds polled so far, in a round that polls each only once.
    round: Option<Arc<Mutex<HashSet<FeedId>>>>,
    aside: Aside,
}

impl Feeds {
    /// Polls every feed whenever it is due.
    pub fn for_ever(shared: Shared) -> Self {
        Self { shared, round: None, aside: Aside::default() }
    }

    /// Polls every due feed once: if the round takes longer than a feed's interval, repeated polls would never end.
    pub fn one_round(shared: Shared) -> Self {
        Self { shared, round: Some(Arc::default()), aside: Aside::default() }
    }
}

/// The result of a poll or a delivery, and the memory held until it is recorded.
#[derive(Debug)]
pub struct Polled {
    record: PollRecord,
    began: Instant,
    party: PartyId,
    _held: Share,
}

impl Polled {
    fn new(record: PollRecord, began: Instant, held: Share) -> Self {
        let party = PartyId::of(&party_of(&record.feed_url));
        Self { record, began, party, _held: held }
    }
}

impl Borrow<PollRecord> for Polled {
    fn borrow(&self) -> &PollRecord {
        &self.record
    }
}

const HELD: &str = "no holder of this lock can panic";

impl Stage for Feeds {
    type Item = DueFeed;
    type Claim = (FeedId, Lease);
    type Done = Polled;

    const NAME: &'static str = "feeds";
    const BATCH: u32 = 500;

    fn permits(&self) -> u32 {
        self.shared.plan.borrow().settings.feed_concurrency
    }

    fn aside(&self) -> u32 {
        self.aside.count()
    }

    async fn claim(&self, limit: u32) -> Result<Vec<DueFeed>, StoreError> {
        if self.shared.paused_until().is_some() {
            return Ok(Vec::new());
        }
        let lease = self.shared.plan.borrow().settings.lease;
        let shortened = self.shared.store.waits_shorten(&self.shared.plan().longest_waits).await?;
        if shortened > 0 {
            tracing::warn!(shortened, "the clock was ahead; what was scheduled by it is due earlier");
        }
        let mut due = self.shared.store.feeds_claim_due(lease, limit).await?;
        if let Err(error) = look_for_hubs(&self.shared, &mut due).await {
            tracing::warn!(error = %error, "cannot read which feeds were checked for hubs; the next poll will check");
        }
        let Some(round) = &self.round else { return Ok(due) };
        let now = self.shared.clock.now();
        let (first, again): (Vec<_>, Vec<_>) = {
            let mut polled = round.lock().expect(HELD);
            due.into_iter().partition(|feed| polled.insert(feed.id))
        };
        if !again.is_empty() {
            let again: Vec<_> = again.iter().map(|feed| (feed.id, feed.lease, now)).collect();
            self.shared.store.feeds_release(&again).await?;
        }
        Ok(first)
    }

    fn claim_of(item: &DueFeed) -> (FeedId, Lease) {
        (item.id, item.lease)
    }

    fn party_of(done: &Polled) -> PartyId {
        done.party
    }

    /// Each entry is looked up, and written if it is new.
    fn weight_of(done: &Polled) -> u32 {
        const ORDINARY_ENTRIES: usize = 20;
        let entries = match &done.record.result {
            PollResult::Parsed { entries, .. } | PollResult::Delivered { entries, .. } => entries.len(),
            PollResult::Unchanged { .. } | PollResult::Failed { .. } | PollResult::HostPaused => 0,
        };
        u32::try_from(entries / ORDINARY_ENTRIES).unwrap_or(u32::MAX).max(1)
    }

    async fn release(&self, claims: &[((FeedId, Lease), Timestamp)]) -> Result<(), StoreError> {
        if let Some(round) = &self.round {
            let mut polled = round.lock().expect(HELD);
            for ((id, _), _) in claims {
                polled.remove(id);
            }
        }
        let feeds: Vec<_> = claims.iter().map(|((id, lease), due)| (*id, *lease, *due)).collect();
        self.shared.store.feeds_release(&feeds).await
    }

    async fn process(&self, feed: DueFeed) -> Worked<(FeedId, Lease), Polled> {
        let span = tracing::info_span!("poll", feed.url = %masked(&feed.url));
        let (began, held) = (Instant::now(), self.shared.memory.share());
        match self.poll(feed, &held).instrument(span).await {
            Worked::Done(record) => Worked::Done(Polled::new(record, began, held)),
            Worked::PutOff { claim, due, until } => Worked::PutOff { claim, due, until },
        }
    }

    async fn record(&self, done: &[Polled]) -> Result<(), StoreError> {
        self.shared.keep_pauses().await;
        let reports = self.shared.store.feed_polls_record(done).await?;
        let tally = &self.shared.tally;
        let mut has_entries = false;
        let mut current = Vec::with_capacity(done.len());
        for (Polled { record: poll, began, .. }, report) in done.iter().zip(reports) {
            let Some(report) = report else {
                tracing::warn!(
                    feed.id = poll.feed_id.0,
                    "poll discarded: another worker has claimed the feed"
                );
                continue;
            };
            current.push(poll);
            let kind = match &poll.result {
                PollResult::Unchanged { .. } => metrics::Poll::Unchanged,
                PollResult::Parsed { .. } => metrics::Poll::Parsed,
                PollResult::Failed { .. } => metrics::Poll::Failed,
                PollResult::Delivered { .. } => metrics::Poll::Delivered,
                PollResult::HostPaused => continue,
            };
            metrics::feed_polled(kind, report.new_entries, report.updated_entries, began.elapsed());
            match kind {
                metrics::Poll::Failed => Tally::add(&tally.polls_failed, 1),
                metrics::Poll::Unchanged | metrics::Poll::Parsed => Tally::add(&tally.polls_ok, 1),
                metrics::Poll::Delivered => {}
            }
            Tally::add(&tally.new_entries, report.new_entries.into());
            has_entries |= report.new_entries + report.updated_entries > 0;
        }
        if has_entries {
            self.shared.entries_recorded.notify_one();
        }
        if let Err(error) = note_hubs(&self.shared, &current).await {
            tracing::warn!(error = %error, "cannot store the feeds' hubs; trying again when the feeds change");
        }
        Ok(())
    }

    fn refused(poll: Polled, reason: &StoreError) -> Polled {
        let result =
            PollResult::Failed { kind: FailureKind::StoreRefused, reason: reason.to_string(), gone: false };
        Polled { record: PollRecord { moved_to: None, result, ..poll.record }, ..poll }
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.shared.not_while_paused(self.shared.store.feeds_next_due().await?))
    }
}

/// Returns the longest times that anything waits, by the options of all feeds.
pub fn longest_waits<'o>(
    options: impl Iterator<Item = &'o Arc<FeedOptions>>,
    lease: Duration,
) -> LongestWaits {
    /// For turns at hosts and our own network pauses.
    const MARGIN: Duration = Duration::from_hours(1);
    let (mut poll, mut retry_after) = (Duration::ZERO, Duration::ZERO);
    for FeedOptions { bounds, .. } in options.map(Arc::as_ref) {
        poll = poll.max(bounds.max_interval).max(bounds.fixed_interval.unwrap_or_default());
        retry_after = retry_after.max(bounds.max_retry_after);
    }
    let (poll, retry_after) = (poll + MARGIN, retry_after.max(poll) + MARGIN);
    LongestWaits {
        poll,
        retry_after,
        attempt: LONGEST_RETRY.max(LONGEST_REQUEUE).max(retry_after) + MARGIN,
        recheck: LONGEST_RECHECK + MARGIN,
        hub_request: LONGEST_LEASE,
        lease: lease + MARGIN,
    }
}

impl Feeds {
    /// Polls one feed, from the request to the record.
    async fn poll(&self, feed: DueFeed, held: &Share) -> Worked<(FeedId, Lease), PollRecord> {
        let shared = &self.shared;
        let plan = shared.plan();
        let put_off = |due, until| Worked::PutOff { claim: (feed.id, feed.lease), due, until };
        if let Some(due) = shared.deferred(&plan, &feed.url) {
            return put_off(due, Until::HostTurn);
        }
        let options = plan.options(&feed.configured_url);
        let none = Validators::default();
        let is_doubted = feed.history.doubts_not_modified(shared.clock.now());
        let request = Request {
            purpose: Purpose::Feed,
            url: &feed.url,
            validators: if is_doubted { &none } else { &feed.validators },
            options: &options.request.for_target(&feed.configured_url, &feed.url),
        };
        let (polled_at, began) = (shared.clock.now(), Instant::now());
        let most_aside = self.permits() * MOST_ASIDE;
        let answer = self.aside.wait_for(Box::pin(plan.fetcher.fetch(&request)), most_aside);
        let Ok(fetched) = shared.workers.await_answer(answer).await else {
            return put_off(shared.clock.now(), Until::NextStart);
        };
        if let Err(FetchError::HostElsewhere { wait }) = fetched {
            return put_off(after(shared.clock.now(), wait), Until::HostTurn);
        }
        let body_bytes = body_bytes(&fetched);
        if let Some(due) = shared.blame_ourselves(&feed.configured_url, polled_at, fetched.as_ref().err()) {
            return put_off(due, Until::NetworkReturn);
        }
        let answer = match fetched {
            Ok(response) => match read(shared, &feed, response, held).await {
                Ok(answer) => answer,
                Err(Stopped) => return put_off(shared.clock.now(), Until::NextStart),
            },
            Err(FetchError::HostPaused { wait }) => return Worked::Done(paused(shared, &feed, wait)),
            Err(error) => Answer {
                result: PollResult::Failed {
                    kind: error.kind(),
                    reason: error.to_string(),
                    gone: error.retry() == Retry::Gone,
                },
                outcome: PollOutcome::Failed,
                freshness: error.freshness(),
                moved_to: None,
            },
        };
        let transfer = Transfer { body_bytes, took: began.elapsed() };
        Worked::Done(concluded(shared, &feed, (answer, transfer)))
    }
}

fn body_bytes(fetched: &Result<Response, FetchError>) -> Option<u64> {
    match &fetched.as_ref().ok()?.content {
        Content::Body(body) => Some(body.len() as u64),
        Content::NotModified => None,
    }
}

/// Records a poll of a feed whose host has asked for a pause in response to another request. The pause itself is kept with
/// the host; the feed's record states when it is due and why.
fn paused(shared: &Shared, feed: &DueFeed, wait: Duration) -> PollRecord {
    let now = shared.clock.now();
    let at = after(now, wait);
    tracing::debug!(next = %at, "the host has asked for a pause");
    let next = NextPoll { at, decided_by: Decision::RetryAfter, history: feed.history.clone() };
    PollRecord::of(feed, now, next, PollResult::HostPaused)
}

/// The result of a poll, for the store and for the schedule.
struct Answer {
    result: PollResult,
    outcome: PollOutcome,
    freshness: Freshness,
    /// The target of a permanent redirect.
    moved_to: Option<Url>,
}

/// Combines the answer with its consequences: when and where to poll next.
fn concluded(shared: &Shared, feed: &DueFeed, (answer, transfer): (Answer, Transfer)) -> PollRecord {
    let now = shared.clock.now();
    let jitter = rand::rng().random_range(0.0..1.0);
    // A reload may have changed the intervals during the request. A reload between this line and the write of the record takes effect
    // after the next poll: see `sooner`.
    let in_force = shared.plan();
    let options = in_force.options(&feed.configured_url);
    let bounds = bounds(&in_force, &options, feed.delivered_until, now);
    let mut next = next_poll(&bounds, &feed.history, &answer.outcome, &answer.freshness, now, jitter);
    let mut result = answer.result;
    let moved_to = match answer.outcome {
        // Apart from a lost move, a failure says nothing about the feed's URL.
        PollOutcome::Failed => lost_move(feed, &next.history, &mut result),
        PollOutcome::NotModified | PollOutcome::SameBody | PollOutcome::Parsed { .. } => {
            let days = in_force.settings.move_confirmation_days;
            confirm_move(&mut next.history, answer.moved_to.as_ref(), days, now)
        }
    };
    if let Some(url) = &moved_to {
        tracing::info!(to = %masked(url), "feed moved; polling the new URL from now on");
    }
    match &result {
        PollResult::Failed { kind, reason, gone: true } => {
            tracing::warn!(label = kind.as_str(), reason, "the feed is gone and is no longer polled");
        }
        PollResult::Failed { kind, reason, .. } => {
            let failures = next.history.consecutive_failures;
            tracing::warn!(label = kind.as_str(), reason, failures, next = %next.at, "the poll failed");
        }
        PollResult::Unchanged { .. } | PollResult::HostPaused | PollResult::Delivered { .. } => {
            tracing::debug!(next = %next.at, "unchanged");
        }
        PollResult::Parsed { entries, warnings, .. } => {
            tracing::info!(entries = entries.len(), repaired = warnings.len(), next = %next.at, "polled");
        }
    }
    PollRecord { moved_to, transfer, ..PollRecord::of(feed, now, next, result) }
}

/// Returns the feed's polling bounds, wider while a hub delivers it.
fn bounds(plan: &Plan, options: &FeedOptions, delivered_until: Option<Timestamp>, now: Timestamp) -> Bounds {
    let is_delivered = delivered_until.is_some_and(|until| now < until);
    let delivered_interval = plan.websub.as_ref().filter(|_| is_delivered).map(|websub| websub.poll_interval);
    Bounds { delivered_interval, ..options.bounds.clone() }
}

/// Returns the configured URL for a feed that followed a permanent redirect and is gone or lost at its target. A host that
/// asks for patience (429, 503) is not lost.
fn lost_move(feed: &DueFeed, history: &History, result: &mut PollResult) -> Option<Url> {
    let PollResult::Failed { kind, gone, .. } = result else { return None };
    let is_lost = *gone || (is_lost(history) && !matches!(kind, FailureKind::Http429 | FailureKind::Http503));
    if feed.url == feed.configured_url || !is_lost {
        return None;
    }
    *gone = false;
    Some(feed.configured_url.clone())
}

/// Reads the response to a poll.
async fn read(shared: &Shared, feed: &DueFeed, response: Response, held: &Share) -> Result<Answer, Stopped> {
    held.absorb(&response.held);
    let moved_to = response.moved_to().cloned();
    let Response { final_url, validators, freshness, content_type, links, oddities, content, .. } = response;
    let (result, outcome) = match content {
        // A 304 may bring new validators; without any the old ones are kept.
        Content::NotModified => {
            let validators = Some(validators).filter(|validators| *validators != Validators::default());
            (PollResult::Unchanged { validators }, PollOutcome::NotModified)
        }
        Content::Body(body) => {
            let (body_sha256, body) =
                blocking::run(Queue::Fetched, body.len(), move || (Sha256Hash::of(&body), body)).await;
            if feed.body_sha256 == Some(body_sha256) {
                (PollResult::Unchanged { validators: Some(validators) }, PollOutcome::SameBody)
            } else {
                match parsed(shared, feed, body, content_type, final_url.clone(), held).await? {
                    Ok(mut parsed) => {
                        name_hub(&mut parsed.feed, links, final_url);
                        parsed.warnings.extend(oddities.iter().map(ToString::to_string));
                        fresh(shared, feed, parsed, validators, body_sha256).await
                    }
                    Err((kind, reason)) => {
                        (PollResult::Failed { kind, reason, gone: false }, PollOutcome::Failed)
                    }
                }
            }
        }
    };
    Ok(Answer { result, outcome, freshness, moved_to })
}

/// Sets the feed's hubs and the URL that they know it by: the HTTP headers take precedence over the feed itself.
fn name_hub(feed: &mut FeedInfo, links: Links, final_url: Url) {
    if !links.hubs.is_empty() {
        feed.hubs = links.hubs;
        feed.self_url = links.self_url.or(feed.self_url.take());
    }
    if !feed.hubs.is_empty() {
        feed.self_url.get_or_insert(final_url);
    }
}

/// Parses the feed in `body` on a worker; on failure returns its kind and reason.
async fn parsed(
    shared: &Shared,
    feed: &DueFeed,
    body: Vec<u8>,
    content_type: Option<String>,
    base: Url,
    held: &Share,
) -> Result<Result<ParsedFeed, (FailureKind, String)>, Stopped> {
    let body_bytes = body.len();
    held.hold(body_bytes * FEED_COST).await;
    let party = party_of(&feed.configured_url);
    let parsed = guarded(
        feed.suspect,
        &shared.alone,
        shared.store.feed_attempt_begin(feed.id, feed.lease),
        shared.workers.run(&party, move || parse(&body, content_type.as_deref(), Some(&base))),
        shared.store.feed_attempt_end(feed.id, feed.lease),
    )
    .await?;
    // The texts of the feed's entries.
    held.hold(body_bytes).await;
    Ok(match parsed {
        Ok(Ok(parsed)) => Ok(parsed),
        Ok(Err(error)) => Err((FailureKind::NotAFeed, error.to_string())),
        Err(error) => Err((error.kind(), format!("the parser {error}"))),
    })
}

/// Returns the result and the outcome of a feed's new body.
async fn fresh(
    shared: &Shared,
    feed: &DueFeed,
    mut parsed: ParsedFeed,
    validators: Validators,
    body_sha256: Sha256Hash,
) -> (PollResult, PollOutcome) {
    let entries = read_entries(shared, feed, &mut parsed).await;
    let outcome = PollOutcome::Parsed { hints: parsed.feed.hints.clone(), entries };
    let result = PollResult::Parsed {
        validators,
        body_sha256,
        info: Box::new(parsed.feed),
        entries: with_articles(feed, parsed.entries),
        warnings: parsed.warnings,
    };
    (result, outcome)
}
