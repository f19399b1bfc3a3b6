//! Where PostgreSQL keeps texts and their words: in partitions by the number of their article, each for about a month's articles.
//!
//! To remove them row by row costs as many changes as to store them, most of all in the index of words, and gives nothing back to
//! the file system. So where all articles of a partition are old enough, their rows stay in it while what is remembered of
//! them is written, and then the partition is dropped. What few of its articles live on, since something happened to them later,
//! stand in it anew.
//!
//! Partitions by the month itself were the alternative. The month would have to be in every question for a text, so that one
//! partition is looked into; the article's number is known there, and rises with time. How many a month takes is learned from the
//! last one.
//!
//! SQLite has no partitions. There rows are removed one by one, and free pages given back.

use std::ops::Range;

use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::connection::{Database, Dialect};
use super::sql::is_sqlite;
use super::{Store, StoreError};

/// A partition holds so many at least. What a question for one text costs, the planner adds up over all partitions, though one of them
/// is looked into: where they are small, it would rather read all of them through.
const LEAST: i64 = 500_000;
/// So many positions before the first row for it, a partition is there. Made in the transaction that writes the row, it was seen to
/// be missing from the plan of a reader who saw all else that the transaction wrote: who attaches a partition waits for no reader.
const AHEAD: i64 = LEAST / 2;

/// How long a drop waits for those who read: a backup does so for long, and everybody else queues behind the drop.
const PATIENCE_MS: u32 = 2_000;
/// PostgreSQL's SQLSTATE for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The migration that brought them.
pub(super) const SINCE: i64 = 80;

/// Each table with the column that holds the number.
const TABLES: [(&str, &str); 2] = [("revisions", "number"), ("article_words", "rowid")];

impl Store {
    /// The partitions, as ranges of article numbers, whose articles were all stored before a moment. None on SQLite.
    pub async fn texts_before(&self, moment: Timestamp) -> Result<Vec<Range<i64>>, StoreError> {
        if self.database.dialect == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let rows =
            sqlx::query(FULL_BEFORE).bind(moment.as_millisecond()).fetch_all(&self.database.readers).await?;
        rows.iter().map(|row| Ok(row.try_get("first")?..row.try_get("past")?)).collect()
    }

    /// Drops the texts of a partition whose articles were removed. `false` where somebody reads it, so that it must be tried again.
    pub async fn texts_drop(&self, numbers: &Range<i64>) -> Result<bool, StoreError> {
        let ask = |sql| sqlx::query(sql).bind(numbers.start).bind(numbers.end);
        let living = ask(LIVING).fetch_all(&self.database.readers).await?;
        if !living.is_empty() && ask(ANY_DEAD).fetch_optional(&self.database.readers).await?.is_none() {
            return Ok(true);
        }
        // Whoever removes articles comes here next: what lives does so until the end.
        let living: Vec<i64> = living.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut tx = self.database.write().await?;
        let statements = TABLES.map(|table| drop_all_but(table, numbers, &living)).concat();
        // Built from numbers and constants only.
        let sql = format!("SET LOCAL lock_timeout = {PATIENCE_MS}; {statements}");
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await {
            Err(error) if is_locked(&error) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(_) => tx.commit().await.map(|()| true),
        }
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(LOCK_NOT_AVAILABLE)
}

fn drop_all_but((table, column): (&str, &str), numbers: &Range<i64>, living: &[i64]) -> String {
    let name = name(table, numbers);
    if living.is_empty() {
        return format!("DROP TABLE {name}; ");
    }
    let living: Vec<String> = living.iter().map(i64::to_string).collect();
    format!(
        "LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE; CREATE TEMPORARY TABLE living AS SELECT * FROM {name} \
         WHERE {column} = ANY ('{{{}}}'); TRUNCATE {name}; INSERT INTO {name} SELECT * FROM living; DROP TABLE living; ",
        living.join(",")
    )
}

/// Sees to it that there are partitions for all articles up to number `last` and for what comes next. Nobody else stores articles
/// meanwhile.
pub(super) async fn make_room(tx: &mut AnyConnection, last: i64) -> Result<(), StoreError> {
    if is_sqlite(tx) {
        return Ok(());
    }
    let mut past: i64 = sqlx::query(PAST_ALL).fetch_one(&mut *tx).await?.try_get(0)?;
    while past <= last + AHEAD {
        let next = if past <= last { last + 1 } else { past + of_a_month(tx, last).await? };
        // Attached: to be made as a part would wait for everybody who reads.
        let make = TABLES.map(|(table, _)| {
            let name = name(table, &(past..next));
            format!(
                "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION); \
                 ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({past}) TO ({next}); "
            )
        });
        sqlx::raw_sql(AssertSqlSafe(make.concat())).execute(&mut *tx).await?;
        past = next;
    }
    Ok(())
}

/// What `make_room` does, for all rows that are to come from another store.
pub(super) async fn make_room_for(
    from: &mut AnyConnection,
    to: &mut AnyConnection,
) -> Result<(), StoreError> {
    let last = sqlx::query(LAST).fetch_one(from).await?.try_get(0)?;
    make_room(to, last).await
}

/// The tables of words with the numbers of their articles, the newest first.
pub(super) async fn of_words(database: &Database) -> Result<Vec<(Range<i64>, String)>, StoreError> {
    const WORDS: &str = "article_words";
    if database.dialect == Dialect::Sqlite {
        return Ok(vec![(0..i64::MAX, WORDS.to_owned())]);
    }
    let rows = sqlx::query(NEWEST_FIRST).fetch_all(&database.readers).await?;
    rows.iter()
        .map(|row| {
            let numbers = row.try_get("first")?..row.try_get("past")?;
            let table = name(WORDS, &numbers);
            Ok((numbers, table))
        })
        .collect()
}

/// The highest number that an article may have by now.
pub(super) async fn last_number(database: &Database) -> Result<i64, StoreError> {
    Ok(sqlx::query(LAST).fetch_one(&database.readers).await?.try_get(0)?)
}

/// Leaves out of a copy what only waits for its partition to be dropped.
pub(super) async fn forget_removed(copy: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query(FORGET_REMOVED).execute(copy).await?;
    Ok(())
}

async fn of_a_month(tx: &mut AnyConnection, last: i64) -> Result<i64, StoreError> {
    let row = sqlx::query(MONTH_AGO).bind(last).fetch_one(tx).await?;
    Ok((last - row.try_get::<i64, _>(0)?).max(LEAST))
}

/// `revisions_1_500001`: from the first number to the one after the last.
fn name(table: &str, numbers: &Range<i64>) -> String {
    format!("{table}_{}_{}", numbers.start, numbers.end)
}

macro_rules! partitions {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM (SELECT split_part(c.relname, '_', 2)::bigint AS first, split_part(c.relname, '_', 3)::bigint AS past \
             FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'revisions'::regclass) p"
        )
    };
}

const PAST_ALL: &str = partitions!("coalesce(max(past), 1)");

const NEWEST_FIRST: &str = concat!(partitions!("first, past"), " ORDER BY first DESC");

/// One that is not full is not old.
const FULL_BEFORE: &str = concat!(
    partitions!("first, past"),
    " WHERE past <= (SELECT value + 1 FROM counters WHERE name = 'outbox') AND past <= coalesce(\
     (SELECT number FROM articles WHERE stored_at >= $1 ORDER BY stored_at, number LIMIT 1), past) ORDER BY first"
);

/// The number of the first article of the last thirty days, by the clock of the database.
const MONTH_AGO: &str = "SELECT coalesce((SELECT number FROM articles \
    WHERE stored_at >= CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) - 2592000000 \
    ORDER BY stored_at, number LIMIT 1), $1)";

const LAST: &str = "SELECT value FROM counters WHERE name = 'outbox'";

const FORGET_REMOVED: &str =
    "DELETE FROM revisions WHERE article_id IN (SELECT id FROM articles WHERE removed_at IS NOT NULL)";

const LIVING: &str = "SELECT number FROM articles WHERE number >= $1 AND number < $2 AND removed_at IS NULL";

const ANY_DEAD: &str = "SELECT r.number FROM revisions r JOIN articles a ON a.number = r.number \
    WHERE r.number >= $1 AND r.number < $2 AND a.removed_at IS NOT NULL LIMIT 1";
