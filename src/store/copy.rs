//! Copies a whole store from one back end to the other, or from one place to another.
//!
//! Rows are copied table by table in key order, and committed every few thousand. The rows that a killed copy has committed
//! stay, and the next run continues after the highest key of each table. Until all rows are copied and verified, a table
//! marks the database as an unfinished copy, so that no command opens it as a store. Verification compares, per table, the
//! number of rows and a hash over all rows, which are read once more from both sides.
//!
//! Backups use the same row reader (`rows`), but in one transaction: half a backup is of no use.

use std::fs::File;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Row as _};

use super::connection::{Access, Database, Dialect, Location};
use super::lock::lock_file;
use super::rows::{self, Step, Table, TableDigest};
use super::{Settings, Store, StoreError, migrations, partitions};
use crate::clock::Clock;

/// Copied rows are committed after this many rows or bytes.
const COMMIT_ROWS: usize = 4_096;
const COMMIT_BYTES: usize = 32 << 20;

/// The table that marks an unfinished copy and holds the statements to run at its end.
const MARK: &str = "unfinished_copy";

/// Number of the advisory lock on a server that is copied to; feedmill's own, chosen at random.
const COPY_LOCK: i64 = 4_418_306_917_725_104_233;

impl Store {
    /// Copies the store at `from` into the empty place at `to`, or continues a copy that was begun there. `done` is called after
    /// each table is verified. Nothing may write to either store meanwhile; on SQLite a lock ensures that.
    ///
    /// Returns the digest of each table, equal on both sides.
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

/// Returns whether a database holds an unfinished copy.
pub(super) async fn is_unfinished(
    connection: &mut AnyConnection,
    dialect: Dialect,
) -> Result<bool, StoreError> {
    migrations::has_table(connection, dialect, MARK).await
}

/// Locks an SQLite file against a daemon. On a server nothing is locked: the snapshot is of one
/// moment, and the comparison finds later changes.
fn lock(database: &Database) -> Result<Option<File>, StoreError> {
    match &database.location {
        Location::File(path) => lock_file(path).map(Some),
        Location::Server(_) => Ok(None),
    }
}

/// Returns the target's connection, with the schema and the mark of a copy in place, whether this run or an earlier one began it.
async fn begin(target: &Database, now: Timestamp) -> Result<PoolConnection<Any>, StoreError> {
    let mut connection = target.write_alone().await?;
    // Rows come in any order; foreign keys are checked at the end.
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

/// Turns the finished copy into a store: checks foreign keys, builds indexes and removes the mark.
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
            message: "it refers to a missing row".to_owned(),
        }),
        None => Ok(()),
    }
}
