use std::time::Duration;

use feedmill::model::FeedId;
use feedmill::store::{HubEnding, HubOffer, HubSubscription, PollRecord, PollResult, Transfer};
use feedmill::subscription::{Subscription, SubscriptionState};

use super::{Bench, LEASE, new_entry, next, url};

on_both!(
    a_subscription_is_kept_until_another_is_offered,
    a_hub_is_asked_by_one_process_at_a_time,
    a_delivery_holds_its_feed_and_leaves_the_rest,
    only_what_a_hub_has_confirmed_is_ended,
    feeds_polled_no_more_and_all_feeds_end_their_subscriptions,
    hubs_are_looked_for_once,
    what_was_promised_at_another_address_is_ended,
);

const CALLBACK: &str = "https://feeds.example/hubs/";
const TOPIC: &str = "https://feeds.example/0.xml";

fn offer(bench: &Bench, feed_id: FeedId, hub: Option<&str>, token: &str) -> HubOffer {
    let wanted = hub.map(|hub| Subscription::wanted(url(hub), url(TOPIC), bench.clock.now()));
    HubOffer { feed_id, wanted, token: token.to_owned(), secret: format!("secret of {token}") }
}

async fn feed_id(bench: &Bench) -> FeedId {
    bench.feeds(1).await;
    bench.store.feeds_list().await.unwrap()[0].id
}

async fn of(bench: &Bench, token: &str) -> Option<HubSubscription> {
    bench.store.subscription_of(token).await.unwrap()
}

async fn a_subscription_is_kept_until_another_is_offered(bench: &Bench) {
    let id = feed_id(bench).await;
    let offered = async |hub: Option<&str>, token: &str| {
        bench.store.subscriptions_offer(&[offer(bench, id, hub, token)]).await.unwrap();
    };
    offered(None, "a").await;
    assert!(of(bench, "a").await.is_none());
    offered(Some("https://hub.example/"), "b").await;
    let mut first = of(bench, "b").await.unwrap();
    assert_eq!((first.feed_id, first.secret.as_str()), (id, "secret of b"));
    assert_eq!(first.subscription.state, SubscriptionState::Wanted);
    first.subscription.asking(bench.clock.now());
    first.subscription.verify(TOPIC, Duration::from_hours(24), bench.clock.now()).unwrap();
    bench.store.subscription_update(&first).await.unwrap();
    offered(Some("https://hub.example/"), "c").await;
    assert!(of(bench, "c").await.is_none(), "the same again changes nothing");
    let kept = of(bench, "b").await.unwrap();
    assert_eq!(kept.subscription, first.subscription);
    let until = bench.store.feeds_list().await.unwrap()[0].delivered_until;
    assert_eq!(until, first.subscription.expires_at);
    assert_eq!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap()[0].delivered_until, until);
    offered(Some("https://other.example/"), "d").await;
    assert!(of(bench, "b").await.is_none());
    bench.store.subscription_update(&first).await.unwrap();
    assert_eq!(
        of(bench, "d").await.unwrap().subscription.state,
        SubscriptionState::Wanted,
        "not the old one's news"
    );
    offered(None, "e").await;
    assert!(of(bench, "d").await.is_none());
}

async fn a_hub_is_asked_by_one_process_at_a_time(bench: &Bench) {
    let id = feed_id(bench).await;
    assert_eq!(bench.store.subscriptions_next_due().await.unwrap(), None);
    bench.store.subscriptions_offer(&[offer(bench, id, Some("https://hub.example/"), "a")]).await.unwrap();
    assert_eq!(bench.store.subscriptions_next_due().await.unwrap(), Some(bench.clock.now()));
    let due = bench.store.subscriptions_claim_due(&url(CALLBACK), fresh, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].subscription.state, SubscriptionState::Requested);
    assert_eq!(of(bench, "a").await.unwrap().subscription, due[0].subscription, "noted before it is asked");
    assert!(bench.store.subscriptions_claim_due(&url(CALLBACK), fresh, 10).await.unwrap().is_empty());
    bench.pass(3_600);
    assert_eq!(
        bench.store.subscriptions_claim_due(&url(CALLBACK), fresh, 10).await.unwrap()[0]
            .subscription
            .attempts,
        2
    );
    bench.pass(100_000);
    bench.feeds(0).await;
    assert!(
        bench.store.subscriptions_claim_due(&url(CALLBACK), fresh, 10).await.unwrap().is_empty(),
        "the feed is configured no more"
    );
    assert!(of(bench, "a").await.is_none(), "and nothing is taken for it");
}

async fn a_delivery_holds_its_feed_and_leaves_the_rest(bench: &Bench) {
    bench.feeds(1).await;
    bench.poll(|_| vec![new_entry("a", "https://site.example/a", "one")]).await;
    let before = bench.store.feeds_list().await.unwrap().remove(0);
    let (feed, due) = bench.store.feed_claim(before.id, LEASE).await.unwrap().unwrap();
    assert_eq!(due, before.next_poll_at);
    assert!(bench.store.feed_claim(before.id, LEASE).await.unwrap().is_none(), "it is in hand");
    let record = PollRecord {
        feed_id: feed.id,
        feed_url: feed.configured_url.clone(),
        lease: feed.lease,
        polled_at: bench.clock.now(),
        next: next(due),
        moved_to: None,
        transfer: Transfer::default(),
        result: PollResult::Delivered {
            entries: vec![new_entry("b", "https://site.example/b", "two")],
            warnings: Vec::new(),
        },
    };
    let report = bench.store.feed_polls_record(&[record]).await.unwrap()[0].unwrap();
    assert_eq!(report.new_entries, 1);
    let after = bench.store.feeds_list().await.unwrap().remove(0);
    assert_eq!((after.entries, after.next_poll_at, &after.title), (2, before.next_poll_at, &before.title));
    let (again, _) = bench.store.feed_claim(before.id, LEASE).await.unwrap().unwrap();
    assert_eq!((again.validators, again.body_sha256), (feed.validators, feed.body_sha256));
}

/// A subscription of the first feed that the hub has confirmed for a day.
async fn confirmed(bench: &Bench, id: FeedId, token: &str) {
    let offer = offer(bench, id, Some(&format!("https://hub-{token}.example/")), token);
    bench.store.subscriptions_offer(&[offer]).await.unwrap();
    let mut asked = bench.store.subscriptions_claim_due(&url(CALLBACK), fresh, 10).await.unwrap();
    let mut known = asked.pop().unwrap();
    assert_eq!((known.token.as_str(), asked.len()), (token, 0));
    known.subscription.verify(TOPIC, Duration::from_hours(24), bench.clock.now()).unwrap();
    bench.store.subscription_update(&known).await.unwrap();
}

async fn ending(bench: &Bench, token: &str) -> Option<HubEnding> {
    bench.store.subscription_ending_of(token).await.unwrap()
}

async fn only_what_a_hub_has_confirmed_is_ended(bench: &Bench) {
    let id = feed_id(bench).await;
    let offered = async |hub: Option<&str>, token: &str| {
        bench.store.subscriptions_offer(&[offer(bench, id, hub, token)]).await.unwrap();
    };
    offered(Some("https://unasked.example/"), "a").await;
    offered(Some("https://unconfirmed.example/"), "b").await;
    bench.store.subscriptions_claim_due(&url(CALLBACK), fresh, 10).await.unwrap();
    confirmed(bench, id, "c").await;
    assert_eq!(bench.store.subscription_endings_next_due().await.unwrap(), None);
    offered(None, "d").await;
    for token in ["a", "b", "d"] {
        assert!(ending(bench, token).await.is_none(), "{token}");
    }
    let due = bench.store.subscription_endings_claim_due(10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].ending.callback.as_str(), format!("{CALLBACK}c"));
    assert_eq!((due[0].token.as_str(), due[0].ending.attempts), ("c", 1));
    assert_eq!(ending(bench, "c").await.unwrap().ending, due[0].ending, "noted before it is asked");
    assert!(bench.store.subscription_endings_claim_due(10).await.unwrap().is_empty());
    bench.pass(3_600);
    let mut known = bench.store.subscription_endings_claim_due(10).await.unwrap().remove(0);
    known.ending.verify(TOPIC).unwrap();
    bench.store.subscription_ending_update(&known).await.unwrap();
    bench.pass(50_000);
    assert!(bench.store.subscription_endings_claim_due(10).await.unwrap().is_empty(), "it is ended");
    assert!(ending(bench, "c").await.is_some(), "and the hub may ask again");
    bench.pass(50_000);
    assert!(bench.store.subscription_endings_claim_due(10).await.unwrap().is_empty());
    assert!(ending(bench, "c").await.is_none(), "until its lease is over");
}

async fn feeds_polled_no_more_and_all_feeds_end_their_subscriptions(bench: &Bench) {
    bench.feeds(2).await;
    let mut feeds = bench.store.feeds_list().await.unwrap();
    feeds.sort_by_key(|feed| feed.configured_url.clone());
    let ids: Vec<FeedId> = feeds.iter().map(|feed| feed.id).collect();
    confirmed(bench, ids[0], "a").await;
    confirmed(bench, ids[1], "b").await;
    bench.store.hub_looks_note(&ids).await.unwrap();
    bench.store.subscriptions_end_orphaned().await.unwrap();
    assert!(ending(bench, "a").await.is_none() && ending(bench, "b").await.is_none());
    bench.feeds(1).await;
    bench.store.subscriptions_end_orphaned().await.unwrap();
    assert!(ending(bench, "a").await.is_none() && ending(bench, "b").await.is_some());
    assert_eq!(Vec::from_iter(bench.store.hub_looks(&ids).await.unwrap()), [ids[0]]);
    bench.feeds(2).await;
    assert!(of(bench, "b").await.is_none(), "it begins anew");
    bench.store.subscriptions_end_all().await.unwrap();
    assert!(ending(bench, "a").await.is_some());
    assert!(bench.store.hub_looks(&ids).await.unwrap().is_empty());
    assert_eq!(bench.store.subscription_endings_claim_due(10).await.unwrap().len(), 2);
    bench.store.subscriptions_end_all().await.unwrap();
}

async fn hubs_are_looked_for_once(bench: &Bench) {
    bench.feeds(3).await;
    let ids: Vec<FeedId> = bench.store.feeds_list().await.unwrap().iter().map(|feed| feed.id).collect();
    assert!(bench.store.hub_looks(&ids).await.unwrap().is_empty());
    bench.store.hub_looks_note(&ids[..1]).await.unwrap();
    bench.store.hub_looks_note(&ids[..2]).await.unwrap();
    let looks = bench.store.hub_looks(&ids).await.unwrap();
    assert!(looks.contains(&ids[0]) && looks.contains(&ids[1]) && looks.len() == 2);
}

fn fresh() -> String {
    "fresh".to_owned()
}

async fn what_was_promised_at_another_address_is_ended(bench: &Bench) {
    let id = feed_id(bench).await;
    confirmed(bench, id, "a").await;
    bench.pass(50_000);
    let elsewhere = url("https://elsewhere.example/hubs/");
    let renewed = bench.store.subscriptions_claim_due(&elsewhere, fresh, 10).await.unwrap().remove(0);
    assert_eq!(renewed.callback, Some(elsewhere.join("fresh").unwrap()));
    assert_eq!((renewed.secret.as_str(), renewed.subscription.expires_at), ("fresh", None), "it begins anew");
    let due = bench.store.subscription_endings_claim_due(10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].ending.callback.as_str(), format!("{CALLBACK}a"));
    assert!(of(bench, "a").await.is_none(), "what is said at the old address is not of the new one");
    assert!(of(bench, "fresh").await.is_some());
    bench.pass(3_600);
    bench.store.subscriptions_claim_due(&elsewhere, fresh, 10).await.unwrap();
    assert_eq!(bench.store.subscription_endings_claim_due(10).await.unwrap()[0].ending.attempts, 2);
}
