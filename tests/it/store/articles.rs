//! Articles, their copies, and their records in the outbox.

use std::collections::{BTreeMap, BTreeSet};

use feedmill::model::{ArticleId, DuplicateKind, Event, QualityFlag, Sha256Hash, Verdict};
use feedmill::store::{EntryOutcome, FinishedEntry, NewEntry, Stored};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Bench, LEASE, extracted, new_entry};
use crate::support::database::start;

on_both!(
    a_finished_entry_becomes_a_record,
    another_text_is_another_revision,
    exact_copies_in_one_batch_are_linked_to_the_first,
    a_copy_comes_alone_after_originals_that_came_alone,
    near_copies_are_linked_within_the_window,
    clusters_never_split,
    a_revision_that_becomes_a_copy_brings_its_cluster_along,
    another_feed_joins_the_mentions,
    furniture_is_counted_once_an_article,
    control_characters_are_left_out,
    cursors_are_kept,
);

async fn a_finished_entry_becomes_a_record(bench: &Bench) {
    let entries = bench.claimed(vec![new_entry("a", "https://site.example/a", "text")]).await;
    let stored = bench.finish(&[extracted(&entries[0], "Clean text")]).await;
    assert_eq!(stored, [Stored::Article { seq: 1, verdict: Verdict::Original, revision: 1 }]);
    let record = bench.store.records_after(0, 10).await.unwrap().remove(0);
    assert_eq!((record.seq, record.event, record.revision), (1, Event::Created, 1));
    assert_eq!(record.id, entries[0].article_id);
    assert_eq!(record.cluster_id, record.id);
    assert_eq!(record.text, "Clean text");
    assert_eq!(record.metadata.title.as_deref(), Some("Headline"));
    assert_eq!(record.metadata.authors, ["Ada", "Bo"]);
    assert_eq!(record.hostname, "site.example");
    assert_eq!(record.quality_flags, [QualityFlag::Gallery]);
    assert_eq!(record.metadata.published_at, Some(start()));
    assert_eq!(record.raw_sha256, Sha256Hash::of("Clean text"));
    assert_eq!((record.duplicate_of, record.duplicate_kind, record.duplicate_score), (None, None, None));
    assert_eq!(record.feeds.len(), 1);
    assert_eq!(record.feeds[0].guid.as_deref(), Some("a"));
    assert_eq!(record.feeds[0].feed_url.as_str(), "https://feeds.example/0.xml");
    assert_eq!(record.feeds[0].entry_title.as_deref(), Some("Title of a"));
    assert_eq!(record.feeds[0].first_seen_at, start());
    assert!(bench.store.records_after(1, 10).await.unwrap().is_empty());

    let account = bench.store.article_account(record.id).await.unwrap().unwrap();
    assert_eq!((account.blocks_kept, account.blocks_dropped), (1, 1));
    assert_eq!(account.dropped[0].rule, "rule.comment_form");
    assert_eq!(account.dropped[0].excerpt, "Leave a reply");
    let unknown = ArticleId(Sha256Hash::of("unknown"));
    assert_eq!(bench.store.article_account(unknown).await.unwrap(), None);
    let totals = bench.store.totals().await.unwrap();
    assert_eq!((totals.entries_done, totals.articles, totals.duplicates, totals.last_seq), (1, 1, 0, 1));
}

async fn another_text_is_another_revision(bench: &Bench) {
    let first = new_entry("a", "https://site.example/a", "one");
    let mut entry = bench.claimed(vec![first.clone()]).await.remove(0);
    let mut answers = Vec::new();
    for (content, text) in [("two", "Text one"), ("three", "Text two"), ("four", "Text  two ")] {
        answers.extend(bench.finish(&[extracted(&entry, text)]).await);
        bench.pass(60);
        let mut edited = first.clone();
        edited.parsed.evidence.content = Some(content.to_owned());
        bench.poll(|_| vec![edited.clone()]).await;
        entry = bench.store.entries_claim(LEASE, 1).await.unwrap().remove(0);
    }
    assert!(matches!(answers[0], Stored::Article { seq: 1, revision: 1, .. }));
    assert!(matches!(answers[1], Stored::Article { seq: 2, revision: 2, .. }));
    assert_eq!(answers[2], Stored::Noted, "the same canonical text");
    let records = bench.store.records_after(0, 10).await.unwrap();
    let texts: Vec<_> =
        records.iter().map(|record| (record.event, record.revision, record.text.as_str())).collect();
    assert_eq!(texts, [(Event::Created, 1, "Text one"), (Event::Revised, 2, "Text two")]);
}

async fn exact_copies_in_one_batch_are_linked_to_the_first(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..3).map(|i| new_entry(&format!("{i}"), &format!("https://site{i}.example/a"), "x")).collect(),
        )
        .await;
    let batch: Vec<FinishedEntry> =
        entries.iter().map(|entry| extracted(entry, "The very same words")).collect();
    let stored = bench.finish(&batch[..2]).await;
    let later = bench.finish(&batch[2..]).await;
    assert!(matches!(stored[0], Stored::Article { verdict: Verdict::Original, .. }));
    for copy in [&stored[1], &later[0]] {
        let Stored::Article { verdict: Verdict::Duplicate(link), .. } = copy else { panic!("{copy:?}") };
        assert_eq!((link.of, link.cluster_id), (entries[0].article_id, entries[0].article_id));
        assert_eq!(link.kind, DuplicateKind::Exact);
    }
    let records = bench.store.records_after(1, 10).await.unwrap();
    for record in &records {
        assert_eq!(record.duplicate_of, Some(entries[0].article_id));
        assert_eq!(record.duplicate_kind, Some(DuplicateKind::Exact));
        assert_eq!(record.duplicate_score, Some(1.0));
        assert_eq!(record.cluster_id, entries[0].article_id);
    }
    assert_eq!(records.len(), 2);
    assert_eq!(bench.store.totals().await.unwrap().duplicates, 2);
}

/// A statement that a connection prepared for an article without a score must also work for one with a score.
async fn a_copy_comes_alone_after_originals_that_came_alone(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..40).map(|i| new_entry(&format!("{i}"), &format!("https://site{i}.example/a"), "x")).collect(),
        )
        .await;
    for (i, entry) in entries.iter().enumerate() {
        let stored = bench.finish(&[extracted(entry, &format!("The words of {}", i / 2))]).await;
        let is_copy = matches!(stored[0], Stored::Article { verdict: Verdict::Duplicate(_), .. });
        assert_eq!(is_copy, i % 2 == 1, "{i}: {stored:?}");
    }
}

/// Articles are stored and change their texts at random; articles once in one cluster stay in one cluster.
async fn clusters_never_split(bench: &Bench) {
    const ARTICLES: usize = 24;
    const STORIES: usize = 5;
    let mut random = SmallRng::seed_from_u64(6);
    let link = |i: usize| format!("https://site{i}.example/a");
    let mut waiting =
        bench.claimed((0..ARTICLES).map(|i| new_entry(&format!("{i}"), &link(i), "x")).collect()).await;
    waiting.reverse();
    let mut together: BTreeSet<(ArticleId, ArticleId)> = BTreeSet::new();
    for step in 0..80 {
        let entry = if let Some(entry) = waiting.pop() {
            entry
        } else {
            let i = random.random_range(0..ARTICLES);
            bench.pass(60);
            bench.poll(|_| vec![new_entry(&format!("{i}"), &link(i), &format!("change {step}"))]).await;
            bench.store.entries_claim(LEASE, 1).await.unwrap().remove(0)
        };
        let whole = story(random.random_range(1..=STORIES), 300);
        let text = match random.random_range(0..3) {
            0 => whole,
            1 => whole.split(' ').skip(40).collect::<Vec<_>>().join(" "),
            _ => format!("{whole} {}", story(step + 100, 20)),
        };
        bench.finish(&[extracted(&entry, &text)]).await;
        let mut members: BTreeMap<ArticleId, BTreeSet<ArticleId>> = BTreeMap::new();
        for record in bench.store.records_after(0, 1_000).await.unwrap() {
            members.entry(record.cluster_id).or_default().insert(record.id);
        }
        let pairs = members
            .values()
            .flat_map(|members| members.iter().flat_map(|one| members.iter().map(|other| (*one, *other))));
        let now: BTreeSet<(ArticleId, ArticleId)> = pairs.collect();
        assert!(now.is_superset(&together), "step {step}");
        together = now;
    }
    assert!(together.len() > ARTICLES * ARTICLES / STORIES, "there are clusters at all");
}

/// A text of `count` words, different for each `seed`.
fn story(seed: usize, count: usize) -> String {
    let words: Vec<String> =
        (0..count).map(|i| format!("word{}", (seed * 7_919 + i * 104_729) % 100_003)).collect();
    words.join(" ")
}

async fn near_copies_are_linked_within_the_window(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..5).map(|i| new_entry(&format!("{i}"), &format!("https://site{i}.example/a"), "x")).collect(),
        )
        .await;
    let whole = story(1, 300);
    let cut = story(1, 200);
    let stored = bench.finish(&[extracted(&entries[0], &whole), extracted(&entries[1], &cut)]).await;
    let later = bench.finish(&[extracted(&entries[2], &format!("{whole} {}", story(9, 20)))]).await;
    for copy in [&stored[1], &later[0]] {
        let Stored::Article { verdict: Verdict::Duplicate(link), .. } = copy else { panic!("{copy:?}") };
        assert_eq!((link.kind, link.cluster_id), (DuplicateKind::Near, entries[0].article_id));
        assert!(link.score > 0.9, "{}", link.score);
    }
    let other = bench.finish(&[extracted(&entries[3], &story(2, 300))]).await;
    assert!(matches!(other[0], Stored::Article { verdict: Verdict::Original, .. }));

    let record = bench.store.records_after(1, 1).await.unwrap().remove(0);
    assert_eq!(
        (record.duplicate_of, record.duplicate_kind),
        (Some(entries[0].article_id), Some(DuplicateKind::Near))
    );

    // The lease ends long before the window does.
    bench.pass(31 * 24 * 3600);
    let last = bench.store.entries_claim(LEASE, 10).await.unwrap();
    assert_eq!(last[0].id, entries[4].id);
    let late = bench.finish(&[extracted(&last[0], &format!("{} {whole}", story(10, 5)))]).await;
    assert!(matches!(late[0], Stored::Article { verdict: Verdict::Original, .. }), "{late:?}");
}

async fn a_revision_that_becomes_a_copy_brings_its_cluster_along(bench: &Bench) {
    let announced: Vec<NewEntry> =
        (0..3).map(|i| new_entry(&format!("{i}"), &format!("https://site{i}.example/a"), "x")).collect();
    let entries = bench.claimed(announced.clone()).await;
    let ids: Vec<ArticleId> = entries.iter().map(|entry| entry.article_id).collect();
    let texts = ["The first story", "The second story", "The second story"];
    let batch: Vec<FinishedEntry> =
        entries.iter().zip(texts).map(|(entry, text)| extracted(entry, text)).collect();
    bench.finish(&batch).await;
    bench.pass(60);
    bench
        .poll(|_| {
            let mut edited = announced.clone();
            edited[1].parsed.evidence.content = Some("y".to_owned());
            edited
        })
        .await;
    let again = bench.store.entries_claim(LEASE, 10).await.unwrap();
    let revised = bench.finish(&[extracted(&again[0], "The first story")]).await;
    let Stored::Article { verdict: Verdict::Duplicate(link), revision: 2, .. } = &revised[0] else {
        panic!("{revised:?}")
    };
    assert_eq!(link.of, ids[0]);
    let records = bench.store.records_after(0, 10).await.unwrap();
    assert!(records.iter().all(|record| record.cluster_id == ids[0]), "one cluster");
    assert_eq!(records[2].duplicate_of, Some(ids[1]), "the link stays");
}

async fn another_feed_joins_the_mentions(bench: &Bench) {
    bench.feeds(3).await;
    bench.poll(|n| vec![new_entry(&format!("key {n}"), "https://site.example/a", "text")]).await;
    let mut answers = Vec::new();
    for already in [false, true, false] {
        let entry = bench.store.entries_claim(LEASE, 10).await.unwrap().remove(0);
        answers.extend(if already {
            bench.finish(&[FinishedEntry { entry, outcome: EntryOutcome::AlreadyStored }]).await
        } else {
            bench.finish(&[extracted(&entry, "One text")]).await
        });
    }
    assert!(matches!(answers[0], Stored::Article { seq: 1, .. }));
    assert_eq!(answers[1..], [Stored::Linked { seq: 2 }, Stored::Linked { seq: 3 }]);
    let records = bench.store.records_after(0, 10).await.unwrap();
    assert_eq!(
        records.iter().map(|record| record.event).collect::<Vec<_>>(),
        [Event::Created, Event::Linked, Event::Linked]
    );
    assert!(records.iter().all(|record| record.feeds.len() == 3), "mentions are those of now");
    assert_eq!(bench.store.totals().await.unwrap().articles, 1);
}

async fn furniture_is_counted_once_an_article(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..4).map(|i| new_entry(&format!("{i}"), &format!("https://site.example/{i}"), "x")).collect(),
        )
        .await;
    let batch: Vec<FinishedEntry> = entries
        .iter()
        .zip(["One", "Two", "Two", "Three"])
        .map(|(entry, text)| extracted(entry, text))
        .collect();
    bench.finish(&batch[..3]).await;
    bench.finish(&batch[3..]).await;
    let evidence = bench.store.site_evidence("site.example").await.unwrap();
    assert_eq!(evidence.articles, 3, "the copy does not count");
    let blocks: BTreeMap<u64, u32> =
        evidence.articles_by_block.iter().map(|(block, n)| (block.0, *n)).collect();
    assert_eq!(blocks, BTreeMap::from([(1, 3), (u64::MAX, 3)]));
    assert_eq!(bench.store.site_evidence("other.example").await.unwrap().articles, 0);
}

async fn control_characters_are_left_out(bench: &Bench) {
    let mut dirty = new_entry("a\u{0}", "https://site.example/a", "nul \u{0}");
    dirty.parsed.evidence.title = Some("bell \u{7}and nul \u{0}".to_owned());
    let entry = bench.claimed(vec![dirty]).await.remove(0);
    let mut finished = extracted(&entry, "Line one\nline\ttwo \u{0}\u{9b}end");
    if let EntryOutcome::Extracted(extracted) = &mut finished.outcome {
        extracted.article.metadata.title = Some("Nul \u{0}".to_owned());
        extracted.article.metadata.tags = vec!["tag\u{0}".to_owned()];
    }
    bench.finish(&[finished]).await;
    let record = bench.store.records_after(0, 1).await.unwrap().remove(0);
    assert_eq!(record.text, "Line one\nline\ttwo end");
    assert_eq!(record.metadata.title.as_deref(), Some("Nul "));
    assert_eq!(record.metadata.tags, ["tag"]);
    assert_eq!(record.feeds[0].entry_title.as_deref(), Some("bell and nul "));
    assert_eq!(record.feeds[0].guid.as_deref(), Some("a"));
}

async fn cursors_are_kept(bench: &Bench) {
    assert_eq!(bench.store.cursor_get("export").await.unwrap(), 0);
    bench.store.cursor_set("export", 7).await.unwrap();
    bench.store.cursor_set("webhook", 3).await.unwrap();
    bench.store.cursor_set("export", 9).await.unwrap();
    assert_eq!(bench.store.cursor_get("export").await.unwrap(), 9);
    assert_eq!(bench.store.cursor_get("webhook").await.unwrap(), 3);
}
