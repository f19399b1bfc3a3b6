//! Watches the files of a configuration for changes: `watch = true`.
//!
//! The folders are watched instead of the files: editors, packages and orchestrators replace a file by a new one.
//! A file change counts once its writer has closed the file, and is reported when no other follows for a moment, so that
//! partly written files are not read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// A change is reported when none follows it for this long, and after `MOST_QUIET_TIMES` such waits at the latest.
const QUIET: Duration = Duration::from_millis(250);
const MOST_QUIET_TIMES: u32 = 8;

/// The files and folders that a configuration was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files that were read, or would have been if they existed.
    pub(super) files: BTreeSet<PathBuf>,
    /// Folders whose files were read.
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Sources {
    /// Adds the sources of another load.
    pub fn extend(&mut self, other: &Self) {
        self.files.extend(other.files.iter().cloned());
        self.folders.extend(other.folders.iter().cloned());
    }

    /// Returns the paths under which the system reports changes: folders are canonicalized. A file that is a symlink appears
    /// both under its own name and its target's.
    fn real(&self) -> Self {
        let folder_of = |file: &Path| {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.unwrap_or(Path::new(".")).canonicalize().ok()
        };
        let named = |file: &PathBuf| Some(folder_of(file)?.join(file.file_name()?));
        let files = self.files.iter().flat_map(|file| [named(file), file.canonicalize().ok()]);
        Self {
            files: files.flatten().collect(),
            folders: self.folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect(),
        }
    }

    fn watched_folders(&self) -> BTreeSet<&Path> {
        let of_files = self.files.iter().filter_map(|file| file.parent());
        of_files.chain(self.folders.iter().map(PathBuf::as_path)).collect()
    }

    fn is_changed_by(&self, event: &notify::Event) -> bool {
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Kubernetes points the symlink `..data` at a folder with the new files.
            let is_turned_link = name.starts_with("..");
            let is_in_folder =
                !name.starts_with('.') && path.parent().is_some_and(|parent| self.folders.contains(parent));
            is_turned_link || is_in_folder || self.files.contains(path)
        };
        let is_whole = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_)) => true,
            // A symlink is complete when it is created, a file is not.
            EventKind::Create(_) => event.paths.iter().any(|path| path.is_symlink()),
            // Other systems do not report that a file was closed.
            EventKind::Modify(_) => !cfg!(target_os = "linux"),
            _ => false,
        };
        event.need_rescan() || is_whole && event.paths.iter().any(is_ours)
    }
}

/// Reports changes in the files that it follows; initially none.
#[derive(Debug, Default)]
pub struct Watch {
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Follows these files instead of the previous ones. Logs folders that cannot be watched and follows the rest.
    pub fn follow(&mut self, sources: &Sources) {
        let sources = sources.real();
        let (changed, of_interest) = (Arc::clone(&self.changed), sources.clone());
        let told = move |event: notify::Result<notify::Event>| {
            // An error may concern our files.
            if event.is_ok_and(|event| !of_interest.is_changed_by(&event)) {
                return;
            }
            changed.notify_one();
        };
        let mut watcher = match notify::recommended_watcher(told) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "cannot watch the configuration for changes; hint: reload (SIGHUP) after a change"
                );
                return;
            }
        };
        for folder in sources.watched_folders() {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "cannot watch the folder for changes");
            }
        }
        // Drop the previous watcher only now, so that no change is missed in between.
        self.watcher = Some(watcher);
    }

    /// Stops following files.
    pub fn stop(&mut self) {
        self.watcher = None;
    }

    /// Returns whether it follows any files.
    pub fn is_on(&self) -> bool {
        self.watcher.is_some()
    }

    /// Waits for a change and for the quiet period after it. Several changes are reported as one.
    pub async fn changed(&self) {
        self.changed.notified().await;
        for _ in 0..MOST_QUIET_TIMES {
            if tokio::time::timeout(QUIET, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::{CreateKind, DataChange, ModifyKind, RemoveKind, RenameMode};

    use super::*;

    #[test]
    fn a_change_counts_when_it_is_whole_and_ours() {
        let sources = Sources {
            files: BTreeSet::from([PathBuf::from("/etc/feedmill/feedmill.toml")]),
            folders: BTreeSet::from([PathBuf::from("/etc/feedmill/feeds.d")]),
        };
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for (kind, path, counts) in [
            (closed, "/etc/feedmill/feedmill.toml", true),
            (renamed, "/etc/feedmill/feedmill.toml", true),
            (EventKind::Remove(RemoveKind::File), "/etc/feedmill/feedmill.toml", true),
            (closed, "/etc/feedmill/feeds.d/new.toml", true),
            (renamed, "/etc/feedmill/..data", true),
            (closed, "/etc/feedmill/feedmill.db", false),
            (closed, "/etc/feedmill/feeds.d/.new.toml.swp", false),
            (EventKind::Create(CreateKind::File), "/etc/feedmill/feeds.d/new.toml", false),
            (EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/etc/feedmill/feedmill.toml", false),
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), "/etc/feedmill/feedmill.toml", false),
        ] {
            let event = Event::new(kind).add_path(PathBuf::from(path));
            assert_eq!(sources.is_changed_by(&event), counts, "{kind:?} {path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_in_a_row_are_one() {
        let watch = Watch::default();
        watch.changed.notify_one();
        watch.changed.notify_one();
        watch.changed().await;
        let more = tokio::time::timeout(Duration::from_hours(1), watch.changed()).await;
        assert!(more.is_err(), "told twice");
    }
}
