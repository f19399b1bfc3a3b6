//! The store's contract, tested on both back ends.

use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::dedup;
use feedmill::model::{
    Article, ArticleId, BlockAccount, BlockHash, Entry, EntryEvidence, Metadata, QualityFlag, Sha256Hash,
    Validators,
};
use feedmill::parse::{FeedInfo, ParsedEntry};
use feedmill::schedule::{Decision, History, NextPoll};
use feedmill::store::{
    EntryOutcome, ExtractedArticle, FinishedEntry, NewEntry, PollRecord, PollReport, PollResult, Store,
    Stored, Watch,
};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::support::database::{Backend, FreshDatabase, start};

/// Runs every listed test on both back ends, each time on a fresh database.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                crate::store::run(crate::store::Backend::Sqlite, async |bench| super::$test(bench).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                crate::store::run(crate::store::Backend::Postgres, async |bench| super::$test(bench).await).await;
            })*
        }
    };
}

mod articles;
mod backup;
mod copy;
mod entries;
mod feeds;
mod found;
mod kills;
mod nats;
mod objects;
mod partitions;
mod raw_pages;
mod readers;
mod rechecks;
mod relay;
mod retention;
mod voices;
mod webhook;
mod websub;

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
            other_keys: Vec::new(),
            guid: Some(key.to_owned()),
            link: Some(url(link)),
            shares_link: false,
            has_exact_link: false,
            evidence: EntryEvidence {
                title: Some(format!("Title of {key}")),
                content: Some(content.to_owned()),
                ..EntryEvidence::default()
            },
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
        metadata: Metadata {
            title: Some("Headline".to_owned()),
            authors: vec!["Ada".to_owned(), "Bo".to_owned()],
            language: Some("en".to_owned()),
            published_at: Some(start()),
            ..Metadata::default()
        },
        text: text.to_owned(),
        word_count: 3,
        quality_flags: vec![QualityFlag::Gallery],
        selectors: Vec::new(),
        block_hashes: vec![BlockHash(1), BlockHash(u64::MAX), BlockHash(1)],
        block_excerpts: vec![(BlockHash(1), "Subscribe now".to_owned())],
        account: vec![
            BlockAccount { kept: true, rule: "body".to_owned(), text: text.to_owned() },
            BlockAccount {
                kept: false,
                rule: "rule.comment_form".to_owned(),
                text: "Leave a reply".to_owned(),
            },
        ],
        score: 0.5,
        next_page: None,
        candidates: Vec::new(),
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
            id: entry.article_id,
            original_url: url.clone(),
            url,
            page_host: "site.example".to_owned(),
            enclosures: Vec::new(),
            raw_sha256: Sha256Hash::of(text),
            fetched_at: start(),
            raw: None,
            watch: Watch::default(),
        })),
    }
}

impl Bench {
    /// Configures `count` feeds, all due at once.
    async fn feeds(&self, count: usize) {
        self.store.feeds_sync(&feed_urls(count), Duration::ZERO).await.unwrap();
    }

    /// Polls every due feed once: the n-th returns `entries(n)`.
    async fn poll(&self, entries: impl Fn(usize) -> Vec<NewEntry>) -> Vec<PollReport> {
        let mut due = self.store.feeds_claim_due(LEASE, 10_000).await.unwrap();
        due.sort_by_key(|feed| feed.configured_url.clone());
        let polls: Vec<PollRecord> = due
            .iter()
            .enumerate()
            .map(|(n, feed)| {
                let now = self.clock.now();
                PollRecord::of(feed, now, next(now + SignedDuration::from_secs(60)), parsed(entries(n)))
            })
            .collect();
        let reports = self.store.feed_polls_record(&polls).await.unwrap();
        reports.into_iter().map(Option::unwrap).collect()
    }

    /// Records the entries in one feed, and claims them.
    async fn claimed(&self, entries: Vec<NewEntry>) -> Vec<Entry> {
        self.feeds(1).await;
        self.poll(|_| entries.clone()).await;
        self.store.entries_claim(LEASE, 1_000).await.unwrap()
    }

    /// Polls an entry with changed content, which makes it due again.
    async fn poll_again_with(&self, key: &str, link: &str) {
        self.pass(60);
        self.poll(|_| vec![new_entry(key, link, "changed")]).await;
    }

    async fn finish(&self, finished: &[FinishedEntry]) -> Vec<Stored> {
        self.store.entries_finish(finished, &dedup::Settings::default()).await.unwrap()
    }

    /// Stores an article for each of these numbers.
    async fn store_articles(&self, numbers: std::ops::Range<usize>) {
        let new = numbers.map(|i| new_entry(&format!("{i}"), &format!("https://site.example/{i}"), "x"));
        let new: Vec<NewEntry> = new.collect();
        self.pass(60);
        self.feeds(1).await;
        self.poll(|_| new.clone()).await;
        for entry in self.store.entries_claim(LEASE, 1_000).await.unwrap() {
            self.finish(&[extracted(&entry, &format!("Text {}", entry.id.0))]).await;
        }
    }

    /// Sets the state left by a process killed after its sinks delivered everything and before their cursors moved from `seq`.
    async fn die_before_the_cursor_moves_from(&self, seq: i64) {
        self.database.execute(&format!("UPDATE sinks SET seq = {seq}, lease_until = 0")).await;
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}
