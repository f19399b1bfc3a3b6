//! Where each feed is configured, in a few bytes a feed: the running daemon keeps it, for the page.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};

use foldhash::quality::FixedState;
use url::Url;

use super::include::identity;

/// Where every feed is configured, disabled ones included.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    files: Files,
    /// The file of feeds that commands and the page write, where there is one.
    added: Option<PathBuf>,
    /// Its place among the files, once it has feeds.
    added_file: Option<u32>,
    /// By a hash of the address: the addresses themselves would be most of it.
    by_feed: HashMap<u64, Origin>,
}

/// Where a feed is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedOrigin {
    /// In what kind of file.
    pub home: Home,
    /// The place, as a reader finds it.
    pub place: String,
    /// Whether it is polled.
    pub is_on: bool,
    /// Whether a list names it, beside a table or alone.
    pub is_listed: bool,
}

/// Who writes what says how a feed is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A table of the file that commands and the page write.
    Added,
    /// A `[[feed]]` table of another file: a person.
    Table,
    /// Nothing but a line of a list or an OPML file.
    List,
}

/// The same within the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: u32,
    /// Of the table or the line, from 1.
    pub(super) number: u32,
    pub(super) is_table: bool,
    pub(super) is_listed: bool,
    pub(super) is_on: bool,
}

/// The files that name feeds.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(Vec<PathBuf>);

impl Files {
    /// The number of a file, which is that of the last one or new.
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

    /// Of one feed; `None` where it is not configured.
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

    /// The file of feeds that commands and the page write.
    pub fn added(&self) -> Option<&Path> {
        self.added.as_deref()
    }

    /// Feeds that are configured and not polled.
    pub fn disabled(&self) -> usize {
        self.by_feed.values().filter(|origin| !origin.is_on).count()
    }

    /// Without such a file.
    pub(super) fn without_added(self) -> Self {
        Self { added: None, ..self }
    }
}

fn key(url: &Url) -> u64 {
    FixedState::default().hash_one(url.as_str())
}
