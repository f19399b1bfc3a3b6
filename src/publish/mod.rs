//! What leaves the mill. The outbox is read by cursor; every consumer remembers how far it came, and moves its cursor only
//! when what it read is safe.

/// Records as text files in a folder.
pub mod files;
/// Records as JSON lines.
pub mod lines;

use crate::store::StoreError;

/// Records read from the outbox at a time.
const BATCH: u32 = 200;

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
