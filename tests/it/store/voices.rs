//! The hosts that feeds speak for, and texts recognized as a host's walls.

use feedmill::model::{FeedId, Known, Sha256Hash};
use feedmill::store::NewEntry;

use super::{Bench, LEASE, extracted, new_entry};

on_both!(
    what_a_feed_speaks_for_is_kept,
    a_text_under_many_entries_has_them_looked_at_again,
    weaker_keys_find_what_was_recorded,
    a_key_used_again_is_another_entry,
);

async fn what_a_feed_speaks_for_is_kept(bench: &Bench) {
    bench.feeds(1).await;
    let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap()[0].id;
    assert_eq!(bench.store.voice(feed, "gazette.example").await.unwrap(), None);
    for speaks in [false, true] {
        bench.pass(60);
        bench.store.voice_note(feed, "gazette.example", speaks).await.unwrap();
        let known = bench.store.voice(feed, "gazette.example").await.unwrap();
        assert_eq!(known, Some((speaks, bench.clock.now())));
    }
    assert_eq!(bench.store.voice(feed, "other.example").await.unwrap(), None);
    assert_eq!(bench.store.voice(FeedId(feed.0 + 1), "gazette.example").await.unwrap(), None);
    assert_eq!(bench.store.feed_site(feed).await.unwrap(), None);
}

async fn a_text_under_many_entries_has_them_looked_at_again(bench: &Bench) {
    let entries: Vec<NewEntry> =
        (0..4).map(|n| new_entry(&n.to_string(), &format!("https://site.example/{n}"), "text")).collect();
    let claimed = bench.claimed(entries).await;
    let wall = extracted(&claimed[0], "Our gatekeeper greets you");
    let hash = match &wall.outcome {
        feedmill::store::EntryOutcome::Extracted(it) => it.fingerprint.content_sha256,
        other => panic!("{other:?}"),
    };
    let finished: Vec<_> =
        claimed[..3].iter().map(|entry| extracted(entry, "Our gatekeeper greets you")).collect();
    bench.finish(&finished).await;
    bench.finish(&[extracted(&claimed[3], "Another text")]).await;
    let is_repeated =
        async |host: &str, least| bench.store.text_is_repeated(hash, host, least).await.unwrap();
    assert!(!is_repeated("site.example", 4).await);
    assert!(!is_repeated("other.example", 1).await);
    assert!(bench.store.entries_claim(LEASE, 10).await.unwrap().is_empty());
    assert!(is_repeated("site.example", 3).await);
    let mut again = bench.store.entries_claim(LEASE, 10).await.unwrap();
    again.sort_by_key(|entry| entry.id);
    assert_eq!(
        again.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        claimed[..3].iter().map(|it| it.id).collect::<Vec<_>>()
    );
    for entry in &again {
        assert_eq!((entry.known, entry.content_sha256), (Known::ThroughThis, Some(hash)));
    }
    assert!(is_repeated("site.example", 100).await, "what is known once stays known");
}

/// An entry that has since gained or lost a better key.
async fn weaker_keys_find_what_was_recorded(bench: &Bench) {
    let known = new_entry("link", "https://site.example/a", "text");
    bench.claimed(vec![known.clone()]).await;
    bench.pass(60);
    let mut announced = known.clone();
    announced.parsed.other_keys = vec![feedmill::model::EntryKey { sha256: known.parsed.key, is_own: false }];
    announced.parsed.key = Sha256Hash::of("guid");
    let report = bench.poll(|_| vec![announced.clone()]).await;
    assert_eq!((report[0].new_entries, report[0].updated_entries), (0, 0));
    bench.pass(60);
    announced.parsed.evidence.title = Some("Another story".to_owned());
    assert_eq!(bench.poll(|_| vec![announced.clone()]).await[0].new_entries, 1);
    bench.pass(60);
    assert_eq!(bench.poll(|_| vec![announced.clone(), known.clone()]).await[0].new_entries, 0);
}

async fn a_key_used_again_is_another_entry(bench: &Bench) {
    let story = |n: usize| {
        let mut entry = new_entry("latest", &format!("https://site.example/{n}"), &format!("text {n}"));
        entry.parsed.evidence.title = Some(format!("Story {n}"));
        let with_link = Sha256Hash::of(format!("latest {n}"));
        entry.parsed.other_keys = vec![feedmill::model::EntryKey { sha256: with_link, is_own: true }];
        entry
    };
    bench.feeds(1).await;
    for (n, expected) in [(0, 1), (0, 0), (1, 1), (1, 0), (2, 1), (0, 0), (2, 0)] {
        bench.pass(60);
        assert_eq!(bench.poll(|_| vec![story(n)]).await[0].new_entries, expected, "story {n}");
    }
    let mut claimed = bench.store.entries_claim(LEASE, 10).await.unwrap();
    claimed.sort_by_key(|entry| entry.id);
    let urls: Vec<_> = claimed.iter().map(|entry| entry.url.clone().unwrap().path().to_owned()).collect();
    assert_eq!(urls, ["/0", "/1", "/2"]);
}
