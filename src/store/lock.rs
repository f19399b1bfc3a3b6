//! The lock that lets only one process run on a store in an SQLite file.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::connection::{Location, beside};
use super::{Store, StoreError};

/// Held by the one process that runs the pipeline on an SQLite file. Locks nothing on PostgreSQL, where leases keep
/// processes apart.
#[derive(Debug)]
pub struct RunLock {
    _file: Option<File>,
}

impl Store {
    /// Makes this process the one that runs the pipeline, until the lock is dropped. On SQLite this fails if another process
    /// is running, and it ends every lease that an earlier process left behind; on PostgreSQL leases expire.
    ///
    /// Rows that an earlier process put off become due at once: only that process knew that a host was busy or the network
    /// down, and a run that ends when nothing is due would leave them behind. On PostgreSQL another process may still be
    /// running; it puts off again what it finds due too early.
    pub async fn lock_for_running(&self) -> Result<RunLock, StoreError> {
        let file = match &self.database.location {
            Location::File(path) => Some(lock_file(path)?),
            Location::Server(_) => None,
        };
        let mut tx = self.database.write().await?;
        let now = self.clock.now().as_millisecond();
        for recall in [
            "UPDATE feeds SET next_poll_at = $1 WHERE put_off = 1 AND next_poll_at > $1",
            "UPDATE entries SET next_attempt_at = $1 WHERE put_off = 1 AND next_attempt_at > $1",
        ] {
            sqlx::query(recall).bind(now).execute(&mut *tx).await?;
        }
        if file.is_some() {
            // Set to an expired time instead of 0: whoever claims the row next learns that it was leased when the process died.
            for end in [
                "UPDATE feeds SET lease_until = 1 WHERE lease_until > 0",
                "UPDATE entries SET lease_until = 1 WHERE lease_until > 0",
                "UPDATE sinks SET lease_until = 0 WHERE lease_until > 0",
            ] {
                sqlx::query(end).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(RunLock { _file: file })
    }
}

/// Locks a file beside the database file itself, with symbolic links resolved. The database is not locked directly: SQLite's
/// own locks on it would end when the process closes any other handle to it.
pub(super) fn lock_file(database: &Path) -> Result<File, StoreError> {
    let resolved = match database.canonicalize() {
        Ok(resolved) => resolved,
        Err(source) => return Err(StoreError::Lock { path: database.to_owned(), source }),
    };
    let path = beside(&resolved, ".lock");
    let file = match File::options().create(true).truncate(false).write(true).open(&path) {
        Ok(file) => file,
        Err(source) => return Err(StoreError::Lock { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Running { path }),
        Err(TryLockError::Error(source)) => Err(StoreError::Lock { path, source }),
    }
}
