//! Where an article's text comes from: its page, or what its feed carries.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::line::Until;
use super::{FeedOptions, Plan, Shared};
use crate::extract::amp_canonical;
use crate::fetch::{Content, FetchError, Purpose, Request, Response, Retry, page_body};
use crate::model::{
    ArticleId, ContentSource, Entry, Known, Page, PageBody, Recheck, Sha256Hash, Validators, after,
};
use crate::publish::warc::ArchivedPage;
use crate::store::{EntryOutcome, Watch};

/// First wait after a failed attempt at a page; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(5);

/// Longest wait between two attempts at a page.
pub(super) const LONGEST_RETRY: Duration = Duration::from_hours(24);

/// What an article is made from.
pub(super) struct Source {
    pub(super) page: Page,
    pub(super) raw_sha256: Sha256Hash,
    /// The feed's own content is the body: there is no page.
    pub(super) from_feed: bool,
    /// The page as it came; nothing where there is none.
    pub(super) raw: Option<RawBody>,
    /// What makes the next request for the page conditional.
    pub(super) validators: Validators,
}

impl Source {
    /// The page that it is an AMP copy of.
    fn original(&self) -> Option<Url> {
        match &self.page.body {
            PageBody::Html(html) => amp_canonical(html, &self.page.final_url),
            PageBody::Fragment(_) | PageBody::Text(_) => None,
        }
    }
}

/// A page's bytes.
pub(super) struct RawBody {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: Option<String>,
}

/// An entry whose time has not come: it is given back, due again then.
pub(super) struct PutOff {
    pub(super) due: Timestamp,
    pub(super) until: Until,
}

/// The page, or the feed's content where the operator wants that or the page cannot be had; else what becomes of the
/// entry.
pub(super) async fn source(
    shared: &Shared,
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
) -> Result<Result<Source, EntryOutcome>, PutOff> {
    let Some(url) = entry.url.as_ref().filter(|_| options.content != ContentSource::Feed) else {
        return Ok(feed_source(entry, shared.clock.now()).ok_or_else(|| EntryOutcome::Failed {
            label: "no_content",
            reason: match options.content {
                ContentSource::Feed => "content = \"feed\", and the feed holds no content of this entry",
                ContentSource::Page | ContentSource::Auto => "the entry has neither a link nor content",
            }
            .to_owned(),
            quarantined: false,
        }));
    };
    if let Some(due) = shared.deferred(plan, url) {
        return Err(PutOff { due, until: Until::HostTurn });
    }
    // An AMP page's original has validators that are no use with the copy, and does not go with it.
    let is_own = entry.article_id == ArticleId::of_url(url);
    let asked_before = entry.recheck.as_ref().filter(|_| is_own);
    let fetched = fetch_page(plan, options, entry, url, asked_before).await;
    if let Some(due) = shared.blame_ourselves(url, fetched.as_ref().err()) {
        return Err(PutOff { due, until: Until::NetworkReturn });
    }
    let now = shared.clock.now();
    let response = match fetched {
        Ok(response) => response,
        Err(FetchError::HostPaused { wait }) => {
            return Err(PutOff { due: after(now, wait), until: Until::HostReturn });
        }
        Err(error) if error.retry() == Retry::Gone && entry.known == Known::ThroughThis && is_own => {
            return Ok(Err(EntryOutcome::Withdrawn));
        }
        Err(error) => return Ok(without_page(plan, options, entry, &error, now)),
    };
    let mut source = page_source(options, entry, url, response, now);
    if let Ok(copy) = source {
        source = match copy.original() {
            Some(original) => original_of(shared, plan, options, entry, copy, original).await,
            None => Ok(copy),
        };
    }
    Ok(match source {
        Ok(source) => archived(shared, entry, source).await,
        Err(outcome) => Err(outcome),
    })
}

/// Asks for a page, conditionally where it was read before.
async fn fetch_page(
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
    url: &Url,
    asked_before: Option<&Recheck>,
) -> Result<Response, FetchError> {
    let no_validators = Validators::default();
    let request = Request {
        purpose: Purpose::Page,
        url,
        validators: asked_before.map_or(&no_validators, |recheck| &recheck.validators),
        options: &options.request.for_target(&entry.feed_url, url),
    };
    plan.fetcher.fetch(&request).await
}

/// The page that an AMP page is a copy of; the copy, where that cannot be had. Looked for once: what the original says of
/// itself does not count.
async fn original_of(
    shared: &Shared,
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
    copy: Source,
    original: Url,
) -> Result<Source, EntryOutcome> {
    let asked_before = entry.recheck.as_ref().filter(|_| entry.article_id == ArticleId::of_url(&original));
    let fetched = fetch_page(plan, options, entry, &original, asked_before).await;
    let now = shared.clock.now();
    match fetched {
        Ok(response) => page_source(options, entry, &original, response, now),
        // The article is the original's: the copy is no revision of it.
        Err(error) if asked_before.is_some() && error.retry() == Retry::Gone => Err(EntryOutcome::Withdrawn),
        Err(error) if asked_before.is_some() => without_page(plan, options, entry, &error, now),
        Err(error) => {
            tracing::warn!(%original, reason = %error, "the AMP page stands in for the page that it is a copy of");
            Ok(copy)
        }
    }
}

/// Puts the page into the archive, where there is one: before its article is stored, so that none is missing there.
async fn archived(shared: &Shared, entry: &Entry, source: Source) -> Result<Source, EntryOutcome> {
    let Some(archive) = shared.archive.clone() else { return Ok(source) };
    let added = shared.workers.run(move || {
        let Some(raw) = &source.raw else { return Ok(source) };
        let page = ArchivedPage {
            url: &source.page.final_url,
            content_type: raw.content_type.as_deref(),
            fetched_at: source.page.fetched_at,
            sha256: source.raw_sha256,
            body: &raw.bytes,
        };
        archive.add(&page).map(|()| source)
    });
    let reason = match added.await {
        Ok(Ok(source)) => return Ok(source),
        Ok(Err(error)) => format!("cannot archive the page: {error}"),
        Err(error) => format!("archiving the page {error}"),
    };
    let until = shared.clock.now() + retry_wait(entry.failures, None);
    Err(EntryOutcome::Postponed { until, label: "archive", reason })
}

/// What to do where the page cannot be had. An article that has its text keeps it.
fn without_page(
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
    error: &FetchError,
    now: Timestamp,
) -> Result<Source, EntryOutcome> {
    if let Some(source) = stand_in(options, entry, now) {
        tracing::warn!(label = error.label(), reason = %error, "the feed's content stands in for the page");
        return Ok(source);
    }
    let (label, reason) = (error.label(), error.to_string());
    let given_up = |reason| match &entry.recheck {
        Some(recheck) => {
            tracing::warn!(label, reason, "the page cannot be looked at again now");
            EntryOutcome::Unchanged(watch(options, recheck.validators.clone()))
        }
        None => EntryOutcome::Failed { label, reason, quarantined: false },
    };
    let Retry::Later(after) = error.retry() else { return Err(given_up(reason)) };
    let attempts = entry.failures + 1;
    if attempts >= plan.settings.max_entry_attempts {
        return Err(given_up(format!("{reason} (given up after {attempts} attempts)")));
    }
    Err(EntryOutcome::Postponed { until: now + retry_wait(entry.failures, after), label, reason })
}

/// How long to wait after one more failure: ever longer, and no less than the server asked for, within a day.
pub(super) fn retry_wait(failures: u32, asked: Option<Duration>) -> SignedDuration {
    let backoff = FIRST_RETRY.saturating_mul(1 << failures.min(16));
    let wait = backoff.max(asked.unwrap_or_default()).min(LONGEST_RETRY);
    SignedDuration::try_from(wait).expect("a day fits")
}

fn page_source(
    options: &FeedOptions,
    entry: &Entry,
    url: &Url,
    response: Response,
    fetched_at: Timestamp,
) -> Result<Source, EntryOutcome> {
    let Response { final_url, validators, content_type, content, .. } = response;
    let body = match (content, &entry.recheck) {
        (Content::Body(body), None) => body,
        (Content::Body(body), Some(recheck)) if recheck.raw_sha256 != Sha256Hash::of(&body) => body,
        (Content::Body(_), Some(_)) => return Err(EntryOutcome::Unchanged(watch(options, validators))),
        (Content::NotModified, Some(recheck)) => {
            return Err(EntryOutcome::Unchanged(watch(options, validators_after_304(recheck, validators))));
        }
        (Content::NotModified, None) => {
            return Err(EntryOutcome::Failed {
                label: "not_modified",
                reason: "the server says that the page has not changed, and was not asked".to_owned(),
                quarantined: false,
            });
        }
    };
    Ok(Source {
        raw_sha256: Sha256Hash::of(&body),
        page: Page {
            url: url.clone(),
            final_url,
            body: page_body(&body, content_type.as_deref()),
            fetched_at,
        },
        from_feed: false,
        raw: Some(RawBody { bytes: body, content_type }),
        validators,
    })
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

/// The feed's content as a page, where it may stand in for the page: not for one that was read before.
pub(super) fn stand_in(options: &FeedOptions, entry: &Entry, now: Timestamp) -> Option<Source> {
    feed_content(entry).filter(|_| options.content == ContentSource::Auto && entry.recheck.is_none())?;
    feed_source(entry, now)
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
    Some(Source {
        raw_sha256: Sha256Hash::of(content),
        page: Page { final_url: url.clone(), url, body: PageBody::Fragment(content.clone()), fetched_at },
        from_feed: true,
        raw: None,
        validators: Validators::default(),
    })
}
