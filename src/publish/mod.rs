//! What leaves the mill. The outbox is read by cursor; every consumer remembers how far it came, and moves its cursor only
//! when what it read is safe.

/// Records as text files in a folder.
pub mod files;
/// Records as JSON lines.
pub mod lines;
/// Pages as they came, for other tools.
pub mod warc;

use crate::store::StoreError;

/// Records read from the outbox at a time.
const BATCH: u32 = 50;

/// Why a consumer stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or a stream failed.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What came of it.
        source: std::io::Error,
    },
    /// Another process writes into the folder.
    #[error("{path}: another feedmill writes into this folder; hint: export into a folder of its own")]
    FolderInUse {
        /// The folder.
        path: String,
    },
    /// The cursor is beyond the store's last record.
    #[error(
        "{path}: the cursor is at {cursor}, the store only at {last_seq}: the folder was filled from another store; \
         hint: export into another folder, or delete the file to export everything again"
    )]
    CursorAhead {
        /// The file.
        path: String,
        /// Where it stands.
        cursor: i64,
        /// Where the store stands.
        last_seq: i64,
    },
    /// Records that the reader has not read are gone.
    #[error(
        "records after {after} were removed since (keep_days), up to {removed_through}; hint: --skip-removed goes on with what \
         is left"
    )]
    Removed {
        /// Where the reader stands.
        after: i64,
        /// The highest position that was removed.
        removed_through: i64,
    },
    /// The cursor file holds something else.
    #[error("{path}: not a cursor: {content:?}; hint: delete the file to export everything again")]
    Cursor {
        /// The file.
        path: String,
        /// What it holds.
        content: String,
    },
    /// A record could not be written as JSON.
    #[error("record {seq}: {source}")]
    Json {
        /// The record.
        seq: i64,
        /// Why not.
        source: serde_json::Error,
    },
}
