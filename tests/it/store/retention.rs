//! Removal of old articles, and the rows kept about them.

use feedmill::model::{Entry, Event, Known, Verdict};
use feedmill::store::{Cutoff, EntryOutcome, FinishedEntry, RawPage, RawSelection, Stored, Watch};
use jiff::{SignedDuration, Timestamp};

use super::{Bench, LEASE, article, extracted, new_entry, url};
use crate::support::database::start;

on_both!(
    old_articles_go_and_their_entries_are_not_new_again,
    age_counts_from_the_last_event,
    an_article_with_work_to_do_stays,
    copies_of_what_is_removed_stay_linked,
    another_feed_does_not_bring_back_what_was_removed,
    each_feed_has_its_own_time,
    kept_pages_go_by_themselves,
);

pub(super) const DAY: i64 = 86_400;

pub(super) async fn cutoffs(bench: &Bench, before: Timestamp) -> Vec<Cutoff> {
    let feeds = bench.store.feeds_known().await.unwrap();
    feeds.into_iter().map(|(feed_id, _)| Cutoff { feed_id, before }).collect()
}

async fn remove(bench: &Bench, before: Timestamp) -> usize {
    bench.store.articles_remove(&cutoffs(bench, before).await, &[]).await.unwrap()
}

/// A cutoff after everything so far.
fn now_and_a_bit(bench: &Bench) -> Timestamp {
    bench.clock.now() + SignedDuration::from_secs(1)
}

async fn claim(bench: &Bench) -> Vec<Entry> {
    bench.store.entries_claim(LEASE, 10).await.unwrap()
}

async fn old_articles_go_and_their_entries_are_not_new_again(bench: &Bench) {
    let first = new_entry("a", "https://site.example/a", "one");
    let second = new_entry("b", "https://site.example/b", "one");
    let entries = bench.claimed(vec![first.clone(), second.clone()]).await;
    let words: Vec<String> = (0..100).map(|i| format!("word{i}")).collect();
    let mut finished = extracted(&entries[0], &words.join(" "));
    if let EntryOutcome::Extracted(extracted) = &mut finished.outcome {
        extracted.raw = Some(RawPage::compress(url("https://site.example/a"), None, b"page"));
        extracted.watch = Watch { ages: vec![std::time::Duration::from_hours(999)], ..Watch::default() };
    }
    bench.finish(&[finished]).await;
    bench.pass(DAY);
    bench.finish(&[extracted(&entries[1], "A text of the second day")]).await;
    assert_eq!(bench.store.removed_through().await.unwrap(), 0);

    assert_eq!(remove(bench, start() + SignedDuration::from_secs(1)).await, 1);
    assert_eq!(remove(bench, start() + SignedDuration::from_secs(1)).await, 0);
    let records = bench.store.records_after(0, 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [2]);
    assert_eq!(bench.store.removed_through().await.unwrap(), 1);
    assert_eq!(bench.store.last_seq().await.unwrap(), 2);
    let totals = bench.store.totals().await.unwrap();
    assert_eq!((totals.articles, totals.entries_done), (1, 2));
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None, "no recheck is left");
    assert!(bench.store.raw_pages_after(0, &RawSelection::default(), 9).await.unwrap().is_empty());
    assert_eq!(bench.store.article_account(entries[0].article_id).await.unwrap(), None);

    // The entry is still in its feed, then gone, then back with changed content.
    let mut changed = first.clone();
    changed.parsed.evidence.content = Some("two".to_owned());
    for shown in [vec![first.clone(), second.clone()], vec![second.clone()], vec![changed, second]] {
        bench.pass(60);
        let report = bench.poll(|_| shown.clone()).await.remove(0);
        assert_eq!((report.new_entries, report.updated_entries), (0, 0));
        assert!(claim(bench).await.is_empty());
    }
}

async fn age_counts_from_the_last_event(bench: &Bench) {
    bench.feeds(2).await;
    bench.poll(|n| vec![new_entry(&format!("{n}"), "https://site.example/a", "x")]).await;
    let entry = claim(bench).await.remove(0);
    bench.finish(&[extracted(&entry, "The text that both feeds announce")]).await;
    bench.pass(DAY);
    let other = claim(bench).await.remove(0);
    let stored = bench.finish(&[FinishedEntry { entry: other, outcome: EntryOutcome::AlreadyStored }]).await;
    assert_eq!(stored, [Stored::Linked { seq: 2 }]);
    assert_eq!(remove(bench, start() + SignedDuration::from_secs(DAY)).await, 0);
    assert_eq!(remove(bench, start() + SignedDuration::from_secs(DAY + 1)).await, 1);
    assert_eq!(bench.store.removed_through().await.unwrap(), 2);
    bench.poll(|n| vec![new_entry(&format!("{n}"), "https://site.example/a", "x")]).await;
    assert!(claim(bench).await.is_empty(), "neither entry is new");
}

async fn an_article_with_work_to_do_stays(bench: &Bench) {
    let entry = bench.claimed(vec![new_entry("a", "https://site.example/a", "x")]).await.remove(0);
    bench.finish(&[extracted(&entry, "The first text")]).await;
    bench.poll_again_with("a", "https://site.example/a").await;
    assert_eq!(remove(bench, now_and_a_bit(bench)).await, 0, "its entry waits");
    let entry = claim(bench).await.remove(0);
    assert_eq!(remove(bench, now_and_a_bit(bench)).await, 0, "its entry is lent");
    let stored = bench.finish(&[extracted(&entry, "The second text")]).await;
    assert!(matches!(stored[0], Stored::Article { revision: 2, .. }));
    assert_eq!(remove(bench, now_and_a_bit(bench)).await, 1);
    assert!(bench.store.records_after(0, 10).await.unwrap().is_empty());
}

async fn copies_of_what_is_removed_stay_linked(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..3).map(|i| new_entry(&format!("{i}"), &format!("https://site{i}.example/a"), "x")).collect(),
        )
        .await;
    bench.finish(&[extracted(&entries[0], "The very same words")]).await;
    bench.pass(DAY);
    bench.finish(&[extracted(&entries[1], "The very same words")]).await;
    assert_eq!(remove(bench, start() + SignedDuration::from_secs(1)).await, 1);
    let copy = bench.store.records_after(0, 10).await.unwrap().remove(0);
    assert_eq!((copy.duplicate_of, copy.cluster_id), (Some(entries[0].article_id), entries[0].article_id));

    let stored = bench.finish(&[extracted(&entries[2], "The very same words")]).await;
    let Stored::Article { verdict: Verdict::Duplicate(link), .. } = &stored[0] else { panic!("{stored:?}") };
    assert_eq!(link.of, entries[1].article_id, "the first that is left");
    assert_eq!(link.cluster_id, entries[0].article_id, "of the same cluster");
    assert_eq!(remove(bench, now_and_a_bit(bench)).await, 2);
}

async fn another_feed_does_not_bring_back_what_was_removed(bench: &Bench) {
    bench.feeds(1).await;
    bench.poll(|_| vec![new_entry("0", "https://site.example/a", "x")]).await;
    let entry = claim(bench).await.remove(0);
    bench.finish(&[extracted(&entry, "The text")]).await;
    assert_eq!(remove(bench, now_and_a_bit(bench)).await, 1);
    bench.feeds(2).await;
    bench.pass(60);
    bench.poll(|n| vec![new_entry(&format!("{n}"), "https://site.example/a?utm_source=x", "x")]).await;
    let entry = claim(bench).await.remove(0);
    assert_eq!(entry.known, Known::Removed);
    // Whatever the worker's result, nothing is stored.
    assert_eq!(bench.finish(&[extracted(&entry, "The text")]).await, [Stored::Noted]);
    bench.pass(60);
    bench.poll(|n| vec![new_entry(&format!("{n}"), "https://site.example/a", "changed")]).await;
    assert!(claim(bench).await.is_empty(), "this entry is remembered too");
    assert!(bench.store.records_after(0, 10).await.unwrap().is_empty());
}

async fn each_feed_has_its_own_time(bench: &Bench) {
    bench.feeds(2).await;
    bench.poll(|n| vec![new_entry(&format!("{n}"), &format!("https://site.example/{n}"), "x")]).await;
    let finished: Vec<_> =
        claim(bench).await.iter().map(|entry| extracted(entry, entry.url.as_ref().unwrap().path())).collect();
    bench.finish(&finished).await;
    let one = cutoffs(bench, now_and_a_bit(bench)).await.remove(0);
    assert_eq!(bench.store.articles_remove(&[one], &[]).await.unwrap(), 1);
    assert_eq!(bench.store.articles_remove(&[one], &[]).await.unwrap(), 0);
    assert_eq!(bench.store.articles_remove(&[], &[]).await.unwrap(), 0);
    let left = bench.store.records_after(0, 10).await.unwrap();
    assert_eq!((left.len(), left[0].event), (1, Event::Created));
}

async fn kept_pages_go_by_themselves(bench: &Bench) {
    let entry = bench.claimed(vec![new_entry("a", "https://site.example/a", "x")]).await.remove(0);
    let mut finished = extracted(&entry, &article("The text").text);
    if let EntryOutcome::Extracted(extracted) = &mut finished.outcome {
        extracted.raw = Some(RawPage::compress(url("https://site.example/a"), None, b"page"));
    }
    bench.finish(&[finished]).await;
    let store = &bench.store;
    assert_eq!(store.raw_pages_remove(&cutoffs(bench, start()).await).await.unwrap(), 0);
    assert_eq!(store.raw_pages_remove(&cutoffs(bench, now_and_a_bit(bench)).await).await.unwrap(), 1);
    assert!(store.raw_pages_after(0, &RawSelection::default(), 9).await.unwrap().is_empty());
    assert_eq!(store.records_after(0, 10).await.unwrap().len(), 1);
}
