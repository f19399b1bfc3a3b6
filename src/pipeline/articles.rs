//! Entries to articles: fetch the page, extract, fingerprint, store.

use jiff::Timestamp;
use tracing::Instrument as _;

use super::line::{Stage, Worked};
use super::pages::{PutOff, Source, retry_wait, source, stand_in};
use super::refine::refine;
use super::workers::WorkError;
use super::{FeedOptions, Plan, Shared, Tally};
use crate::model::{Article, ArticleId, Entry, EntryId, Known, Lease, QualityFlag, Verdict, masked};
use crate::store::{EntryOutcome, FinishedEntry, StoreError, Stored};
use crate::telemetry::metrics::{self, Finished};

/// The second half of the mill.
#[derive(Clone, Debug)]
pub struct Articles(pub Shared);

impl Stage for Articles {
    type Item = Entry;
    type Claim = (EntryId, Lease);
    type Done = FinishedEntry;

    const NAME: &'static str = "articles";
    const BATCH: u32 = 100;

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
            page.url = entry.url.as_ref().map(|url| tracing::field::display(masked(url))),
            feed.url = %masked(&entry.feed_url),
        );
        match process(&self.0, &entry).instrument(span).await {
            Ok(outcome) => Worked::Done(finished(entry, outcome)),
            Err(PutOff { due, until }) => Worked::PutOff { claim: Self::claim_of(&entry), due, until },
        }
    }

    async fn record(&self, done: &[FinishedEntry]) -> Result<(), StoreError> {
        self.0.keep_pauses().await;
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
            (Stored::Withdrawn { .. }, _) => (Finished::Withdrawn, None),
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

/// The entry with what became of it. An AMP page's article is that of the page that it is a copy of, unless the copy had to
/// stand in for that before.
fn finished(mut entry: Entry, outcome: EntryOutcome) -> FinishedEntry {
    if let EntryOutcome::Extracted(extracted) = &outcome
        && entry.known == Known::No
    {
        entry.article_id = ArticleId::of_url(&extracted.url);
    }
    FinishedEntry { entry, outcome }
}

/// One entry, from the request to what is to be recorded of it.
async fn process(shared: &Shared, entry: &Entry) -> Result<EntryOutcome, PutOff> {
    match entry.known {
        Known::ThroughAnother => return Ok(EntryOutcome::AlreadyStored),
        Known::Removed => return Ok(EntryOutcome::AlreadyRemoved),
        Known::No | Known::ThroughThis => {}
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
        EntryOutcome::Withdrawn => tracing::info!("the publisher took the page back"),
        EntryOutcome::Unchanged(_) => tracing::debug!("the page has not changed"),
        EntryOutcome::AlreadyStored | EntryOutcome::AlreadyRemoved => {}
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
    let mut refined = refine(shared, plan, options, entry, source).await;
    if let Err(error) = &refined
        && is_page
        && let Some(content) = stand_in(options, entry, shared.clock.now())
    {
        tracing::warn!(label = error.label(), reason = %error, "the feed's content stands in for the page");
        refined = refine(shared, plan, options, entry, content).await;
    }
    let error = match refined {
        Ok(extracted) if is_less_than_before(entry, &extracted.article) => {
            tracing::info!(flags = ?extracted.article.quality_flags, "the page shows less than before");
            return EntryOutcome::Unchanged(extracted.watch);
        }
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

/// Whether another look at a page found a wall, a stub or a list where an article stood: that is no revision of it.
fn is_less_than_before(entry: &Entry, article: &Article) -> bool {
    const LESS: [QualityFlag; 5] = [
        QualityFlag::Paywalled,
        QualityFlag::Listing,
        QualityFlag::TooShort,
        QualityFlag::FeedContentUsed,
        QualityFlag::Partial,
    ];
    let Some(recheck) = &entry.recheck else { return false };
    let is_new =
        |flag: &QualityFlag| article.quality_flags.contains(flag) && !recheck.quality_flags.contains(flag);
    LESS.iter().any(is_new)
}
