//! Finished entries, stored in one transaction.

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

/// An entry's work done, to be stored in one transaction: article revision, verdict, entry state, outbox row.
#[derive(Clone, Debug)]
pub struct FinishedEntry {
    /// The entry as claimed.
    pub entry: Entry,
    /// What became of it.
    pub outcome: EntryOutcome,
}

/// What became of an entry.
#[derive(Clone, Debug)]
pub enum EntryOutcome {
    /// An article was extracted.
    Extracted(Box<ExtractedArticle>),
    /// The article is already in the store, thanks to another feed: the entry is added to its mentions.
    AlreadyStored,
    /// The article was stored, until it was too old: of the entry no more is kept than that it was seen.
    AlreadyRemoved,
    /// Another look at the page of a stored article brought nothing new.
    Unchanged(Watch),
    /// The publisher took the page of a stored article back (410).
    Withdrawn,
    /// Try again later; `reason` is kept for the operator.
    Postponed {
        /// Not before this.
        until: Timestamp,
        /// For metrics and filters.
        kind: FailureKind,
        /// For the operator.
        reason: String,
    },
    /// The operator's rules leave it out; `reason` names the rule.
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
        /// Kept apart since it crashed or stalled the extractor.
        quarantined: bool,
    },
}

/// An article with all that the store needs beside it.
#[derive(Clone, Debug)]
pub struct ExtractedArticle {
    /// What extraction made.
    pub article: Article,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What the article is: a page, or its entry.
    pub id: ArticleId,
    /// The page asked for, without tracking parameters; what names the entry where that is the article.
    pub url: Url,
    /// As the feed gave it.
    pub original_url: Url,
    /// The host that the page came from: the one whose furniture it shows.
    pub page_host: String,
    /// The files that came with it.
    pub enclosures: Vec<Enclosure>,
    /// Hash of the bytes it was made from.
    pub raw_sha256: Sha256Hash,
    /// When they came.
    pub fetched_at: Timestamp,
    /// The page that it was made from, where it is to be kept.
    pub raw: Option<RawPage>,
    /// What it takes to look at the page again.
    pub watch: Watch,
}

/// What it takes to look at an article's page again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// What makes the request conditional.
    pub validators: Validators,
    /// The ages of the article at which to look, in rising order; none where its page is not asked for again.
    pub ages: Vec<Duration>,
}

/// What storing one finished entry did.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A new article or a new revision.
    Article {
        /// Position in the outbox.
        seq: i64,
        /// What dedup said.
        verdict: Verdict,
        /// 1 for a new article.
        revision: u32,
    },
    /// Its mentions grew.
    Linked {
        /// Position in the outbox.
        seq: i64,
    },
    /// It is withdrawn.
    Withdrawn {
        /// Position in the outbox.
        seq: i64,
    },
    /// Nothing for downstream: the same text again, postponed, failed.
    Noted,
    /// The lease had passed to another worker: nothing was written.
    StaleLease,
}

impl Store {
    /// Stores finished entries in one transaction: article revision, verdict (judged inside, so that two copies
    /// arriving together cannot both be originals), entry state, outbox row, the host's block counts. The answers stand
    /// in the order of `finished`.
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
        // First of all: what is looked up below must stay true until the commit.
        let outbox = Outbox::lock(&mut tx).await?;
        let settlements: Vec<Settlement> = finished.iter().map(|item| settlement(item, now)).collect();
        let held = entries::settle(&mut tx, &settlements).await?;
        let is_held = |entry: &Entry| held.contains(&(entry.id, entry.lease.epoch));
        let current: Vec<&FinishedEntry> =
            finished.iter().copied().filter(|item| is_held(&item.entry)).collect();
        let (entries, fingerprints) = concerned(&current);
        let mut batch = Batch::load(&mut tx, outbox, &entries, &fingerprints, dedup, now).await?;
        // Texts are compared: some milliseconds each.
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

/// The entries whose articles may change, and the new texts among them.
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
        // Not a failure; but it has words in the table of errors, to be forgotten once it is taken.
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
