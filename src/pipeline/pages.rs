//! Where an article's text comes from: its page, or what its feed carries.
//!
//! What grows with the size of a body (decoding, hashing, the look for AMP) is work for the CPU workers.

use jiff::Timestamp;
use url::Url;

use super::FeedOptions;
use super::line::Until;
use super::task::{Ending, Task};
use crate::extract::amp_canonical;
use crate::fetch::{Content, FetchError, Purpose, Request, Response, Retry, page_body};
use crate::model::{
    ArticleId, ContentSource, Entry, FailureKind, Known, Page, PageBody, Recheck, Sha256Hash, Validators,
    after,
};
use crate::publish::warc::ArchivedPage;
use crate::store::{EntryOutcome, Watch};

/// What an article is made from.
pub(super) struct Source {
    pub(super) page: Page,
    pub(super) origin: Origin,
}

/// Who sent it.
pub(super) enum Origin {
    /// The feed: its own content is the body, and there is no page.
    Feed,
    /// The page's server.
    Server(Body),
}

/// A page's body as it came.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: Sha256Hash,
    pub(super) content_type: Option<String>,
    /// What makes the next request for the page conditional.
    pub(super) validators: Validators,
}

impl Task<'_> {
    /// The page, or the feed's content where the operator wants that or the page cannot be had.
    pub(super) async fn source(&self) -> Result<Source, Ending> {
        let Self { shared, plan, options, entry } = *self;
        let Some(url) = entry.url.as_ref().filter(|_| options.content != ContentSource::Feed) else {
            return feed_source(entry, self.now()).ok_or_else(|| without_content(options).into());
        };
        if let Some(due) = shared.deferred(plan, url) {
            return Err(Ending::PutOff { due, until: Until::HostTurn });
        }
        // An AMP page's original has validators that are no use with the copy, and does not go with it.
        let is_own = entry.article_id == ArticleId::of_url(url);
        let asked_before = entry.recheck.as_ref().filter(|_| is_own);
        let fetched = self.fetch(url, asked_before).await;
        if let Some(due) = shared.blame_ourselves(url, fetched.as_ref().err()) {
            return Err(Ending::PutOff { due, until: Until::NetworkReturn });
        }
        let response = match fetched {
            Ok(response) => response,
            Err(FetchError::HostPaused { wait }) => {
                return Err(Ending::PutOff { due: after(self.now(), wait), until: Until::HostReturn });
            }
            Err(error) if error.retry() == Retry::Gone && entry.known == Known::ThroughThis && is_own => {
                return Err(EntryOutcome::Withdrawn.into());
            }
            Err(error) => return self.without_page(&error),
        };
        let (mut source, original) = self.read(url, response).await?;
        if let Some(original) = original {
            source = self.original_of(source, &original).await?;
        }
        self.archived(source).await
    }

    /// Asks for a page, conditionally where it was read before.
    async fn fetch(&self, url: &Url, asked_before: Option<&Recheck>) -> Result<Response, FetchError> {
        let no_validators = Validators::default();
        let request = Request {
            purpose: Purpose::Page,
            url,
            validators: asked_before.map_or(&no_validators, |recheck| &recheck.validators),
            options: &self.options.request.for_target(&self.entry.feed_url, url),
        };
        self.plan.fetcher.fetch(&request).await
    }

    /// The page in an answer, and the page that it is an AMP copy of.
    async fn read(&self, url: &Url, response: Response) -> Result<(Source, Option<Url>), Ending> {
        let Response { final_url, validators, content_type, content, .. } = response;
        let body = match (content, &self.entry.recheck) {
            (Content::Body(body), _) => body,
            (Content::NotModified, Some(recheck)) => {
                let validators = validators_after_304(recheck, validators);
                return Err(EntryOutcome::Unchanged(watch(self.options, validators)).into());
            }
            (Content::NotModified, None) => return Err(unasked_304().into()),
        };
        let known = self.entry.recheck.as_ref().map(|recheck| recheck.raw_sha256);
        let (url, fetched_at) = (url.clone(), self.now());
        let work = move || {
            let sha256 = Sha256Hash::of(&body);
            if known == Some(sha256) {
                // Nothing is new but what to ask with.
                return Err(validators);
            }
            let page = Page { body: page_body(&body, content_type.as_deref()), url, final_url, fetched_at };
            let original = original_url(&page);
            let raw = Body { bytes: body, sha256, content_type, validators };
            Ok((Source { page, origin: Origin::Server(raw) }, original))
        };
        match self.on_worker(work).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(validators)) => Err(EntryOutcome::Unchanged(watch(self.options, validators)).into()),
            Err(error) => match self.stand_in(error.kind(), &error) {
                Some(source) => Ok((source, None)),
                None => Err(self.broken_off(&error).into()),
            },
        }
    }

    /// The page that an AMP page is a copy of; the copy, where that cannot be had. Looked for once: what the original says
    /// of itself does not count.
    async fn original_of(&self, copy: Source, original: &Url) -> Result<Source, Ending> {
        let asked_before =
            self.entry.recheck.as_ref().filter(|_| self.entry.article_id == ArticleId::of_url(original));
        match self.fetch(original, asked_before).await {
            Ok(response) => self.read(original, response).await.map(|(source, _)| source),
            // The article is the original's: the copy is no revision of it.
            Err(error) if asked_before.is_some() && error.retry() == Retry::Gone => {
                Err(EntryOutcome::Withdrawn.into())
            }
            Err(error) if asked_before.is_some() => self.without_page(&error),
            Err(error) => {
                tracing::warn!(%original, reason = %error, "the AMP page stands in for the page that it is a copy of");
                Ok(copy)
            }
        }
    }

    /// Puts the page into the archive, where there is one: before its article is stored, so that none is missing there.
    async fn archived(&self, source: Source) -> Result<Source, Ending> {
        let Some(archive) = self.shared.archive.clone() else { return Ok(source) };
        let added = self.shared.workers.run(move || {
            let Origin::Server(raw) = &source.origin else { return Ok(source) };
            let page = ArchivedPage {
                url: &source.page.final_url,
                content_type: raw.content_type.as_deref(),
                fetched_at: source.page.fetched_at,
                sha256: raw.sha256,
                body: &raw.bytes,
            };
            archive.add(&page).map(|()| source)
        });
        let reason = match added.await {
            Ok(Ok(source)) => return Ok(source),
            Ok(Err(error)) => format!("cannot archive the page: {error}"),
            Err(error) => format!("archiving the page {error}"),
        };
        Err(self.postponed(None, FailureKind::Archive, reason).into())
    }

    /// What to do where the page cannot be had. An article that has its text keeps it.
    fn without_page(&self, error: &FetchError) -> Result<Source, Ending> {
        let (kind, reason) = (error.kind(), error.to_string());
        if let Some(source) = self.stand_in(kind, &reason) {
            return Ok(source);
        }
        let given_up = |reason| match &self.entry.recheck {
            Some(recheck) => {
                tracing::warn!(label = kind.as_str(), reason, "the page cannot be looked at again now");
                EntryOutcome::Unchanged(watch(self.options, recheck.validators.clone()))
            }
            None => EntryOutcome::Failed { kind, reason, quarantined: false },
        };
        let Retry::Later(after) = error.retry() else { return Err(given_up(reason).into()) };
        let attempts = self.entry.failures + 1;
        if attempts >= self.plan.settings.max_entry_attempts {
            return Err(given_up(format!("{reason} (given up after {attempts} attempts)")).into());
        }
        Err(self.postponed(after, kind, reason).into())
    }

    /// The feed's content in place of the page, where it may stand there: not for a page that was read before.
    pub(super) fn stand_in(&self, kind: FailureKind, reason: &dyn std::fmt::Display) -> Option<Source> {
        let may_stand_in = self.options.content == ContentSource::Auto && self.entry.recheck.is_none();
        feed_content(self.entry).filter(|_| may_stand_in)?;
        tracing::warn!(label = kind.as_str(), %reason, "the feed's content stands in for the page");
        feed_source(self.entry, self.now())
    }
}

fn original_url(page: &Page) -> Option<Url> {
    match &page.body {
        PageBody::Html(html) => amp_canonical(html, &page.final_url),
        PageBody::Text(_) => None,
    }
}

fn without_content(options: &FeedOptions) -> EntryOutcome {
    let reason = match options.content {
        ContentSource::Feed => "content = \"feed\", and the feed holds no content of this entry",
        ContentSource::Page | ContentSource::Auto => "the entry has neither a link nor content",
    };
    EntryOutcome::Failed { kind: FailureKind::NoContent, reason: reason.to_owned(), quarantined: false }
}

fn unasked_304() -> EntryOutcome {
    let reason = "the server says that the page has not changed, and was not asked";
    EntryOutcome::Failed { kind: FailureKind::NotModified, reason: reason.to_owned(), quarantined: false }
}

/// A 304 may bring new validators; one without any keeps the old.
fn validators_after_304(recheck: &Recheck, received: Validators) -> Validators {
    if received == Validators::default() { recheck.validators.clone() } else { received }
}

/// What it takes to look at a page again as often as the operator wants.
pub(super) fn watch(options: &FeedOptions, validators: Validators) -> Watch {
    // Without pages there is nothing to look at: the feed says itself what has changed.
    let ages =
        if options.content == ContentSource::Feed { Vec::new() } else { options.keeping.recheck.clone() };
    Watch { validators, ages }
}

/// The content that the feed carries, where it is more than a teaser.
fn feed_content(entry: &Entry) -> Option<&String> {
    entry.evidence.content.as_ref().filter(|content| !content.trim().is_empty())
}

/// The entry's own content as a page; its summary where it has nothing else.
fn feed_source(entry: &Entry, fetched_at: Timestamp) -> Option<Source> {
    let summary = || entry.evidence.summary.as_ref().filter(|summary| !summary.trim().is_empty());
    let content = feed_content(entry).or_else(summary)?;
    let url = entry.article_url();
    let page = Page { final_url: url.clone(), url, body: PageBody::Html(content.clone()), fetched_at };
    Some(Source { page, origin: Origin::Feed })
}
