//! What others say of a page's article: its own JSON-LD, the feed entry that announced it, the host's other pages.

pub(crate) mod entry;
pub(crate) mod further_pages;
pub(crate) mod host;
mod json;
pub(crate) mod json_ld;
pub(crate) mod statements;
