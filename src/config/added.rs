//! The file of feeds that commands write: feeds added there, paused and taken up again. It is an included file like any other,
//! so that the files stay the whole truth; comments and order of what an operator wrote into it are kept.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};
use url::Url;

use super::feeds::feed_url;

/// The file, locked against others that would write it.
#[derive(Debug)]
pub(crate) struct AddedFeeds {
    path: PathBuf,
    document: DocumentMut,
    /// What it held when it was opened; nothing where there was no such file.
    before: Option<String>,
    _lock: File,
}

/// Why the file cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddedError {
    /// It cannot be read or written.
    #[error("cannot {action} {}: {source}; hint: its folder and the file must be writable for the \
             user that writes it; added_feeds may name another place", path.display())]
    File {
        /// What failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no TOML.
    #[error("{}: {message}; hint: `feedmill config check` shows the place", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, on one line.
        message: String,
    },
}

const FEED: &str = "feed";
const ENABLED: &str = "enabled";

/// Of a new file: whoever runs the daemon must be able to read it, and it holds no secrets.
const NEW_MODE: u32 = 0o644;

impl AddedFeeds {
    /// Opens the file, or begins it.
    pub(crate) fn open(path: &Path) -> Result<Self, AddedError> {
        let failed = |action| move |source| AddedError::File { action, path: path.to_owned(), source };
        // Its folder stands for it: the file itself is replaced by each change.
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

    /// Whether it has a table for the feed.
    pub(crate) fn has(&self, url: &Url) -> bool {
        self.tables().is_some_and(|tables| tables.iter().any(|table| is_of(table, url)))
    }

    /// Adds a table for a feed that it has none for.
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

    /// Has the feed polled or not, where it has a table for it.
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

    /// Takes the feed's table out.
    pub(crate) fn remove(&mut self, url: &Url) {
        if let Some(tables) = self.tables_mut() {
            tables.retain(|table| !is_of(table, url));
        }
    }

    /// Writes the file: whole or not at all.
    pub(crate) fn save(&self) -> Result<(), AddedError> {
        self.written(replace_file(&self.path, &self.document.to_string(), NEW_MODE))
    }

    /// Makes the file again what it was when it was opened.
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

/// Writes a file anew, whole or not at all. One that is there keeps its permissions, another gets `new_mode`; written by root, it
/// belongs to whom it did, or to whom its folder does.
pub(crate) fn replace_file(path: &Path, text: &str, new_mode: u32) -> io::Result<()> {
    let mode = path.metadata().map_or(new_mode, |metadata| metadata.permissions().mode());
    let owner = path.metadata().or_else(|_| folder_of(path).metadata())?;
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    match fchown(file.as_file(), Some(owner.uid()), Some(owner.gid())) {
        // Only root can give files away.
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
