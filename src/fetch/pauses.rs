//! Pauses that hosts have asked for.

use std::time::Duration;

use url::Url;

use super::{FetchError, Fetcher};
use crate::model::HostPause;

impl Fetcher {
    /// Resumes the pauses that an earlier process stored, within the limit of the current settings.
    pub fn recall_pauses(&self, mut pauses: Vec<HostPause>) {
        let Some(longest) = self.0.settings.max_host_pause else { return };
        let Ok(latest) = self.0.clock.now().checked_add(longest) else { return };
        for pause in &mut pauses {
            pause.until = pause.until.min(latest);
        }
        self.0.hosts.recall(pauses);
    }

    /// Returns the pauses that are not stored yet.
    pub fn unkept_pauses(&self) -> Vec<HostPause> {
        self.0.hosts.unkept()
    }

    /// Marks these pauses as stored.
    pub fn note_kept_pauses(&self, kept: &[HostPause]) {
        self.0.hosts.note_kept(kept);
    }

    /// Fails if the host is paused.
    pub(super) fn check_pause(&self, url: &Url) -> Result<(), FetchError> {
        // A pause beyond the maximum was begun by a clock that was ahead.
        let is_meant =
            |wait: &Duration| self.0.settings.max_host_pause.is_none_or(|longest| *wait <= longest);
        match self.0.hosts.paused_for(url, self.0.clock.now()).filter(is_meant) {
            Some(wait) => Err(FetchError::HostPaused { wait }),
            None => Ok(()),
        }
    }

    /// Applies a `Retry-After` to the whole host, if the operator has enabled that.
    pub(super) fn pause_host(&self, url: &Url, asked: Duration) {
        let Some(longest) = self.0.settings.max_host_pause else { return };
        let now = self.0.clock.now();
        let wait = asked.min(longest);
        if let Ok(until) = now.checked_add(wait)
            && !wait.is_zero()
        {
            tracing::info!(host = url.host_str(), %until, "host requested a pause");
            self.0.hosts.pause(url, until, now);
        }
    }
}
