//! Records as JSON lines, to any writer.

use std::io::Write;

use super::filter::Filter;
use super::{PublishError, STEP};
use crate::model::Record;
use crate::store::Store;

/// What a reader does who comes too late for some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It stops before it has read any.
    Stop,
    /// It goes on with what is left.
    Skip,
}

/// Which records are streamed.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'s> {
    /// Those after this position.
    pub after: i64,
    /// What happens where some of them are gone.
    pub late: Late,
    /// Those that it admits.
    pub filter: &'s Filter,
}

/// Writes every selected record that there is, one JSON object a line, flushed after each batch. `written` is told the last
/// position of a batch once it is flushed: the moment to move a cursor. Returns the position from which to go on. Whoever
/// starts at 0 asks for what there is, and is never late.
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
            // Said once: what was removed is behind the reader now.
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

/// Writes one record and the end of its line.
pub(super) fn write(out: &mut impl Write, record: &Record) -> Result<(), PublishError> {
    serde_json::to_writer(&mut *out, record)
        .map_err(|source| PublishError::Json { seq: record.seq, source })?;
    out.write_all(b"\n").map_err(stream_failure)
}

pub(super) fn stream_failure(source: std::io::Error) -> PublishError {
    PublishError::File { action: "cannot write to", path: "the output".to_owned(), source }
}
