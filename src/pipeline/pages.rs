//! The source of an article's text: its page, or its feed's content.
//!
//! Work that grows with the size of a body (decoding, hashing, inspecting the response) runs on the CPU workers.

use std::time::Duration;

use url::Url;

use super::line::Until;
use super::party_of;
use super::task::{Ending, Task};
use super::voice::is_of_the_feeds;
use crate::extract::amp_canonical;
use crate::fetch::{Content, FetchError, Purpose, Request, Response, Retry, page_body};
use crate::impostor::{self, Impostor};
use crate::model::{
    ArticleId, ContentSource, Enclosure, FailureKind, Known, LastRead, Page, PageBody, QualityFlag,
    Sha256Hash, Validators, after,
};
use crate::publish::warc::ArchivedPage;
use crate::store::EntryOutcome;
use crate::telemetry::metrics;
use crate::trust::names_feed;

/// The body and its text are both in memory until the article is made.
pub(super) const COPIES: usize = 2;

/// What an article is made from.
pub(super) struct Source {
    pub(super) page: Page,
    pub(super) origin: Origin,
    /// The id of the article: that of the page, or that of the entry.
    pub(super) id: ArticleId,
    /// The address of the article.
    pub(super) url: Url,
    /// Whether the feed's own text may stand in for what the page shows.
    pub(super) feed_speaks: bool,
}

/// The sender of the content.
pub(super) enum Origin {
    /// The feed: its own content is the body, and no page is used.
    Feed(OwnText),
    /// The page's server.
    Server(Bodies),
}

/// The bodies of all pages of an article.
pub(super) struct Bodies {
    pub(super) first: Body,
    /// The pages on which the article continues.
    pub(super) further: Vec<Body>,
    /// Whether one more page was unavailable and may be available later.
    pub(super) lacks_one: bool,
}

/// The text that a feed carries.
pub(super) struct OwnText {
    /// Whether there is more on a page that is unavailable.
    pub(super) is_teaser: bool,
    /// Whether the page may be available later.
    pub(super) look_again: bool,
    /// The file that the entry links to instead of a page.
    pub(super) linked: Option<Enclosure>,
}

/// A page's body as received.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: Sha256Hash,
    pub(super) content_type: Option<String>,
    /// Validators for the next conditional request for the page.
    pub(super) validators: Validators,
}

/// The result of reading a response.
pub(super) enum Read {
    /// Unchanged since the last read; only the validators may be new.
    Same(Validators),
    /// Something else came instead of the page.
    Impostor(Impostor),
    Page(Box<ReadPage>),
}

pub(super) struct ReadPage {
    pub(super) page: Page,
    pub(super) body: Body,
    /// The original, if the page is an AMP copy.
    original: Option<Url>,
    /// Whether the page names the entry's feed.
    names_feed: bool,
    /// Whether the page's headline is the entry's.
    has_headline: bool,
}

impl Task<'_> {
    /// Returns the page, or the feed's content if the operator wants that or the page is unavailable.
    pub(super) async fn source(&self) -> Result<Source, Ending> {
        let Self { shared, plan, entry, .. } = *self;
        let Some(url) = self.page_to_ask() else { return self.own_source().await };
        if let Some(due) = shared.deferred(plan, url) {
            return Err(Ending::PutOff { due, until: Until::HostTurn });
        }
        // For an AMP page, the stored validators belong to its original: they are no use with the copy, and a 410 of the
        // copy does not withdraw the original.
        let is_own = entry.article_id == entry.page_of_its_own(url).0;
        let last_read = entry.last_read.as_ref().filter(|_| is_own);
        let began = self.now();
        let fetched = self.fetch(url, last_read).await?;
        if let Err(FetchError::HostElsewhere { wait }) = fetched {
            return Err(self.elsewhere(wait));
        }
        if let Some(due) = shared.blame_ourselves(&entry.feed_url, began, fetched.as_ref().err()) {
            return Err(Ending::PutOff { due, until: Until::NetworkReturn });
        }
        let response = match fetched {
            Ok(response) => response,
            Err(FetchError::HostPaused { wait }) => {
                return Err(Ending::PutOff { due: after(self.now(), wait), until: Until::HostReturn });
            }
            Err(error) if error.retry() == Retry::Gone && is_own && self.has_read_page() => {
                return Err(EntryOutcome::Withdrawn.into());
            }
            Err(error) => return self.without_page(&error, self.may_replace()).await,
        };
        let read = match self.read(url, response).await? {
            Read::Page(read) => *read,
            Read::Same(validators) => return Err(self.unchanged(validators).into()),
            Read::Impostor(kind) => {
                return self.without_page(&FetchError::Impostor(kind), self.may_replace()).await;
            }
        };
        if entry.shares_link && !read.has_headline && self.options.content == ContentSource::Auto {
            return self.own_source().await;
        }
        let read = match read.original.clone() {
            Some(original) => self.original_of(read, &original).await?,
            None => read,
        };
        let feed_speaks = self.hears_itself_named(&read.page.final_url, read.names_feed).await;
        let (id, address) = entry.page_of_its_own(&read.page.url);
        let ReadPage { page, body, .. } = self.archived(read).await?;
        let bodies = Bodies { first: body, further: Vec::new(), lacks_one: false };
        Ok(Source { page, origin: Origin::Server(bodies), id, url: address, feed_speaks })
    }

    /// The host belongs to another process and was not lent in time.
    fn elsewhere(&self, wait: Duration) -> Ending {
        Ending::PutOff { due: after(self.now(), wait), until: Until::HostTurn }
    }

    /// Returns whether the stored text is the page's: a page that was never read cannot be withdrawn.
    fn has_read_page(&self) -> bool {
        self.entry.known == Known::ThroughThis && !self.entry.is_stand_in
    }

    /// Returns the page to read; none if the operator wants the feed's own text, or if the link is not a page of the entry's
    /// own and the feed has the full text or the link is a front page.
    fn page_to_ask(&self) -> Option<&Url> {
        let url = self.entry.url.as_ref().filter(|_| self.options.content != ContentSource::Feed)?;
        let is_needless = self.options.content == ContentSource::Auto
            && self.entry.shares_link
            && (self.has_full_text() || impostor::is_front(url));
        (!is_needless).then_some(url)
    }

    /// Fetches a page, conditionally if it was read before. A stop aborts the request.
    pub(super) async fn fetch(
        &self,
        url: &Url,
        last_read: Option<&LastRead>,
    ) -> Result<Result<Response, FetchError>, Ending> {
        let no_validators = Validators::default();
        let request = Request {
            purpose: Purpose::Page,
            url,
            validators: last_read.map_or(&no_validators, |read| &read.validators),
            options: &self.options.request.for_target(&self.entry.feed_url, url),
        };
        let answer = self.shared.workers.await_answer(self.plan.fetcher.fetch(&request)).await;
        let fetched = answer.map_err(|stopped| self.stopped(stopped))?;
        if let Ok(response) = &fetched {
            self.held.absorb(&response.held);
        }
        Ok(fetched)
    }

    /// Reads a response.
    pub(super) async fn read(&self, url: &Url, response: Response) -> Result<Read, Ending> {
        let Response { final_url, validators, content_type, content, headers, .. } = response;
        let body = match (content, &self.entry.last_read) {
            (Content::Body(body), _) => body,
            (Content::NotModified, Some(read)) => {
                return Ok(Read::Same(validators_after_304(read, validators)));
            }
            (Content::NotModified, None) => return Err(unasked_304().into()),
        };
        self.held.hold(body.len() * COPIES).await;
        // An identical body brings nothing new, unless the text continues on a page that was unavailable.
        let is_partial = self
            .entry
            .recheck
            .as_ref()
            .is_some_and(|recheck| recheck.quality_flags.contains(&QualityFlag::Partial));
        let last_read = self.entry.last_read.as_ref().filter(|_| !is_partial);
        let known = last_read.map(|read| read.raw_sha256);
        let (asked, fetched_at) = (url.clone(), self.now());
        let evidence = self.entry.evidence.clone();
        let feeds = [self.entry.feed_url.clone(), self.entry.polled_url.clone()];
        // Only searched for where the result matters.
        let is_strangers = !is_of_the_feeds(self.entry, self.options, &final_url);
        let shares_link = self.entry.shares_link;
        let work = move || {
            let sha256 = Sha256Hash::of(&body);
            if known == Some(sha256) {
                return Read::Same(validators);
            }
            let page =
                Page { body: page_body(&body, content_type.as_deref()), url: asked, final_url, fetched_at };
            let mut read = ReadPage {
                body: Body { bytes: body, sha256, content_type, validators },
                original: None,
                names_feed: false,
                has_headline: false,
                page,
            };
            if let PageBody::Html(html) = &read.page.body {
                let Page { url: asked, final_url, .. } = &read.page;
                let answer = impostor::Answer { asked, final_url, headers: &headers, html };
                if let Some(kind) = impostor::judge(&answer, &evidence) {
                    return Read::Impostor(kind);
                }
                read.original = amp_canonical(html, final_url);
                read.names_feed = is_strangers && names_feed(html, final_url, &feeds.each_ref());
                read.has_headline = shares_link && impostor::has_headline(html, &evidence);
            }
            Read::Page(Box::new(read))
        };
        match self.on_worker(work).await? {
            Ok(Read::Impostor(kind)) => {
                metrics::fetch_failed(Purpose::Page, FetchError::Impostor(kind).kind());
                Ok(Read::Impostor(kind))
            }
            Ok(read) => Ok(read),
            Err(error) => Err(self.broken_off(&error).into()),
        }
    }

    /// Returns the original of an AMP page, or the copy if the original is unavailable or tells another story. Followed
    /// only once: what the original names as its own original is ignored.
    async fn original_of(&self, copy: ReadPage, original: &Url) -> Result<ReadPage, Ending> {
        let is_original = self.entry.article_id == ArticleId::of_url(original);
        let looks_again = is_original && self.entry.recheck.is_some();
        let last_read = self.entry.last_read.as_ref().filter(|_| is_original);
        let reason = match self.fetch(original, last_read).await? {
            Ok(response) => match self.read(original, response).await? {
                Read::Page(read) => return self.one_of(copy, *read).await,
                Read::Same(validators) => return Err(self.unchanged(validators).into()),
                Read::Impostor(kind) => FetchError::Impostor(kind),
            },
            Err(FetchError::HostElsewhere { wait }) => return Err(self.elsewhere(wait)),
            // The article is the original's: the copy is not a revision of it.
            Err(error) if looks_again && error.retry() == Retry::Gone => {
                return Err(EntryOutcome::Withdrawn.into());
            }
            Err(error) => error,
        };
        if looks_again {
            return Err(self.without_another_look(&reason).into());
        }
        tracing::warn!(%original, %reason, "cannot read the original of the AMP page; using the AMP page");
        Ok(copy)
    }

    /// Returns the original if it tells the same story as the copy: some sites name their front page or a section as the
    /// original.
    async fn one_of(&self, copy: ReadPage, original: ReadPage) -> Result<ReadPage, Ending> {
        let work = move || match (&copy.page.body, &original.page.body) {
            (PageBody::Html(one), PageBody::Html(other)) if impostor::is_other_story(one, other) => copy,
            _ => original,
        };
        self.on_worker(work).await?.map_err(|error| self.broken_off(&error).into())
    }

    /// Adds the page to the archive, if there is one: before its article is stored, so that no stored article's page is
    /// missing there.
    pub(super) async fn archived(&self, read: ReadPage) -> Result<ReadPage, Ending> {
        let Some(archive) = self.shared.archive.clone() else { return Ok(read) };
        let party = party_of(&self.entry.feed_url);
        let added = self.shared.workers.run(&party, move || {
            let ReadPage { page, body, .. } = &read;
            let archived = ArchivedPage {
                url: &page.final_url,
                content_type: body.content_type.as_deref(),
                fetched_at: page.fetched_at,
                sha256: body.sha256,
                body: &body.bytes,
            };
            archive.add(&archived).map(|()| read)
        });
        let reason = match added.await.map_err(|stopped| self.stopped(stopped))? {
            Ok(Ok(read)) => return Ok(read),
            Ok(Err(error)) => format!("cannot archive the page: {error}"),
            Err(error) => format!("archiving the page {error}"),
        };
        Err(self.postponed(None, FailureKind::Archive, reason).into())
    }
}

fn unasked_304() -> EntryOutcome {
    let reason = "the server answered 304 to an unconditional request";
    EntryOutcome::Failed { kind: FailureKind::NotModified, reason: reason.to_owned(), quarantined: false }
}

/// A 304 may bring new validators; without any the old ones are kept.
fn validators_after_304(last_read: &LastRead, received: Validators) -> Validators {
    if received == Validators::default() { last_read.validators.clone() } else { received }
}
