//! The local folders that the daemon writes to, checked by writing to them. Buckets, webhooks and servers are not checked: every
//! request may cost money, and failed deliveries show in the state of the sink.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::folder::Place;
use super::{Configured, warc};
use crate::disk::{LEAST_FREE_BYTES, free_bytes};

/// The file that a check writes and removes. Several processes may check one folder at the same time, so it may be gone already
/// when it is removed.
const PROBE_FILE: &str = ".feedmill-probe";

/// The content of that file: a whole block, because file systems store a few bytes without using any space.
const PROBE: [u8; 4096] = [b'\n'; 4096];

/// A local folder that the daemon writes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Output {
    /// The sink or setting that names the folder, for messages.
    pub of: String,
    /// The folder.
    pub folder: PathBuf,
}

/// A problem that keeps files from being written.
#[derive(Debug, thiserror::Error)]
pub enum OutputProblem {
    /// A file cannot be written.
    #[error(
        "{} cannot write to {}: {source}; hint: make room, or see that the folder exists and is writable",
        output.of,
        output.folder.display()
    )]
    Refused {
        /// The folder.
        output: Output,
        /// The system's error.
        source: io::Error,
    },
    /// The disk is nearly full.
    #[error(
        "the folder of {}, {}, has {} MiB of space left; hint: make room",
        output.of,
        output.folder.display(),
        free_bytes >> 20
    )]
    Space {
        /// The folder.
        output: Output,
        /// Space available to this process, in bytes.
        free_bytes: u64,
    },
}

impl Output {
    /// Returns the folder of a sink; `None` if the sink is paused or does not write to a local folder.
    pub fn of_sink(sink: &Configured) -> Option<Self> {
        match sink.receiver.place() {
            Some(Place::Local(folder)) if !sink.relay.pause => {
                Some(Self { of: format!("sink {}", sink.relay.name), folder: folder.clone() })
            }
            _ => None,
        }
    }

    /// Returns the folder of the archive.
    pub fn of_archive(archive: &warc::Settings) -> Self {
        Self { of: "output.warc_dir".to_owned(), folder: archive.dir.clone() }
    }

    /// Writes a file to the folder, removes it, and checks the free disk space.
    pub async fn check(&self) -> Result<(), OutputProblem> {
        let output = self.clone();
        tokio::task::spawn_blocking(move || output.check_now())
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    fn check_now(self) -> Result<(), OutputProblem> {
        match probe(&self.folder).and_then(|()| free_bytes(&self.folder)) {
            Ok(free_bytes) if free_bytes < LEAST_FREE_BYTES => {
                Err(OutputProblem::Space { output: self, free_bytes })
            }
            Ok(_) => Ok(()),
            Err(source) => Err(OutputProblem::Refused { output: self, source }),
        }
    }
}

fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(PROBE_FILE);
    // Synced, because some file systems report only then that they are full.
    let written =
        File::create(&path).and_then(|mut file| file.write_all(&PROBE).and_then(|()| file.sync_data()));
    match fs::remove_file(&path) {
        Err(error) if written.is_ok() && error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => written,
    }
}
