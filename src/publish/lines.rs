//! Records as JSON lines, to any writer.

use std::io::Write;

use super::{BATCH, PublishError};
use crate::store::Store;

/// Writes every record after `seq`, one JSON object a line, flushed after each batch. `written` is told the last position of
/// a batch once it is flushed: the moment to move a cursor. Returns how many records it was.
pub async fn stream<W: Write>(
    store: &Store,
    mut seq: i64,
    out: &mut W,
    mut written: impl AsyncFnMut(i64) -> Result<(), PublishError>,
) -> Result<u64, PublishError> {
    let mut count = 0;
    loop {
        let records = store.records_after(seq, BATCH).await?;
        let Some(last) = records.last() else { return Ok(count) };
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
