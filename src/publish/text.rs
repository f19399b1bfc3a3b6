//! Writes clean texts as files, `<sequence>_<hash16>.txt`: title, blank line, paragraphs, in UTF-8.
//!
//! A file's name identifies the text it holds, so a text that is delivered again overwrites itself. Where a text came from,
//! which file it replaces, and whether its article was withdrawn is recorded before the text or in a file beside it, as the
//! operator chooses.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::folder::{Folder, Named};
use super::{Batch, Batching, Delivery, Sink};
use crate::model::{ArticleId, EarlierText, Event, Record, Sha256Hash};

/// Maximum number of outbox positions in a batch. Each file costs an fsync, so batches are small: one must not hold its lease for
/// long.
pub const BATCH_RECORDS: u32 = 50;

/// Which texts are written to files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Only the first of each text: copies are links in the store, and would duplicate the text here.
    #[default]
    Originals,
    /// Copies as well.
    WithDuplicates,
}

/// Where the metadata of a text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum Trace {
    /// Nowhere: files hold only the text.
    #[default]
    None,
    /// At the head of the file, between two lines of `---`, as YAML.
    FrontMatter,
    /// In a separate file of the same name with the extension `.json`.
    Sidecar,
}

/// A sink that writes a folder of clean texts.
#[derive(Debug)]
pub struct Texts {
    /// Where the files are written.
    pub folder: Folder,
    /// Which texts are written.
    pub selection: Selection,
    /// Where their metadata is written.
    pub trace: Trace,
}

impl Sink for Texts {
    fn batching(&self) -> Batching {
        Batching { max_records: BATCH_RECORDS, ..Batching::default() }
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        let chosen = batch.records.iter().filter(|record| self.selection.wants(record));
        let files: Vec<Vec<Named>> = chosen.map(|record| self.trace.files(record)).collect();
        Box::pin(async {
            self.folder.write(files).await?;
            Ok(())
        })
    }
}

impl Selection {
    fn wants(self, record: &Record) -> bool {
        self == Self::WithDuplicates || record.duplicate_of.is_none()
    }
}

/// The metadata of a text.
#[derive(Serialize)]
struct Origin<'r> {
    event: Event,
    id: ArticleId,
    revision: u32,
    url: &'r Url,
    published_at: Option<Timestamp>,
    fetched_at: Timestamp,
    withdrawn_at: Option<Timestamp>,
    /// The file that holds the text; none after a withdrawal.
    file: Option<String>,
    /// The file whose text is no longer valid, if it was written.
    replaces: Option<String>,
}

impl<'r> Origin<'r> {
    fn of(record: &'r Record) -> Self {
        let earlier = |text: EarlierText| file_name(text.seq, &text.content_sha256, TEXT);
        Self {
            event: record.event,
            id: record.id,
            revision: record.revision,
            url: &record.url,
            published_at: record.metadata.published_at,
            fetched_at: record.fetched_at,
            withdrawn_at: record.withdrawn_at,
            file: has_new_text(record).then(|| file_name(record.seq, &record.content_sha256, TEXT)),
            replaces: record.replaces.map(earlier),
        }
    }

    /// Returns one line per field; JSON values are valid YAML.
    fn front_matter(&self) -> String {
        let value = serde_json::to_value(self).expect("plain values under string keys");
        let fields = value.as_object().into_iter().flatten();
        let lines: String = fields.map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("---\n{lines}---\n")
    }
}

impl Trace {
    /// Returns the files to write for an event.
    fn files(self, record: &Record) -> Vec<Named> {
        let is_withdrawn = record.event == Event::Withdrawn;
        if !has_new_text(record) && (self == Self::None || !is_withdrawn) {
            return Vec::new();
        }
        let named = |extension: &str, content: String| Named {
            name: file_name(record.seq, &record.content_sha256, extension),
            content: content.into_bytes(),
        };
        let text = if is_withdrawn { String::new() } else { file_text(record) };
        match self {
            Self::None => vec![named(TEXT, text)],
            Self::FrontMatter => vec![named(TEXT, Origin::of(record).front_matter() + &text)],
            Self::Sidecar => {
                let origin = serde_json::to_string_pretty(&Origin::of(record));
                let origin = named("json", origin.expect("plain values under string keys") + "\n");
                // The text comes first, so that it already exists when a reader sees its metadata.
                let text = (!is_withdrawn).then(|| named(TEXT, text));
                text.into_iter().chain([origin]).collect()
            }
        }
    }
}

fn has_new_text(record: &Record) -> bool {
    matches!(record.event, Event::Created | Event::Revised) && !record.text.is_empty()
}

const TEXT: &str = "txt";

/// Returns `000000000041_9d1152d29f00fa6d.txt`: the position in the outbox, zero-padded so that files sort by it, and the first
/// half of the content's hash.
pub fn file_name(seq: i64, content: &Sha256Hash, extension: &str) -> String {
    format!("{seq:012}_{}.{extension}", content.hash16())
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
