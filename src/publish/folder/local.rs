//! A folder on the local disk that one sink writes to.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Named;
use crate::publish::PublishError;

/// The file that the process writing into the folder keeps locked.
const LOCK_FILE: &str = ".feedmill-lock";

/// A folder that only this sink writes to.
#[derive(Clone, Debug)]
pub struct Local {
    path: PathBuf,
    _lock: Arc<File>,
}

impl Local {
    /// Opens the folder, creating it if it does not exist. Fails if another process or sink writes into it: the two would
    /// corrupt each other's files.
    pub(super) fn open(path: &Path) -> Result<Self, PublishError> {
        fs::create_dir_all(path).map_err(|source| failure("cannot create", path, source))?;
        let lock_path = path.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(|source| failure("cannot create", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Arc::new(lock) }),
            Err(TryLockError::WouldBlock) => {
                Err(PublishError::FolderInUse { path: path.display().to_string() })
            }
            Err(TryLockError::Error(source)) => Err(failure("cannot lock", &lock_path, source)),
        }
    }

    /// Writes files, each atomically (temporary file, fsync, rename), replacing one of the same name. When this returns, they
    /// are on disk.
    pub(super) async fn write(&self, sets: Vec<Vec<Named>>) -> Result<(), PublishError> {
        let folder = self.clone();
        // Writes a few megabytes to the local disk with one fsync per file, so it runs off the async threads.
        tokio::task::spawn_blocking(move || folder.write_now(sets.iter().flatten()))
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    fn write_now<'f>(&self, files: impl Iterator<Item = &'f Named>) -> Result<(), PublishError> {
        let mut folders = BTreeSet::new();
        for file in files {
            let path = self.path.join(&file.name);
            let folder = path.parent().unwrap_or(&self.path);
            if folders.insert(folder.to_owned()) {
                self.make(folder).map_err(|source| failure("cannot create", folder, source))?;
            }
            write_whole(&path, &file.content).map_err(|source| failure("cannot write", &path, source))?;
        }
        for folder in folders {
            sync(&folder).map_err(|source| failure("cannot sync", &folder, source))?;
        }
        Ok(())
    }

    /// Creates a subfolder and syncs the folder, so that the subfolder survives a crash.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        sync(&self.path)
    }
}

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn failure(action: &'static str, path: &Path, source: io::Error) -> PublishError {
    PublishError::File { action, path: path.display().to_string(), source }
}
