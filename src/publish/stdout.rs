//! Writes records as JSON lines to standard output, for running the daemon in a pipe.

use std::io::{self, BufWriter, Write as _};

use super::{Batch, Batching, Delivery, Failure, Sink, lines};

/// A sink that writes to standard output.
#[derive(Debug)]
pub struct Stdout;

impl Sink for Stdout {
    fn batching(&self) -> Batching {
        Batching::default()
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        Box::pin(async {
            // A slow reader blocks this thread; `block_in_place` hands its other tasks over to other threads.
            tokio::task::block_in_place(|| {
                let mut out = BufWriter::new(io::stdout().lock());
                for record in &batch.records {
                    lines::write(&mut out, record)?;
                }
                out.flush().map_err(lines::stream_failure)
            })
            .map_err(|error| Failure::later(error.to_string()))
        })
    }
}
