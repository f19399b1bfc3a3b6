//! The file of feeds written by commands: they add, pause, resume and remove feeds in it. It is included like any other file,
//! so that the whole configuration stays in files. Comments and the order of entries written by an operator are kept.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};
use url::Url;

use super::feeds::feed_url;

/// The file, locked against other writers.
#[derive(Debug)]
pub(crate) struct AddedFeeds {
    path: PathBuf,
    document: DocumentMut,
    /// The text when the file was opened; `None` if it did not exist.
    before: Option<String>,
    _lock: File,
}

/// An error from changing the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddedError {
    /// The file cannot be read or written.
    #[error("cannot {action} {}: {source}; hint: the file and its folder must be writable by the \
             user that feedmill runs as; added_feeds may name another place", path.display())]
    File {
        /// The action that failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The file is not valid TOML.
    #[error("{}: {message}; hint: `feedmill config check` shows the line", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's message, on one line.
        message: String,
    },
}

const FEED: &str = "feed";
const ENABLED: &str = "enabled";

/// Mode of a new file: the daemon's user must be able to read it, and it holds no secrets.
const NEW_MODE: u32 = 0o644;

impl AddedFeeds {
    /// Opens the file, or starts with an empty document if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, AddedError> {
        let failed = |action| move |source| AddedError::File { action, path: path.to_owned(), source };
        // Lock the folder, because each change replaces the file itself.
        let lock = File::open(folder_of(path)).map_err(failed("open the folder of"))?;
        lock.lock().map_err(failed("lock the folder of"))?;
        let before = match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read")(error)),
        };
        let document =
            before.as_deref().unwrap_or_default().parse().map_err(|error: toml_edit::TomlError| {
                AddedError::Syntax { path: path.to_owned(), message: error.message().to_owned() }
            })?;
        Ok(Self { path: path.to_owned(), document, before, _lock: lock })
    }

    /// Returns whether the file has a table for the feed.
    pub(crate) fn has(&self, url: &Url) -> bool {
        self.tables().is_some_and(|tables| tables.iter().any(|table| is_of(table, url)))
    }

    /// Adds a table for a feed. The file must not have one for it yet.
    pub(crate) fn add(&mut self, url: &Url, tags: &[String]) {
        let mut table = Table::new();
        table.insert("url", value(url.as_str()));
        if !tags.is_empty() {
            table.insert("tags", value(tags.iter().map(String::as_str).collect::<Array>()));
        }
        table.decor_mut().set_prefix(if self.document.is_empty() { "" } else { "\n" });
        let tables = self.document.entry(FEED).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        if let Some(tables) = tables.as_array_of_tables_mut() {
            tables.push(table);
        }
    }

    /// Enables or disables the feed, if the file has a table for it.
    pub(crate) fn enable(&mut self, url: &Url, enabled: bool) {
        for table in
            self.tables_mut().into_iter().flat_map(ArrayOfTables::iter_mut).filter(|table| is_of(table, url))
        {
            if enabled {
                table.remove(ENABLED);
            } else {
                table.insert(ENABLED, value(false));
            }
        }
    }

    /// Removes the feed's table.
    pub(crate) fn remove(&mut self, url: &Url) {
        if let Some(tables) = self.tables_mut() {
            tables.retain(|table| !is_of(table, url));
        }
    }

    /// Writes the file atomically.
    pub(crate) fn save(&self) -> Result<(), AddedError> {
        self.written(replace_file(&self.path, &self.document.to_string(), NEW_MODE))
    }

    /// Restores the file as it was when it was opened.
    pub(crate) fn take_back(&self) -> Result<(), AddedError> {
        self.written(match &self.before {
            Some(text) => replace_file(&self.path, text, NEW_MODE),
            None => fs::remove_file(&self.path),
        })
    }

    fn written(&self, done: io::Result<()>) -> Result<(), AddedError> {
        done.map_err(|source| AddedError::File { action: "write", path: self.path.clone(), source })
    }

    fn tables(&self) -> Option<&ArrayOfTables> {
        self.document.get(FEED)?.as_array_of_tables()
    }

    fn tables_mut(&mut self) -> Option<&mut ArrayOfTables> {
        self.document.get_mut(FEED)?.as_array_of_tables_mut()
    }
}

/// Replaces a file atomically. An existing file keeps its permissions, a new one gets `new_mode`. When written by root, it keeps
/// its owner; a new file gets the owner of its folder.
pub(crate) fn replace_file(path: &Path, text: &str, new_mode: u32) -> io::Result<()> {
    let mode = path.metadata().map_or(new_mode, |metadata| metadata.permissions().mode());
    let owner = path.metadata().or_else(|_| folder_of(path).metadata())?;
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    match fchown(file.as_file(), Some(owner.uid()), Some(owner.gid())) {
        // Only root can change the owner.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        given => given?,
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_of(table: &Table, url: &Url) -> bool {
    let own = table.get("url").and_then(Item::as_str);
    own.and_then(|own| feed_url(own).ok()).is_some_and(|own| own == *url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn what_an_operator_wrote_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("added.toml");
        let before = "# Ours.\n\n[[feed]] # the first\nurl = \"https://A.example/feed\"  # slow\n";
        fs::write(&path, before).unwrap();
        let mut added = AddedFeeds::open(&path).unwrap();
        assert!(added.has(&url("https://a.example/feed")));
        added.add(&url("https://b.example/feed"), &["x".to_owned()]);
        added.enable(&url("https://a.example/feed"), false);
        added.save().unwrap();
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(
            after,
            format!(
                "{before}enabled = false\n\n[[feed]]\nurl = \"https://b.example/feed\"\ntags = [\"x\"]\n"
            )
        );
        drop(added);
        let mut added = AddedFeeds::open(&path).unwrap();
        added.enable(&url("https://a.example/feed"), true);
        added.remove(&url("https://b.example/feed"));
        added.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn a_file_is_begun_and_a_broken_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("added.toml");
        let mut added = AddedFeeds::open(&path).unwrap();
        added.add(&url("https://a.example/feed"), &[]);
        added.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[[feed]]\nurl = \"https://a.example/feed\"\n");
        drop(added);
        fs::write(&path, "[[feed\n").unwrap();
        assert!(matches!(AddedFeeds::open(&path), Err(AddedError::Syntax { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "[[feed\n");
    }
}
