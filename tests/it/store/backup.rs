//! A backup contains everything, and can be restored to either back end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use feedmill::model::Record;
use feedmill::search::Question;
use feedmill::store::{RawPage, StoreError};
use sqlx::{Connection as _, Row as _};

use super::retention::cutoffs;
use super::*;
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{execute, schema_before};

on_both!(
    a_backup_gives_everything_back_to_either_back_end,
    a_backup_takes_the_place_of_nothing,
    a_backup_of_an_earlier_version_is_brought_up_to_date,
    a_backup_is_of_one_moment_while_articles_are_stored,
    both_back_ends_have_the_same_tables,
);

/// Returns every row of every table as SQL literals, except the word index, which is rebuilt, and its progress.
pub(super) async fn rows(file: &Path) -> BTreeMap<String, Vec<String>> {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let tables = columns(&mut connection).await;
    let mut all = BTreeMap::new();
    for (table, columns) in tables {
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        let sql = format!("SELECT {} AS line FROM {table} ORDER BY line", quoted.join(" || ',' || "));
        let found = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let lines = found.iter().map(|row| row.get::<String, _>("line"));
        all.insert(table, lines.filter(|line| !line.contains("'search_backlog'")).collect());
    }
    connection.close().await.unwrap();
    all
}

async fn columns(connection: &mut sqlx::AnyConnection) -> BTreeMap<String, Vec<String>> {
    let sql = if connection.backend_name() == "SQLite" {
        "SELECT s.name AS t, c.name AS c FROM sqlite_schema s JOIN pragma_table_info(s.name) c \
         WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
         WHERE table_schema = current_schema() AND is_generated = 'NEVER' \
         AND table_name NOT IN (SELECT relname::text FROM pg_class WHERE relispartition)"
    };
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(connection).await.unwrap() {
        tables.entry(row.get("t")).or_default().push(row.get("c"));
    }
    tables.retain(|table, _| !table.starts_with("article_words"));
    for columns in tables.values_mut() {
        columns.sort();
    }
    tables
}

/// Fills the tables of every subject: feeds, entries in every state, articles with archived pages, copies, cursors, sinks. The first
/// article is removed, as retention does it, and its copy stays.
pub(super) async fn fill(bench: &Bench) {
    bench.store_articles(0..1).await;
    let old = bench.clock.now() + SignedDuration::from_secs(1);
    bench.store_articles(1..70).await;
    bench.pass(60);
    let entries = bench.claimed(vec![new_entry("copy", "https://other.example/copy", "x")]).await;
    let mut copy = extracted(&entries[0], "Text 1");
    if let EntryOutcome::Extracted(extracted) = &mut copy.outcome {
        let page = b"<p>\0 a page of bytes \xff</p>";
        extracted.raw = Some(RawPage::compress(url("https://other.example/copy"), None, page));
    }
    bench.finish(&[copy]).await;
    assert_eq!(bench.store.articles_remove(&cutoffs(bench, old).await, &[]).await.unwrap(), 1);
    bench.store.cursor_set("reader", 3).await.unwrap();
    bench
        .database
        .execute(
            "INSERT INTO sinks (name, seq, moved_at) VALUES ('lake', 41, 1); \
             INSERT INTO sink_ranges (sink, first_seq, last_seq, began_at) VALUES ('lake', 1, 41, 7); \
             INSERT INTO host_pauses (host, paused_until) VALUES ('it''s.example', 9)",
        )
        .await;
}

async fn a_backup_gives_everything_back_to_either_back_end(bench: &Bench) {
    fill(bench).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("first.backup");
    let contents = bench.store.backup(&file).await.unwrap();
    assert_eq!((contents.articles, contents.last_seq), (71, 71));
    let kept = rows(&file).await;
    for table in
        ["articles", "revisions", "raw_pages", "outbox", "cursors", "sinks", "sink_ranges", "host_pauses"]
    {
        assert!(!kept[table].is_empty(), "{table}");
    }
    assert_eq!(
        (kept["articles"].len(), kept["outbox"].len()),
        (71, 70),
        "one is removed, and a row of it stays"
    );
    // Rows written later are not in the backup.
    bench.store_articles(70..71).await;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(target) = FreshDatabase::create(backend).await else { continue };
        let restored = Store::restore(&target.settings, &file, bench.clock.clone()).await.unwrap();
        assert_eq!(restored, contents);
        let store = target.open(&bench.clock).await;
        let again = folder.path().join(format!("{backend:?}.backup"));
        store.backup(&again).await.unwrap();
        let found = rows(&again).await;
        for (table, kept) in &kept {
            assert_eq!(&found[table], kept, "{table} on {backend:?}");
        }
        assert_eq!(store.cursor_get("reader").await.unwrap(), 3);
        goes_on(Bench { database: target, store, clock: bench.clock.clone() }, backend).await;
    }
}

/// Checks that a restored or copied store works: its texts are found once the index is rebuilt, and its numbers continue from the
/// original's.
pub(super) async fn goes_on(bench: Bench, backend: Backend) {
    let store = &bench.store;
    while store.search_catch_up().await.unwrap() {}
    let found = store.articles_search(&Question::parse("text").unwrap(), None, 100).await.unwrap().articles;
    assert_eq!(found.len(), 70, "on {backend:?}");
    assert_eq!(store.removed_through().await.unwrap(), 1, "on {backend:?}");
    store.feeds_sync(&feed_urls(2), Duration::ZERO).await.unwrap();
    bench.store_articles(71..72).await;
    assert_eq!(store.totals().await.unwrap().last_seq, 72);
    store.close().await;
    bench.database.drop().await;
}

async fn a_backup_takes_the_place_of_nothing(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.backup");
    bench.store.backup(&file).await.unwrap();
    let refused = bench.store.backup(&file).await.unwrap_err();
    assert!(matches!(refused, StoreError::Occupied { .. }), "{refused}");
    let refused = Store::restore(&bench.database.settings, &file, bench.clock.clone()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Occupied { .. }), "{refused}");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["one.backup"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // A truncated file is not accepted as a store.
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    if let Some(target) = FreshDatabase::create(Backend::Sqlite).await {
        let refused = Store::restore(&target.settings, &file, bench.clock.clone()).await.unwrap_err();
        assert!(matches!(refused, StoreError::DamagedBackup { .. } | StoreError::Open { .. }), "{refused}");
        assert!(!target.file().exists());
        target.drop().await;
    }
}

async fn a_backup_of_an_earlier_version_is_brought_up_to_date(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("early.backup");
    std::fs::write(&file, "").unwrap();
    let early = format!("sqlite:{}", file.display()).parse().unwrap();
    for statement in early_schema() {
        execute(&early, statement).await;
    }
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(target) = FreshDatabase::create(backend).await else { continue };
        Store::restore(&target.settings, &file, bench.clock.clone()).await.unwrap();
        let schema = Store::schema_status(&target.settings).await.unwrap();
        assert_eq!(schema.pending, Vec::<String>::new());
        let store = target.open(&bench.clock).await;
        assert_eq!(store.totals().await.unwrap().feeds_active, 1);
        store.close().await;
        target.drop().await;
    }
}

/// A store with one feed, with the schema from before feeds had tags.
fn early_schema() -> Vec<String> {
    let mut statements = schema_before(Backend::Sqlite, "0040");
    statements.push(
        "INSERT INTO feeds (configured_url_sha256, state, next_poll_at) VALUES (x'00', 'active', 5)"
            .to_owned(),
    );
    statements
}

/// The program makes a backup while this process, which owns the store, writes as a daemon does: new entries, claims and articles,
/// each in its own transaction. Each transaction is in the backup wholly or not at all.
async fn a_backup_is_of_one_moment_while_articles_are_stored(bench: &Bench) {
    const BACKUPS: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let test = TestDaemon::new().database(bench.database.settings.url.expose_secret());
    let config = test.write_config();
    let files: Vec<_> = (0..BACKUPS).map(|number| folder.path().join(format!("{number}.backup"))).collect();
    let mut stored = 0;
    for file in &files {
        let mut command = feedmill(&config, &["--quiet", "backup", file.to_str().unwrap()]);
        let mut backup = command.stdout(Stdio::null()).spawn().unwrap();
        let ended = loop {
            bench.store_articles(stored..stored + 1).await;
            stored += 1;
            if let Some(ended) = backup.try_wait().unwrap() {
                break ended;
            }
        };
        assert!(ended.success(), "{ended} after {stored} articles");
    }
    let originals = bench.store.records_after(0, 10_000).await.unwrap();
    assert_eq!(originals.len(), stored, "the writer has gone on");
    assert_no_gap(&originals);

    for file in &files {
        let target = FreshDatabase::create(Backend::Sqlite).await.unwrap();
        let contents = Store::restore(&target.settings, file, bench.clock.clone()).await.unwrap();
        let restored =
            Bench { store: target.open(&bench.clock).await, database: target, clock: bench.clock.clone() };
        let records = restored.store.records_after(0, 10_000).await.unwrap();
        let totals = restored.store.totals().await.unwrap();
        assert_no_gap(&records);
        assert_eq!(records.last().map_or(0, |record| record.seq), contents.last_seq);
        assert_eq!(records.len() as u64, totals.articles);
        assert_eq!(totals.articles, totals.entries_done, "an article is stored with the state of its entry");
        for (record, original) in records.iter().zip(&originals) {
            assert!(record.text.starts_with("Text "), "{record:?}");
            assert_eq!(
                (record.id, &record.text, record.content_sha256),
                (original.id, &original.text, original.content_sha256)
            );
        }
        // What the backup found in progress is free again after its lease.
        restored.pass(600);
        restored.store_articles(stored..stored + 1).await;
        let records = restored.store.records_after(0, 10_000).await.unwrap();
        assert!(records.last().unwrap().seq > contents.last_seq, "{contents:?}");
        assert_no_gap(&records);
        restored.store.close().await;
        restored.database.drop().await;
    }
}

fn assert_no_gap(records: &[Record]) {
    for (record, position) in records.iter().zip(1..) {
        assert_eq!(record.seq, position);
    }
}

/// Tables of a server that only describe its live processes.
const OF_PROCESSES: [&str; 3] = ["processes", "shards", "host_loans"];

/// A table that only one back end has is not in backups: it must be derived from other tables or not worth keeping.
async fn both_back_ends_have_the_same_tables(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.backup");
    bench.store.backup(&file).await.unwrap();
    sqlx::any::install_default_drivers();
    let here = bench.database.settings.url.expose_secret();
    let there = format!("sqlite:{}", file.display());
    let mut tables = Vec::new();
    for url in [here, &there] {
        let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
        let mut columns = columns(&mut connection).await;
        columns.retain(|table, _| !OF_PROCESSES.contains(&table.as_str()));
        tables.push(columns);
        connection.close().await.unwrap();
    }
    assert_eq!(tables[0], tables[1]);
}
