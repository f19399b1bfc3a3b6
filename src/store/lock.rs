//! Who runs on a store in a file: one process.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::connection::{Location, beside};
use super::{Store, StoreError};

/// Held by the one process that runs the pipeline on an SQLite file; free on PostgreSQL, where leases keep many
/// processes apart.
#[derive(Debug)]
pub struct RunLock {
    _file: Option<File>,
}

impl Store {
    /// Makes this process the one that runs the pipeline, until the lock is dropped. On SQLite it fails where another
    /// process does, and every lease that an earlier process left behind is given back; on PostgreSQL leases expire.
    ///
    /// What an earlier process put off is due at once: that it waited for a busy host or for the network was known to
    /// that process alone, and a run that ends when nothing is due would leave it behind. On PostgreSQL another process
    /// may still run; it puts off anew what it finds due too early.
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
            // Ended at the beginning of time rather than given back: whoever claims the row next learns that it was in
            // hand when the process died.
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

/// Beside the file itself, whatever links lead there. The database is not locked itself: SQLite's own locks on it would end
/// when the process closes any other handle to it.
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
