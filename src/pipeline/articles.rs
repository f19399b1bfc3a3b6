//! Entries to articles: fetch the page, extract, fingerprint, store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;
use url::Url;

use super::line::{Stage, Until, Worked};
use super::suspects::guarded;
use super::workers::WorkError;
use super::{FeedOptions, Plan, Shared, Tally};
use crate::dedup;
use crate::extract::{Evidence, SiteEvidence, amp_canonical, extract};
use crate::fetch::{Content, FetchError, Purpose, Request, Response, Retry, page_body};
use crate::model::{
    Article, ArticleId, ContentSource, Entry, EntryEvidence, EntryId, Fingerprint, Known, Lease, Page,
    PageBody, QualityFlag, Sha256Hash, Validators, Verdict, strip_tracking,
};
use crate::store::{EntryOutcome, ExtractedArticle, FinishedEntry, StoreError, Stored};
use crate::telemetry::metrics::{self, Finished};

/// First wait after a failed attempt at a page; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(5);

/// Longest wait between two attempts at a page.
const LONGEST_RETRY: Duration = Duration::from_hours(24);

/// The second half of the mill.
#[derive(Clone, Debug)]
pub struct Articles(pub Shared);

impl Stage for Articles {
    type Item = Entry;
    type Claim = (EntryId, Lease);
    type Done = FinishedEntry;

    const NAME: &'static str = "articles";

    fn permits(&self) -> u32 {
        self.0.plan.borrow().settings.page_concurrency
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Entry>, StoreError> {
        if self.0.paused_until().is_some() {
            return Ok(Vec::new());
        }
        let lease = self.0.plan.borrow().settings.lease;
        self.0.store.entries_claim(lease, limit).await
    }

    fn claim_of(item: &Entry) -> (EntryId, Lease) {
        (item.id, item.lease)
    }

    async fn release(&self, claims: Vec<((EntryId, Lease), Timestamp)>) -> Result<(), StoreError> {
        let entries: Vec<_> = claims.into_iter().map(|((id, lease), due)| (id, lease, due)).collect();
        self.0.store.entries_release(&entries).await
    }

    async fn process(&self, entry: Entry) -> Worked<(EntryId, Lease), FinishedEntry> {
        let span = tracing::info_span!(
            "article",
            entry.id = entry.id.0,
            page.url = entry.url.as_ref().map(tracing::field::display),
            feed.url = %entry.feed_url,
        );
        match process(&self.0, &entry).instrument(span).await {
            Ok(outcome) => Worked::Done(finished(entry, outcome)),
            Err(PutOff { due, until }) => Worked::PutOff { claim: Self::claim_of(&entry), due, until },
        }
    }

    async fn record(&self, done: &[FinishedEntry]) -> Result<(), StoreError> {
        let dedup = self.0.plan().dedup.clone();
        let stored = self.0.store.entries_finish(done, &dedup).await?;
        let mut articles = 0;
        for (finished, stored) in done.iter().zip(&stored) {
            articles += u64::from(matches!(stored, Stored::Article { .. }));
            self.0.tally.count_entry(finished, stored);
        }
        if articles > 0 {
            self.0.articles_stored.notify_one();
        }
        Ok(())
    }

    fn refused(finished: FinishedEntry, reason: &StoreError) -> FinishedEntry {
        let outcome =
            EntryOutcome::Failed { label: "store_refused", reason: reason.to_string(), quarantined: false };
        FinishedEntry { outcome, ..finished }
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.0.not_while_paused(self.0.store.entries_next_due().await?))
    }
}

impl Tally {
    fn count_entry(&self, finished: &FinishedEntry, stored: &Stored) {
        let (outcome, duplicate) = match (stored, &finished.outcome) {
            (Stored::StaleLease, _) => {
                let id = finished.entry.id.0;
                return tracing::warn!(
                    entry.id = id,
                    "the article came too late: another worker has the entry"
                );
            }
            (Stored::Noted, EntryOutcome::Failed { label, .. }) => {
                Self::add(&self.failed, 1);
                return metrics::entry_dropped(label);
            }
            (Stored::Noted, EntryOutcome::Postponed { .. }) => {
                Self::add(&self.postponed, 1);
                (Finished::Postponed, None)
            }
            (Stored::Noted, _) => (Finished::Unchanged, None),
            (Stored::Linked { .. }, _) => (Finished::Linked, None),
            (Stored::Article { verdict, revision, .. }, _) => {
                Self::add(&self.articles, 1);
                let duplicate = match verdict {
                    Verdict::Original => None,
                    Verdict::Duplicate(link) => Some(link.kind),
                };
                Self::add(&self.duplicates, u64::from(duplicate.is_some()));
                (if *revision == 1 { Finished::Created } else { Finished::Revised }, duplicate)
            }
        };
        metrics::entry_finished(outcome, duplicate);
    }
}

/// The entry with what became of it. An AMP page's article is that of the page that it is a copy of.
fn finished(mut entry: Entry, outcome: EntryOutcome) -> FinishedEntry {
    if let EntryOutcome::Extracted(extracted) = &outcome {
        entry.article_id = ArticleId::of_url(&extracted.url);
    }
    FinishedEntry { entry, outcome }
}

/// What an article is made from.
struct Source {
    page: Page,
    raw_sha256: Sha256Hash,
    /// The feed's own content is the body: there is no page.
    from_feed: bool,
}

impl Source {
    /// The page that it is an AMP copy of.
    fn original(&self) -> Option<Url> {
        match &self.page.body {
            PageBody::Html(html) => amp_canonical(html, &self.page.final_url),
            PageBody::Text(_) => None,
        }
    }
}

/// An entry whose time has not come: it is given back, due again then.
struct PutOff {
    due: Timestamp,
    until: Until,
}

/// One entry, from the request to what is to be recorded of it.
async fn process(shared: &Shared, entry: &Entry) -> Result<EntryOutcome, PutOff> {
    if entry.known == Known::ThroughAnother {
        return Ok(EntryOutcome::AlreadyStored);
    }
    let plan = shared.plan();
    let options = plan.options(&entry.feed_url);
    let outcome = match source(shared, &plan, &options, entry).await? {
        Ok(source) => made_of(shared, &plan, &options, entry, source).await,
        Err(outcome) => outcome,
    };
    match &outcome {
        EntryOutcome::Extracted(extracted) => tracing::info!(
            words = extracted.article.word_count,
            flags = ?extracted.article.quality_flags,
            "extracted"
        ),
        EntryOutcome::Failed { label, reason, .. } => tracing::warn!(label, reason, "no article"),
        EntryOutcome::Postponed { until, label, reason } => {
            tracing::warn!(label, reason, %until, "the page will be tried again");
        }
        EntryOutcome::AlreadyStored => {}
    }
    Ok(outcome)
}

/// The article made of `source`. A page that the extractor cannot read gives way to the feed's content, if it has any.
async fn made_of(
    shared: &Shared,
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
    source: Source,
) -> EntryOutcome {
    let is_page = !source.from_feed;
    let mut refined = refine(shared, plan, options.content, entry, source).await;
    if let Err(error) = &refined
        && is_page
        && let Some(content) = stand_in(options, entry, shared.clock.now())
    {
        tracing::warn!(label = error.label(), reason = %error, "the feed's content stands in for the page");
        refined = refine(shared, plan, options.content, entry, content).await;
    }
    let error = match refined {
        Ok(extracted) => return EntryOutcome::Extracted(Box::new(extracted)),
        Err(error) => error,
    };
    let (label, reason) = (error.label(), format!("the extractor {error}"));
    match error {
        // The machine may have been busy: once more before the page is held to be at fault.
        WorkError::OutOfTime(_) if entry.failures == 0 => {
            EntryOutcome::Postponed { until: shared.clock.now() + retry_wait(0, None), label, reason }
        }
        WorkError::OutOfTime(_) | WorkError::Panicked(_) => {
            EntryOutcome::Failed { label, reason, quarantined: true }
        }
    }
}

/// The page, or the feed's content where the operator wants that or the page cannot be had; else what becomes of the
/// entry.
async fn source(
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
    let request = Request {
        purpose: Purpose::Page,
        url,
        validators: &Validators::default(),
        options: &options.request.for_target(&entry.feed_url, url),
    };
    let fetched = plan.fetcher.fetch(&request).await;
    if let Some(due) = shared.blame_ourselves(url, fetched.as_ref().err()) {
        return Err(PutOff { due, until: Until::NetworkReturn });
    }
    let now = shared.clock.now();
    let response = match fetched {
        Ok(response) => response,
        Err(FetchError::HostPaused { wait }) => {
            return Err(PutOff { due: later(now, wait), until: Until::HostReturn });
        }
        Err(error) => return Ok(without_page(plan, options, entry, &error, now)),
    };
    let source = match page_source(url, response, now) {
        Ok(source) => source,
        Err(outcome) => return Ok(Err(outcome)),
    };
    Ok(Ok(match source.original() {
        Some(original) => original_of(shared, plan, options, entry, source, original).await,
        None => source,
    }))
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).expect("an unsigned duration is never out of range")
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
) -> Source {
    let request = Request {
        purpose: Purpose::Page,
        url: &original,
        validators: &Validators::default(),
        options: &options.request.for_target(&entry.feed_url, &original),
    };
    let fetched = plan.fetcher.fetch(&request).await;
    let reason = match fetched {
        Ok(response) => match page_source(&original, response, shared.clock.now()) {
            Ok(source) => return source,
            Err(_) => "the server says that it has not changed".to_owned(),
        },
        Err(error) => error.to_string(),
    };
    tracing::warn!(%original, reason, "the AMP page stands in for the page that it is a copy of");
    copy
}

/// What to do where the page cannot be had.
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
    let failed = |reason| EntryOutcome::Failed { label, reason, quarantined: false };
    let Retry::Later(after) = error.retry() else { return Err(failed(reason)) };
    let attempts = entry.failures + 1;
    if attempts >= plan.settings.max_entry_attempts {
        return Err(failed(format!("{reason} (given up after {attempts} attempts)")));
    }
    Err(EntryOutcome::Postponed { until: now + retry_wait(entry.failures, after), label, reason })
}

/// How long to wait after one more failure: ever longer, and no less than the server asked for, within a day.
fn retry_wait(failures: u32, asked: Option<Duration>) -> SignedDuration {
    let backoff = FIRST_RETRY.saturating_mul(1 << failures.min(16));
    let wait = backoff.max(asked.unwrap_or_default()).min(LONGEST_RETRY);
    SignedDuration::try_from(wait).expect("a day fits")
}

fn page_source(url: &Url, response: Response, fetched_at: Timestamp) -> Result<Source, EntryOutcome> {
    let Content::Body(body) = response.content else {
        return Err(EntryOutcome::Failed {
            label: "not_modified",
            reason: "the server says that the page has not changed, and was not asked".to_owned(),
            quarantined: false,
        });
    };
    Ok(Source {
        raw_sha256: Sha256Hash::of(&body),
        page: Page {
            url: url.clone(),
            final_url: response.final_url,
            body: page_body(&body, response.content_type.as_deref()),
            fetched_at,
        },
        from_feed: false,
    })
}

/// The feed's content as a page, where it may stand in for the page.
fn stand_in(options: &FeedOptions, entry: &Entry, now: Timestamp) -> Option<Source> {
    feed_content(entry).filter(|_| options.content == ContentSource::Auto)?;
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
        page: Page { final_url: url.clone(), url, body: PageBody::Html(content.clone()), fetched_at },
        from_feed: true,
    })
}

/// Extraction and fingerprint, on a worker.
async fn refine(
    shared: &Shared,
    plan: &Plan,
    content: ContentSource,
    entry: &Entry,
    source: Source,
) -> Result<ExtractedArticle, WorkError> {
    // Of where the page was found, not of the link to it: a link shortener has many sites behind it.
    let page_host = source.page.final_url.host_str().unwrap_or_default().to_owned();
    let site = match shared.store.site_evidence(&page_host).await {
        Ok(site) if entry.known == Known::ThroughThis => without_one_article(site),
        Ok(site) => site,
        Err(error) => {
            tracing::warn!(error = %error, "the host's furniture is unknown: extracting without it");
            SiteEvidence::default()
        }
    };
    let evidence = entry_evidence(&entry.evidence, content, source.from_feed);
    let rules = Arc::clone(&plan.rules);
    let dedup = plan.dedup.clone();
    let Source { page, raw_sha256, from_feed } = source;
    let url = strip_tracking(&page.url);
    let fetched_at = page.fetched_at;
    let work = move || {
        let began = Instant::now();
        let mut article = extract(&page, &Evidence { entry: Some(&evidence), site: Some(&site) }, &rules);
        if from_feed {
            flag(&mut article, QualityFlag::FeedContentUsed);
        }
        metrics::extracted(began.elapsed());
        let fingerprint = dedup::fingerprint(&article, &dedup);
        (article, fingerprint)
    };
    let refined = guarded(
        entry.suspect,
        &shared.alone,
        shared.store.entry_attempt_begin(entry.id, entry.lease),
        shared.workers.run(work),
        shared.store.entry_attempt_end(entry.id, entry.lease),
    )
    .await;
    let (article, fingerprint): (Article, Fingerprint) = refined?;
    Ok(ExtractedArticle {
        article,
        fingerprint,
        url,
        original_url: entry.article_url(),
        page_host,
        raw_sha256,
        fetched_at,
    })
}

/// The evidence without the article that is being read anew: its own blocks are not furniture because it showed them
/// before. Which of the counts it is behind is not kept, so that each gives up one.
fn without_one_article(mut site: SiteEvidence) -> SiteEvidence {
    site.articles = site.articles.saturating_sub(1);
    site.articles_by_block.retain(|_, articles| {
        *articles -= 1;
        *articles > 0
    });
    site
}

/// The entry as evidence. Its content must not stand in for the page where the operator asked for the page only, and need
/// not be read twice where it is the page.
fn entry_evidence(evidence: &EntryEvidence, content: ContentSource, from_feed: bool) -> EntryEvidence {
    let mut evidence = evidence.clone();
    if from_feed || content == ContentSource::Page {
        evidence.content = None;
    }
    evidence
}

fn flag(article: &mut Article, flag: QualityFlag) {
    article.quality_flags.push(flag);
    article.quality_flags.sort_unstable();
    article.quality_flags.dedup();
}
