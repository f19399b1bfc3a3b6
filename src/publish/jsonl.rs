//! Records as JSON lines, compressed with zstd.

use super::{Batch, Failure, lines};

/// The default level of zstd: it reduces text to a third or a quarter of its size, as fast as a disk writes.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// Encodes a batch as one file.
pub(super) fn encode(batch: &Batch) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::later(format!("cannot compress: {error}"));
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    for record in &batch.records {
        lines::write(&mut encoder, record)
            .map_err(|error| Failure::Record { seq: record.seq, reason: error.to_string() })?;
    }
    encoder.finish().map_err(failed)
}
