//! A whole store from one back end into the other, or from one place into another.
//!
//! Rows go table by table in the order of their keys, and are committed every few thousand: what a killed copy has brought stays, and
//! the next one goes on after the highest key of each table. Until all of it is there and has been found the same, a table marks
//! the copy, so that nobody takes it for a store. What is compared is the number of rows of each table and a hash over all of
//! them, read once more from both sides.
//!
//! Backups are made by the same reader of rows (`rows`), but in one transaction: half of a backup is of no use.

use std::fs::File;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Row as _};

use super::connection::{Access, Database, Dialect, Location};
use super::lock::lock_file;
use super::rows::{self, Step, Table, TableDigest};
use super::{Settings, Store, StoreError, migrations, partitions};
use crate::clock::Clock;

/// After so many rows, or bytes, what was copied is committed.
const COMMIT_ROWS: usize = 4_096;
const COMMIT_BYTES: usize = 32 << 20;

/// Marks an unfinished copy, and keeps what is to be done at its end.
const MARK: &str = "unfinished_copy";

/// feedmill's own number for the lock on a server that is copied to, chosen at random.
const COPY_LOCK: i64 = 4_418_306_917_725_104_233;

impl Store {
    /// Copies the store at `from` into the empty place at `to`, or goes on with a copy that was begun there. `done` is told of each
    /// table. Nobody may write to either meanwhile: on SQLite that is seen to.
    ///
    /// Returns what was found the same on both sides.
    pub async fn copy(
        from: &Settings,
        to: &Settings,
        clock: &Clock,
        mut done: impl FnMut(&TableDigest),
    ) -> Result<Vec<TableDigest>, StoreError> {
        let source = Database::connect(from, Access::Visit).await?;
        migrations::check(&source).await?;
        let _source_lock = lock(&source)?;
        let target = Database::connect(to, Access::Own).await?;
        if source.location == target.location {
            return Err(StoreError::Occupied { place: target.location.display() });
        }
        let _target_lock = lock(&target)?;
        let mut reading = source.snapshot().await?;
        let mut writing = begin(&target, clock.now()).await?;
        partitions::make_room_for(&mut reading, &mut writing).await?;
        let tables = rows::tables((&mut reading, source.dialect), (&mut writing, target.dialect)).await?;
        for table in &tables {
            copy_table(table, (&mut reading, source.dialect), (&mut writing, target.dialect)).await?;
            tracing::info!(table = table.name, "copied");
        }
        let mut digests = Vec::with_capacity(tables.len());
        for table in &tables {
            let original = rows::digest(table, &mut reading, source.dialect);
            let copied = rows::digest(table, &mut writing, target.dialect);
            let (original, copied) = futures_util::future::try_join(original, copied).await?;
            if original != copied {
                return Err(StoreError::CopyDiffers {
                    table: original.table,
                    rows: (original.rows, copied.rows),
                });
            }
            done(&copied);
            digests.push(copied);
        }
        finish(&mut writing, target.dialect).await?;
        reading.commit().await?;
        drop(writing);
        source.close().await;
        target.close().await;
        Ok(digests)
    }
}

/// Whether a database is one into which a copy was begun.
pub(super) async fn is_unfinished(
    connection: &mut AnyConnection,
    dialect: Dialect,
) -> Result<bool, StoreError> {
    migrations::has_table(connection, dialect, MARK).await
}

/// Keeps a daemon away from an SQLite file. On a server the snapshot is of one moment, and the comparison finds what changed.
fn lock(database: &Database) -> Result<Option<File>, StoreError> {
    match &database.location {
        Location::File(path) => lock_file(path).map(Some),
        Location::Server(_) => Ok(None),
    }
}

/// The target's connection, with the schema and the mark of a copy, whoever began it.
async fn begin(target: &Database, now: Timestamp) -> Result<PoolConnection<Any>, StoreError> {
    let mut connection = target.write_alone().await?;
    // Rows come in any order; at the end all of them are checked.
    match target.dialect {
        Dialect::Sqlite => {
            sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&mut *connection).await?;
        }
        Dialect::Postgres => {
            sqlx::query("SELECT pg_advisory_lock($1)").bind(COPY_LOCK).execute(&mut *connection).await?;
        }
    }
    if is_unfinished(&mut connection, target.dialect).await? {
        return Ok(connection);
    }
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
    migrations::begin_at(&mut connection, target, migrations::latest(), now).await?;
    let keys = match target.dialect {
        Dialect::Sqlite => Vec::new(),
        Dialect::Postgres => rows::drop_foreign_keys(&mut connection).await?,
    };
    for table in rows::all_tables(&mut connection, target.dialect).await? {
        rows::clear(&mut connection, &table).await?;
    }
    sqlx::raw_sql("CREATE TABLE unfinished_copy (place BIGINT PRIMARY KEY, statement TEXT NOT NULL)")
        .execute(&mut *connection)
        .await?;
    for (place, statement) in (0_i64..).zip(keys) {
        sqlx::query("INSERT INTO unfinished_copy (place, statement) VALUES ($1, $2)")
            .bind(place)
            .bind(statement)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
    Ok(connection)
}

async fn copy_table(
    table: &Table,
    from: (&mut AnyConnection, Dialect),
    to: (&mut AnyConnection, Dialect),
) -> Result<(), StoreError> {
    let (to, dialect) = to;
    sqlx::raw_sql("BEGIN").execute(&mut *to).await?;
    let mut since = Step { rows: 0, bytes: 0 };
    rows::copy_on(table, from, (&mut *to, dialect), async |to, step| {
        since = Step { rows: since.rows + step.rows, bytes: since.bytes + step.bytes };
        if since.rows >= COMMIT_ROWS || since.bytes >= COMMIT_BYTES {
            since = Step { rows: 0, bytes: 0 };
            sqlx::raw_sql("COMMIT; BEGIN").execute(to).await?;
        }
        Ok(())
    })
    .await?;
    sqlx::raw_sql("COMMIT").execute(to).await?;
    Ok(())
}

/// The copy becomes a store.
async fn finish(to: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    sqlx::raw_sql("BEGIN").execute(&mut *to).await?;
    match dialect {
        Dialect::Sqlite => check_foreign_keys(to).await?,
        Dialect::Postgres => {
            let kept = sqlx::query("SELECT statement FROM unfinished_copy ORDER BY place")
                .fetch_all(&mut *to)
                .await?;
            let keys = kept.iter().map(|row| row.try_get("statement")).collect::<Result<_, _>>()?;
            rows::add_foreign_keys(to, keys).await?;
            rows::continue_numbers(to).await?;
        }
    }
    partitions::forget_removed(to).await?;
    rows::index_anew(to).await?;
    sqlx::raw_sql("DROP TABLE unfinished_copy; COMMIT").execute(to).await?;
    Ok(())
}

async fn check_foreign_keys(to: &mut AnyConnection) -> Result<(), StoreError> {
    let dangling = sqlx::query("SELECT \"table\" AS name FROM pragma_foreign_key_check LIMIT 1");
    match dangling.fetch_optional(to).await? {
        Some(row) => Err(StoreError::InvalidRow {
            table: "the copy",
            row: row.try_get("name")?,
            column: "of a foreign key",
            message: "it points to nothing".to_owned(),
        }),
        None => Ok(()),
    }
}
