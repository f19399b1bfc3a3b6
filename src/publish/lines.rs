//! Records as JSON lines, to any writer.

use std::io::Write;

use super::{BATCH, PublishError};
use crate::store::Store;

/// What a reader does who comes too late for some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It stops before it has read any.
    Stop,
    /// It goes on with what is left.
    Skip,
}

/// Writes every record after `seq`, one JSON object a line, flushed after each batch. `written` is told the last position of
/// a batch once it is flushed: the moment to move a cursor. Returns how many records it was. Whoever starts at 0 asks for
/// what there is, and is never late.
pub async fn stream<W: Write>(
    store: &Store,
    mut seq: i64,
    late: Late,
    out: &mut W,
    mut written: impl AsyncFnMut(i64) -> Result<(), PublishError>,
) -> Result<u64, PublishError> {
    let removed_through = store.removed_through().await?;
    if 0 < seq && seq < removed_through {
        if late == Late::Stop {
            return Err(PublishError::Removed { after: seq, removed_through });
        }
        tracing::warn!(after = seq, removed_through, "records were removed before they were read");
    }
    let mut count = 0;
    loop {
        let records = store.records_after(seq, BATCH).await?;
        let Some(last) = records.last() else {
            // Said once: what was removed is behind the reader now.
            if seq < removed_through {
                written(removed_through).await?;
            }
            return Ok(count);
        };
        seq = last.seq;
        for record in &records {
            serde_json::to_writer(&mut *out, record)
                .map_err(|source| PublishError::Json { seq: record.seq, source })?;
            out.write_all(b"\n").map_err(stream_failure)?;
            count += 1;
        }
        out.flush().map_err(stream_failure)?;
        written(seq).await?;
    }
}

fn stream_failure(source: std::io::Error) -> PublishError {
    PublishError::File { action: "cannot write to", path: "the output".to_owned(), source }
}
