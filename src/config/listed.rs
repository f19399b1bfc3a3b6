//! A feed that a list names: a line of a plain list, an outline of OPML.

use super::raw;

/// A feed that is only named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedFeed {
    /// From 1.
    pub(super) line: usize,
    /// As given.
    pub(super) url: String,
    /// What the file calls it.
    pub(super) title: Option<String>,
    /// The folders that it stands in.
    pub(super) tags: Vec<String>,
}

impl From<ListedFeed> for raw::Feed {
    fn from(listed: ListedFeed) -> Self {
        Self::of_url(listed.url, listed.tags)
    }
}
