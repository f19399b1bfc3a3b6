//! Decides whether the entry's feed speaks for a page: see [`crate::trust`].

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::task::{Ending, Task};
use super::{FeedOptions, party_of};
use crate::fetch::{Content, FetchError, Response, page_body};
use crate::model::{Entry, PageBody};
use crate::trust::{self, is_one_party, names_feed};

/// How long a site that does not name the feed is not fetched again.
const SILENCE: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Task<'_> {
    /// Returns whether the feed speaks for a page. If that is unknown and the feed's own site belongs to the page's party,
    /// the site is fetched: it may name the feed.
    pub(super) async fn speaks_for(&self, page: &Url) -> Result<bool, Ending> {
        if is_of_the_feeds(self.entry, self.options, page) {
            return Ok(true);
        }
        let Some(party) = trust::party(page) else { return Ok(false) };
        match self.voice(&party).await {
            Some((true, _)) => Ok(true),
            Some((false, asked_at)) if self.now() < asked_at + SILENCE => Ok(false),
            _ => self.ask_site(page, &party).await,
        }
    }

    /// Returns whether the feed speaks for a fetched page, given whether the page names the feed.
    pub(super) async fn hears_itself_named(&self, page: &Url, is_named: bool) -> bool {
        if is_of_the_feeds(self.entry, self.options, page) {
            return true;
        }
        let Some(party) = trust::party(page) else { return false };
        let is_known = self.voice(&party).await.is_some_and(|(speaks, _)| speaks);
        if is_named && !is_known {
            self.note_voice(&party, true).await;
        }
        is_named || is_known
    }

    async fn voice(&self, party: &str) -> Option<(bool, Timestamp)> {
        match self.shared.store.voice(self.entry.feed_id, party).await {
            Ok(voice) => voice,
            Err(error) => {
                tracing::warn!(%error, party, "cannot read whether the feed speaks for the page");
                None
            }
        }
    }

    async fn note_voice(&self, party: &str, speaks: bool) {
        if let Err(error) = self.shared.store.voice_note(self.entry.feed_id, party, speaks).await {
            tracing::warn!(%error, party, "cannot store whether the feed speaks for the page; its site will be fetched again");
        }
    }

    async fn ask_site(&self, page: &Url, party: &str) -> Result<bool, Ending> {
        let site = match self.shared.store.feed_site(self.entry.feed_id).await {
            Ok(site) => site.filter(|site| is_one_party(site, page)),
            Err(error) => {
                tracing::warn!(%error, "cannot read the URL of the feed's site");
                None
            }
        };
        let Some(site) = site else { return Ok(false) };
        let speaks = match self.fetch(&site, None).await? {
            Ok(response) => self.is_named_in(response, party).await?,
            Err(FetchError::HostPaused { .. } | FetchError::HostElsewhere { .. }) => return Ok(false),
            Err(error) => {
                tracing::debug!(%site, %error, "cannot fetch the feed's site to check whether it names the feed");
                false
            }
        };
        self.note_voice(party, speaks).await;
        Ok(speaks)
    }

    async fn is_named_in(&self, response: Response, party: &str) -> Result<bool, Ending> {
        let Response { final_url, content_type, content, .. } = response;
        let Content::Body(body) = content else { return Ok(false) };
        // A site may redirect to another party, where anybody may name the feed.
        if trust::party(&final_url).as_deref() != Some(party) {
            return Ok(false);
        }
        let feeds = [self.entry.feed_url.clone(), self.entry.polled_url.clone()];
        let work = move || match page_body(&body, content_type.as_deref()) {
            PageBody::Html(html) => names_feed(&html, &final_url, &feeds.each_ref()),
            PageBody::Fragment(_) | PageBody::Text(_) => false,
        };
        let named = self.shared.workers.run(&party_of(&self.entry.feed_url), work).await;
        Ok(named.map_err(|stopped| self.stopped(stopped))?.unwrap_or(false))
    }
}

/// Returns whether the feed speaks for a page by its address, or by the operator's configuration.
pub(super) fn is_of_the_feeds(entry: &Entry, options: &FeedOptions, page: &Url) -> bool {
    let addresses = [&entry.feed_url, &entry.polled_url];
    addresses.into_iter().any(|feed| is_one_party(feed, page)) || options.speaks_for.holds(page)
}
