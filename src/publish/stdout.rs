//! Writes records as JSON lines to standard output, for running the daemon in a pipe.
//!
//! On a terminal, text from the open internet may reorder or hide the text around it, or control the terminal. So such characters
//! are written as JSON escapes (`\u202e`), which readers decode to the same characters: in a pipe too, so that a line is the same
//! bytes wherever it goes.

use std::io::{self, BufWriter, Write};

use serde::Serialize as _;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::{Batch, Batching, Delivery, Failure, PublishError, Sink, lines};
use crate::model::Record;
use crate::telemetry::is_deceptive;

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
                    write(&mut out, record)?;
                }
                out.flush().map_err(lines::stream_failure)
            })
            .map_err(|error| Failure::later(error.to_string()))
        })
    }
}

/// Writes one record and a line break.
fn write(out: &mut impl Write, record: &Record) -> Result<(), PublishError> {
    record
        .serialize(&mut Serializer::with_formatter(&mut *out, Visible))
        .map_err(|source| PublishError::Json { seq: record.seq, source })?;
    out.write_all(b"\n").map_err(lines::stream_failure)
}

/// Compact JSON with deceptive characters escaped. All of them have four hexadecimal digits at most.
struct Visible;

impl Formatter for Visible {
    /// Writes a part of a string in which JSON requires no escapes.
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| is_deceptive(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", u32::from(found))?;
            rest = &rest[at + found.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_escaped_and_decodes_to_itself() {
        let text = "a \"\\\u{202e}b\u{9b}c\n\u{7f}é\u{200d}\u{2028}😀";
        let mut out = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut out, Visible)).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert_eq!(json, r#""a \"\\\u202eb\u009bc\n\u007fé\u200d\u2028😀""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
