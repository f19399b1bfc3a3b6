//! Evidence about a page's article: its own JSON-LD, the feed entry that announced it, the host's other pages.
//!
//! The input is the tree and the blocks of the page, and what is stored about entry and host; the output is statements.
//! `metadata` and `choose` decide how to weigh them: this module knows neither the model nor the rules.

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

/// What is known about a page besides the page itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The feed entry that announced the page.
    pub entry: Option<&'a EntryEvidence>,
    /// The blocks of the host's other pages.
    pub site: Option<&'a SiteEvidence>,
}
