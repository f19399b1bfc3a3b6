//! Full-text search: all matches, once each, in order, however the search divides time and wherever it stops.

use std::time::Duration;

use feedmill::search::Question;

use super::{Bench, LEASE, extracted, new_entry};

on_both!(
    a_search_in_steps_finds_what_one_in_one_go_finds,
    a_search_that_stops_says_how_far_it_came,
    common_beginnings_are_looked_for_in_the_articles,
    an_index_that_goes_on_is_no_damage,
);

const LONG: Duration = Duration::from_mins(1);

/// Stores an article for each text, in order.
async fn store(bench: &Bench, prefix: &str, texts: &[String]) {
    let key = |i: usize| format!("{prefix}{i:04}");
    let new: Vec<_> = (0..texts.len())
        .map(|i| new_entry(&key(i), &format!("https://site.example/{}", key(i)), "x"))
        .collect();
    bench.pass(60);
    bench.feeds(1).await;
    bench.poll(|_| new.clone()).await;
    let mut entries = bench.store.entries_claim(LEASE, 1_000).await.unwrap();
    entries.sort_by_key(|entry| entry.url.clone());
    assert_eq!(entries.len(), texts.len());
    for (entry, text) in entries.iter().zip(texts) {
        bench.finish(&[extracted(entry, text)]).await;
    }
}

/// Makes the next article get a number higher than this.
async fn skip_to(bench: &Bench, number: i64) {
    bench.database.execute(&format!("UPDATE counters SET value = {number} WHERE name = 'outbox'")).await;
}

/// Searches in steps of `limit` results, each cut short by `patience`. Returns the matching texts and the number of steps.
async fn found(bench: &Bench, asked: &str, limit: u32, patience: Duration) -> (Vec<String>, usize) {
    let question = Question::parse(asked).unwrap();
    let (mut texts, mut before, mut steps) = (Vec::new(), None, 0);
    loop {
        let found = bench.store.articles_search_within(&question, before, limit, patience).await.unwrap();
        assert!(found.articles.len() <= limit as usize, "{asked}");
        assert!(found.next.is_some() || found.stopped_at.is_none(), "{asked}");
        texts.extend(found.articles.into_iter().map(|article| article.text));
        steps += 1;
        assert!(found.next.is_none() || before.is_none_or(|before| found.next < Some(before)), "{asked}");
        before = found.next;
        if before.is_none() {
            return (texts, steps);
        }
    }
}

/// Stores thirty articles over two partitions and many windows: some adjacent, some far from all others.
async fn store_far_apart(bench: &Bench) -> Vec<String> {
    let text = |i: usize| {
        let mut text = format!("The harbour report of day {i}");
        for (every, word) in [
            (2, " ebb"),
            (3, " night ferry"),
            (5, " ferry by night"),
            (7, " storms"),
            (11, " stormy weather"),
        ] {
            if i.is_multiple_of(every) {
                text.push_str(word);
            }
        }
        text
    };
    let texts: Vec<String> = (0..30).map(text).collect();
    let after = [0, 4_090, 9_000, 30_000, 100_000, 280_000, 499_998, 504_095, 509_000, 530_000];
    for (part, (texts, after)) in texts.chunks(3).zip(after).enumerate() {
        skip_to(bench, after).await;
        store(bench, &format!("{part}-"), texts).await;
    }
    texts
}

async fn a_search_in_steps_finds_what_one_in_one_go_finds(bench: &Bench) {
    let texts = store_far_apart(bench).await;
    for asked in [
        "harbour",
        "ebb ferry",
        "\"night ferry\"",
        "\"ferry night\"",
        "\"headline the harbour\"",
        "storm*",
        "\"day 1*\"",
        "\"ferr* \"",
        "harbour -ebb",
        "harbour -\"night ferry\" -stormy",
        "ferry -storm*",
        "zeppelin",
        "zeppel*",
        "\"report harbour\"",
        "day 17",
    ] {
        let question = Question::parse(asked).unwrap();
        let answers = |text: &&String| question.is_answered_by(Some("Headline"), text);
        let expected: Vec<String> = texts.iter().rev().filter(answers).cloned().collect();
        for limit in [1, 4] {
            assert_eq!(found(bench, asked, limit, LONG).await.0, expected, "{asked} by {limit}");
        }
        assert_eq!(found(bench, asked, 100, LONG).await, (expected, 1), "{asked}");
    }
    for (asked, limit) in [("harbour", 2), ("\"night ferry\"", 100), ("storm* -ebb", 1)] {
        let at_once = found(bench, asked, 100, LONG).await.0;
        assert_eq!(
            found(bench, asked, limit, Duration::ZERO).await.0,
            at_once,
            "{asked}, stopped again and again"
        );
    }
}

async fn a_search_that_stops_says_how_far_it_came(bench: &Bench) {
    store_far_apart(bench).await;
    let question = Question::parse("zeppelin").unwrap();
    let first = bench.store.articles_search_within(&question, None, 20, Duration::ZERO).await.unwrap();
    let (_, steps) = found(bench, "zeppelin", 20, Duration::ZERO).await;
    assert_eq!(first.stopped_at, Some(bench.clock.now()), "those stored last were looked at, and no others");
    assert!(steps > 1, "nothing is found on the way");
}

async fn common_beginnings_are_looked_for_in_the_articles(bench: &Bench) {
    // Common by the number of occurrences on SQLite, and by the number of articles on PostgreSQL.
    let mut texts: Vec<String> = (0..3).map(|i| format!("old {i} {}", "storm ".repeat(16_000))).collect();
    texts.extend(
        (0..40).map(|i| format!("new {i} {} night ferry", if i % 2 == 0 { "storms" } else { "calm" })),
    );
    texts.extend((0..3).map(|i| format!("last {i} {}", "stormy ".repeat(14_000))));
    store(bench, "a", &texts).await;
    for asked in [
        "storm*",
        "s*",
        "new storm*",
        "\"new 1*\" s*",
        "new -storm*",
        "\"night f*\"",
        "calm s*",
        "sto* zeppel*",
        "o* -storm",
    ] {
        let question = Question::parse(asked).unwrap();
        let answers = |text: &&String| question.is_answered_by(Some("Headline"), text);
        let expected: Vec<String> = texts.iter().rev().filter(answers).cloned().collect();
        for (limit, patience) in [(3, LONG), (7, Duration::ZERO), (100, LONG)] {
            let (texts, _) = found(bench, asked, limit, patience).await;
            assert!(texts == expected, "{asked} by {limit}: {} of {}", texts.len(), expected.len());
        }
    }
}

/// FTS5 merges segments of its index while another connection still has its older state; that is not damage.
async fn an_index_that_goes_on_is_no_damage(bench: &Bench) {
    for article in 0..40 {
        let text = (0..200).map(|word| format!("word{} ", article * word % 997)).collect();
        store(bench, &format!("{article}-"), &[text]).await;
        bench.store.check_integrity().await.unwrap();
    }
}
