//! A feed in a list: a line of a plain list or an outline of an OPML file.

use super::raw;

/// A listed feed, which has no options.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedFeed {
    /// Line number, from 1.
    pub(super) line: usize,
    /// URL as given.
    pub(super) url: String,
    /// Title in the file.
    pub(super) title: Option<String>,
    /// The enclosing OPML folders, then the categories.
    pub(super) tags: Vec<String>,
}

impl From<ListedFeed> for raw::Feed {
    fn from(listed: ListedFeed) -> Self {
        Self::of_url(listed.url, listed.tags)
    }
}
