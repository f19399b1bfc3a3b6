//! Checks whether the store works, by using it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::connection::Location;
use super::sql::Row;
use super::{Store, StoreError};
use crate::disk::{self, LEAST_FREE_BYTES};

/// A problem that keeps the store from storing, or from keeping what it stored.
#[derive(Debug, thiserror::Error)]
pub enum HealthProblem {
    /// A row could not be written or read.
    #[error("the store cannot be used: {0}")]
    Store(#[from] StoreError),
    /// A committed row is missing.
    #[error(
        "the store acknowledged {written} but returned {read}; hint: check the disk, and restore a backup"
    )]
    Lost {
        /// The counter value that was written.
        written: i64,
        /// The counter value that another connection sees.
        read: i64,
    },
    /// The disk is nearly full.
    #[error("{} has {} MiB of space left; hint: make room, or set keep_days", folder.display(), free_bytes >> 20)]
    Space {
        /// The folder of the SQLite file.
        folder: PathBuf,
        /// Space available to this process, in bytes.
        free_bytes: u64,
    },
    /// SQLite found damage in the file.
    #[error("the database file {} is damaged: {finding}; hint: stop the daemon and restore a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first problem found.
        finding: String,
    },
}

impl Store {
    /// Writes a row, reads it back over another connection, and checks the free disk space.
    pub async fn check_health(&self) -> Result<(), HealthProblem> {
        let written = self.beat().await?;
        let read = self.last_beat().await?;
        // Another process may have raised the counter since.
        if read < written {
            return Err(HealthProblem::Lost { written, read });
        }
        match &self.database.location {
            Location::File(path) => check_space(path),
            Location::Server(_) => Ok(()),
        }
    }

    /// Looks for damage in an SQLite file, reading all of it. Does nothing on PostgreSQL: a server checks its own files.
    pub async fn check_integrity(&self) -> Result<(), HealthProblem> {
        let Location::File(path) = &self.database.location else { return Ok(()) };
        let finding = match self.quick_check().await {
            Ok(finding) if finding == "ok" => return Ok(()),
            Ok(finding) => finding,
            Err(error) => error.to_string(),
        };
        Err(HealthProblem::Damaged { path: path.clone(), finding })
    }

    /// FTS5 compares the index of words with the state of it that this connection has cached, and reports damage if another
    /// connection has merged parts of it since (SQLite up to 3.54 at least). A query to the index first refreshes that state, and
    /// the transaction keeps both statements on one snapshot.
    async fn quick_check(&self) -> Result<String, sqlx::Error> {
        let mut tx = self.database.readers.begin().await?;
        sqlx::query("SELECT rowid FROM article_words LIMIT 1").fetch_optional(&mut *tx).await?;
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *tx).await
    }

    /// Returns the last event in the outbox: its position, and when it was stored.
    pub async fn last_event(&self) -> Result<Option<(i64, Timestamp)>, StoreError> {
        let row = sqlx::query(LAST_EVENT).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row { table: "outbox", row: &row };
        Ok(Some((row.get("seq")?, row.time("created_at")?)))
    }

    async fn beat(&self) -> Result<i64, StoreError> {
        let mut tx = self.database.write().await?;
        let beat = sqlx::query_scalar(BEAT).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(beat)
    }

    async fn last_beat(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(LAST_BEAT).fetch_one(&self.database.readers).await?)
    }
}

fn check_space(database: &Path) -> Result<(), HealthProblem> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(free_bytes) = disk::free_bytes(folder) else { return Ok(()) };
    if free_bytes < LEAST_FREE_BYTES {
        return Err(HealthProblem::Space { folder: folder.to_owned(), free_bytes });
    }
    Ok(())
}

const BEAT: &str = "INSERT INTO counters (name, value) VALUES ('heartbeat', 1) \
    ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value";

const LAST_EVENT: &str = "SELECT seq, created_at FROM outbox ORDER BY seq DESC LIMIT 1";

const LAST_BEAT: &str = "SELECT value FROM counters WHERE name = 'heartbeat'";
