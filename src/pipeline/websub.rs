//! WebSub: asks hubs for subscriptions and for their end, answers the hubs' verification requests, and processes their
//! deliveries like polled bodies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::feeds::{self, Delivery};
use super::workers::grace_over;
use super::{Plan, Shared};
use crate::model::{DueFeed, FailureKind, FeedId, Validators};
use crate::store::{HubEnding, HubOffer, HubSubscription, PollRecord, PollResult, StoreError};
use crate::subscription::{Ending, NotOurs, Subscription, is_genuine};
use crate::telemetry::metrics;

/// Number of hubs asked concurrently.
const ASKED_AT_ONCE: u32 = 16;
/// Maximum sleep between two looks at the store.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// Settings for subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The base URL at which hubs reach this process from outside; ends in a slash.
    pub callback_url: Url,
    /// The local address that receives their calls.
    pub listen: SocketAddr,
    /// The minimum poll interval of a feed while a hub delivers it.
    pub poll_interval: Duration,
    /// The lease requested from hubs.
    pub lease: Duration,
}

/// The result of a hub's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The content is recorded.
    Taken,
    /// It is not signed with the subscription's secret.
    NotGenuine,
    /// There is no such subscription.
    Unknown,
    /// The feed is being polled at this moment: the hub should try again.
    Busy,
}

/// Asks the hubs that are due for a subscription or for its end. Returns how many were asked.
pub async fn step(shared: &Shared) -> Result<usize, StoreError> {
    let plan = shared.plan();
    if shared.paused_until().is_some() {
        return Ok(0);
    }
    let mut asking = JoinSet::new();
    if let Some(settings) = &plan.websub {
        shared.store.subscriptions_end_orphaned().await?;
        for known in
            shared.store.subscriptions_claim_due(&settings.callback_url, unguessable, ASKED_AT_ONCE).await?
        {
            let (plan, lease) = (Arc::clone(&plan), settings.lease);
            asking.spawn(async move { ask(&plan, lease, &known).await });
        }
    }
    for known in shared.store.subscription_endings_claim_due(ASKED_AT_ONCE).await? {
        let plan = Arc::clone(&plan);
        asking.spawn(async move { ask_to_end(&plan, &known).await });
    }
    let count = asking.len();
    asking.join_all().await;
    if count > 0 {
        shared.keep_pauses().await;
    }
    Ok(count)
}

/// Asks hubs whenever they are due, until `soft` is cancelled.
pub async fn run(shared: &Shared, soft: &CancellationToken) {
    loop {
        let woken = shared.hubs_found.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // A request that a hub has not answered is repeated when it is due again.
        let looked = tokio::select! {
            biased;
            looked = look(shared) => looked,
            () = grace_over(soft) => return,
        };
        let rest = match looked {
            Ok(rest) => rest,
            Err(error) => {
                tracing::error!(error = %error, "the store failed; requests to hubs are delayed");
                LONGEST_SLEEP
            }
        };
        tokio::select! {
            () = soft.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

async fn look(shared: &Shared) -> Result<Duration, StoreError> {
    if step(shared).await? >= ASKED_AT_ONCE as usize {
        return Ok(SHORTEST_SLEEP);
    }
    let subscription = match shared.plan().websub {
        Some(_) => shared.store.subscriptions_next_due().await?,
        None => None,
    };
    let ending = shared.store.subscription_endings_next_due().await?;
    let due = shared.not_while_paused(subscription.into_iter().chain(ending).min());
    let Some(due) = due else { return Ok(LONGEST_SLEEP) };
    let wait = Duration::try_from(due.duration_since(shared.clock.now())).unwrap_or_default();
    Ok(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
}

/// Asks a hub for a subscription. Its decision arrives at the callback; a failure here only means that none will come.
async fn ask(plan: &Plan, lease: Duration, known: &HubSubscription) {
    let Subscription { hub, topic, .. } = &known.subscription;
    let Some(callback) = &known.callback else {
        return tracing::error!("cannot build the callback URL of the subscription");
    };
    let lease = lease.as_secs().to_string();
    let form = [
        ("hub.mode", "subscribe"),
        ("hub.topic", topic.as_str()),
        ("hub.callback", callback.as_str()),
        ("hub.secret", &known.secret),
        ("hub.lease_seconds", &lease),
    ];
    match plan.fetcher.post_form(hub, &form).await {
        Ok(()) => tracing::debug!(%hub, %topic, "the hub was asked for a subscription"),
        Err(error) => {
            tracing::warn!(%hub, %topic, reason = %error, "cannot subscribe at the hub; the feed is polled");
        }
    }
}

/// Asks a hub to end a subscription. It verifies this at the callback; a failure here only means that it will not.
async fn ask_to_end(plan: &Plan, known: &HubEnding) {
    let Ending { hub, topic, callback, .. } = &known.ending;
    let form =
        [("hub.mode", "unsubscribe"), ("hub.topic", topic.as_str()), ("hub.callback", callback.as_str())];
    match plan.fetcher.post_form(hub, &form).await {
        Ok(()) => tracing::debug!(%hub, %topic, "the hub was asked to end the subscription"),
        Err(error) => {
            tracing::warn!(%hub, %topic, reason = %error, "cannot unsubscribe at the hub; the subscription will expire");
        }
    }
}

/// Makes the next polls unconditional for feeds that were never checked for hubs because they were read while WebSub was
/// off: an unchanged body would not be sent again.
pub(super) async fn look_for_hubs(shared: &Shared, feeds: &mut [DueFeed]) -> Result<(), StoreError> {
    if shared.plan.borrow().websub.is_none() || feeds.is_empty() {
        return Ok(());
    }
    let ids: Vec<FeedId> = feeds.iter().map(|feed| feed.id).collect();
    let looked_at = shared.store.hub_looks(&ids).await?;
    for feed in feeds.iter_mut().filter(|feed| !looked_at.contains(&feed.id)) {
        feed.validators = Validators::default();
        feed.body_sha256 = None;
    }
    Ok(())
}

/// Records as wanted the subscriptions that the polled feeds offer, and as to be ended those that they no longer offer.
pub(super) async fn note_hubs(shared: &Shared, polls: &[&PollRecord]) -> Result<(), StoreError> {
    if shared.plan.borrow().websub.is_none() {
        return Ok(());
    }
    let looked_at: Vec<FeedId> =
        polls.iter().filter(|poll| is_look(&poll.result)).map(|poll| poll.feed_id).collect();
    let offers: Vec<HubOffer> = polls.iter().filter_map(|poll| offer(poll)).collect();
    let is_any_gone = polls.iter().any(|poll| matches!(poll.result, PollResult::Failed { gone: true, .. }));
    if !offers.is_empty() {
        shared.store.subscriptions_offer(&offers).await?;
    }
    shared.store.hub_looks_note(&looked_at).await?;
    if !offers.is_empty() || is_any_gone {
        shared.hubs_found.notify_one();
    }
    Ok(())
}

/// Returns whether a poll checked the feed for hubs as well as possible: a server that answers an unconditional request
/// with 304 must not get such requests forever.
fn is_look(result: &PollResult) -> bool {
    match result {
        PollResult::Parsed { .. } => true,
        PollResult::Failed { kind, .. } => *kind == FailureKind::HttpUnexpected,
        PollResult::Unchanged { .. } | PollResult::Delivered { .. } | PollResult::HostPaused => false,
    }
}

fn offer(poll: &PollRecord) -> Option<HubOffer> {
    let PollResult::Parsed { info, .. } = &poll.result else { return None };
    let is_web = |url: &&Url| matches!(url.scheme(), "http" | "https");
    let hub = info.hubs.iter().find(is_web);
    let topic = info.self_url.as_ref().filter(is_web);
    let wanted =
        hub.zip(topic).map(|(hub, topic)| Subscription::wanted(hub.clone(), topic.clone(), poll.polled_at));
    Some(HubOffer { feed_id: poll.feed_id, wanted, token: unguessable(), secret: unguessable() })
}

/// Returns 256 random bits in hex.
fn unguessable() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    HEXLOWER.encode(&bytes)
}

/// Answers a hub that asks whether we want the subscription that it is about to grant. An error means no.
pub async fn verify(
    shared: &Shared,
    token: &str,
    topic: &str,
    lease: Option<Duration>,
) -> Result<Result<(), NotOurs>, StoreError> {
    let plan = shared.plan();
    let Some((settings, mut known)) = plan.websub.as_ref().zip(shared.store.subscription_of(token).await?)
    else {
        return Ok(Err(NotOurs::Unasked));
    };
    let verified = known.subscription.verify(topic, lease.unwrap_or(settings.lease), shared.clock.now());
    if verified.is_ok() {
        shared.store.subscription_update(&known).await?;
        tracing::info!(
            hub = %known.subscription.hub,
            topic,
            until = known.subscription.expires_at.map(tracing::field::display),
            "subscribed"
        );
    }
    Ok(verified)
}

/// Answers a hub that asks whether we want the subscription to end. An error means no.
pub async fn verify_end(
    shared: &Shared,
    token: &str,
    topic: &str,
) -> Result<Result<(), NotOurs>, StoreError> {
    let Some(mut known) = shared.store.subscription_ending_of(token).await? else {
        return Ok(Err(NotOurs::Unasked));
    };
    let verified = known.ending.verify(topic);
    if verified.is_ok() {
        shared.store.subscription_ending_update(&known).await?;
        tracing::info!(hub = %known.ending.hub, topic, "unsubscribed");
    }
    Ok(verified)
}

/// Handles a hub's notice that it will not deliver, or no longer.
pub async fn deny(
    shared: &Shared,
    token: &str,
    topic: &str,
    reason: &str,
) -> Result<Result<(), NotOurs>, StoreError> {
    let Some(mut known) = shared.store.subscription_of(token).await? else {
        // A subscription that is about to end anyway counts as ended when it is denied.
        return verify_end(shared, token, topic).await;
    };
    let denied = known.subscription.deny(topic, shared.clock.now());
    if denied.is_ok() {
        shared.store.subscription_update(&known).await?;
        tracing::warn!(hub = %known.subscription.hub, topic, reason, "the hub denied the subscription; the feed is polled");
    }
    Ok(denied)
}

/// Returns whether `token` may receive deliveries: checked before a body is read.
pub async fn is_known(shared: &Shared, token: &str) -> Result<bool, StoreError> {
    Ok(shared.plan().websub.is_some() && shared.store.subscription_of(token).await?.is_some())
}

/// Handles a hub's delivery.
pub async fn receive(
    shared: &Shared,
    token: &str,
    signature: Option<&str>,
    content_type: Option<String>,
    body: Vec<u8>,
) -> Result<Received, StoreError> {
    let received = match shared.store.subscription_of(token).await? {
        Some(known) if !is_genuine(signature, &known.secret, &body) => {
            tracing::warn!(hub = %known.subscription.hub, "rejected a delivery with a missing or invalid signature");
            Received::NotGenuine
        }
        Some(known) => {
            taken(shared, known.feed_id, Delivery { body, content_type, topic: known.subscription.topic })
                .await?
        }
        None => Received::Unknown,
    };
    metrics::delivered(received);
    Ok(received)
}

async fn taken(shared: &Shared, feed_id: FeedId, delivery: Delivery) -> Result<Received, StoreError> {
    if feeds::deliver(shared, feed_id, delivery).await? { Ok(Received::Taken) } else { Ok(Received::Busy) }
}
