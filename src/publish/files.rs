//! Many records in one file, a file a period or a size, in one of two forms.

use super::folder::{Folder, Named};
use super::{Batch, Batching, Delivery, Failure, Sink, jsonl, parquet};

/// How records stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON lines, compressed.
    JsonLines,
    /// Typed columns.
    Parquet,
}

/// A folder of files that each hold many records.
#[derive(Debug)]
pub struct Files {
    /// Where they are written.
    pub folder: Folder,
    /// How.
    pub form: Form,
    /// When a file ends.
    pub batching: Batching,
}

impl Form {
    /// The word for it in the configuration.
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
            // Tens of megabytes are compressed: off the async threads. To copy them costs little beside that.
            let (form, copy) = (self.form, batch.clone());
            let encoded = tokio::task::spawn_blocking(move || form.encode(&copy)).await;
            let content = encoded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
            let file = Named { name: batch.file_name(self.form.extension()), content };
            self.folder.write(vec![vec![file]]).await?;
            Ok(())
        })
    }
}
