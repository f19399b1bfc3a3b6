//! Pages archived for a later extractor.

use feedmill::dedup;
use feedmill::model::{Event, Sha256Hash};
use feedmill::store::{
    EntryOutcome, ExtractedArticle, FinishedEntry, RawPage, RawSelection, Reextracted, Stored, StoredPage,
};
use jiff::SignedDuration;

use super::{Bench, LEASE, extracted, new_entry, url};
use crate::support::database::start;

on_both!(
    pages_are_kept_beside_their_articles,
    what_changed_meanwhile_is_left_alone,
    a_withdrawn_article_stays_withdrawn,
);

fn kept(finished: FinishedEntry, body: &[u8]) -> FinishedEntry {
    let EntryOutcome::Extracted(mut extracted) = finished.outcome else { panic!("not extracted") };
    extracted.raw =
        Some(RawPage::compress(url("https://www.site.example/end"), Some("text/html".to_owned()), body));
    extracted.raw_sha256 = Sha256Hash::of(body);
    FinishedEntry { outcome: EntryOutcome::Extracted(extracted), ..finished }
}

async fn pages(bench: &Bench, selection: RawSelection) -> Vec<StoredPage> {
    bench.store.raw_pages_after(0, &selection, 10).await.unwrap()
}

fn made(page: &StoredPage, text: &str) -> Reextracted {
    let EntryOutcome::Extracted(extracted) = extracted(&page.entry, text).outcome else {
        panic!("not extracted")
    };
    let extracted = ExtractedArticle { raw_sha256: page.raw_sha256, ..*extracted };
    Reextracted { entry: page.entry.clone(), revision: page.revision, extracted }
}

async fn reextract(bench: &Bench, made: &[Reextracted]) -> Vec<Stored> {
    bench.store.articles_reextracted(made, &dedup::Settings::default()).await.unwrap()
}

/// Stores three articles; the pages of the first two are archived.
async fn stored(bench: &Bench) {
    let entries = bench
        .claimed(
            (0..3).map(|i| new_entry(&format!("{i}"), &format!("https://site{i}.example/a"), "x")).collect(),
        )
        .await;
    bench
        .finish(&[
            kept(extracted(&entries[0], "The first text"), b"<p>first \0 \xff"),
            kept(extracted(&entries[1], "The second text"), &b"<p>second".repeat(100_000)),
            extracted(&entries[2], "The third text"),
        ])
        .await;
}

async fn pages_are_kept_beside_their_articles(bench: &Bench) {
    stored(bench).await;
    let all = pages(bench, RawSelection::default()).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].page.body().unwrap(), b"<p>first \0 \xff");
    assert_eq!(all[1].page.body().unwrap(), b"<p>second".repeat(100_000));
    assert_eq!(all[1].page.body_bytes, 900_000);
    assert_eq!(all[0].page.final_url, url("https://www.site.example/end"));
    assert_eq!(all[0].page.content_type.as_deref(), Some("text/html"));
    assert_eq!((all[0].revision, all[0].content_sha256), (1, Sha256Hash::of("The first text")));
    assert_eq!(all[0].entry.url, Some(url("https://site0.example/a")));
    let rest = bench.store.raw_pages_after(all[0].number, &RawSelection::default(), 10).await.unwrap();
    assert_eq!(rest.iter().map(|page| page.number).collect::<Vec<_>>(), [all[1].number]);

    let host = |host: &str| RawSelection { host: Some(host.to_owned()), ..RawSelection::default() };
    assert_eq!(pages(bench, host("site1.example")).await.len(), 1);
    assert_eq!(pages(bench, host("example")).await.len(), 2, "subdomains too");
    assert_eq!(pages(bench, host("ite1.example")).await.len(), 0);
    let since = |since| RawSelection { since: Some(since), ..RawSelection::default() };
    assert_eq!(pages(bench, since(start())).await.len(), 2);
    assert_eq!(pages(bench, since(start() + SignedDuration::from_secs(1))).await.len(), 0);
}

async fn what_changed_meanwhile_is_left_alone(bench: &Bench) {
    stored(bench).await;
    let all = pages(bench, RawSelection::default()).await;
    let stored = reextract(bench, &[made(&all[0], "Another text"), made(&all[1], "The second  text")]).await;
    assert!(matches!(stored[0], Stored::Article { revision: 2, .. }), "{stored:?}");
    assert_eq!(stored[1], Stored::Noted, "the same text");
    assert_eq!(reextract(bench, &[made(&all[0], "Yet another text")]).await, [Stored::Noted]);
    let again = pages(bench, RawSelection::default()).await;
    assert_eq!((again[0].revision, again[0].page.clone()), (2, all[0].page.clone()));
    let record = bench.store.records_after(3, 10).await.unwrap().remove(0);
    assert_eq!((record.event, record.text.as_str()), (Event::Revised, "Another text"));
    assert_eq!(record.feeds.len(), 1);
}

async fn a_withdrawn_article_stays_withdrawn(bench: &Bench) {
    stored(bench).await;
    bench.poll_again_with("0", "https://site0.example/a").await;
    let entry = bench.store.entries_claim(LEASE, 1).await.unwrap().remove(0);
    bench.finish(&[FinishedEntry { entry, outcome: EntryOutcome::Withdrawn }]).await;
    let page = pages(bench, RawSelection::default()).await.remove(0);
    let stored = reextract(bench, &[made(&page, "Another text")]).await;
    assert!(matches!(stored[0], Stored::Article { revision: 2, .. }), "{stored:?}");
    assert_eq!(bench.store.records_after(4, 1).await.unwrap()[0].withdrawn_at, Some(bench.clock.now()));
}
