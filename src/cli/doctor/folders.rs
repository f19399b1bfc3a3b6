//! Checks of folders and files: write permission, ownership and free space.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::finding::Finding;
use crate::disk::LEAST_FREE_BYTES;
use crate::store::beside;

/// Free space below this multiple of [`LEAST_FREE_BYTES`] is reported as "almost full".
const SOON_FULL: u64 = 10;

/// A folder that is written to.
#[derive(Debug)]
pub(super) struct Folder {
    /// What the folder is used for.
    purpose: &'static str,
    path: PathBuf,
    /// The store's file, if the folder is the store's.
    store: Option<PathBuf>,
}

impl Folder {
    pub(super) fn of(purpose: &'static str, path: &Path) -> Self {
        Self { purpose, path: path.to_owned(), store: None }
    }

    pub(super) fn purpose(&self) -> &'static str {
        self.purpose
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn of_store(file: PathBuf) -> Self {
        let path = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Self { purpose: "store", path, store: Some(file) }
    }
}

pub(super) fn look(folder: &Folder) -> Vec<Finding> {
    let mut findings = vec![permission(folder)];
    findings.extend(folder.store.as_deref().and_then(owners));
    findings.push(room(folder));
    findings
}

/// Returns the folder or its innermost existing parent.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."))
}

/// Checks that the folder can be written or created.
fn permission(folder: &Folder) -> Finding {
    const CHECK: &str = "permissions";
    let Folder { purpose, path, store } = folder;
    let shown = path.display();
    let existing = existing(path);
    let is_there = existing == path;
    if is_there && !path.is_dir() {
        return Finding::problem(CHECK, format!("{purpose}: {shown} is not a folder"))
            .with_hint("configure another path, or move the file away");
    }
    if access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Finding::problem(
            CHECK,
            format!("{purpose}: {} is not writable by this user", existing.display()),
        )
        .with_hint("run as the service's user, or chown the folder to it");
    }
    match store {
        Some(file) if file.exists() && access(file, Access::WRITE_OK).is_err() => {
            Finding::problem(CHECK, format!("{purpose}: {} is not writable by this user", file.display()))
                .with_hint("run as the service's user, or chown the file to it")
        }
        _ if is_there => Finding::ok(CHECK, format!("{purpose}: {shown} is writable")),
        _ => Finding::ok(CHECK, format!("{purpose}: {shown} does not exist yet and can be created")),
    }
}

/// Reports files next to the store that another user owns, which happens if another user ran a command on it, and a
/// store that everybody can read.
fn owners(store: &Path) -> Option<Finding> {
    const CHECK: &str = "permissions";
    let own = store.metadata().ok()?;
    let beside = ["-wal", "-shm", ".lock"].map(|suffix| beside(store, suffix));
    let owner = |metadata: &Metadata| metadata.uid();
    let foreign =
        beside.iter().find(|file| file.metadata().is_ok_and(|beside| owner(&beside) != owner(&own)));
    if let Some(file) = foreign {
        let store = store.display();
        let message = format!("{} and {store} have different owners", file.display());
        let hint = format!("stop the daemon; chown --reference={store} {}", file.display());
        return Some(Finding::problem(CHECK, message).with_hint(hint));
    }
    is_open(&own).then(|| {
        Finding::note(CHECK, format!("{} is readable by every user of this machine", store.display()))
            .with_hint(format!("chmod o= {}", store.display()))
    })
}

/// Reports files with secrets that everybody can read.
pub(super) fn secrets(files: &BTreeSet<PathBuf>) -> Vec<Finding> {
    const CHECK: &str = "secrets";
    let open = files.iter().filter(|file| file.metadata().is_ok_and(|metadata| is_open(&metadata)));
    let findings: Vec<Finding> = open
        .map(|file| {
            Finding::problem(CHECK, format!("{} holds secrets and is readable by every user", file.display()))
                .with_hint(format!(
                    "chmod o= {}, and check that the service's user can read it",
                    file.display()
                ))
        })
        .collect();
    if findings.is_empty() && !files.is_empty() {
        return vec![Finding::ok(CHECK, "no file with secrets is readable by every user")];
    }
    findings
}

fn is_open(metadata: &Metadata) -> bool {
    /// Mode bit for read permission of others.
    const READ_BY_OTHERS: u32 = 0o004;
    metadata.mode() & READ_BY_OTHERS != 0
}

/// Checks the free space of the file system.
fn room(folder: &Folder) -> Finding {
    const CHECK: &str = "disk";
    let place = existing(&folder.path);
    let shown = place.display();
    let space = match statvfs(place) {
        Ok(space) => space,
        Err(error) => {
            return Finding::note(CHECK, format!("{shown}: cannot determine the free space: {error}"));
        }
    };
    let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
    let said = format!("{shown}: {} MiB free", free_bytes >> 20);
    let more = "free disk space, or set articles.keep_days";
    // A file system without a fixed number of inodes reports 0 of 0.
    if space.f_files > 0 && space.f_favail == 0 {
        return Finding::problem(CHECK, format!("{shown}: no free inodes")).with_hint(more);
    }
    match free_bytes {
        0..LEAST_FREE_BYTES => Finding::problem(CHECK, said).with_hint(more),
        _ if free_bytes < SOON_FULL * LEAST_FREE_BYTES => {
            Finding::note(CHECK, format!("{said}: almost full")).with_hint(more)
        }
        _ => Finding::ok(CHECK, said),
    }
}
