//! Stores finished entries in one transaction.

use std::borrow::Borrow;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AnyConnection;
use url::Url;

use super::batch::Batch;
use super::entries::{self, EntryError, EntryState, Settlement};
use super::outbox::Outbox;
use super::raw_pages::RawPage;
use super::{Signal, Store, StoreError};
use crate::blocking;
use crate::dedup;
use crate::model::{
    Article, ArticleId, Enclosure, Entry, FailureKind, Fingerprint, Sha256Hash, Validators, Verdict,
};

/// The result of an entry, to be stored in one transaction: article revision, verdict, entry state, outbox row.
#[derive(Clone, Debug)]
pub struct FinishedEntry {
    /// The entry as claimed.
    pub entry: Entry,
    /// The outcome.
    pub outcome: EntryOutcome,
}

/// The outcome of an entry.
#[derive(Clone, Debug)]
pub enum EntryOutcome {
    /// An article was extracted.
    Extracted(Box<ExtractedArticle>),
    /// The article is in the store already, from another feed: the entry is added to its mentions.
    AlreadyStored,
    /// The article was stored and later removed by retention: of the entry only the fact that it was seen is kept.
    AlreadyRemoved,
    /// A recheck of a stored article's page found nothing new.
    Unchanged(Watch),
    /// The publisher withdrew the page of a stored article (410).
    Withdrawn,
    /// To be tried again later; `reason` is kept for the operator.
    Postponed {
        /// Earliest time of the next attempt.
        until: Timestamp,
        /// For metrics and filters.
        kind: FailureKind,
        /// For the operator.
        reason: String,
    },
    /// The operator's rules leave the entry out; `reason` names the rule.
    LeftOut {
        /// For the operator.
        reason: String,
    },
    /// Given up.
    Failed {
        /// For metrics and filters.
        kind: FailureKind,
        /// For the operator.
        reason: String,
        /// Whether the entry is quarantined because it crashed or stalled the extractor.
        quarantined: bool,
    },
}

/// An article with everything else that the store needs.
#[derive(Clone, Debug)]
pub struct ExtractedArticle {
    /// The extracted article.
    pub article: Article,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The article's id: made of its page's URL, or of its entry where the entry is the article.
    pub id: ArticleId,
    /// URL of the page, without tracking parameters; the entry's own URL where the entry is the article.
    pub url: Url,
    /// The URL as the feed gave it.
    pub original_url: Url,
    /// The host that served the page, whose furniture it shows.
    pub page_host: String,
    /// The files that came with the article.
    pub enclosures: Vec<Enclosure>,
    /// Hash of the bytes that the article was made from.
    pub raw_sha256: Sha256Hash,
    /// When these bytes were fetched.
    pub fetched_at: Timestamp,
    /// The page itself, if it is to be kept.
    pub raw: Option<RawPage>,
    /// What is needed to recheck the page.
    pub watch: Watch,
}

/// What is needed to recheck an article's page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Validators for the conditional request.
    pub validators: Validators,
    /// Ages of the article at which to recheck, ascending; empty if its page is not fetched again.
    pub ages: Vec<Duration>,
}

/// What storing one finished entry did.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A new article or a new revision.
    Article {
        /// Position in the outbox.
        seq: i64,
        /// The verdict of dedup.
        verdict: Verdict,
        /// 1 for a new article.
        revision: u32,
    },
    /// The entry was added to the article's mentions.
    Linked {
        /// Position in the outbox.
        seq: i64,
    },
    /// The article was marked as withdrawn.
    Withdrawn {
        /// Position in the outbox.
        seq: i64,
    },
    /// Nothing for consumers: unchanged text, postponed, or failed.
    Noted,
    /// The lease had passed to another worker: nothing was written.
    StaleLease,
}

impl Store {
    /// Stores finished entries in one transaction: article revision, verdict (judged inside, so that of two copies
    /// arriving together only one becomes the original), entry state, outbox row, the host's block counts. Results are in the
    /// order of `finished`.
    pub async fn entries_finish<F: Borrow<FinishedEntry> + Sync>(
        &self,
        finished: &[F],
        dedup: &dedup::Settings,
    ) -> Result<Vec<Stored>, StoreError> {
        let finished: Vec<&FinishedEntry> = finished.iter().map(Borrow::borrow).collect();
        if finished.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        // Locked first: what is looked up below must stay true until the commit.
        let outbox = Outbox::lock(&mut tx).await?;
        let settlements: Vec<Settlement> = finished.iter().map(|item| settlement(item, now)).collect();
        let held = entries::settle(&mut tx, &settlements).await?;
        let is_held = |entry: &Entry| held.contains(&(entry.id, entry.lease.epoch));
        let current: Vec<&FinishedEntry> =
            finished.iter().copied().filter(|item| is_held(&item.entry)).collect();
        let (entries, fingerprints) = concerned(&current);
        let mut batch = Batch::load(&mut tx, outbox, &entries, &fingerprints, dedup, now).await?;
        // Comparing texts takes some milliseconds each.
        let answers = blocking::in_place(|| {
            let answers = finished
                .iter()
                .map(|item| if is_held(&item.entry) { batch.store(item, dedup) } else { Stored::StaleLease });
            answers.collect()
        });
        batch.write(&mut tx, dedup).await?;
        write_errors(&mut tx, &current, now).await?;
        self.signal(&mut tx, Signal::Outbox).await?;
        tx.commit().await?;
        Ok(answers)
    }
}

/// Returns the entries whose articles may change, and the fingerprints of new texts among them.
fn concerned<'f>(finished: &[&'f FinishedEntry]) -> (Vec<&'f Entry>, Vec<&'f Fingerprint>) {
    let (mut entries, mut fingerprints) = (Vec::new(), Vec::new());
    for item in finished {
        match &item.outcome {
            EntryOutcome::Extracted(extracted) => {
                entries.push(&item.entry);
                fingerprints.push(&extracted.fingerprint);
            }
            EntryOutcome::AlreadyStored
            | EntryOutcome::AlreadyRemoved
            | EntryOutcome::Unchanged(_)
            | EntryOutcome::Withdrawn => {
                entries.push(&item.entry);
            }
            EntryOutcome::Postponed { .. } | EntryOutcome::LeftOut { .. } | EntryOutcome::Failed { .. } => {}
        }
    }
    (entries, fingerprints)
}

fn settlement(item: &FinishedEntry, now: Timestamp) -> Settlement {
    let entry = &item.entry;
    let (state, next_attempt_at, failures) = match &item.outcome {
        EntryOutcome::Extracted(_)
        | EntryOutcome::AlreadyStored
        | EntryOutcome::AlreadyRemoved
        | EntryOutcome::Unchanged(_)
        | EntryOutcome::Withdrawn => (EntryState::Done, now, 0),
        EntryOutcome::Postponed { until, .. } => {
            (EntryState::Pending, *until, entry.failures.saturating_add(1))
        }
        // Not a failure, but it has a row among the errors: a count above 0 makes that row be deleted if the entry is taken later.
        EntryOutcome::LeftOut { .. } => (EntryState::Done, now, 1),
        EntryOutcome::Failed { quarantined: false, .. } => {
            (EntryState::Failed, now, entry.failures.saturating_add(1))
        }
        EntryOutcome::Failed { quarantined: true, .. } => {
            (EntryState::Quarantined, now, entry.failures.saturating_add(1))
        }
    };
    Settlement {
        entry_id: entry.id,
        epoch: entry.lease.epoch,
        article_id: entry.article_id,
        state,
        next_attempt_at,
        failures,
    }
}

async fn write_errors(
    tx: &mut AnyConnection,
    finished: &[&FinishedEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut failed, mut recovered) = (Vec::new(), Vec::new());
    for item in finished {
        match &item.outcome {
            EntryOutcome::Postponed { kind, reason, .. } | EntryOutcome::Failed { kind, reason, .. } => {
                failed.push(EntryError { entry_id: item.entry.id, kind: *kind, reason, failed_at: now });
            }
            EntryOutcome::LeftOut { reason } => {
                let kind = FailureKind::LeftOut;
                failed.push(EntryError { entry_id: item.entry.id, kind, reason, failed_at: now });
            }
            _ if item.entry.failures > 0 => recovered.push(item.entry.id),
            EntryOutcome::Extracted(_)
            | EntryOutcome::AlreadyStored
            | EntryOutcome::AlreadyRemoved
            | EntryOutcome::Unchanged(_)
            | EntryOutcome::Withdrawn => {}
        }
    }
    entries::upsert_errors(tx, &failed).await?;
    entries::forget_errors(tx, &recovered).await
}
