//! Clean texts as files, `<sequence>_<hash16>.txt`: title, blank line, paragraphs, in UTF-8.
//!
//! A file appears whole or not at all (temporary file, fsync, rename), and the cursor beside the files moves only after the
//! folder has been fsynced: a crash repeats at most one batch, under the same names.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BATCH, PublishError};
use crate::model::{Event, Record};
use crate::store::Store;

/// Held by whoever writes into the folder.
const LOCK_FILE: &str = ".feedmill-lock";

/// Which records become files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The first of each text only: copies are links in the store, and would double the text here.
    #[default]
    Originals,
    /// Copies too.
    WithDuplicates,
}

impl Selection {
    /// Where the folder's cursor is kept. Each selection has its own: what one passed over the other still wants, and
    /// what both want has the same name.
    const fn cursor_file(self) -> &'static str {
        match self {
            Self::Originals => ".feedmill-cursor",
            Self::WithDuplicates => ".feedmill-cursor-with-duplicates",
        }
    }
}

/// A folder of clean texts, ours alone to write.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    selection: Selection,
    _lock: Arc<File>,
}

impl Folder {
    /// Opens the folder, creating it where it is missing. Fails where another process writes into it: two would tear
    /// each other's files.
    pub fn open(path: &Path, selection: Selection) -> Result<Self, PublishError> {
        fs::create_dir_all(path).map_err(|source| failure("cannot create", path, source))?;
        let lock_path = path.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(|source| failure("cannot create", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), selection, _lock: Arc::new(lock) }),
            Err(TryLockError::WouldBlock) => {
                Err(PublishError::FolderInUse { path: path.display().to_string() })
            }
            Err(TryLockError::Error(source)) => Err(failure("cannot lock", &lock_path, source)),
        }
    }

    /// Writes everything after the folder's cursor. Returns how many files it was.
    pub async fn catch_up(&self, store: &Store) -> Result<u64, PublishError> {
        let mut written = 0;
        let mut cursor = self.cursor()?;
        let last_seq = store.last_seq().await?;
        if cursor > last_seq {
            let path = self.path.join(self.selection.cursor_file()).display().to_string();
            return Err(PublishError::CursorAhead { path, cursor, last_seq });
        }
        let removed_through = store.removed_through().await?;
        if 0 < cursor && cursor < removed_through {
            tracing::warn!(
                cursor,
                removed_through,
                "texts were removed (keep_days) before they became files"
            );
        }
        loop {
            let records = store.records_after(cursor, BATCH).await?;
            let Some(last) = records.last() else {
                // Said once: what was removed is behind the folder now.
                if cursor < removed_through {
                    let folder = self.clone();
                    off_the_async_threads(move || folder.write(&[], removed_through)).await?;
                }
                return Ok(written);
            };
            cursor = last.seq;
            // A batch is a few megabytes of local writes and one fsync a file: off the async threads.
            let folder = self.clone();
            written += off_the_async_threads(move || folder.write(&records, cursor)).await?;
        }
    }

    fn write(&self, records: &[Record], cursor: i64) -> Result<u64, PublishError> {
        let mut written = 0;
        for record in records.iter().filter(|record| self.selects(record)) {
            self.write_whole(&file_name(record), file_text(record).as_bytes())?;
            written += 1;
        }
        self.sync()?;
        self.write_whole(self.selection.cursor_file(), format!("{cursor}\n").as_bytes())?;
        self.sync()?;
        Ok(written)
    }

    fn selects(&self, record: &Record) -> bool {
        let has_new_text = matches!(record.event, Event::Created | Event::Revised);
        let is_wanted = self.selection == Selection::WithDuplicates || record.duplicate_of.is_none();
        has_new_text && is_wanted && !record.text.is_empty()
    }

    fn cursor(&self) -> Result<i64, PublishError> {
        let path = self.path.join(self.selection.cursor_file());
        let content = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            read => read.map_err(|source| failure("cannot read", &path, source))?,
        };
        content.trim().parse().map_err(|_| PublishError::Cursor { path: path.display().to_string(), content })
    }

    fn write_whole(&self, name: &str, content: &[u8]) -> Result<(), PublishError> {
        let path = self.path.join(name);
        let temporary = self.path.join(format!(".{name}.tmp"));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| failure("cannot write", &path, source))
    }

    fn sync(&self) -> Result<(), PublishError> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| failure("cannot sync", &self.path, source))
    }
}

async fn off_the_async_threads<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
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

fn failure(action: &'static str, path: &Path, source: std::io::Error) -> PublishError {
    PublishError::File { action, path: path.display().to_string(), source }
}
