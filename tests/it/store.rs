//! The store's contract, held by both back ends.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::dedup;
use feedmill::model::{
    Article, ArticleId, BlockAccount, BlockHash, DuplicateKind, Entry, EntryEvidence, EntryId, Event, FeedId,
    Known, QualityFlag, Sha256Hash, Validators, Verdict,
};
use feedmill::parse::{FeedInfo, ParsedEntry};
use feedmill::schedule::{Decision, History, NextPoll};
use feedmill::store::{
    EntryOutcome, ExtractedArticle, FeedState, FeedsSync, FinishedEntry, NewEntry, PollRecord, PollReport,
    PollResult, Store, Stored,
};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::support::database::{Backend, FreshDatabase, start};

/// Every test below runs on both back ends, each time on a database of its own.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::run(super::Backend::Sqlite, async |bench| super::$test(bench).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::run(super::Backend::Postgres, async |bench| super::$test(bench).await).await;
            })*
        }
    };
}

on_both!(
    a_sync_adds_restores_and_removes,
    fifty_thousand_feeds_are_synced_quickly,
    feeds_are_claimed_once_and_longest_overdue_first,
    a_poll_is_recorded_whole_and_only_under_its_lease,
    validators_follow_what_came,
    a_gone_feed_is_polled_no_more,
    known_entries_are_queued_again_only_when_their_content_changes,
    a_feed_with_two_thousand_entries,
    entries_of_one_article_are_claimed_one_after_another,
    what_crashes_again_and_again_is_quarantined,
    a_finished_entry_becomes_a_record,
    another_text_is_another_revision,
    exact_copies_in_one_batch_are_linked_to_the_first,
    near_copies_are_linked_within_the_window,
    a_revision_that_becomes_a_copy_brings_its_cluster_along,
    another_feed_joins_the_mentions,
    a_stale_lease_writes_nothing,
    failures_are_kept_and_forgotten,
    furniture_is_counted_once_an_article,
    control_characters_are_left_out,
    cursors_are_kept,
    an_already_stored_article_that_is_not_comes_again,
    writers_and_claimers_get_along,
);

struct Bench {
    database: FreshDatabase,
    store: Store,
    clock: Clock,
}

async fn run(backend: Backend, test: impl AsyncFnOnce(&Bench)) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let clock = Clock::manual(start());
    let store = database.open(&clock).await;
    let bench = Bench { database, store, clock };
    test(&bench).await;
    bench.store.close().await;
    bench.database.drop().await;
}

const LEASE: Duration = Duration::from_mins(5);

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn feed_urls(count: usize) -> Vec<Url> {
    (0..count).map(|i| url(&format!("https://feeds.example/{i}.xml"))).collect()
}

fn next(at: Timestamp) -> NextPoll {
    NextPoll { at, decided_by: Decision::MinInterval, history: History::default() }
}

fn new_entry(key: &str, link: &str, content: &str) -> NewEntry {
    NewEntry {
        article_id: ArticleId::of_url(&url(link)),
        parsed: ParsedEntry {
            key: Sha256Hash::of(key),
            guid: Some(key.to_owned()),
            link: Some(url(link)),
            evidence: EntryEvidence {
                title: Some(format!("Title of {key}")),
                content: Some(content.to_owned()),
                ..EntryEvidence::default()
            },
            enclosures: Vec::new(),
        },
    }
}

fn parsed(entries: Vec<NewEntry>) -> PollResult {
    PollResult::Parsed {
        validators: Validators { etag: Some("\"1\"".to_owned()), last_modified: None },
        body_sha256: Sha256Hash::of("body"),
        info: Box::new(FeedInfo { title: Some("A feed".to_owned()), ..FeedInfo::default() }),
        entries,
        warnings: vec!["a repaired date".to_owned()],
    }
}

fn article(text: &str) -> Article {
    Article {
        title: Some("Headline".to_owned()),
        text: text.to_owned(),
        authors: vec!["Ada".to_owned(), "Bo".to_owned()],
        word_count: 3,
        language: Some("en".to_owned()),
        quality_flags: vec![QualityFlag::Gallery],
        published_at: Some(start()),
        block_hashes: vec![BlockHash(1), BlockHash(u64::MAX), BlockHash(1)],
        account: vec![
            BlockAccount { kept: true, rule: "body".to_owned(), text: text.to_owned() },
            BlockAccount {
                kept: false,
                rule: "rule.comment_form".to_owned(),
                text: "Leave a reply".to_owned(),
            },
        ],
        score: 0.5,
        ..Article::default()
    }
}

fn extracted(entry: &Entry, text: &str) -> FinishedEntry {
    let article = article(text);
    let url = entry.url.clone().unwrap();
    FinishedEntry {
        entry: entry.clone(),
        outcome: EntryOutcome::Extracted(Box::new(ExtractedArticle {
            fingerprint: dedup::fingerprint(&article, &dedup::Settings::default()),
            article,
            original_url: url.clone(),
            url,
            raw_sha256: Sha256Hash::of(text),
            fetched_at: start(),
        })),
    }
}

impl Bench {
    /// Configures `count` feeds, all due at once.
    async fn feeds(&self, count: usize) {
        self.store.feeds_sync(&feed_urls(count), Duration::ZERO).await.unwrap();
    }

    /// Polls every due feed once: the n-th brings `entries(n)`.
    async fn poll(&self, entries: impl Fn(usize) -> Vec<NewEntry>) -> Vec<PollReport> {
        let mut due = self.store.feeds_claim_due(LEASE, 10_000).await.unwrap();
        due.sort_by_key(|feed| feed.configured_url.clone());
        let polls: Vec<PollRecord> = due
            .iter()
            .enumerate()
            .map(|(n, feed)| PollRecord {
                feed_id: feed.id,
                lease: feed.lease,
                polled_at: self.clock.now(),
                next: next(self.clock.now() + SignedDuration::from_secs(60)),
                moved_to: None,
                result: parsed(entries(n)),
            })
            .collect();
        let reports = self.store.feed_polls_record(&polls).await.unwrap();
        reports.into_iter().map(Option::unwrap).collect()
    }

    /// One feed with the entries, claimed.
    async fn claimed(&self, entries: Vec<NewEntry>) -> Vec<Entry> {
        self.feeds(1).await;
        self.poll(|_| entries.clone()).await;
        self.store.entries_claim(LEASE, 1_000).await.unwrap()
    }

    async fn finish(&self, finished: &[FinishedEntry]) -> Vec<Stored> {
        self.store.entries_finish(finished, &dedup::Settings::default()).await.unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}

async fn a_sync_adds_restores_and_removes(bench: &Bench) {
    let urls = feed_urls(3);
    let spread = Duration::from_mins(10);
    let twice: Vec<Url> = urls.iter().chain(&urls).cloned().collect();
    let sync = bench.store.feeds_sync(&twice, spread).await.unwrap();
    assert_eq!(sync, FeedsSync { added: 3, restored: 0, removed: 0 });
    for feed in bench.store.feeds_list().await.unwrap() {
        let wait = feed.next_poll_at.duration_since(start());
        assert!(!wait.is_negative() && wait < SignedDuration::from_secs(600), "{wait}");
    }
    let sync = bench.store.feeds_sync(&urls[..1], spread).await.unwrap();
    assert_eq!(sync, FeedsSync { added: 0, restored: 0, removed: 2 });
    assert_eq!(bench.store.totals().await.unwrap().feeds_active, 1);
    let sync = bench.store.feeds_sync(&urls[..2], spread).await.unwrap();
    assert_eq!(sync, FeedsSync { added: 0, restored: 1, removed: 0 });
    let states: Vec<FeedState> =
        bench.store.feeds_list().await.unwrap().iter().map(|feed| feed.state).collect();
    assert_eq!(states, [FeedState::Active, FeedState::Active, FeedState::Removed]);
}

async fn fifty_thousand_feeds_are_synced_quickly(bench: &Bench) {
    let urls = feed_urls(50_000);
    let begun = std::time::Instant::now();
    let sync = bench.store.feeds_sync(&urls, Duration::from_hours(1)).await.unwrap();
    assert_eq!(sync.added, 50_000);
    let again = bench.store.feeds_sync(&urls, Duration::from_hours(1)).await.unwrap();
    assert_eq!(again, FeedsSync::default());
    let elapsed = begun.elapsed();
    eprintln!("two syncs of 50,000 feeds: {elapsed:?}");
    assert!(elapsed < Duration::from_mins(1), "{elapsed:?}");
}

async fn feeds_are_claimed_once_and_longest_overdue_first(bench: &Bench) {
    bench.store.feeds_sync(&feed_urls(5), Duration::from_secs(1000)).await.unwrap();
    bench.pass(2000);
    let mut order: Vec<(Timestamp, FeedId)> =
        bench.store.feeds_list().await.unwrap().iter().map(|feed| (feed.next_poll_at, feed.id)).collect();
    order.sort_unstable();
    let order: Vec<FeedId> = order.into_iter().map(|(_, id)| id).collect();

    let first = bench.store.feeds_claim_due(LEASE, 2).await.unwrap();
    assert_eq!(first.iter().map(|feed| feed.id).collect::<Vec<_>>(), order[..2]);
    assert_eq!(first[0].lease.until, bench.clock.now() + SignedDuration::from_secs(300));
    assert_eq!(first[0].configured_url, first[0].url);
    let rest = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
    assert_eq!(rest.iter().map(|feed| feed.id).collect::<Vec<_>>(), order[2..]);
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), Some(first[0].lease.until));

    bench.store.feeds_release(&[(first[0].id, first[0].lease, bench.clock.now())]).await.unwrap();
    let again = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
    assert_eq!(again.iter().map(|feed| feed.id).collect::<Vec<_>>(), order[..1]);
    assert!(again[0].lease.epoch > first[0].lease.epoch);

    bench.pass(300);
    assert_eq!(bench.store.feeds_claim_due(LEASE, 10).await.unwrap().len(), 5, "leases end");
}

async fn a_poll_is_recorded_whole_and_only_under_its_lease(bench: &Bench) {
    bench.feeds(1).await;
    let stale = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    bench.pass(301);
    let held = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    let record = |feed: &feedmill::model::DueFeed, at: Timestamp| PollRecord {
        feed_id: feed.id,
        lease: feed.lease,
        polled_at: at,
        next: NextPoll {
            at: at + SignedDuration::from_secs(60),
            decided_by: Decision::Ttl,
            history: History { rhythm_secs: Some(12.5), ..History::default() },
        },
        moved_to: None,
        result: parsed(vec![
            new_entry("a", "https://site.example/a", "one"),
            new_entry("a", "https://site.example/b", "x"),
        ]),
    };
    let now = bench.clock.now();
    let reports = bench.store.feed_polls_record(&[record(&stale, now), record(&held, now)]).await.unwrap();
    assert_eq!(reports[0], None);
    assert_eq!(reports[1], Some(PollReport { new_entries: 1, updated_entries: 0 }));

    let feed = bench.store.feeds_list().await.unwrap().remove(0);
    assert_eq!(feed.title.as_deref(), Some("A feed"));
    assert_eq!(feed.last_polled_at, Some(now));
    assert_eq!(feed.last_success_at, Some(now));
    assert_eq!(feed.next_poll_decided_by, Some(Decision::Ttl));
    assert_eq!(feed.entries, 1);
    bench.pass(60);
    let due = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    assert_eq!(due.history.rhythm_secs, Some(12.5));
    assert_eq!(due.body_sha256, Some(Sha256Hash::of("body")));
    assert_eq!(due.validators.etag.as_deref(), Some("\"1\""));
}

async fn validators_follow_what_came(bench: &Bench) {
    bench.feeds(1).await;
    let etag = |etag: &str| Validators { etag: Some(etag.to_owned()), last_modified: None };
    let unchanged = |validators| PollResult::Unchanged { validators };
    let failed = || PollResult::Failed { label: "timeout", reason: "no answer".to_owned(), gone: false };
    let new_url = url("https://new.example/feed");
    for (result, moved_to, expected) in [
        (parsed(Vec::new()), None, Some("\"1\"")),
        (unchanged(None), None, Some("\"1\"")),
        (unchanged(Some(etag("\"3\""))), None, Some("\"3\"")),
        (failed(), None, Some("\"3\"")),
        (unchanged(Some(etag("\"4\""))), Some(new_url.clone()), None),
        (parsed(Vec::new()), None, Some("\"1\"")),
        (parsed(Vec::new()), Some(url("https://newer.example/feed")), None),
    ] {
        let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
        let poll = PollRecord {
            feed_id: feed.id,
            lease: feed.lease,
            polled_at: bench.clock.now(),
            next: next(bench.clock.now()),
            moved_to: moved_to.clone(),
            result: result.clone(),
        };
        let at = moved_to.unwrap_or(feed.url);
        bench.store.feed_polls_record(&[poll]).await.unwrap();
        let status = bench.store.feeds_list().await.unwrap().remove(0);
        let failed = matches!(result, PollResult::Failed { .. });
        assert_eq!(status.last_error.is_some(), failed, "{result:?}");
        assert_eq!(bench.store.totals().await.unwrap().feeds_failing, u64::from(failed));
        let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
        assert_eq!(feed.validators.etag.as_deref(), expected, "{result:?}");
        assert_eq!(feed.url, at);
        assert_eq!(feed.body_sha256.is_some(), expected.is_some(), "the body is forgotten with its URL");
        assert_eq!(feed.configured_url.as_str(), "https://feeds.example/0.xml");
        bench.store.feeds_release(&[(feed.id, feed.lease, bench.clock.now())]).await.unwrap();
    }
}

async fn a_gone_feed_is_polled_no_more(bench: &Bench) {
    bench.feeds(1).await;
    let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    let poll = PollRecord {
        feed_id: feed.id,
        lease: feed.lease,
        polled_at: start(),
        next: next(start()),
        moved_to: None,
        result: PollResult::Failed { label: "gone", reason: "410 Gone".to_owned(), gone: true },
    };
    bench.store.feed_polls_record(&[poll]).await.unwrap();
    bench.pass(100_000);
    assert!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().is_empty());
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), None);
    assert_eq!(bench.store.feeds_list().await.unwrap()[0].state, FeedState::Gone);
    bench.feeds(1).await;
    assert_eq!(
        bench.store.feeds_list().await.unwrap()[0].state,
        FeedState::Gone,
        "still configured is not anew"
    );
    bench.feeds(0).await;
    bench.feeds(1).await;
    assert_eq!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().len(), 1, "configured anew");
}

async fn known_entries_are_queued_again_only_when_their_content_changes(bench: &Bench) {
    let first = new_entry("a", "https://site.example/a", "one");
    let entries = bench.claimed(vec![first.clone()]).await;
    bench.finish(&[extracted(&entries[0], "The first text of the article")]).await;
    let mut retitled = first.clone();
    retitled.parsed.evidence.title = Some("Another title".to_owned());
    let mut moved = first.clone();
    moved.parsed.link = Some(url("https://site.example/elsewhere"));
    moved.article_id = ArticleId::of_url(&url("https://site.example/elsewhere"));
    for same in [first.clone(), retitled.clone(), moved] {
        bench.pass(60);
        assert_eq!(bench.poll(|_| vec![same.clone()]).await, [PollReport::default()]);
        assert!(bench.store.entries_claim(LEASE, 10).await.unwrap().is_empty());
    }
    let mut edited = retitled.clone();
    edited.parsed.evidence.content = Some("two".to_owned());
    let mut dated = edited.clone();
    dated.parsed.evidence.updated_at = Some(start());
    for changed in [edited, dated] {
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
        bench.finish(&[extracted(&again[0], "The first text of the article")]).await;
    }
    // A change that comes while a worker has the entry takes it from the worker.
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

async fn a_feed_with_two_thousand_entries(bench: &Bench) {
    bench.feeds(1).await;
    let entries: Vec<NewEntry> = (0..2_000)
        .map(|i| new_entry(&format!("key {i}"), &format!("https://site.example/{i}"), "text"))
        .collect();
    let reports = bench.poll(|_| entries.clone()).await;
    assert_eq!(reports, [PollReport { new_entries: 2_000, updated_entries: 0 }]);
    bench.pass(60);
    assert_eq!(bench.poll(|_| entries.clone()).await, [PollReport::default()]);
    assert_eq!(bench.store.totals().await.unwrap().entries_pending, 2_000);
    assert_eq!(bench.store.entries_claim(LEASE, 5_000).await.unwrap().len(), 2_000);
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
        outcome: EntryOutcome::Postponed { until, label: "timeout", reason: "slow".to_owned() },
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
    assert_eq!(bench.store.articles_exist(&[second[0].article_id]).await.unwrap(), [true]);
    bench.finish(&[FinishedEntry { entry: second[0].clone(), outcome: EntryOutcome::AlreadyStored }]).await;
    assert_eq!(bench.store.entries_claim(LEASE, 10).await.unwrap().len(), 1);
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

async fn a_finished_entry_becomes_a_record(bench: &Bench) {
    let entries = bench.claimed(vec![new_entry("a", "https://site.example/a", "text")]).await;
    let stored = bench.finish(&[extracted(&entries[0], "Clean text")]).await;
    assert_eq!(stored, [Stored::Article { seq: 1, verdict: Verdict::Original, revision: 1 }]);
    let record = bench.store.records_after(0, 10).await.unwrap().remove(0);
    assert_eq!((record.seq, record.event, record.revision), (1, Event::Created, 1));
    assert_eq!(record.id, entries[0].article_id);
    assert_eq!(record.cluster_id, record.id);
    assert_eq!(record.text, "Clean text");
    assert_eq!(record.title.as_deref(), Some("Headline"));
    assert_eq!(record.authors, ["Ada", "Bo"]);
    assert_eq!(record.hostname, "site.example");
    assert_eq!(record.quality_flags, [QualityFlag::Gallery]);
    assert_eq!(record.published_at, Some(start()));
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
    assert_eq!(bench.store.articles_exist(&[unknown, record.id]).await.unwrap(), [false, true]);
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

/// `count` words of a text of its own for each `seed`.
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

    // A lease ends long before the window does.
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
        outcome: EntryOutcome::Failed { label: "http_404", reason: "404 \u{0}".to_owned(), quarantined },
    };
    assert_eq!(
        bench.finish(&[failed(&entries[0], false), failed(&entries[1], true)]).await,
        [Stored::Noted, Stored::Noted]
    );
    let totals = bench.store.totals().await.unwrap();
    assert_eq!((totals.entries_failed, totals.entries_quarantined, totals.entries_pending), (1, 1, 0));
    assert_eq!(bench.store.entries_next_due().await.unwrap(), None);
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
        extracted.article.title = Some("Nul \u{0}".to_owned());
        extracted.article.tags = vec!["tag\u{0}".to_owned()];
    }
    bench.finish(&[finished]).await;
    let record = bench.store.records_after(0, 1).await.unwrap().remove(0);
    assert_eq!(record.text, "Line one\nline\ttwo end");
    assert_eq!(record.title.as_deref(), Some("Nul "));
    assert_eq!(record.tags, ["tag"]);
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
        tokio::time::timeout(Duration::from_mins(2), both).await.expect("a record was skipped");
    let claimed: Vec<EntryId> = claimed.into_iter().flatten().collect();
    assert_eq!(claimed.len(), ENTRIES, "no entry is claimed twice");
    assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), ENTRIES);
    assert_eq!(seen, (1..=i64::try_from(ENTRIES).unwrap()).collect::<Vec<_>>());
}
