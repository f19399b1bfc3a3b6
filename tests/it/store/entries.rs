//! Entries: claims and outcomes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use feedmill::dedup;
use feedmill::model::{ArticleId, Entry, EntryId, FailureKind, FeedId, Known, PartyId};
use feedmill::store::{EntryOutcome, FeedState, FinishedEntry, NewEntry, PollReport, Room, Store, Stored};
use jiff::SignedDuration;

use super::{Bench, LEASE, extracted, new_entry, url};
use crate::support::database::start;

on_both!(
    known_entries_are_queued_again_only_when_their_content_changes,
    changes_that_change_nothing_are_asked_for_less_and_less,
    entries_of_one_article_are_claimed_one_after_another,
    parties_have_their_entries_claimed_in_turn,
    what_crashes_again_and_again_is_quarantined,
    what_may_have_crashed_goes_last_and_alone,
    a_stale_lease_writes_nothing,
    failures_are_kept_and_forgotten,
    an_already_stored_article_that_is_not_comes_again,
    writers_and_claimers_get_along,
);

async fn known_entries_are_queued_again_only_when_their_content_changes(bench: &Bench) {
    let first = new_entry("a", "https://site.example/a", "one");
    let entries = bench.claimed(vec![first.clone()]).await;
    bench.finish(&[extracted(&entries[0], "The first text of the article")]).await;
    let mut retitled = first.clone();
    retitled.parsed.evidence.title = Some("Another title".to_owned());
    let mut moved = first.clone();
    moved.parsed.link = Some(url("https://site.example/elsewhere"));
    moved.article_id = ArticleId::of_url(&url("https://site.example/elsewhere"));
    let mut dated = first.clone();
    dated.parsed.evidence.updated_at = Some(start());
    let mut marked_up = first.clone();
    marked_up.parsed.evidence.content =
        Some("<p nonce='x'>one<img src='https://pixel.example/?1'></p>".to_owned());
    for same in [first.clone(), retitled.clone(), moved, dated, marked_up] {
        bench.pass(60);
        assert_eq!(bench.poll(|_| vec![same.clone()]).await, [PollReport::default()]);
        assert!(bench.store.entries_claim(LEASE, 10).await.unwrap().is_empty());
    }
    let mut edited = retitled.clone();
    edited.parsed.evidence.content = Some("two".to_owned());
    let mut longer = edited.clone();
    longer.parsed.evidence.content = Some("<p>two</p><p>three</p>".to_owned());
    for (changed, text) in
        [(edited, "The second text of the article"), (longer, "The third text of the article")]
    {
        bench.pass(60);
        assert_eq!(
            bench.poll(|_| vec![changed.clone()]).await,
            [PollReport { new_entries: 0, updated_entries: 1 }]
        );
        let again = bench.store.entries_claim(LEASE, 10).await.unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].id, entries[0].id);
        assert_eq!(again[0].article_id, entries[0].article_id);
        assert_eq!(again[0].known, Known::ThroughThis);
        assert_eq!(again[0].evidence, changed.parsed.evidence);
        bench.finish(&[extracted(&again[0], text)]).await;
    }
    // A change while a worker holds the entry invalidates the worker's lease.
    bench.pass(60);
    let mut third = first.clone();
    third.parsed.evidence.content = Some("three".to_owned());
    bench.poll(|_| vec![third.clone()]).await;
    let held = bench.store.entries_claim(LEASE, 10).await.unwrap();
    bench.pass(60);
    let mut fourth = first.clone();
    fourth.parsed.evidence.content = Some("four".to_owned());
    bench.poll(|_| vec![fourth.clone()]).await;
    assert_eq!(bench.finish(&[extracted(&held[0], "Made from the third")]).await, [Stored::StaleLease]);
    let held = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(held[0].evidence.content.as_deref(), Some("four"));
}

async fn changes_that_change_nothing_are_asked_for_less_and_less(bench: &Bench) {
    let text = "The one text of the article";
    let first = new_entry("a", "https://site.example/a", "one");
    let entries = bench.claimed(vec![first.clone()]).await;
    bench.finish(&[extracted(&entries[0], text)]).await;
    let mut waits = Vec::new();
    for change in 0..8 {
        let mut changed = first.clone();
        changed.parsed.evidence.content = Some(format!("change {change}"));
        bench.poll(|_| vec![changed.clone()]).await;
        let mut minutes = 0;
        let again = loop {
            let claimed = bench.store.entries_claim(LEASE, 10).await.unwrap();
            if !claimed.is_empty() {
                break claimed;
            }
            bench.pass(30 * 60);
            minutes += 30;
            assert!(minutes < 20_000, "never");
            // Another change during the wait neither shortens nor extends it.
            changed.parsed.evidence.content = Some(format!("change {change} after {minutes}"));
            bench.poll(|_| vec![changed.clone()]).await;
        };
        waits.push(minutes / 60);
        bench.finish(&[extracted(&again[0], text)]).await;
    }
    assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32]);
}

async fn entries_of_one_article_are_claimed_one_after_another(bench: &Bench) {
    bench.feeds(3).await;
    bench.poll(|n| vec![new_entry(&format!("key {n}"), "https://site.example/a?utm_source=x", "text")]).await;
    let first = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(bench.store.entries_claim(LEASE, 10).await.unwrap().is_empty());
    assert_eq!(bench.store.entries_next_due().await.unwrap(), Some(first[0].lease.until));
    let until = start() + SignedDuration::from_secs(50);
    let postponed = FinishedEntry {
        entry: first[0].clone(),
        outcome: EntryOutcome::Postponed { until, kind: FailureKind::Timeout, reason: "slow".to_owned() },
    };
    bench.finish(&[postponed]).await;
    assert!(bench.store.entries_claim(LEASE, 10).await.unwrap().is_empty(), "the page is asked for once");
    assert_eq!(bench.store.entries_next_due().await.unwrap(), Some(until));
    bench.pass(50);
    let first = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(first[0].failures, 1);
    bench.finish(&[extracted(&first[0], "The text that all three feeds announce")]).await;
    let second = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(second.len(), 1);
    bench.store.entries_release(&[(second[0].id, second[0].lease, bench.clock.now())]).await.unwrap();
    let second = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(second.len(), 1, "given back, claimed again");
    assert!(!second[0].suspect, "given back in order");
    assert_eq!((first[0].known, second[0].known), (Known::No, Known::ThroughAnother));
    bench.finish(&[FinishedEntry { entry: second[0].clone(), outcome: EntryOutcome::AlreadyStored }]).await;
    assert_eq!(bench.store.entries_claim(LEASE, 10).await.unwrap().len(), 1);
}

async fn parties_have_their_entries_claimed_in_turn(bench: &Bench) {
    let feeds =
        ["https://a.example/1", "https://b.example/2", "https://c.example/3", "https://feeds.b.example/4"];
    bench.store.feeds_sync(&feeds.map(url), Duration::ZERO).await.unwrap();
    let counts = [500, 3, 3, 3];
    bench
        .poll(|feed| {
            let entries = 0..counts[feed];
            entries
                .map(|n| new_entry(&format!("{feed} {n}"), &format!("https://h{n}.s{feed}.example/"), "text"))
                .collect()
        })
        .await;
    let of = |entries: &[Entry], host: &str| {
        entries.iter().filter(|entry| entry.feed_url.host_str().unwrap().ends_with(host)).count()
    };
    // A backlog, of which no more is examined than is claimed.
    let first = bench.store.entries_claim(LEASE, 9).await.unwrap();
    assert_eq!([of(&first, "a.example"), of(&first, "b.example"), of(&first, "c.example")], [3, 3, 3]);
    let in_hand: HashMap<PartyId, u32> = first.iter().map(|entry| (entry.party, 9)).collect();
    assert_eq!(in_hand.len(), 3, "two hosts of one domain are one party");
    let none = bench.store.entries_claim_within(LEASE, Room::beside(4, in_hand)).await.unwrap();
    assert!(none.is_empty(), "the last places are for others");
    let second = bench.store.entries_claim(LEASE, 9).await.unwrap();
    assert_eq!([of(&second, "b.example"), second.len()], [3, 9]);
    // The same if all of it is examined.
    assert_eq!(bench.store.entries_claim(LEASE, 1_000).await.unwrap().len(), 509 - 18);
}

async fn what_crashes_again_and_again_is_quarantined(bench: &Bench) {
    bench.feeds(1).await;
    for attempts in 0..3 {
        let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
        bench.store.feed_attempt_begin(feed.id, feed.lease).await.unwrap();
        assert_eq!(feed.lease.epoch, attempts + 1);
        assert_eq!(feed.suspect, attempts > 0, "whoever held it never came back");
        bench.pass(301);
    }
    assert!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().is_empty());
    let feed = bench.store.feeds_list().await.unwrap().remove(0);
    assert_eq!(feed.state, FeedState::Quarantined);
    assert!(feed.last_error.is_some());
    assert_eq!(bench.store.feeds_release_quarantined(&[feed.id]).await.unwrap(), 1);

    bench.poll(|_| vec![new_entry("a", "https://site.example/a", "text")]).await;
    let mut id = EntryId(0);
    for attempts in 0..3 {
        let entry = bench.store.entries_claim(LEASE, 1).await.unwrap().remove(0);
        assert_eq!(entry.suspect, attempts > 0);
        bench.store.entry_attempt_begin(entry.id, entry.lease).await.unwrap();
        id = entry.id;
        bench.pass(301);
    }
    assert!(bench.store.entries_claim(LEASE, 1).await.unwrap().is_empty());
    assert_eq!(bench.store.totals().await.unwrap().entries_quarantined, 1);
    assert_eq!(bench.store.entries_release_quarantined(&[id]).await.unwrap(), 1);
    let entry = bench.store.entries_claim(LEASE, 1).await.unwrap().remove(0);
    assert!(!entry.suspect, "released and acquitted");
}

async fn what_may_have_crashed_goes_last_and_alone(bench: &Bench) {
    bench.feeds(4).await;
    let begun = bench.store.feeds_claim_due(LEASE, 2).await.unwrap();
    for feed in &begun {
        bench.store.feed_attempt_begin(feed.id, feed.lease).await.unwrap();
    }
    bench.pass(301);
    let mut claims: Vec<Vec<FeedId>> = Vec::new();
    for _ in 0..4 {
        let feeds = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
        claims.push(feeds.iter().map(|feed| feed.id).collect());
    }
    assert_eq!(claims[0].len(), 2, "first those that nobody suspects");
    assert_eq!(claims[1..], [vec![begun[0].id], vec![begun[1].id], vec![]]);

    bench.pass(301);
    let entry = |n| new_entry(&format!("key {n}"), &format!("https://site.example/{n}"), "text");
    bench.poll(|feed| if feed == 0 { (0..4).map(entry).collect() } else { Vec::new() }).await;
    let begun = bench.store.entries_claim(LEASE, 2).await.unwrap();
    for entry in &begun {
        bench.store.entry_attempt_begin(entry.id, entry.lease).await.unwrap();
    }
    bench.pass(301);
    let mut claims: Vec<Vec<EntryId>> = Vec::new();
    for _ in 0..4 {
        let entries = bench.store.entries_claim(LEASE, 10).await.unwrap();
        claims.push(entries.iter().map(|entry| entry.id).collect());
    }
    assert_eq!(claims[0].len(), 2);
    assert_eq!(claims[1..], [vec![begun[0].id], vec![begun[1].id], vec![]]);
}

async fn a_stale_lease_writes_nothing(bench: &Bench) {
    let stale = bench.claimed(vec![new_entry("a", "https://site.example/a", "text")]).await;
    bench.pass(301);
    let held = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(bench.finish(&[extracted(&stale[0], "Stale")]).await, [Stored::StaleLease]);
    assert!(bench.store.records_after(0, 10).await.unwrap().is_empty());
    let stored = bench.finish(&[extracted(&stale[0], "Stale"), extracted(&held[0], "Held")]).await;
    assert!(stored.iter().any(|answer| matches!(answer, Stored::Article { .. })));
    assert_eq!(bench.finish(&[extracted(&held[0], "Twice")]).await, [Stored::StaleLease]);
    assert_eq!(bench.store.records_after(0, 10).await.unwrap().len(), 1);
}

async fn failures_are_kept_and_forgotten(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..2).map(|i| new_entry(&format!("{i}"), &format!("https://site.example/{i}"), "x")).collect(),
        )
        .await;
    let failed = |entry: &Entry, quarantined| FinishedEntry {
        entry: entry.clone(),
        outcome: EntryOutcome::Failed {
            kind: FailureKind::Http404,
            reason: "404 \u{0}".to_owned(),
            quarantined,
        },
    };
    assert_eq!(
        bench.finish(&[failed(&entries[0], false), failed(&entries[1], true)]).await,
        [Stored::Noted, Stored::Noted]
    );
    let totals = bench.store.totals().await.unwrap();
    assert_eq!((totals.entries_failed, totals.entries_quarantined, totals.entries_pending), (1, 1, 0));
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None);
}

async fn an_already_stored_article_that_is_not_comes_again(bench: &Bench) {
    let entry = bench.claimed(vec![new_entry("a", "https://site.example/a", "text")]).await.remove(0);
    let finished = FinishedEntry { entry, outcome: EntryOutcome::AlreadyStored };
    assert_eq!(bench.finish(&[finished]).await, [Stored::Noted]);
    assert_eq!(bench.store.entries_claim(LEASE, 1).await.unwrap().len(), 1);
}

/// Eight writers and one reader by cursor: every entry is claimed by one writer, and the reader misses no record.
async fn writers_and_claimers_get_along(bench: &Bench) {
    const ENTRIES: usize = 400;
    bench.feeds(1).await;
    let entries: Vec<NewEntry> = (0..ENTRIES)
        .map(|i| new_entry(&format!("key {i}"), &format!("https://site.example/{i}"), "text"))
        .collect();
    bench.poll(|_| entries.clone()).await;
    let writer = |store: Store| async move {
        let mut claimed = Vec::new();
        loop {
            let entries = store.entries_claim(LEASE, 5).await.unwrap();
            if entries.is_empty() {
                return claimed;
            }
            let finished: Vec<FinishedEntry> =
                entries.iter().map(|entry| extracted(entry, &format!("Text {}", entry.id.0))).collect();
            store.entries_finish(&finished, &dedup::Settings::default()).await.unwrap();
            claimed.extend(entries.into_iter().map(|entry| entry.id));
        }
    };
    let reader = async {
        let (mut cursor, mut seen) = (0, Vec::new());
        while seen.len() < ENTRIES {
            let records = bench.store.records_after(cursor, 7).await.unwrap();
            cursor = records.last().map_or(cursor, |record| record.seq);
            seen.extend(records.into_iter().map(|record| record.seq));
            tokio::task::yield_now().await;
        }
        seen
    };
    let writers = futures_util::future::join_all((0..8).map(|_| writer(bench.store.clone())));
    let both = futures_util::future::join(writers, reader);
    let (claimed, seen) =
        tokio::time::timeout(Duration::from_mins(10), both).await.expect("a record was skipped");
    let claimed: Vec<EntryId> = claimed.into_iter().flatten().collect();
    assert_eq!(claimed.len(), ENTRIES, "no entry is claimed twice");
    assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), ENTRIES);
    assert_eq!(seen, (1..=i64::try_from(ENTRIES).unwrap()).collect::<Vec<_>>());
}
