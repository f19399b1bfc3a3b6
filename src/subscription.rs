//! A subscription at a WebSub hub (W3C Recommendation, January 2018): its state, when the next request to the hub is due, and
//! whether a delivery is genuine. Pure, like the schedule.
//!
//! Polling never depends on it. Until a hub has confirmed the subscription, after it has denied it, and once a lease has expired
//! because the hub stopped answering, the feed is polled like any other.
//!
//! A subscription that is no longer wanted becomes an `Ending`: the hub is asked to unsubscribe, and verifies that this was
//! intended. A hub that is never reached, or never verifies, delivers in vain until its lease expires.

use std::time::Duration;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use url::Url;

use crate::model::after;

/// First wait for a hub to confirm; doubled after each unconfirmed request, up to the longest.
const FIRST_PATIENCE: Duration = Duration::from_hours(1);
const LONGEST_PATIENCE: Duration = Duration::from_hours(24);
/// How long to wait before asking again after a denial.
const DENIED_FOR: Duration = Duration::from_hours(7 * 24);
/// Maximum unsubscribe requests before the lease is left to expire.
const MOST_ENDINGS: u32 = 5;
/// Leases are clamped to these bounds: a hub must not make us renew every second, nor stay subscribed forever.
const SHORTEST_LEASE: Duration = Duration::from_mins(10);
/// Longest lease that is believed. No request to a hub is due later than this.
pub const LONGEST_LEASE: Duration = Duration::from_hours(90 * 24);

/// The state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// The hub has not been asked yet.
    Wanted,
    /// The hub was asked and has not confirmed.
    Requested,
    /// The hub has confirmed: it delivers until the lease ends.
    Active,
    /// The hub has denied the subscription.
    Denied,
}

/// A feed's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The topic: the feed's self URL.
    pub topic: Url,
    /// The hub that delivers it.
    pub hub: Url,
    /// Its state.
    pub state: SubscriptionState,
    /// Consecutive requests that the hub has not confirmed.
    pub attempts: u32,
    /// When the next request to the hub is due.
    pub act_at: Timestamp,
    /// When the last confirmed lease expires.
    pub expires_at: Option<Timestamp>,
}

/// The reason a request from a hub is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It names a topic that was not requested.
    #[error("the topic is not the subscribed one")]
    Topic,
    /// Nothing was requested from the hub.
    #[error("the hub was not asked for this")]
    Unasked,
}

impl Subscription {
    /// A new subscription, to be requested at once.
    pub const fn wanted(hub: Url, topic: Url, now: Timestamp) -> Self {
        Self { topic, hub, state: SubscriptionState::Wanted, attempts: 0, act_at: now, expires_at: None }
    }

    /// Returns whether the subscription is confirmed and its lease has not expired.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state == SubscriptionState::Active && self.expires_at.is_some_and(|end| now < end)
    }

    /// Notes that a request, for the first or another lease, is about to be sent. Call before sending: a hub may verify before it
    /// answers.
    pub fn asking(&mut self, now: Timestamp) {
        if !self.is_active(now) {
            self.state = SubscriptionState::Requested;
        }
        self.act_at = after(now, patience(self.attempts));
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Handles the hub's verification of `topic`, which grants `lease`. The renewal is due when half of the lease has passed.
    pub fn verify(&mut self, topic: &str, lease: Duration, now: Timestamp) -> Result<(), NotOurs> {
        self.check_topic(topic)?;
        match self.state {
            SubscriptionState::Requested | SubscriptionState::Active => {}
            SubscriptionState::Wanted | SubscriptionState::Denied => return Err(NotOurs::Unasked),
        }
        let lease = lease.clamp(SHORTEST_LEASE, LONGEST_LEASE);
        self.state = SubscriptionState::Active;
        self.attempts = 0;
        self.act_at = after(now, lease / 2);
        self.expires_at = Some(after(now, lease));
        Ok(())
    }

    /// Handles a denial by the hub, initial or later.
    pub fn deny(&mut self, topic: &str, now: Timestamp) -> Result<(), NotOurs> {
        self.check_topic(topic)?;
        self.state = SubscriptionState::Denied;
        self.act_at = after(now, DENIED_FOR);
        self.expires_at = None;
        Ok(())
    }

    fn check_topic(&self, topic: &str) -> Result<(), NotOurs> {
        check_topic(&self.topic, topic)
    }
}

/// A subscription that is no longer wanted, kept until its lease expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The topic.
    pub topic: Url,
    /// The hub that delivers it.
    pub hub: Url,
    /// The callback URL given to the hub; it identifies the subscription together with the topic.
    pub callback: Url,
    /// How often the hub was asked to unsubscribe.
    pub attempts: u32,
    /// When the next request to the hub is due; equal to `expires_at` if none is to follow.
    pub act_at: Timestamp,
    /// When the lease expires; the ending is then obsolete.
    pub expires_at: Timestamp,
}

impl Ending {
    /// Returns the ending of `subscription`; `None` if it has no confirmed lease or the lease has expired, since then there is
    /// nothing to end.
    pub fn of(subscription: &Subscription, callback: Url, now: Timestamp) -> Option<Self> {
        let expires_at = subscription.expires_at.filter(|_| subscription.is_active(now))?;
        let Subscription { topic, hub, .. } = subscription.clone();
        Some(Self { topic, hub, callback, attempts: 0, act_at: now, expires_at })
    }

    /// Notes that an unsubscribe request is about to be sent. Call before sending, as for the subscription.
    pub fn asking(&mut self, now: Timestamp) {
        let next = after(now, patience(self.attempts));
        self.attempts = self.attempts.saturating_add(1);
        self.act_at = if self.attempts < MOST_ENDINGS { next.min(self.expires_at) } else { self.expires_at };
    }

    /// Handles the hub's verification of the unsubscription from `topic`, or its word that no subscription exists.
    pub fn verify(&mut self, topic: &str) -> Result<(), NotOurs> {
        check_topic(&self.topic, topic)?;
        if self.attempts == 0 {
            return Err(NotOurs::Unasked);
        }
        // Kept until the lease expires, since the hub may miss the answer and verify again.
        self.act_at = self.expires_at;
        Ok(())
    }
}

/// Returns how long to wait for the hub after this many earlier attempts.
fn patience(attempts: u32) -> Duration {
    FIRST_PATIENCE.saturating_mul(1 << attempts.min(8)).min(LONGEST_PATIENCE)
}

fn check_topic(ours: &Url, topic: &str) -> Result<(), NotOurs> {
    if topic == ours.as_str() { Ok(()) } else { Err(NotOurs::Topic) }
}

/// Returns whether `signature`, the `X-Hub-Signature` header, is valid for `body` under `secret`. A missing one is invalid.
pub fn is_genuine(signature: Option<&str>, secret: &str, body: &[u8]) -> bool {
    let Some((method, hex)) = signature.and_then(|signature| signature.trim().split_once('=')) else {
        return false;
    };
    let Some(claimed) = bytes_of(hex) else { return false };
    let (secret, method) = (secret.as_bytes(), method.to_ascii_lowercase());
    match method.as_str() {
        "sha1" => is_mac::<Hmac<Sha1>>(secret, body, &claimed),
        "sha256" => is_mac::<Hmac<Sha256>>(secret, body, &claimed),
        "sha384" => is_mac::<Hmac<Sha384>>(secret, body, &claimed),
        "sha512" => is_mac::<Hmac<Sha512>>(secret, body, &claimed),
        _ => false,
    }
}

/// Compares in constant time, so that the timing does not reveal how much of a guess is right.
fn is_mac<M: Mac + KeyInit>(secret: &[u8], body: &[u8], claimed: &[u8]) -> bool {
    let mac = <M as KeyInit>::new_from_slice(secret).expect("a key of any length will do");
    mac.chain_update(body).verify_slice(claimed).is_ok()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(seconds: u64) -> Timestamp {
        after(Timestamp::from_second(1_800_000_000).unwrap(), Duration::from_secs(seconds))
    }

    fn wanted() -> Subscription {
        let url = |text: &str| text.parse().unwrap();
        Subscription::wanted(url("https://hub.example/"), url("https://a.example/feed"), at(0))
    }

    const TOPIC: &str = "https://a.example/feed";

    #[test]
    fn a_subscription_is_asked_for_confirmed_and_renewed_at_half_its_lease() {
        let mut subscription = wanted();
        assert_eq!(subscription.act_at, at(0));
        assert_eq!(subscription.verify(TOPIC, DAY, at(0)), Err(NotOurs::Unasked));
        subscription.asking(at(0));
        assert!(!subscription.is_active(at(1)));
        assert_eq!(subscription.verify("https://a.example/other", DAY, at(1)), Err(NotOurs::Topic));
        assert_eq!(subscription.state, SubscriptionState::Requested);
        subscription.verify(TOPIC, DAY, at(1)).unwrap();
        assert!(subscription.is_active(at(86_400)) && !subscription.is_active(at(86_401)));
        assert_eq!(subscription.act_at, at(43_201));
        subscription.asking(at(43_201));
        assert!(subscription.is_active(at(43_202)), "while it is renewed the old lease holds");
        subscription.verify(TOPIC, DAY, at(43_300)).unwrap();
        assert!(subscription.is_active(at(86_402)));
    }

    #[test]
    fn a_silent_hub_is_asked_less_and_less() {
        let mut subscription = wanted();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            subscription.asking(now);
            waits.push(subscription.act_at.duration_since(now).as_hours());
            now = subscription.act_at;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 24, 24, 24]);
        assert!(!subscription.is_active(now), "it is polled");
    }

    #[test]
    fn a_denial_ends_it_for_a_week() {
        let mut subscription = wanted();
        subscription.asking(at(0));
        subscription.verify(TOPIC, DAY, at(1)).unwrap();
        assert_eq!(subscription.deny("https://a.example/other", at(2)), Err(NotOurs::Topic));
        subscription.deny(TOPIC, at(2)).unwrap();
        assert!(!subscription.is_active(at(3)));
        assert_eq!(subscription.verify(TOPIC, DAY, at(3)), Err(NotOurs::Unasked));
        assert_eq!(subscription.act_at, at(2 + 7 * 86_400));
    }

    #[test]
    fn only_what_a_hub_has_promised_is_ended() {
        let callback: Url = "https://feeds.example/hubs/1".parse().unwrap();
        let end = |subscription: &Subscription, now| Ending::of(subscription, callback.clone(), now);
        let mut subscription = wanted();
        assert_eq!(end(&subscription, at(0)), None);
        subscription.asking(at(0));
        assert_eq!(end(&subscription, at(1)), None, "it may still be denied, and is not answered any more");
        subscription.verify(TOPIC, DAY, at(1)).unwrap();
        assert_eq!(end(&subscription, at(86_401)), None, "it has run out");
        let mut ending = end(&subscription, at(10)).unwrap();
        assert_eq!((ending.act_at, ending.expires_at), (at(10), at(86_401)));
        assert_eq!(ending.verify(TOPIC), Err(NotOurs::Unasked), "a hub does not end it on its own");
        ending.asking(at(10));
        assert_eq!(ending.act_at, at(3_610));
        assert_eq!(ending.verify("https://a.example/other"), Err(NotOurs::Topic));
        ending.verify(TOPIC).unwrap();
        assert_eq!(ending.act_at, ending.expires_at, "nothing more is asked");
        ending.verify(TOPIC).unwrap();
        subscription.deny(TOPIC, at(20)).unwrap();
        assert_eq!(end(&subscription, at(30)), None);
    }

    #[test]
    fn a_hub_that_will_not_end_it_is_left_alone() {
        let mut subscription = wanted();
        subscription.asking(at(0));
        subscription.verify(TOPIC, DAY * 30, at(0)).unwrap();
        let callback: Url = "https://feeds.example/hubs/1".parse().unwrap();
        let mut ending = Ending::of(&subscription, callback, at(0)).unwrap();
        let mut asked = 0;
        while ending.act_at < ending.expires_at {
            ending.asking(ending.act_at);
            asked += 1;
        }
        assert_eq!(asked, MOST_ENDINGS);
    }

    #[test]
    fn leases_have_bounds() {
        for (granted, taken) in [(0, 600), (u64::MAX, 90 * 86_400), (7_200, 7_200)] {
            let mut subscription = wanted();
            subscription.asking(at(0));
            subscription.verify(TOPIC, Duration::from_secs(granted), at(0)).unwrap();
            assert_eq!(subscription.expires_at, Some(at(taken)));
        }
    }

    #[test]
    fn only_the_right_signature_is_genuine() {
        // RFC 2202 and RFC 4231, the second test case of each.
        let (secret, body) = ("Jefe", b"what do ya want for nothing?".as_slice());
        let sha256 = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let sha384 = "sha384=af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e\
                      8e2240ca5e69e2c78b3239ecfab21649";
        let sha512 = "sha512=164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                      9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        for right in ["sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", sha256, sha384, sha512] {
            assert!(is_genuine(Some(right), secret, body), "{right}");
            assert!(is_genuine(Some(&right.to_uppercase()), secret, body));
            assert!(!is_genuine(Some(right), secret, b"something else"));
            assert!(!is_genuine(Some(right), "jefe", body));
            assert!(!is_genuine(Some(&right[..right.len() - 2]), secret, body), "cut short");
        }
        let unknown = sha256.replace("sha256", "md5");
        for wrong in [None, Some(""), Some("sha256="), Some("sha256=zz"), Some("sha1=é0"), Some(&unknown)] {
            assert!(!is_genuine(wrong, secret, body), "{wrong:?}");
        }
    }
}
