//! Whole records as JSON lines, compressed with zstd, one file a period or a size.

use super::folder::{Folder, Named};
use super::{Batch, Batching, Delivery, Failure, Sink, lines};

/// zstd's own default: text shrinks to a third or a quarter at the speed of a disk.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// A folder of JSON lines.
#[derive(Debug)]
pub struct JsonLines {
    /// Where they are written.
    pub folder: Folder,
    /// When a file ends.
    pub batching: Batching,
}

impl Sink for JsonLines {
    fn batching(&self) -> Batching {
        self.batching
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        Box::pin(async {
            let content = compressed(batch)?;
            self.folder.write(vec![Named { name: batch.file_name("jsonl.zst"), content }]).await?;
            Ok(())
        })
    }
}

fn compressed(batch: &Batch) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::later(format!("cannot compress: {error}"));
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    for record in &batch.records {
        lines::write(&mut encoder, record).map_err(|error| Failure::Record {
            seq: record.seq,
            reason: error.to_string(),
        })?;
    }
    encoder.finish().map_err(failed)
}
