//! What others say of a page's article: its own JSON-LD, the feed entry that announced it, the host's other pages.
//!
//! In go the tree and the blocks of the page, and what is stored of entry and host; out come statements. What they are worth
//! is for `metadata` and `choose` to say: nothing here knows the model or the rules.

pub(crate) mod entry;
pub(crate) mod further_pages;
pub(crate) mod headline;
pub(crate) mod host;
mod json;
pub(crate) mod json_ld;
pub(crate) mod kinds;
pub(crate) mod lessons;
pub(crate) mod state;
pub(crate) mod stated;

pub use self::lessons::SiteEvidence;
use crate::model::EntryEvidence;

/// What else is known about the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The feed entry that announced it.
    pub entry: Option<&'a EntryEvidence>,
    /// The blocks of the host's other pages.
    pub site: Option<&'a SiteEvidence>,
}
