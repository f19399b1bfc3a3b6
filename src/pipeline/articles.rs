//! Entries to articles: fetch the page, extract, fingerprint, store.

use jiff::Timestamp;
use tracing::Instrument as _;

use super::line::{Stage, Worked};
use super::pages::{Origin, Source};
use super::task::{Ending, Task};
use super::{Shared, Tally};
use crate::fetch::FetchError;
use crate::impostor::{Impostor, speaks_of};
use crate::model::{Article, Entry, EntryId, FailureKind, Known, Lease, QualityFlag, Verdict, masked};
use crate::store::{EntryOutcome, ExtractedArticle, FinishedEntry, StoreError, Stored};
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
        match Box::pin(process(&self.0, &entry)).instrument(span.clone()).await {
            Ending::Settled(outcome) => {
                span.in_scope(|| log(&outcome));
                Worked::Done(finished(entry, outcome))
            }
            Ending::PutOff { due, until } => Worked::PutOff { claim: Self::claim_of(&entry), due, until },
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
            self.0.articles_stored.notify_waiters();
        }
        Ok(())
    }

    fn refused(finished: FinishedEntry, reason: &StoreError) -> FinishedEntry {
        let outcome = EntryOutcome::Failed {
            kind: FailureKind::StoreRefused,
            reason: reason.to_string(),
            quarantined: false,
        };
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
            (Stored::Noted, EntryOutcome::Failed { kind, .. }) => {
                Self::add(&self.failed, 1);
                return metrics::entry_dropped(*kind);
            }
            (Stored::Noted, EntryOutcome::LeftOut { .. }) => {
                return metrics::entry_dropped(FailureKind::LeftOut);
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
        entry.article_id = extracted.id;
    }
    FinishedEntry { entry, outcome }
}

/// One entry, from the request to what is to be recorded of it.
async fn process(shared: &Shared, entry: &Entry) -> Ending {
    let plan = shared.plan();
    let options = plan.options(&entry.feed_url);
    // What is stored already stays, and follows its page.
    if matches!(entry.known, Known::No | Known::ThroughAnother)
        && let Some(reason) = options.choice.refusal(&entry.evidence, entry.url.as_ref())
    {
        return EntryOutcome::LeftOut { reason }.into();
    }
    match entry.known {
        Known::ThroughAnother if !entry.is_stand_in => return EntryOutcome::AlreadyStored.into(),
        Known::Removed => return EntryOutcome::AlreadyRemoved.into(),
        // What stands in for a page is worth another look at it.
        Known::No | Known::ThroughThis | Known::ThroughAnother => {}
    }
    let task = Task { shared, plan: &plan, options: &options, entry };
    match Box::pin(article(&task)).await {
        Ok(extracted) => EntryOutcome::Extracted(Box::new(extracted)).into(),
        Err(ending) => ending,
    }
}

/// The entry's article. A page that the extractor cannot read gives way to the feed's content, if it has any.
async fn article(task: &Task<'_>) -> Result<ExtractedArticle, Ending> {
    let source = task.source().await?;
    let is_page = matches!(source.origin, Origin::Server(_));
    let site = task.furniture_of(&source.page).await?;
    let mut refined = task.refine(source, site).await;
    let own_text = match &refined {
        Ok(extracted) if is_page => task.instead_of_repeated(extracted).await?,
        Err(error) if is_page => task.stand_in(error).await,
        _ => None,
    };
    if let Some(own_text) = own_text {
        let site = task.furniture_of(&own_text.page).await?;
        refined = task.refine(own_text, site).await;
    }
    let extracted = refined.map_err(|error| task.broken_off(&error))?;
    if is_less_than_before(task.entry, &extracted.article) {
        tracing::info!(flags = ?extracted.article.quality_flags, "the page shows less than before");
        return Err(EntryOutcome::Unchanged(extracted.watch).into());
    }
    Ok(extracted)
}

fn log(outcome: &EntryOutcome) {
    match outcome {
        EntryOutcome::Extracted(extracted) => tracing::info!(
            words = extracted.article.word_count,
            flags = ?extracted.article.quality_flags,
            "extracted"
        ),
        EntryOutcome::Failed { kind, reason, .. } => {
            tracing::warn!(label = kind.as_str(), reason, "no article");
        }
        EntryOutcome::Postponed { until, kind, reason } => {
            tracing::warn!(label = kind.as_str(), reason, %until, "the page will be tried again");
        }
        EntryOutcome::LeftOut { reason } => tracing::info!(reason, "no article"),
        EntryOutcome::Withdrawn => tracing::info!("the publisher took the page back"),
        EntryOutcome::Unchanged(_) => tracing::debug!("the page has not changed"),
        EntryOutcome::AlreadyStored | EntryOutcome::AlreadyRemoved => {}
    }
}

/// So many entries of a host with one text are no coincidence.
const REPEATED_TEXTS: u32 = 6;

impl Task<'_> {
    /// What is recorded instead of a text that stands under many entries of its host and says nothing of this one: a wall that
    /// no sign tells. The entries that got it before are looked at again.
    async fn instead_of_repeated(&self, extracted: &ExtractedArticle) -> Result<Option<Source>, Ending> {
        let article = &extracted.article;
        let is_the_feeds = article.quality_flags.contains(&QualityFlag::FeedContentUsed);
        if is_the_feeds || article.text.is_empty() || speaks_of(&article.text, &self.entry.evidence) {
            return Ok(None);
        }
        let content_sha256 = extracted.fingerprint.content_sha256;
        let host = extracted.url.host_str().unwrap_or_default();
        match self.shared.store.text_is_repeated(content_sha256, host, REPEATED_TEXTS - 1).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "whether the host shows one text for many entries is not known");
                return Ok(None);
            }
        }
        let is_stored = self.entry.content_sha256 == Some(content_sha256);
        let error = FetchError::Impostor(Impostor::RepeatedPage);
        self.without_page(&error, self.may_replace() || is_stored).await.map(Some)
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
