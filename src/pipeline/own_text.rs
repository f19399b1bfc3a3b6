//! What is recorded if the page is unavailable or not wanted: the feed's own text, as far as the feed may speak for the
//! page.

use std::time::Duration;

use super::FeedOptions;
use super::pages::{Origin, OwnText, Source};
use super::task::{Ending, Task};
use super::workers::WorkError;
use crate::fetch::{FetchError, Retry};
use crate::markup::visible_words;
use crate::model::{
    ContentSource, Enclosure, FailureKind, Known, Page, PageBody, Validators, strip_tracking,
};
use crate::store::{EntryOutcome, Watch};
use crate::telemetry::metrics;

/// A text of this many words is more than a teaser.
const FULL_TEXT_WORDS: usize = 40;

/// Ages at which the page behind a stand-in is fetched once more, beside those that the operator configured.
const STAND_IN_AGES: [Duration; 2] = [Duration::from_hours(24), Duration::from_hours(7 * 24)];

impl Task<'_> {
    /// Returns whether the feed itself carries the full text, judged by its length.
    pub(super) fn has_full_text(&self) -> bool {
        self.entry.evidence.own_text().is_some_and(|text| visible_words(text) >= FULL_TEXT_WORDS)
    }

    /// Returns the feed's own text as source, used without a page of the entry's own.
    pub(super) async fn own_source(&self) -> Result<Source, Ending> {
        let evidence = &self.entry.evidence;
        if evidence.own_text().is_none() && evidence.title.is_none() {
            return Err(without_content(self.options).into());
        }
        let is_teaser = evidence.own_text().is_none();
        self.of_feed(OwnText { is_teaser, look_again: false, linked: None }).await
    }

    /// Returns whether the feed's own text may replace the stored text, if there is any.
    pub(super) fn may_replace(&self) -> bool {
        match self.entry.known {
            Known::No => true,
            Known::ThroughThis => self.entry.is_stand_in,
            Known::ThroughAnother | Known::Removed => false,
        }
    }

    /// Decides what to do if the page is unavailable. A stored article keeps its text, unless the feed carries a full text
    /// or `may_replace` is set.
    pub(super) async fn without_page(&self, error: &FetchError, may_replace: bool) -> Result<Source, Ending> {
        let Self { plan, options, entry, .. } = *self;
        let (kind, reason) = (error.kind(), error.to_string());
        if entry.known == Known::ThroughAnother {
            return Err(EntryOutcome::AlreadyStored.into());
        }
        if entry.recheck.is_some() && entry.is_stand_in {
            return Err(self.without_another_look(error).into());
        }
        let attempts = entry.failures + 1;
        let next = match error.retry() {
            Retry::Later(after) if attempts < plan.settings.max_entry_attempts => Some(after),
            Retry::Later(_) | Retry::Never | Retry::Gone => None,
        };
        let may_stand_in = options.content == ContentSource::Auto && entry.recheck.is_none();
        // A full edited text in the feed is news, whatever becomes of the page.
        let is_full = may_stand_in && self.has_full_text() && self.speaks_for_page().await?;
        let is_all = may_stand_in && may_replace && next.is_none();
        if is_full || is_all {
            tracing::warn!(label = kind.as_str(), reason, "using the feed's own text instead of the page");
            metrics::own_text_used(kind);
            let own_text = OwnText {
                is_teaser: !self.has_full_text(),
                look_again: may_come_back(error),
                linked: self.linked_file(error),
            };
            return self.of_feed(own_text).await;
        }
        if let Some(after) = next {
            return Err(self.postponed(after, kind, reason).into());
        }
        if entry.recheck.is_some() {
            return Err(self.without_another_look(error).into());
        }
        let reason = match error.retry() {
            Retry::Later(_) => format!("{reason} (given up after {attempts} attempts)"),
            Retry::Never | Retry::Gone => reason,
        };
        Err(EntryOutcome::Failed { kind, reason, quarantined: false }.into())
    }

    /// Returns the outcome of a recheck whose page is unavailable: the next one follows at the next age.
    pub(super) fn without_another_look(&self, error: &FetchError) -> EntryOutcome {
        tracing::warn!(label = error.kind().as_str(), reason = %error, "cannot recheck the page now");
        let validators = self.entry.last_read.as_ref().map(|read| read.validators.clone());
        self.unchanged(validators.unwrap_or_default())
    }

    pub(super) fn unchanged(&self, validators: Validators) -> EntryOutcome {
        EntryOutcome::Unchanged(self.watch(validators, self.entry.is_stand_in))
    }

    /// Returns the data for rechecks: the ages that the operator configured, and two more for a stand-in.
    pub(super) fn watch(&self, validators: Validators, is_stand_in: bool) -> Watch {
        // Without pages there is nothing to recheck: the feed itself announces changes.
        if self.options.content == ContentSource::Feed {
            return Watch { validators, ages: Vec::new() };
        }
        let mut ages = self.options.keeping.recheck.clone();
        if is_stand_in {
            ages.extend(STAND_IN_AGES);
            ages.sort_unstable();
            ages.dedup();
        }
        Watch { validators, ages }
    }

    /// Returns the feed's text in place of a page that no worker could read.
    pub(super) async fn stand_in(&self, error: &WorkError) -> Result<Option<Source>, Ending> {
        let may_stand_in = self.options.content == ContentSource::Auto && self.entry.recheck.is_none();
        if !(may_stand_in && self.has_full_text() && self.speaks_for_page().await?) {
            return Ok(None);
        }
        tracing::warn!(label = error.kind().as_str(), reason = %error, "using the feed's own text instead of the page");
        metrics::own_text_used(error.kind());
        self.of_feed(OwnText { is_teaser: false, look_again: false, linked: None }).await.map(Some)
    }

    /// Returns the feed's own text as a page. It is the linked page's article only if the feed speaks for that page.
    async fn of_feed(&self, own_text: OwnText) -> Result<Source, Ending> {
        let entry = self.entry;
        let speaks = self.speaks_for_page().await?;
        let (id, url) = match &entry.url {
            Some(link) if speaks && entry.shares_link => (entry.own_article_id(), strip_tracking(link)),
            Some(link) if speaks => entry.page_of_its_own(link),
            _ => (entry.own_article_id(), entry.own_url()),
        };
        let body = PageBody::Fragment(entry.evidence.own_text().unwrap_or_default().to_owned());
        let place = entry.article_url();
        let page = Page { url: place.clone(), final_url: place, body, fetched_at: self.now() };
        Ok(Source { page, origin: Origin::Feed(own_text), id, url, feed_speaks: speaks })
    }

    /// Returns the file that the link leads to, if the response was not text.
    fn linked_file(&self, error: &FetchError) -> Option<Enclosure> {
        let FetchError::NotText { media_type, length } = error else { return None };
        let url = self.entry.url.clone()?;
        Some(Enclosure { url, media_type: media_type.clone(), length: *length })
    }

    async fn speaks_for_page(&self) -> Result<bool, Ending> {
        match &self.entry.url {
            Some(page) => self.speaks_for(page).await,
            None => Ok(true),
        }
    }
}

/// Returns whether a page that is unavailable now may be available later.
fn may_come_back(error: &FetchError) -> bool {
    !matches!(
        error.kind(),
        FailureKind::NotText
            | FailureKind::RobotsDisallowed
            | FailureKind::RefusedAddress
            | FailureKind::BadUrl
    )
}

fn without_content(options: &FeedOptions) -> EntryOutcome {
    let reason = match options.content {
        ContentSource::Feed => "content = \"feed\", but the feed has no content for this entry",
        ContentSource::Page | ContentSource::Auto => "the entry has neither a link nor content",
    };
    EntryOutcome::Failed { kind: FailureKind::NoContent, reason: reason.to_owned(), quarantined: false }
}
