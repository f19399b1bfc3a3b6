//! A feed as the commands show it: what the store knows of it, and what the operator calls it.

use serde::Serialize;
use url::Url;

use crate::model::masked;
use crate::store::FeedStatus;

/// A feed in the store, and what the configuration says of it.
#[derive(Serialize)]
pub(super) struct Known<'c> {
    #[serde(flatten)]
    pub(super) status: FeedStatus,
    /// The operator's labels.
    pub(super) tags: &'c [String],
}

impl Known<'_> {
    /// Whether that is its address, or what is shown of it.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        [&self.status.configured_url, &self.status.url]
            .into_iter()
            .any(|own| own == url || masked(own) == *url)
    }
}
