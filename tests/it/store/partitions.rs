//! Partitioned texts on PostgreSQL: old partitions are dropped whole, without a difference to readers.

use feedmill::model::{ArticleId, Verdict};
use feedmill::search::Question;
use sqlx::Connection as _;

use super::retention::{DAY, cutoffs};
use super::*;
use crate::support::database::schema_before;

async fn on_postgres(test: impl AsyncFnOnce(&Bench)) {
    run(Backend::Postgres, test).await;
}

/// Replaces the first partition of both tables by partitions with these bounds, each from one number up to the next.
async fn parted_at(bench: &Bench, numbers: &[i64]) {
    bench.database.execute("DROP TABLE revisions_1_500001, article_words_1_500001").await;
    for pair in numbers.windows(2) {
        for table in ["revisions", "article_words"] {
            let part = format!(
                "CREATE TABLE {table}_{0}_{1} PARTITION OF {table} FOR VALUES FROM ({0}) TO ({1})",
                pair[0], pair[1]
            );
            bench.database.execute(&part).await;
        }
    }
}

fn id(number: usize) -> ArticleId {
    ArticleId::of_url(&url(&format!("https://site.example/{number}")))
}

/// Returns how many articles a search finds.
async fn found(bench: &Bench) -> usize {
    bench.store.articles_search(&Question::parse("text").unwrap(), None, 100).await.unwrap().articles.len()
}

/// Counts the texts directly in the database.
async fn kept(bench: &Bench) -> i64 {
    bench.database.number("SELECT count(*) FROM revisions").await
}

async fn partitions(bench: &Bench) -> i64 {
    bench.database.number("SELECT count(*) FROM pg_inherits WHERE inhparent = 'revisions'::regclass").await
}

/// Stores three articles on the first day, which fill a partition, and two on the second. The second article of the first day gets
/// an event on the third day.
async fn three_days(bench: &Bench) -> Timestamp {
    parted_at(bench, &[1, 4, 500_001]).await;
    bench.store_articles(0..3).await;
    bench.pass(DAY);
    let second_day = bench.clock.now();
    bench.store_articles(3..5).await;
    bench.pass(DAY);
    bench.poll_again_with("1", "https://site.example/1").await;
    let entry = bench.store.entries_claim(LEASE, 10).await.unwrap().remove(0);
    bench.finish(&[extracted(&entry, "Text of the third day")]).await;
    second_day
}

#[tokio::test(flavor = "multi_thread")]
async fn old_texts_go_with_their_partition_and_are_not_there_before() {
    on_postgres(async |bench| {
        let second_day = three_days(bench).await;
        let store = &bench.store;
        assert!(store.texts_before(start()).await.unwrap().is_empty());
        let old = store.texts_before(second_day).await.unwrap();
        assert_eq!((old.len(), &old[0]), (1, &(1..4)));
        assert_eq!(
            store.texts_before(bench.clock.now()).await.unwrap(),
            old,
            "one that is not full is not old"
        );

        let cutoffs = cutoffs(bench, second_day).await;
        assert_eq!(store.articles_remove(&cutoffs, &old).await.unwrap(), 2);
        assert_eq!((kept(bench).await, found(bench).await), (6, 3), "they are there, and nobody finds them");
        assert!(store.article_revisions(id(0)).await.unwrap().is_empty());
        let seqs: Vec<i64> =
            store.records_after(0, 10).await.unwrap().iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [2, 4, 5, 6]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.backup");
        store.backup(&file).await.unwrap();
        assert_eq!(super::backup::rows(&file).await["revisions"].len(), 4, "nor does a backup");

        assert!(store.texts_drop(&old[0]).await.unwrap());
        assert_eq!((kept(bench).await, found(bench).await, partitions(bench).await), (4, 3, 2));
        assert_eq!(store.article_revisions(id(1)).await.unwrap().len(), 2, "this one lives");
        assert!(store.texts_drop(&old[0]).await.unwrap(), "nothing is left to do");

        bench.pass(1);
        let cutoffs = self::cutoffs(bench, bench.clock.now()).await;
        let old = store.texts_before(bench.clock.now()).await.unwrap();
        assert_eq!(store.articles_remove(&cutoffs, &old).await.unwrap(), 3);
        assert!(store.texts_drop(&old[0]).await.unwrap());
        assert_eq!((kept(bench).await, found(bench).await, partitions(bench).await), (0, 0, 1));
        assert!(store.texts_before(bench.clock.now()).await.unwrap().is_empty());
        bench.store_articles(5..6).await;
        assert_eq!(found(bench).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_only_waits_for_its_partition_has_no_copies() {
    on_postgres(async |bench| {
        parted_at(bench, &[1, 2, 500_001]).await;
        let links = ["https://a.example/1", "https://b.example/1"];
        let entries = bench.claimed(links.map(|link| new_entry(link, link, "x")).to_vec()).await;
        bench.finish(&[extracted(&entries[0], "The very same words")]).await;
        bench.pass(DAY);
        let now = bench.clock.now();
        let old = bench.store.texts_before(now).await.unwrap();
        assert_eq!(bench.store.articles_remove(&cutoffs(bench, now).await, &old).await.unwrap(), 1);
        assert_eq!(kept(bench).await, 1);
        let stored = bench.finish(&[extracted(&entries[1], "The very same words")]).await;
        assert!(matches!(&stored[0], Stored::Article { verdict: Verdict::Original, .. }), "{stored:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_does_not_wait_long_for_those_who_read() {
    on_postgres(async |bench| {
        let second_day = three_days(bench).await;
        let old = bench.store.texts_before(second_day).await.unwrap();
        bench.store.articles_remove(&cutoffs(bench, second_day).await, &old).await.unwrap();
        let url = bench.database.settings.url.expose_secret();
        let mut reader = sqlx::AnyConnection::connect(url).await.unwrap();
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM revisions").execute(&mut reader).await.unwrap();
        assert!(!bench.store.texts_drop(&old[0]).await.unwrap());
        sqlx::raw_sql("COMMIT").execute(&mut reader).await.unwrap();
        assert!(bench.store.texts_drop(&old[0]).await.unwrap());
        assert_eq!(kept(bench).await, 4);
        reader.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_there_before_what_belongs_into_it() {
    on_postgres(async |bench| {
        bench.store_articles(0..1).await;
        assert_eq!(partitions(bench).await, 1);
        bench.database.execute("UPDATE counters SET value = 250001 WHERE name = 'outbox'").await;
        bench.store_articles(3..4).await;
        assert_eq!(partitions(bench).await, 2, "long before it is needed");
        bench.database.execute("UPDATE counters SET value = 499999 WHERE name = 'outbox'").await;
        bench.store_articles(1..3).await;
        assert_eq!(bench.store.records_after(0, 10).await.unwrap().len(), 4);
        let second = "SELECT count(*) FROM revisions_500001_1000001";
        assert_eq!(bench.database.number(second).await, 1);
        assert_eq!(partitions(bench).await, 2);
    })
    .await;
}

/// An article as stored before there were partitions.
const EARLIER_ARTICLE: &str = "INSERT INTO articles (id, number, revision, content_sha256, url, original_url, hostname, \
        cluster_id, stored_at) \
    SELECT id, 1, 1, id, 'https://site.example/0', 'https://site.example/0', 'site.example', id, 1 \
        FROM (SELECT sha256('0') AS id) one; \
    INSERT INTO revisions (article_id, number, revision, content_sha256, raw_sha256, text, authors, fetched_at, tags, word_count, \
        quality_flags, score, extractor_version) \
    SELECT id, 1, 1, id, id, 'An early text', '[]', 1, '[]', 3, '[]', 1, '1' FROM articles; \
    INSERT INTO article_words (rowid, words) VALUES (1, to_tsvector('simple', 'an early text')); \
    INSERT INTO outbox (seq, event, article_id, revision, created_at) SELECT 1, 'created', id, 1, 1 FROM articles; \
    UPDATE counters SET value = 1 WHERE name = 'outbox'; UPDATE counters SET value = 0 WHERE name = 'search_backlog'";

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_an_earlier_version_become_the_first_partition() {
    let Some(database) = FreshDatabase::create(Backend::Postgres).await else { return };
    for statement in schema_before(Backend::Postgres, "0080") {
        database.execute(&statement).await;
    }
    database.execute(EARLIER_ARTICLE).await;
    let clock = Clock::manual(start());
    let store = database.open(&clock).await;
    let bench = Bench { database, store, clock };
    bench.store_articles(1..3).await;
    let texts: Vec<String> =
        bench.store.records_after(0, 10).await.unwrap().into_iter().map(|record| record.text).collect();
    assert_eq!(texts[0], "An early text");
    assert_eq!((texts.len(), found(&bench).await), (3, 3));
    assert_eq!(bench.database.number("SELECT count(*) FROM revisions_1_2").await, 1);
    assert_eq!(bench.store.texts_before(start()).await.unwrap().first(), Some(&(1..2)));
    bench.store.close().await;
    bench.database.drop().await;
}
