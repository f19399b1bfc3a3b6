//! Backups and restores.
//!
//! A backup is a store in an SQLite file, whichever back end it was made from. Every command can open it, it is migrated like
//! any store, and it can be restored into either back end, which is also a way to move from one to the other. No other
//! program is needed. `pg_dump` was the alternative for PostgreSQL: its dumps can only be restored into a server of the same
//! version or later, and `pg_dump` itself must be as new as the server.
//!
//! SQLite copies its own file in one transaction. All rows of a PostgreSQL server are read in one transaction too, so a
//! transaction that is committed meanwhile is either wholly in the backup or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::connection::{Access, Database, Dialect, Location, beside, create_private};
use super::rows;
use super::{Settings, Store, StoreError, migrations, partitions};
use crate::clock::Clock;
use crate::model::SecretText;

/// What a backup contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// Articles, including removed ones.
    pub articles: i64,
    /// Highest position in the outbox.
    pub last_seq: i64,
    /// Size of the file in bytes.
    pub bytes: u64,
}

impl Store {
    /// Writes the whole store, as of one moment, into a new file. Other processes may read and write meanwhile.
    pub async fn backup(&self, file: &Path) -> Result<Contents, StoreError> {
        let partial = begin_file(file)?;
        let made = match self.database.dialect {
            Dialect::Sqlite => copy_file(&self.database, &partial).await,
            Dialect::Postgres => self.copy_rows(&partial).await,
        };
        end_file(made, &partial, file)?;
        let written = Database::connect(&settings_of(file), Access::ReadBackup).await?;
        let contents = contents(&written, file).await;
        written.close().await;
        contents
    }

    /// Creates the store at `settings` from a backup. Fails if there is one already. The backup's file may have several names (hard
    /// links), unlike a store's: it is only read.
    pub async fn restore(settings: &Settings, file: &Path, clock: Clock) -> Result<Contents, StoreError> {
        let source = Database::connect(&settings_of(file), Access::ReadBackup).await?;
        let contents = contents(&source, file).await?;
        match Location::parse(settings.url.expose_secret())? {
            Location::File(path) => {
                // SQLite would take a log left behind by a file that was moved away for the log of this one.
                let log = beside(&path, "-wal");
                if log.exists() {
                    return Err(StoreError::Occupied { place: log.display().to_string() });
                }
                let partial = begin_file(&path)?;
                end_file(copy_file(&source, &partial).await, &partial, &path)?;
            }
            Location::Server(_) => fill_server(&source, settings, clock.now()).await?,
        }
        source.close().await;
        // Migrates a backup that was made by an earlier version.
        Self::open(settings, clock).await?.close().await;
        Ok(contents)
    }

    async fn copy_rows(&self, file: &Path) -> Result<(), StoreError> {
        let target = Database::connect(&settings_of(file), Access::Own).await?;
        migrations::run(&target, self.clock.now()).await?;
        let mut from = self.database.snapshot().await?;
        let mut to = target.write().await?;
        // An article may be a copy of one that is inserted later.
        sqlx::raw_sql("PRAGMA defer_foreign_keys = ON").execute(&mut *to).await?;
        rows::copy((&mut from, Dialect::Postgres), (&mut to, Dialect::Sqlite)).await?;
        partitions::forget_removed(&mut to).await?;
        to.commit().await?;
        from.commit().await?;
        target.readers.close().await;
        // Leaves no log file beside the backup.
        sqlx::raw_sql("PRAGMA journal_mode = DELETE").execute(&mut *target.write_alone().await?).await?;
        target.close().await;
        Ok(())
    }
}

/// Fills a server's empty database from a backup, in one transaction.
async fn fill_server(source: &Database, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
    let target = Database::connect(settings, Access::Own).await?;
    let version = migrations::version(source).await?;
    let mut to = target.write().await?;
    migrations::begin_at(&mut to, &target, version, now).await?;
    let mut from = source.readers.acquire().await?;
    if version >= partitions::SINCE {
        partitions::make_room_for(&mut from, &mut to).await?;
    }
    // Rows come in any order, and checking all foreign keys at the end is cheaper than checking each row.
    let keys = rows::drop_foreign_keys(&mut to).await?;
    rows::copy((&mut from, Dialect::Sqlite), (&mut to, Dialect::Postgres)).await?;
    rows::add_foreign_keys(&mut to, keys).await?;
    rows::continue_numbers(&mut to).await?;
    to.commit().await?;
    target.close().await;
    Ok(())
}

/// Copies an SQLite database into an empty file with `VACUUM INTO`, which leaves no free pages.
async fn copy_file(from: &Database, to: &Path) -> Result<(), StoreError> {
    let name = to.to_str().ok_or_else(|| StoreError::url("the path is not UTF-8"))?;
    let mut connection = from.write_alone().await?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(&mut *connection).await?;
    Ok(())
}

/// Creates an empty `.part` file beside `file`, readable by its owner only.
fn begin_file(file: &Path) -> Result<PathBuf, StoreError> {
    if file.exists() {
        return Err(StoreError::Occupied { place: file.display().to_string() });
    }
    let partial = beside(file, ".part");
    let begun = match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => create_private(&partial),
    };
    begun.map_err(|source| StoreError::Create { path: partial.clone(), source })?;
    Ok(partial)
}

/// Flushes the finished file and renames it to its final name; removes it after a failure.
fn end_file(made: Result<(), StoreError>, partial: &Path, file: &Path) -> Result<(), StoreError> {
    let ended = made.and_then(|()| {
        let flushed = File::open(partial).and_then(|whole| whole.sync_all());
        let named = flushed.and_then(|()| fs::rename(partial, file)).and_then(|()| match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        });
        named.map_err(|source| StoreError::Create { path: file.to_owned(), source })
    });
    if ended.is_err()
        && let Err(error) = fs::remove_file(partial)
    {
        tracing::debug!(file = %partial.display(), %error, "cannot remove the unfinished file");
    }
    ended
}

/// Checks every page of a backup with `quick_check` and counts what it contains.
async fn contents(backup: &Database, file: &Path) -> Result<Contents, StoreError> {
    migrations::version(backup).await?;
    let damaged = |finding: String| StoreError::DamagedBackup { path: file.to_owned(), finding };
    match sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&backup.readers).await {
        Ok(finding) if finding == "ok" => {}
        Ok(finding) => return Err(damaged(finding)),
        Err(error) => return Err(damaged(error.to_string())),
    }
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let articles = sqlx::query_scalar("SELECT count(*) FROM articles").fetch_one(&backup.readers).await?;
    let last_seq = sqlx::query_scalar("SELECT value FROM counters WHERE name = 'outbox'")
        .fetch_one(&backup.readers)
        .await?;
    Ok(Contents { articles, last_seq, bytes })
}

/// Settings for opening a backup. No other process uses the file, so nothing waits for the timeout.
fn settings_of(file: &Path) -> Settings {
    let url = SecretText::from(format!("sqlite:{}", file.display()));
    Settings { url, max_connections: 1, busy_timeout: Duration::from_secs(10), search_index: true }
}
