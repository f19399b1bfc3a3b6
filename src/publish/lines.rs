//! Writes records as JSON lines to any writer.

use std::io::Write;

use super::filter::Filter;
use super::{PublishError, STEP};
use crate::model::Record;
use crate::store::Store;

/// What a reader does when some of its records were removed before it read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Stop before reading any record.
    Stop,
    /// Go on with the records that are left.
    Skip,
}

/// Which records are streamed.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'s> {
    /// Only records after this position.
    pub after: i64,
    /// What to do when some of them were removed.
    pub late: Late,
    /// Only records that this filter admits.
    pub filter: &'s Filter,
}

/// Writes all selected records stored so far, one JSON object per line, and flushes after each batch. Then it calls `written`
/// with the last position and the number of records of the batch, so that the caller can move its cursor. Returns the position
/// to continue from. A reader that starts at 0 asks for whatever there is, so it never gets [`PublishError::Removed`].
pub async fn stream<W: Write>(
    store: &Store,
    selection: Selection<'_>,
    out: &mut W,
    mut written: impl AsyncFnMut(i64, u64) -> Result<(), PublishError>,
) -> Result<i64, PublishError> {
    let mut seq = selection.after;
    let removed_through = store.removed_through().await?;
    if 0 < seq && seq < removed_through {
        if selection.late == Late::Stop {
            return Err(PublishError::Removed { after: seq, removed_through });
        }
        tracing::warn!(after = seq, removed_through, "records were removed before they were read");
    }
    loop {
        let records = store.records_after(seq, STEP).await?;
        let Some(last) = records.last() else {
            // Moves the reader's cursor past the removed records, so that the warning is given only once.
            if seq < removed_through {
                written(removed_through, 0).await?;
            }
            return Ok(seq.max(removed_through));
        };
        seq = last.seq;
        let mut count = 0;
        for record in records.iter().filter(|record| selection.filter.admits(record)) {
            write(out, record)?;
            count += 1;
        }
        out.flush().map_err(stream_failure)?;
        written(seq, count).await?;
    }
}

/// Writes one record and a line break.
pub(super) fn write(out: &mut impl Write, record: &Record) -> Result<(), PublishError> {
    serde_json::to_writer(&mut *out, record)
        .map_err(|source| PublishError::Json { seq: record.seq, source })?;
    out.write_all(b"\n").map_err(stream_failure)
}

pub(super) fn stream_failure(source: std::io::Error) -> PublishError {
    PublishError::File { action: "cannot write to", path: "the output".to_owned(), source }
}
