//! Hosts that have asked to be left alone.

use std::time::Duration;

use url::Url;

use super::{FetchError, Fetcher};
use crate::model::HostPause;

impl Fetcher {
    /// Leaves hosts alone that an earlier process was asked to, as far as the settings obey them now.
    pub fn recall_pauses(&self, mut pauses: Vec<HostPause>) {
        let Some(longest) = self.0.settings.max_host_pause else { return };
        let Ok(latest) = self.0.clock.now().checked_add(longest) else { return };
        for pause in &mut pauses {
            pause.until = pause.until.min(latest);
        }
        self.0.hosts.recall(pauses);
    }

    /// The pauses that hosts have asked for and that nobody has written down yet.
    pub fn unkept_pauses(&self) -> Vec<HostPause> {
        self.0.hosts.unkept()
    }

    /// These pauses are written down.
    pub fn note_kept_pauses(&self, kept: &[HostPause]) {
        self.0.hosts.note_kept(kept);
    }

    /// Whether the host has asked to be left alone for a while.
    pub(super) fn check_pause(&self, url: &Url) -> Result<(), FetchError> {
        // A longer pause than any was begun by a clock that was ahead.
        let is_meant =
            |wait: &Duration| self.0.settings.max_host_pause.is_none_or(|longest| *wait <= longest);
        match self.0.hosts.paused_for(url, self.0.clock.now()).filter(is_meant) {
            Some(wait) => Err(FetchError::HostPaused { wait }),
            None => Ok(()),
        }
    }

    /// Takes a `Retry-After` as the word of the whole host, where the operator wants that.
    pub(super) fn pause_host(&self, url: &Url, asked: Duration) {
        let Some(longest) = self.0.settings.max_host_pause else { return };
        let now = self.0.clock.now();
        let wait = asked.min(longest);
        if let Ok(until) = now.checked_add(wait)
            && !wait.is_zero()
        {
            tracing::info!(host = url.host_str(), %until, "the host asks for a pause");
            self.0.hosts.pause(url, until, now);
        }
    }
}
