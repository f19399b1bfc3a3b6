//! Where each feed is configured, in a few bytes per feed: the running daemon keeps this in memory for its pages.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};

use foldhash::quality::FixedState;
use url::Url;

use super::include::identity;

/// Where every feed is configured, including disabled ones.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    files: Files,
    /// The file of feeds written by commands and pages, if any.
    added: Option<PathBuf>,
    /// Its index in `files`; `None` while it has no feeds.
    added_file: Option<u32>,
    /// By a hash of the URL: the URLs themselves would take most of the memory.
    by_feed: HashMap<u64, Origin>,
}

/// Where a feed is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedOrigin {
    /// The kind of file.
    pub home: Home,
    /// The place in human-readable form.
    pub place: String,
    /// Whether it is polled.
    pub is_on: bool,
    /// Whether a list or an OPML file contains it, with or without a table.
    pub is_listed: bool,
}

/// The kind of file that sets a feed's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A table in the file written by commands and pages.
    Added,
    /// A `[[feed]]` table in another file, written by a person.
    Table,
    /// Only a line of a list or an OPML file.
    List,
}

/// The compact form of [`FeedOrigin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: u32,
    /// Number of the table or line, from 1.
    pub(super) number: u32,
    pub(super) is_table: bool,
    pub(super) is_listed: bool,
    pub(super) is_on: bool,
}

/// The files that configure feeds.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(Vec<PathBuf>);

impl Files {
    /// Returns the index of a file: the last one's if it is the same file, else a new one.
    pub(super) fn number(&mut self, path: &Path) -> u32 {
        if self.0.last().is_none_or(|last| last != path) {
            self.0.push(path.to_owned());
        }
        to_number(self.0.len() - 1)
    }

    pub(super) fn place(&self, origin: Origin) -> impl fmt::Display {
        let file = self.0[origin.file as usize].display();
        let number = origin.number;
        if origin.is_table {
            format!("[[feed]] number {number} of {file}")
        } else {
            format!("{file}:{number}")
        }
    }
}

pub(super) fn to_number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Origins {
    pub(super) fn new<'u>(
        files: Files,
        added: Option<PathBuf>,
        feeds: impl Iterator<Item = (&'u Url, Origin)>,
    ) -> Self {
        let by_feed = feeds.map(|(url, origin)| (key(url), origin)).collect();
        let wanted = added.as_deref().map(identity);
        let added_file = files.0.iter().position(|file| Some(identity(file)) == wanted).map(to_number);
        Self { files, added, added_file, by_feed }
    }

    /// Returns the origin of one feed; `None` if it is not configured.
    pub fn of(&self, url: &Url) -> Option<FeedOrigin> {
        let origin = *self.by_feed.get(&key(url))?;
        let home = match origin {
            Origin { is_table: false, .. } => Home::List,
            Origin { file, .. } if Some(file) == self.added_file => Home::Added,
            Origin { .. } => Home::Table,
        };
        let place = self.files.place(origin).to_string();
        Some(FeedOrigin { home, place, is_on: origin.is_on, is_listed: origin.is_listed })
    }

    /// Returns the file of feeds written by commands and pages.
    pub fn added(&self) -> Option<&Path> {
        self.added.as_deref()
    }

    /// Returns the number of feeds that are configured but disabled.
    pub fn disabled(&self) -> usize {
        self.by_feed.values().filter(|origin| !origin.is_on).count()
    }

    /// Removes the file of added feeds.
    pub(super) fn without_added(self) -> Self {
        Self { added: None, ..self }
    }
}

fn key(url: &Url) -> u64 {
    FixedState::default().hash_one(url.as_str())
}
