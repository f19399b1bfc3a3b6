//! Entries to articles: fetch the page, extract, fingerprint, store.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry::Occupied;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tracing::Instrument as _;

use super::line::{Stage, Worked};
use super::pages::{Origin, Source};
use super::task::{Ending, Task};
use super::{Shared, Tally};
use crate::fetch::FetchError;
use crate::impostor::{Impostor, speaks_of};
use crate::memory::Share;
use crate::model::{
    Article, Entry, EntryId, FailureKind, Known, Lease, PartyId, QualityFlag, Verdict, masked,
};
use crate::store::{EntryOutcome, ExtractedArticle, FinishedEntry, Room, StoreError, Stored};
use crate::telemetry::metrics;
use crate::telemetry::metrics::Finished as Outcome;

/// The second half of the pipeline.
#[derive(Clone, Debug)]
pub struct Articles {
    shared: Shared,
    places: Places,
}

impl Articles {
    /// Creates the stage with no entries in hand.
    pub fn new(shared: Shared) -> Self {
        Self { shared, places: Places::default() }
    }
}

/// The number of entries in hand per party.
#[derive(Clone, Debug, Default)]
struct Places(Arc<Mutex<HashMap<PartyId, u32>>>);

/// A slot taken by an entry of the party; dropping it frees the slot.
#[derive(Debug)]
struct Place {
    party: PartyId,
    places: Places,
}

/// A claimed entry with its slot.
#[derive(Debug)]
pub struct InHand {
    entry: Entry,
    place: Place,
}

/// The outcome of an entry, and the memory held until it is recorded.
#[derive(Debug)]
pub struct Finished {
    entry: FinishedEntry,
    _held: Share,
}

impl Borrow<FinishedEntry> for Finished {
    fn borrow(&self) -> &FinishedEntry {
        &self.entry
    }
}

impl Places {
    fn take(&self, entry: Entry) -> InHand {
        *self.lock().entry(entry.party).or_default() += 1;
        let place = Place { party: entry.party, places: self.clone() };
        InHand { entry, place }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PartyId, u32>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Occupied(mut party) = self.places.lock().entry(self.party) {
            *party.get_mut() -= 1;
            if *party.get() == 0 {
                party.remove();
            }
        }
    }
}

impl Stage for Articles {
    type Item = InHand;
    type Claim = (EntryId, Lease);
    type Done = Finished;

    const NAME: &'static str = "articles";
    const BATCH: u32 = 100;

    fn permits(&self) -> u32 {
        self.shared.plan.borrow().settings.page_concurrency
    }

    async fn claim(&self, limit: u32) -> Result<Vec<InHand>, StoreError> {
        if self.shared.paused_until().is_some() {
            return Ok(Vec::new());
        }
        let lease = self.shared.plan.borrow().settings.lease;
        let room = Room::beside(limit, self.places.lock().clone());
        let entries = self.shared.store.entries_claim_within(lease, room).await?;
        Ok(entries.into_iter().map(|entry| self.places.take(entry)).collect())
    }

    fn claim_of(item: &InHand) -> (EntryId, Lease) {
        (item.entry.id, item.entry.lease)
    }

    fn party_of(done: &Finished) -> PartyId {
        done.entry.entry.party
    }

    /// A text is written, indexed for search and compared with others, each by its length.
    fn weight_of(done: &Finished) -> u32 {
        const ORDINARY_BYTES: usize = 16 << 10;
        match &done.entry.outcome {
            EntryOutcome::Extracted(extracted) => {
                u32::try_from(extracted.article.text.len() / ORDINARY_BYTES).unwrap_or(u32::MAX).max(1)
            }
            _ => 1,
        }
    }

    async fn release(&self, claims: &[((EntryId, Lease), Timestamp)]) -> Result<(), StoreError> {
        let entries: Vec<_> = claims.iter().map(|((id, lease), due)| (*id, *lease, *due)).collect();
        self.shared.store.entries_release(&entries).await
    }

    async fn process(&self, item: InHand) -> Worked<(EntryId, Lease), Finished> {
        let InHand { entry, place: _place } = item;
        let span = tracing::info_span!(
            "article",
            entry.id = entry.id.0,
            page.url = entry.url.as_ref().map(|url| tracing::field::display(masked(url))),
            feed.url = %masked(&entry.feed_url),
        );
        let held = self.shared.memory.share();
        match Box::pin(process(&self.shared, &entry, &held)).instrument(span.clone()).await {
            Ending::Settled(outcome) => {
                span.in_scope(|| log(&outcome));
                Worked::Done(Finished { entry: finished(entry, outcome), _held: held })
            }
            Ending::PutOff { due, until } => Worked::PutOff { claim: (entry.id, entry.lease), due, until },
        }
    }

    async fn record(&self, done: &[Finished]) -> Result<(), StoreError> {
        self.shared.keep_pauses().await;
        let dedup = self.shared.plan().dedup.clone();
        let stored = self.shared.store.entries_finish(done, &dedup).await?;
        let (mut articles, now) = (0, self.shared.clock.now());
        for (finished, stored) in done.iter().zip(&stored) {
            articles += u64::from(matches!(stored, Stored::Article { .. }));
            self.shared.tally.count_entry(&finished.entry, stored);
            if let Some(age) = age(&finished.entry, stored, now) {
                metrics::article_stored(age);
            }
        }
        if articles > 0 {
            self.shared.articles_stored.notify_waiters();
        }
        Ok(())
    }

    fn refused(finished: Finished, reason: &StoreError) -> Finished {
        let outcome = EntryOutcome::Failed {
            kind: FailureKind::StoreRefused,
            reason: reason.to_string(),
            quarantined: false,
        };
        Finished { entry: FinishedEntry { outcome, ..finished.entry }, ..finished }
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.shared.not_while_paused(self.shared.store.entries_next_due().await?))
    }
}

impl Tally {
    fn count_entry(&self, finished: &FinishedEntry, stored: &Stored) {
        let (outcome, duplicate) = match (stored, &finished.outcome) {
            (Stored::StaleLease, _) => {
                let id = finished.entry.id.0;
                return tracing::warn!(
                    entry.id = id,
                    "result discarded: another worker has claimed the entry"
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
                (Outcome::Postponed, None)
            }
            (Stored::Noted, _) => (Outcome::Unchanged, None),
            (Stored::Linked { .. }, _) => (Outcome::Linked, None),
            (Stored::Withdrawn { .. }, _) => (Outcome::Withdrawn, None),
            (Stored::Article { verdict, revision, .. }, _) => {
                Self::add(&self.articles, 1);
                let duplicate = match verdict {
                    Verdict::Original => None,
                    Verdict::Duplicate(link) => Some(link.kind),
                };
                Self::add(&self.duplicates, u64::from(duplicate.is_some()));
                (if *revision == 1 { Outcome::Created } else { Outcome::Revised }, duplicate)
            }
        };
        metrics::entry_finished(outcome, duplicate);
    }
}

/// Returns the age of a new article; `None` if it has no date or was published before its feed was watched. The date that the feed
/// announces is preferred, because pages often state only the day.
fn age(finished: &FinishedEntry, stored: &Stored, now: Timestamp) -> Option<Duration> {
    let FinishedEntry { entry, outcome: EntryOutcome::Extracted(extracted) } = finished else { return None };
    let is_news = matches!(stored, Stored::Article { revision: 1, .. }) && !entry.is_backlog;
    let published_at = entry.evidence.published_at.or(extracted.article.metadata.published_at)?;
    // A date in the future, in a wrong time zone, counts as now.
    is_news.then(|| Duration::try_from(now.duration_since(published_at)).unwrap_or_default())
}

/// Combines an entry with its outcome. A new entry takes the article id of the extracted page, which for an AMP page is
/// that of its original; an entry whose article is known keeps the id, since the AMP copy had to stand in for the original
/// before.
fn finished(mut entry: Entry, outcome: EntryOutcome) -> FinishedEntry {
    if let EntryOutcome::Extracted(extracted) = &outcome
        && entry.known == Known::No
    {
        entry.article_id = extracted.id;
    }
    FinishedEntry { entry, outcome }
}

/// Processes one entry, from the request to the outcome to record.
async fn process(shared: &Shared, entry: &Entry, held: &Share) -> Ending {
    let plan = shared.plan();
    let options = plan.options(&entry.feed_url);
    // The rules do not apply to an entry whose own article is stored already: it keeps following its page.
    if matches!(entry.known, Known::No | Known::ThroughAnother)
        && let Some(reason) = options.choice.refusal(&entry.evidence, entry.url.as_ref())
    {
        return EntryOutcome::LeftOut { reason }.into();
    }
    match entry.known {
        Known::ThroughAnother if !entry.is_stand_in => return EntryOutcome::AlreadyStored.into(),
        Known::Removed => return EntryOutcome::AlreadyRemoved.into(),
        // An entry whose article is a stand-in for the page is worth another look at the page.
        Known::No | Known::ThroughThis | Known::ThroughAnother => {}
    }
    let task = Task { shared, plan: &plan, options: &options, entry, held };
    if let Err(rests) = task.check_rest() {
        return rests;
    }
    match Box::pin(article(&task)).await {
        Ok(extracted) => EntryOutcome::Extracted(Box::new(extracted)).into(),
        Err(ending) => ending,
    }
}

/// Makes the entry's article. If the extractor cannot read the page, the feed's content is used instead, if there is any.
async fn article(task: &Task<'_>) -> Result<ExtractedArticle, Ending> {
    let source = Box::pin(task.source()).await?;
    let is_page = matches!(source.origin, Origin::Server(_));
    let site = task.furniture_of(&source.page).await?;
    let mut refined = Box::pin(task.refine(source, site)).await?;
    let own_text = match &refined {
        Ok(extracted) if is_page => task.instead_of_repeated(extracted).await?,
        Err(error) if is_page => task.stand_in(error).await?,
        _ => None,
    };
    if let Some(own_text) = own_text {
        let site = task.furniture_of(&own_text.page).await?;
        refined = Box::pin(task.refine(own_text, site)).await?;
    }
    let extracted = refined.map_err(|error| task.broken_off(&error))?;
    if is_less_than_before(task.entry, &extracted.article) {
        tracing::info!(flags = ?extracted.article.quality_flags, "the page shows less than before; keeping the stored text");
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
        EntryOutcome::Withdrawn => tracing::info!("the publisher withdrew the page"),
        EntryOutcome::Unchanged(_) => tracing::debug!("the page has not changed"),
        EntryOutcome::AlreadyStored | EntryOutcome::AlreadyRemoved => {}
    }
}

/// From this many entries of a host with the same text on, it is no coincidence.
const REPEATED_TEXTS: u32 = 6;

impl Task<'_> {
    /// Returns the source to use instead of a text that appears under many entries of its host and does not mention this
    /// one: a wall that shows no known sign. The entries that got the text before are queued again.
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
                tracing::warn!(%error, "cannot check whether the host shows the same text for many entries");
                return Ok(None);
            }
        }
        let is_stored = self.entry.content_sha256 == Some(content_sha256);
        let error = FetchError::Impostor(Impostor::RepeatedPage);
        self.without_page(&error, self.may_replace() || is_stored).await.map(Some)
    }
}

/// Returns whether a recheck found a wall, a stub or a list where an article was: that is not a revision of it.
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
