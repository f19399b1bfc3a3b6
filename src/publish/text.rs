//! Clean texts as files, `<sequence>_<hash16>.txt`: title, blank line, paragraphs, in UTF-8.
//!
//! A file's name says which text it holds, so whatever is delivered again replaces itself.

use super::folder::{Folder, Named};
use super::{Batch, Batching, Delivery, Sink};
use crate::model::{Event, Record};

/// Each file costs an fsync: a batch must not hold its lease for long.
const BATCH_RECORDS: u32 = 50;

/// Which texts become files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The first of each text only: copies are links in the store, and would double the text here.
    #[default]
    Originals,
    /// Copies too.
    WithDuplicates,
}

/// A folder of clean texts.
#[derive(Debug)]
pub struct Texts {
    /// Where they are written.
    pub folder: Folder,
    /// Which ones.
    pub selection: Selection,
}

impl Sink for Texts {
    fn batching(&self) -> Batching {
        Batching { max_records: BATCH_RECORDS, ..Batching::default() }
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        let chosen = batch.records.iter().filter(|record| self.selection.wants(record));
        let files: Vec<Named> = chosen
            .map(|record| Named { name: file_name(record), content: file_text(record).into_bytes() })
            .collect();
        Box::pin(async {
            self.folder.write(files).await?;
            Ok(())
        })
    }
}

impl Selection {
    fn wants(self, record: &Record) -> bool {
        let has_new_text = matches!(record.event, Event::Created | Event::Revised);
        let is_wanted = self == Self::WithDuplicates || record.duplicate_of.is_none();
        has_new_text && is_wanted && !record.text.is_empty()
    }
}

/// `000_9d1152d29f00fa6d.txt`: the position in the outbox and the first half of the content's hash.
pub fn file_name(record: &Record) -> String {
    format!("{:03}_{}.txt", record.seq, record.content_sha256.hash16())
}

fn file_text(record: &Record) -> String {
    let mut text = String::with_capacity(record.text.len() + 200);
    if let Some(title) = &record.metadata.title {
        text.push_str(title);
        text.push_str("\n\n");
    }
    text.push_str(&record.text);
    text.push('\n');
    text
}
