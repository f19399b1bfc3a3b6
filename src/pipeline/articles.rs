//! Entries to articles: fetch the page, extract, fingerprint, store.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;
use url::Url;

use super::line::Stage;
use super::{FeedOptions, Plan, Shared, Tally};
use crate::dedup;
use crate::extract::{Evidence, SiteEvidence, extract};
use crate::fetch::{Content, Purpose, Request, Response, Retry, decode_page};
use crate::model::{
    Article, ContentSource, Entry, EntryEvidence, EntryId, Fingerprint, Known, Lease, Page, PageBody,
    QualityFlag, Sha256Hash, Validators, Verdict, strip_tracking,
};
use crate::store::{EntryOutcome, ExtractedArticle, FinishedEntry, StoreError, Stored};
use crate::telemetry::metrics::{self, Finished};

/// First wait after a failed attempt at a page; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(5 * 60);

/// Longest wait between two attempts at a page.
const LONGEST_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

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
        let lease = self.0.plan.borrow().settings.lease;
        self.0.store.entries_claim(lease, limit).await
    }

    fn claim_of(item: &Entry) -> (EntryId, Lease) {
        (item.id, item.lease)
    }

    async fn release(&self, claims: Vec<(EntryId, Lease)>) -> Result<(), StoreError> {
        self.0.store.entries_release(&claims).await
    }

    async fn process(&self, entry: Entry) -> FinishedEntry {
        let span = tracing::info_span!(
            "article",
            entry.id = entry.id.0,
            page.url = entry.url.as_ref().map(tracing::field::display),
            feed.url = %entry.feed_url,
        );
        let outcome = process(&self.0, &entry).instrument(span).await;
        FinishedEntry { entry, outcome }
    }

    async fn record(&self, done: Vec<FinishedEntry>) -> Result<(), StoreError> {
        let dedup = self.0.plan().dedup.clone();
        let stored = self.0.store.entries_finish(&done, &dedup).await?;
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

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.0.store.entries_next_due().await
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

/// What an article is made from.
struct Source {
    page: Page,
    raw_sha256: Sha256Hash,
    /// The feed's own content is the body: there is no page.
    from_feed: bool,
}

/// One entry, from the request to what is to be recorded of it.
async fn process(shared: &Shared, entry: &Entry) -> EntryOutcome {
    if entry.known == Known::ThroughAnother {
        return EntryOutcome::AlreadyStored;
    }
    let plan = shared.plan();
    let options = plan.options(&entry.feed_url);
    let source = match source(shared, &plan, &options, entry).await {
        Ok(source) => source,
        Err(outcome) => return outcome,
    };
    let outcome = refine(shared, &plan, options.content, entry, source).await;
    match &outcome {
        EntryOutcome::Extracted(extracted) => tracing::info!(
            words = extracted.article.word_count,
            flags = ?extracted.article.quality_flags,
            "extracted"
        ),
        EntryOutcome::Failed { label, reason, .. } => tracing::warn!(label, reason, "no article"),
        EntryOutcome::AlreadyStored | EntryOutcome::Postponed { .. } => {}
    }
    outcome
}

/// The page, or the feed's content where the operator wants that or the page cannot be had.
async fn source(
    shared: &Shared,
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
) -> Result<Source, EntryOutcome> {
    let now = shared.clock.now();
    let wants_feed = options.content == ContentSource::Feed;
    let Some(url) = entry.url.as_ref().filter(|_| !wants_feed) else {
        return feed_source(entry, now).ok_or_else(|| EntryOutcome::Failed {
            label: "no_content",
            reason: if wants_feed {
                "the entry holds no content of its own and the feed is set to content = \"feed\"".to_owned()
            } else {
                "the entry has neither a link nor content".to_owned()
            },
            quarantined: false,
        });
    };
    let request = Request {
        purpose: Purpose::Page,
        url,
        validators: &Validators::default(),
        options: &options.request.for_target(&entry.feed_url, url),
    };
    let error = match plan.fetcher.fetch(&request).await {
        Ok(response) => match page_source(url, response, shared.clock.now()) {
            Some(source) => return Ok(source),
            None => {
                return Err(postponed(
                    entry,
                    plan,
                    now,
                    None,
                    "not_modified",
                    "the server answered 304 to an unconditional request",
                ));
            }
        },
        Err(error) => error,
    };
    tracing::warn!(label = error.label(), error = %error, "the page cannot be had");
    if options.content == ContentSource::Auto
        && let Some(source) = feed_content(entry).and_then(|_| feed_source(entry, now))
    {
        return Ok(source);
    }
    Err(match error.retry() {
        Retry::Later(after) => postponed(entry, plan, now, after, error.label(), &error.to_string()),
        Retry::Never | Retry::Gone => {
            EntryOutcome::Failed { label: error.label(), reason: error.to_string(), quarantined: false }
        }
    })
}

/// Tries again later, ever more rarely, until the attempts are used up.
fn postponed(
    entry: &Entry,
    plan: &Plan,
    now: Timestamp,
    after: Option<Duration>,
    label: &'static str,
    reason: &str,
) -> EntryOutcome {
    let attempts = entry.failures + 1;
    if attempts >= plan.settings.max_entry_attempts {
        return EntryOutcome::Failed {
            label,
            reason: format!("{reason} (given up after {attempts} attempts)"),
            quarantined: false,
        };
    }
    let backoff = FIRST_RETRY.saturating_mul(1 << entry.failures.min(16)).min(LONGEST_RETRY);
    let wait = after.unwrap_or_default().clamp(backoff, LONGEST_RETRY.max(backoff));
    let wait = SignedDuration::try_from(wait).expect("a day fits");
    EntryOutcome::Postponed { until: now + wait, label, reason: reason.to_owned() }
}

fn page_source(url: &Url, response: Response, fetched_at: Timestamp) -> Option<Source> {
    let Content::Body(body) = response.content else { return None };
    Some(Source {
        raw_sha256: Sha256Hash::of(&body),
        page: Page {
            url: url.clone(),
            final_url: response.final_url,
            body: PageBody::Html(decode_page(&body, response.content_type.as_deref())),
            fetched_at,
        },
        from_feed: false,
    })
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
) -> EntryOutcome {
    let quarantine =
        |label: &'static str, reason: String| EntryOutcome::Failed { label, reason, quarantined: true };
    let _alone = match shared.precaution(entry.suspect).await {
        Some(alone) => {
            if let Err(error) = shared.store.entries_mark_attempted(&[(entry.id, entry.lease)]).await {
                tracing::error!(error = %error, "cannot mark the attempt: the entry's lease will run out");
            }
            Some(alone)
        }
        None => None,
    };
    let hostname = source.page.url.host_str().unwrap_or_default().to_owned();
    let site = match shared.store.site_evidence(&hostname).await {
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
    let fetched_at = page.fetched_at;
    let refined = shared
        .workers
        .run(move || {
            let mut article = extract(&page, &Evidence { entry: Some(&evidence), site: Some(&site) }, &rules);
            if from_feed {
                flag(&mut article, QualityFlag::FeedContentUsed);
            }
            let fingerprint = dedup::fingerprint(&article, &dedup);
            (article, fingerprint)
        })
        .await;
    let (article, fingerprint): (Article, Fingerprint) = match refined {
        Ok(refined) => refined,
        Err(error) => return quarantine(error.label(), format!("the extractor {error}")),
    };
    let original_url = entry.article_url();
    EntryOutcome::Extracted(Box::new(ExtractedArticle {
        article,
        fingerprint,
        url: strip_tracking(&original_url),
        original_url,
        raw_sha256,
        fetched_at,
    }))
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
