//! Feeds that are delivered: hubs are asked for subscriptions, their questions answered, and what they bring takes the way
//! of a polled body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::feeds::{self, Delivery};
use super::{Plan, Shared};
use crate::model::FeedId;
use crate::store::{HubOffer, HubSubscription, PollRecord, PollResult, StoreError};
use crate::subscription::{NotOurs, Subscription, is_genuine};
use crate::telemetry::metrics;

/// Hubs asked at once.
const ASKED_AT_ONCE: u32 = 16;
/// Longest sleep between two looks at the store.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// How feeds are subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where hubs reach this process from outside; ends in a slash.
    pub callback_url: Url,
    /// Where their calls arrive here.
    pub listen: SocketAddr,
    /// How rarely a feed is polled while a hub delivers it.
    pub poll_interval: Duration,
    /// The lease that hubs are asked for.
    pub lease: Duration,
}

/// What a hub's call came to.
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

/// Asks the hubs whose time has come. Returns how many it was.
pub async fn step(shared: &Shared) -> Result<usize, StoreError> {
    let plan = shared.plan();
    let Some(settings) = &plan.websub else { return Ok(0) };
    if shared.paused_until().is_some() {
        return Ok(0);
    }
    let due = shared.store.subscriptions_claim_due(ASKED_AT_ONCE).await?;
    let count = due.len();
    let mut asking = JoinSet::new();
    for subscription in due {
        let (plan, settings) = (Arc::clone(&plan), settings.clone());
        asking.spawn(async move { ask(&plan, &settings, &subscription).await });
    }
    asking.join_all().await;
    Ok(count)
}

/// Asks hubs whenever it is time, until `soft` is cancelled.
pub async fn run(shared: &Shared, soft: &CancellationToken) {
    loop {
        let woken = shared.hubs_found.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let rest = match look(shared).await {
            Ok(rest) => rest,
            Err(error) => {
                tracing::error!(error = %error, "the store failed; hubs are asked later");
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
    if step(shared).await? == ASKED_AT_ONCE as usize {
        return Ok(SHORTEST_SLEEP);
    }
    let Some(due) = shared.store.subscriptions_next_due().await? else { return Ok(LONGEST_SLEEP) };
    let wait = Duration::try_from(due.duration_since(shared.clock.now())).unwrap_or_default();
    Ok(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
}

/// Asks a hub. What it makes of it is heard at the callback; a failure here only says that this will not come.
async fn ask(plan: &Plan, settings: &Settings, known: &HubSubscription) {
    let Subscription { hub, topic, .. } = &known.subscription;
    let callback = match settings.callback_url.join(&known.token) {
        Ok(callback) => callback,
        Err(error) => return tracing::error!(%error, "no callback can be made"),
    };
    let lease = settings.lease.as_secs().to_string();
    let form = [
        ("hub.mode", "subscribe"),
        ("hub.topic", topic.as_str()),
        ("hub.callback", callback.as_str()),
        ("hub.secret", &known.secret),
        ("hub.lease_seconds", &lease),
    ];
    match plan.fetcher.post_form(hub, &form).await {
        Ok(()) => tracing::debug!(%hub, %topic, "the hub was asked"),
        Err(error) => {
            tracing::warn!(%hub, %topic, reason = %error, "the hub takes no subscription; the feed is polled");
        }
    }
}

/// Wants the subscriptions that the polls' feeds offer, and forgets those that they offer no more.
pub(super) async fn note_hubs(shared: &Shared, polls: &[&PollRecord]) -> Result<(), StoreError> {
    if shared.plan.borrow().websub.is_none() {
        return Ok(());
    }
    let offers: Vec<HubOffer> = polls.iter().filter_map(|poll| offer(poll)).collect();
    if offers.is_empty() {
        return Ok(());
    }
    shared.store.subscriptions_offer(&offers).await?;
    shared.hubs_found.notify_one();
    Ok(())
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

/// 256 bits in hex.
fn unguessable() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hub asks whether we want the subscription that it is about to give. An error is the answer no.
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

/// A hub says that it will not deliver, or no longer.
pub async fn deny(
    shared: &Shared,
    token: &str,
    topic: &str,
    reason: &str,
) -> Result<Result<(), NotOurs>, StoreError> {
    let Some(mut known) = shared.store.subscription_of(token).await? else {
        return Ok(Err(NotOurs::Unasked));
    };
    let denied = known.subscription.deny(topic, shared.clock.now());
    if denied.is_ok() {
        shared.store.subscription_update(&known).await?;
        tracing::warn!(hub = %known.subscription.hub, topic, reason, "the hub denies the subscription; the feed is polled");
    }
    Ok(denied)
}

/// Whether anything may be delivered to `token`: asked before a body is read.
pub async fn is_known(shared: &Shared, token: &str) -> Result<bool, StoreError> {
    Ok(shared.plan().websub.is_some() && shared.store.subscription_of(token).await?.is_some())
}

/// Takes what a hub brings.
pub async fn receive(
    shared: &Shared,
    token: &str,
    signature: Option<&str>,
    content_type: Option<String>,
    body: Vec<u8>,
) -> Result<Received, StoreError> {
    let received = match shared.store.subscription_of(token).await? {
        Some(known) if !is_genuine(signature, &known.secret, &body) => {
            tracing::warn!(hub = %known.subscription.hub, "a delivery without the right signature was refused");
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
