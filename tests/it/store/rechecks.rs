//! Articles whose pages are due for a recheck.

use std::time::Duration;

use feedmill::model::{Entry, FailureKind, Known, QualityFlag, Sha256Hash, Validators};
use feedmill::store::{EntryOutcome, FinishedEntry, Stored, Watch};
use jiff::SignedDuration;

use super::{Bench, LEASE, extracted, new_entry};
use crate::support::database::start;

on_both!(
    an_old_enough_article_joins_the_queue_once,
    a_worker_that_dies_leaves_the_recheck_to_the_next,
    a_changed_entry_is_asked_for_with_what_its_page_sent,
    validators_outlive_the_last_age,
    of_a_text_that_stands_in_a_changed_entry_has_its_page_read_whole,
    a_withdrawal_is_told_once,
    a_failure_ends_the_rechecks_of_an_article,
);

fn watch(etag: &str) -> Watch {
    let validators = Validators { etag: Some(etag.to_owned()), last_modified: None };
    Watch { validators, ages: vec![Duration::from_hours(1), Duration::from_hours(24)] }
}

fn watched(entry: &Entry, text: &str, etag: &str) -> FinishedEntry {
    let mut finished = extracted(entry, text);
    if let EntryOutcome::Extracted(extracted) = &mut finished.outcome {
        extracted.watch = watch(etag);
    }
    finished
}

fn finished(entry: &Entry, outcome: EntryOutcome) -> FinishedEntry {
    FinishedEntry { entry: entry.clone(), outcome }
}

async fn claim(bench: &Bench) -> Vec<Entry> {
    bench.store.entries_claim(LEASE, 10).await.unwrap()
}

/// Two feeds announce one article, whose page is rechecked.
async fn stored(bench: &Bench) -> Entry {
    bench.feeds(2).await;
    bench.poll(|n| vec![new_entry(&format!("key {n}"), "https://site.example/a", "text")]).await;
    let entry = claim(bench).await.remove(0);
    bench.finish(&[watched(&entry, "The text of the article", "\"1\"")]).await;
    let other = claim(bench).await.remove(0);
    bench.finish(&[finished(&other, EntryOutcome::AlreadyStored)]).await;
    entry
}

async fn an_old_enough_article_joins_the_queue_once(bench: &Bench) {
    let entry = stored(bench).await;
    assert_eq!(entry.recheck, None);
    let due = start() + SignedDuration::from_hours(1);
    assert_eq!(bench.store.entries_next_due().await.unwrap(), Some(due));
    bench.pass(3_599);
    assert!(claim(bench).await.is_empty());
    bench.pass(1);
    let again = claim(bench).await;
    assert_eq!(again.len(), 1, "one of the two entries");
    assert_eq!((again[0].id, again[0].known), (entry.id, Known::ThroughThis));
    assert!(again[0].recheck.is_some());
    let read = again[0].last_read.clone().unwrap();
    assert_eq!(read.validators, watch("\"1\"").validators);
    assert_eq!(read.raw_sha256, Sha256Hash::of("The text of the article"));
    assert!(claim(bench).await.is_empty(), "it is lent");
    assert_eq!(
        bench.finish(&[finished(&again[0], EntryOutcome::Unchanged(watch("\"2\"")))]).await,
        [Stored::Noted]
    );
    let due = start() + SignedDuration::from_hours(24);
    assert_eq!(bench.store.entries_next_due().await.unwrap(), Some(due));
    bench.pass(24 * 3_600);
    let again = claim(bench).await.remove(0);
    assert_eq!(again.last_read.clone().unwrap().validators, watch("\"2\"").validators);
    let stored = bench.finish(&[watched(&again, "Another text of the article", "\"3\"")]).await;
    assert!(matches!(stored[0], Stored::Article { revision: 2, .. }), "{stored:?}");
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None, "that was the last age");
}

async fn a_worker_that_dies_leaves_the_recheck_to_the_next(bench: &Bench) {
    let entry = stored(bench).await;
    bench.pass(3_600);
    let lost = claim(bench).await.remove(0);
    bench.pass(301);
    let again = claim(bench).await.remove(0);
    assert_eq!((again.id, again.recheck.clone()), (entry.id, lost.recheck.clone()));
    assert!(again.suspect);
    let late = bench.finish(&[finished(&lost, EntryOutcome::Unchanged(watch("\"2\"")))]).await;
    assert_eq!(late, [Stored::StaleLease]);
    let until = bench.clock.now() + SignedDuration::from_secs(60);
    let postponed = EntryOutcome::Postponed { until, kind: FailureKind::Timeout, reason: "slow".to_owned() };
    bench.finish(&[finished(&again, postponed)]).await;
    assert_eq!(bench.store.entries_next_due().await.unwrap(), Some(until));
    bench.pass(60);
    assert_eq!(claim(bench).await.remove(0).recheck, lost.recheck, "postponed, and still a recheck");
}

async fn a_changed_entry_is_asked_for_with_what_its_page_sent(bench: &Bench) {
    stored(bench).await;
    bench.pass(3_600);
    let lost = claim(bench).await.remove(0);
    bench.poll(|n| vec![new_entry(&format!("key {n}"), "https://site.example/a", "changed")]).await;
    assert_eq!(
        bench.finish(&[finished(&lost, EntryOutcome::Unchanged(watch("\"2\"")))]).await,
        [Stored::StaleLease]
    );
    // The entry of the second feed did not read the page.
    for sent in [Some(watch("\"1\"").validators), None] {
        let changed = claim(bench).await.remove(0);
        assert_eq!((changed.known, changed.recheck.clone()), (Known::ThroughThis, None), "{sent:?}");
        assert_eq!(changed.last_read.clone().map(|read| read.validators), sent);
        bench.finish(&[watched(&changed, "Another text of the article", "\"2\"")]).await;
    }
    let due = start() + SignedDuration::from_hours(24);
    assert_eq!(bench.store.entries_next_due().await.unwrap(), Some(due));
}

/// Validators are kept even if no recheck is configured.
async fn validators_outlive_the_last_age(bench: &Bench) {
    bench.feeds(1).await;
    bench.poll(|_| vec![new_entry("key", "https://site.example/a", "text")]).await;
    let entry = claim(bench).await.remove(0);
    let mut stored = watched(&entry, "The text of the article", "\"1\"");
    if let EntryOutcome::Extracted(extracted) = &mut stored.outcome {
        extracted.watch.ages.clear();
    }
    bench.finish(&[stored]).await;
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None);
    for (words, sent) in [("changed", Some("\"1\"")), ("changed again", Some("\"2\"")), ("and again", None)] {
        bench.pass(7 * 24 * 3_600);
        bench.poll(|_| vec![new_entry("key", "https://site.example/a", words)]).await;
        bench.pass(7 * 24 * 3_600);
        let changed = claim(bench).await.remove(0);
        assert_eq!(changed.recheck, None, "{words}");
        let etag = changed.last_read.clone().and_then(|read| read.validators.etag);
        assert_eq!(etag.as_deref(), sent, "{words}");
        let validators = if words == "changed" { watch("\"2\"").validators } else { Validators::default() };
        let unchanged = EntryOutcome::Unchanged(Watch { validators, ages: Vec::new() });
        bench.finish(&[finished(&changed, unchanged)]).await;
        assert_eq!(bench.store.entries_next_due().await.unwrap(), None, "{words}");
    }
}

async fn of_a_text_that_stands_in_a_changed_entry_has_its_page_read_whole(bench: &Bench) {
    bench.feeds(1).await;
    bench.poll(|_| vec![new_entry("key", "https://site.example/a", "text")]).await;
    let entry = claim(bench).await.remove(0);
    let mut stored = watched(&entry, "The text of the feed", "\"1\"");
    if let EntryOutcome::Extracted(extracted) = &mut stored.outcome {
        extracted.article.quality_flags.push(QualityFlag::FeedContentUsed);
    }
    bench.finish(&[stored]).await;
    bench.pass(3_600);
    bench.poll(|_| vec![new_entry("key", "https://site.example/a", "changed")]).await;
    let changed = claim(bench).await.remove(0);
    assert!(changed.is_stand_in);
    assert_eq!((changed.last_read, changed.recheck), (None, None));
}

async fn a_withdrawal_is_told_once(bench: &Bench) {
    stored(bench).await;
    bench.pass(3_600);
    let again = claim(bench).await.remove(0);
    assert_eq!(
        bench.finish(&[finished(&again, EntryOutcome::Withdrawn)]).await,
        [Stored::Withdrawn { seq: 3 }]
    );
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None);
    bench.poll(|n| vec![new_entry(&format!("key {n}"), "https://site.example/a", "changed")]).await;
    let changed = claim(bench).await.remove(0);
    assert_eq!(bench.finish(&[finished(&changed, EntryOutcome::Withdrawn)]).await, [Stored::Noted]);
    let record = bench.store.records_after(2, 10).await.unwrap().remove(0);
    assert_eq!((record.text.as_str(), record.revision), ("The text of the article", 1));
    assert_eq!(record.withdrawn_at, Some(start() + SignedDuration::from_hours(1)));
    assert_eq!(record.feeds.len(), 2);
}

async fn a_failure_ends_the_rechecks_of_an_article(bench: &Bench) {
    stored(bench).await;
    bench.pass(3_600);
    let again = claim(bench).await.remove(0);
    let failed = EntryOutcome::Failed {
        kind: FailureKind::Panicked,
        reason: "the extractor panicked".to_owned(),
        quarantined: true,
    };
    bench.finish(&[finished(&again, failed)]).await;
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None);
    assert_eq!(bench.store.totals().await.unwrap().articles, 1);
}
