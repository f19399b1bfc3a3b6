//! A sink that writes many records into one file and ends a file by period or size, in one of two formats.

use super::folder::{Folder, Named};
use super::{Batch, Batching, Delivery, Failure, Sink, jsonl, parquet};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON lines, compressed with zstd.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// A folder of files that each hold many records.
#[derive(Debug)]
pub struct Files {
    /// Where the files are written.
    pub folder: Folder,
    /// The file format.
    pub form: Form,
    /// When a file ends.
    pub batching: Batching,
}

impl Form {
    /// Returns the name of the format in the configuration.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl.zst",
            Self::Parquet => "parquet",
        }
    }

    fn encode(self, batch: &Batch) -> Result<Vec<u8>, Failure> {
        match self {
            Self::JsonLines => jsonl::encode(batch),
            Self::Parquet => parquet::encode(batch),
        }
    }
}

impl Sink for Files {
    fn batching(&self) -> Batching {
        self.batching
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        Box::pin(async {
            // Compresses tens of megabytes, so it runs off the async threads. Copying the batch is cheap compared to that.
            let (form, copy) = (self.form, batch.clone());
            let encoded = tokio::task::spawn_blocking(move || form.encode(&copy)).await;
            let content = encoded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
            let file = Named { name: batch.file_name(self.form.extension()), content };
            self.folder.write(vec![vec![file]]).await?;
            Ok(())
        })
    }
}
