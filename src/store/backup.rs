//! Backups, and what is made of them.
//!
//! A backup is a store in an SQLite file, whatever back end it was made from: it can be looked at with any command, is brought
//! up to date like any store, and is put back into either back end, which is also the way from one to the other. It needs no
//! program beside this one. `pg_dump` was the alternative for PostgreSQL: its dumps fit servers of the same version or later,
//! and it must itself be as new as the server.
//!
//! SQLite copies its own file in one transaction; of a server all rows are read in one, so what is written meanwhile is in
//! none of them or in both.

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

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// Articles, those that were removed included.
    pub articles: i64,
    /// Highest position in the outbox.
    pub last_seq: i64,
    /// Size of the file.
    pub bytes: u64,
}

impl Store {
    /// Writes the whole store, as it is at one moment, into a new file. Others may go on reading and writing.
    pub async fn backup(&self, file: &Path) -> Result<Contents, StoreError> {
        let partial = begin_file(file)?;
        let made = match self.database.dialect {
            Dialect::Sqlite => copy_file(&self.database, &partial).await,
            Dialect::Postgres => self.copy_rows(&partial).await,
        };
        end_file(made, &partial, file)?;
        let written = Database::connect(&settings_of(file), Access::Visit).await?;
        let contents = contents(&written, file).await;
        written.close().await;
        contents
    }

    /// Makes the store at `settings` from a backup. There must be none yet.
    pub async fn restore(settings: &Settings, file: &Path, clock: Clock) -> Result<Contents, StoreError> {
        let source = Database::connect(&settings_of(file), Access::Visit).await?;
        let contents = contents(&source, file).await?;
        match Location::parse(settings.url.expose_secret())? {
            Location::File(path) => {
                // What a file that was moved away has left of its log would be taken for this one's.
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
        // A backup that an earlier version has made is brought up to date.
        Self::open(settings, clock).await?.close().await;
        Ok(contents)
    }

    async fn copy_rows(&self, file: &Path) -> Result<(), StoreError> {
        let target = Database::connect(&settings_of(file), Access::Own).await?;
        migrations::run(&target, self.clock.now()).await?;
        let mut from = self.database.snapshot().await?;
        let mut to = target.write().await?;
        // An article may be the copy of one that comes later.
        sqlx::raw_sql("PRAGMA defer_foreign_keys = ON").execute(&mut *to).await?;
        rows::copy((&mut from, Dialect::Postgres), (&mut to, Dialect::Sqlite)).await?;
        partitions::forget_removed(&mut to).await?;
        to.commit().await?;
        from.commit().await?;
        target.readers.close().await;
        // Nothing of it in a file beside it.
        sqlx::raw_sql("PRAGMA journal_mode = DELETE").execute(&mut *target.write_alone().await?).await?;
        target.close().await;
        Ok(())
    }
}

/// A server's empty database becomes the store, whole or not at all.
async fn fill_server(source: &Database, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
    let target = Database::connect(settings, Access::Own).await?;
    let version = migrations::version(source).await?;
    let mut to = target.write().await?;
    migrations::begin_at(&mut to, &target, version, now).await?;
    let mut from = source.readers.acquire().await?;
    if version >= partitions::SINCE {
        partitions::make_room_for(&mut from, &mut to).await?;
    }
    // Rows in any order; and one check of all of them is cheaper than one of each.
    let keys = rows::drop_foreign_keys(&mut to).await?;
    rows::copy((&mut from, Dialect::Sqlite), (&mut to, Dialect::Postgres)).await?;
    rows::add_foreign_keys(&mut to, keys).await?;
    rows::continue_numbers(&mut to).await?;
    to.commit().await?;
    target.close().await;
    Ok(())
}

/// SQLite's own copy of a database into an empty file, without gaps.
async fn copy_file(from: &Database, to: &Path) -> Result<(), StoreError> {
    let name = to.to_str().ok_or_else(|| StoreError::url("the path is not UTF-8"))?;
    let mut connection = from.write_alone().await?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(&mut *connection).await?;
    Ok(())
}

/// An empty file beside the one that is to be, for its owner alone.
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

/// The file under its own name, once all of it is on the disk.
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
        tracing::debug!(file = %partial.display(), %error, "what was begun stays");
    }
    ended
}

/// Looks at every page of a file, and counts.
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

/// Nobody else has the file, so that nothing is waited for.
fn settings_of(file: &Path) -> Settings {
    let url = SecretText::from(format!("sqlite:{}", file.display()));
    Settings { url, max_connections: 1, busy_timeout: Duration::from_secs(10), search_index: true }
}
