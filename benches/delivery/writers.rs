//! Articles, and the tasks that store them.

use std::time::Duration;

use feedmill::dedup;
use feedmill::model::{Article, ArticleId, Entry, EntryEvidence, Metadata, Sha256Hash, Validators};
use feedmill::parse::{FeedInfo, ParsedEntry};
use feedmill::schedule::{Decision, History, NextPoll};
use feedmill::store::{
    EntryOutcome, ExtractedArticle, FinishedEntry, NewEntry, PollRecord, PollResult, Store, Watch,
};
use jiff::Timestamp;
use url::Url;

const ENTRIES_OF_A_FEED: usize = 500;
const WORDS_OF_AN_ARTICLE: usize = 320;
const BATCH: u32 = 50;
const LEASE: Duration = Duration::from_hours(1);

/// Records polls that announce this many entries, a few on each host.
pub(crate) async fn announce(store: &Store, articles: usize) {
    let feeds = articles.div_ceil(ENTRIES_OF_A_FEED);
    let url = |n: usize| format!("https://feeds{n}.example/feed").parse::<Url>().unwrap();
    store.feeds_sync(&(0..feeds).map(url).collect::<Vec<_>>(), Duration::ZERO).await.unwrap();
    let due = store.feeds_claim_due(LEASE, u32::try_from(feeds).unwrap()).await.unwrap();
    for (n, feed) in due.iter().enumerate() {
        let numbers = n * ENTRIES_OF_A_FEED..((n + 1) * ENTRIES_OF_A_FEED).min(articles);
        let now = Timestamp::UNIX_EPOCH;
        let next =
            NextPoll { at: Timestamp::MAX, decided_by: Decision::MinInterval, history: History::default() };
        let parsed = PollResult::Parsed {
            validators: Validators::default(),
            body_sha256: Sha256Hash::of(format!("body {n}")),
            info: Box::new(FeedInfo::default()),
            entries: numbers.map(entry).collect(),
            warnings: Vec::new(),
        };
        store.feed_polls_record(&[PollRecord::of(feed, now, next, parsed)]).await.unwrap();
    }
}

fn entry(number: usize) -> NewEntry {
    let link: Url = format!("https://site{}.example/{number}", number % 2_000).parse().unwrap();
    NewEntry {
        article_id: ArticleId::of_url(&link),
        parsed: ParsedEntry {
            key: Sha256Hash::of(format!("key {number}")),
            other_keys: Vec::new(),
            guid: Some(format!("guid {number}")),
            link: Some(link),
            shares_link: false,
            has_exact_link: false,
            evidence: EntryEvidence::default(),
        },
    }
}

/// Stores all claimable entries, like one process among several.
pub(crate) async fn write(store: Store) {
    loop {
        let entries = store.entries_claim(LEASE, BATCH).await.unwrap();
        if entries.is_empty() {
            return;
        }
        let finished: Vec<FinishedEntry> = entries.into_iter().map(extracted).collect();
        store.entries_finish(&finished, &dedup::Settings::default()).await.unwrap();
    }
}

fn extracted(entry: Entry) -> FinishedEntry {
    let text = text(entry.id.0.unsigned_abs());
    let article = Article {
        metadata: Metadata {
            title: Some(format!("Headline {}", entry.id.0)),
            authors: vec!["Ada Quay".to_owned()],
            language: Some("en".to_owned()),
            published_at: Some(Timestamp::UNIX_EPOCH),
            ..Metadata::default()
        },
        word_count: u32::try_from(WORDS_OF_AN_ARTICLE).unwrap(),
        text,
        score: 0.5,
        ..Article::default()
    };
    let url = entry.url.clone().unwrap();
    let outcome = EntryOutcome::Extracted(Box::new(ExtractedArticle {
        fingerprint: dedup::fingerprint(&article, &dedup::Settings::default()),
        id: entry.article_id,
        original_url: url.clone(),
        page_host: url.host_str().unwrap().to_owned(),
        url,
        enclosures: Vec::new(),
        raw_sha256: Sha256Hash::of(&article.text),
        fetched_at: Timestamp::UNIX_EPOCH,
        raw: None,
        watch: Watch::default(),
        article,
    }));
    FinishedEntry { entry, outcome }
}

/// Generated text that is not a copy of another.
pub(crate) fn text(seed: u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["ka", "lo", "mi", "ter", "su", "an", "ve", "ri", "do", "pen", "ga", "ul", "che", "no", "sta", "fi"];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    for word in 0..WORDS_OF_AN_ARTICLE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for syllable in 0..3 {
            let at = usize::try_from(state >> (8 + 4 * syllable)).unwrap_or_default() % SYLLABLES.len();
            text.push_str(SYLLABLES[at]);
        }
        text.push_str(if word % 60 == 59 { ".\n\n" } else { " " });
    }
    text
}
