//! Partitions of texts and their words on PostgreSQL, by article number, each for about a month's articles.
//!
//! Removing texts row by row costs as many changes as storing them, most of all in the index of words, and returns no space to
//! the file system. So once all articles of a partition are old enough, their texts stay in it while what is remembered of the
//! articles is written, and then the partition is dropped. The few articles that live on because something happened to them
//! later are written to it again.
//!
//! Partitions by month were the alternative. Every query for a text would then have to name the month, so that only one
//! partition is read; the article's number is known to every query, and rises with time. The size of a partition follows
//! the number of articles in the last month.
//!
//! SQLite has no partitions. There rows are removed one by one, and free pages are returned to the disk.

use std::ops::Range;

use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::connection::{Database, Dialect};
use super::sql::is_sqlite;
use super::{Store, StoreError};

/// Minimum size of a partition, in article numbers. The planner adds up the cost of looking up a text over all partitions,
/// although only one is read: if partitions were small, it would rather scan all of them.
const LEAST: i64 = 500_000;
/// A partition is created this many positions before its first row. A partition created in the same transaction as its first row
/// was seen to be missing from the plan of a reader that saw everything else of that transaction: attaching a partition waits
/// for no reader.
const AHEAD: i64 = LEAST / 2;

/// How long a drop waits for readers: a backup reads for a long time, and everyone else queues behind the drop.
const PATIENCE_MS: u32 = 2_000;
/// PostgreSQL's SQLSTATE for a lock that was not available in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The migration that introduced partitions.
pub(super) const SINCE: i64 = 80;

/// The partitioned tables, each with the column that holds the article number.
const TABLES: [(&str, &str); 2] = [("revisions", "number"), ("article_words", "rowid")];

impl Store {
    /// Returns the partitions, as ranges of article numbers, whose articles were all stored before `moment`. None on SQLite.
    pub async fn texts_before(&self, moment: Timestamp) -> Result<Vec<Range<i64>>, StoreError> {
        if self.database.dialect == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let rows =
            sqlx::query(FULL_BEFORE).bind(moment.as_millisecond()).fetch_all(&self.database.readers).await?;
        rows.iter().map(|row| Ok(row.try_get("first")?..row.try_get("past")?)).collect()
    }

    /// Drops the texts of a partition whose articles were removed. `false` if it is being read and the drop must be tried again.
    pub async fn texts_drop(&self, numbers: &Range<i64>) -> Result<bool, StoreError> {
        let ask = |sql| sqlx::query(sql).bind(numbers.start).bind(numbers.end);
        let living = ask(LIVING).fetch_all(&self.database.readers).await?;
        if !living.is_empty() && ask(ANY_DEAD).fetch_optional(&self.database.readers).await?.is_none() {
            return Ok(true);
        }
        // The caller is the one that removes articles, so the living ones stay so until the end.
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

/// Creates missing partitions for all articles up to number `last` and for those that come next. No other transaction stores
/// articles meanwhile.
pub(super) async fn make_room(tx: &mut AnyConnection, last: i64) -> Result<(), StoreError> {
    if is_sqlite(tx) {
        return Ok(());
    }
    let mut past: i64 = sqlx::query(PAST_ALL).fetch_one(&mut *tx).await?.try_get(0)?;
    while past <= last + AHEAD {
        let next = if past <= last { last + 1 } else { past + of_a_month(tx, last).await? };
        // Created separately and attached: creating it as a partition would wait for all readers.
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

/// Does the same as `make_room` for all rows that are to come from another store.
pub(super) async fn make_room_for(
    from: &mut AnyConnection,
    to: &mut AnyConnection,
) -> Result<(), StoreError> {
    let last = sqlx::query(LAST).fetch_one(from).await?.try_get(0)?;
    make_room(to, last).await
}

/// Returns the tables of words with the range of their article numbers, newest first.
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

/// Returns the highest number that an article can have by now.
pub(super) async fn last_number(database: &Database) -> Result<i64, StoreError> {
    Ok(sqlx::query(LAST).fetch_one(&database.readers).await?.try_get(0)?)
}

/// Deletes from a copy the texts of removed articles, which were only waiting for their partition to be dropped.
pub(super) async fn forget_removed(copy: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query(FORGET_REMOVED).execute(copy).await?;
    Ok(())
}

async fn of_a_month(tx: &mut AnyConnection, last: i64) -> Result<i64, StoreError> {
    let row = sqlx::query(MONTH_AGO).bind(last).fetch_one(tx).await?;
    Ok((last - row.try_get::<i64, _>(0)?).max(LEAST))
}

/// Returns the name of a partition, such as `revisions_1_500001`: from the first number to one past the last.
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

/// Partitions that are not full are not old.
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
