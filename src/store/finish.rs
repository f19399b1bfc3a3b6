//! Finished entries, stored in one transaction.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::AnyConnection;
use url::Url;

use super::articles::{self, ArticleRow, NewRevision};
use super::blocks::Lessons;
use super::entries::{self, EntryError, EntryState, Settlement};
use super::neighbours::{self, NewBands};
use super::outbox::Outbox;
use super::{Store, StoreError};
use crate::dedup::{self, Index, Neighbour};
use crate::model::{
    Article, ArticleId, DuplicateKind, DuplicateLink, Entry, EntryId, Event, Fingerprint, Sha256Hash, Verdict,
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
    /// Try again later; `reason` is kept for the operator.
    Postponed {
        /// Not before this.
        until: Timestamp,
        /// For metrics and filters.
        label: &'static str,
        /// For the operator.
        reason: String,
    },
    /// Given up.
    Failed {
        /// For metrics and filters.
        label: &'static str,
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
    /// The page asked for, without tracking parameters; the feed's URL with the entry's key as fragment where it has no link.
    pub url: Url,
    /// As the feed gave it.
    pub original_url: Url,
    /// The host that the page came from: the one whose furniture it shows.
    pub page_host: String,
    /// Hash of the bytes it was made from.
    pub raw_sha256: Sha256Hash,
    /// When they came.
    pub fetched_at: Timestamp,
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
    /// Nothing for downstream: the same text again, postponed, failed.
    Noted,
    /// The lease had passed to another worker: nothing was written.
    StaleLease,
}

impl Store {
    /// Stores finished entries in one transaction: article revision, verdict (judged inside, so that two copies
    /// arriving together cannot both be originals), entry state, outbox row, the host's block counts. The answers stand
    /// in the order of `finished`.
    pub async fn entries_finish(
        &self,
        finished: &[FinishedEntry],
        dedup: &dedup::Settings,
    ) -> Result<Vec<Stored>, StoreError> {
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
        let current: Vec<&FinishedEntry> = finished.iter().filter(|item| is_held(&item.entry)).collect();
        let mut batch = Batch::load(&mut tx, outbox, &current, dedup, now).await?;
        let answers = finished
            .iter()
            .map(|item| if is_held(&item.entry) { batch.store(item, dedup) } else { Stored::StaleLease })
            .collect();
        batch.write(&mut tx, dedup).await?;
        write_errors(&mut tx, &current, now).await?;
        tx.commit().await?;
        Ok(answers)
    }
}

fn settlement(item: &FinishedEntry, now: Timestamp) -> Settlement {
    let entry = &item.entry;
    let (state, next_attempt_at, failures) = match &item.outcome {
        EntryOutcome::Extracted(_) | EntryOutcome::AlreadyStored => (EntryState::Done, now, 0),
        EntryOutcome::Postponed { until, .. } => {
            (EntryState::Pending, *until, entry.failures.saturating_add(1))
        }
        EntryOutcome::Failed { quarantined: false, .. } => {
            (EntryState::Failed, now, entry.failures.saturating_add(1))
        }
        EntryOutcome::Failed { quarantined: true, .. } => {
            (EntryState::Quarantined, now, entry.failures.saturating_add(1))
        }
    };
    Settlement { entry_id: entry.id, epoch: entry.lease.epoch, state, next_attempt_at, failures }
}

async fn write_errors(
    tx: &mut AnyConnection,
    finished: &[&FinishedEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut failed, mut recovered) = (Vec::new(), Vec::new());
    for item in finished {
        match &item.outcome {
            EntryOutcome::Postponed { label, reason, .. } | EntryOutcome::Failed { label, reason, .. } => {
                failed.push(EntryError { entry_id: item.entry.id, label, reason, failed_at: now });
            }
            EntryOutcome::Extracted(_) | EntryOutcome::AlreadyStored if item.entry.failures > 0 => {
                recovered.push(item.entry.id);
            }
            EntryOutcome::Extracted(_) | EntryOutcome::AlreadyStored => {}
        }
    }
    entries::upsert_errors(tx, &failed).await?;
    entries::forget_errors(tx, &recovered).await
}

/// What the articles of one transaction change. Loaded whole, decided in memory entry by entry, written whole.
struct Batch<'f> {
    now: Timestamp,
    outbox: Outbox,
    articles: HashMap<ArticleId, ArticleRow>,
    mentioned: HashSet<(ArticleId, EntryId)>,
    earlier: Index,
    changed: HashSet<ArticleId>,
    revisions: Vec<NewRevision<'f>>,
    mentions: Vec<&'f Entry>,
    bands: NewBands,
    merged: Vec<(ArticleId, ArticleId)>,
    lessons: Lessons,
    requeued: Vec<EntryId>,
}

impl<'f> Batch<'f> {
    async fn load(
        tx: &mut AnyConnection,
        outbox: Outbox,
        finished: &[&'f FinishedEntry],
        dedup: &dedup::Settings,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let (mut entries, mut fingerprints) = (Vec::new(), Vec::new());
        for item in finished {
            match &item.outcome {
                EntryOutcome::Extracted(extracted) => {
                    entries.push(&item.entry);
                    fingerprints.push(&extracted.fingerprint);
                }
                EntryOutcome::AlreadyStored => entries.push(&item.entry),
                EntryOutcome::Postponed { .. } | EntryOutcome::Failed { .. } => {}
            }
        }
        let ids: Vec<ArticleId> = entries.iter().map(|entry| entry.article_id).collect();
        Ok(Self {
            now,
            outbox,
            articles: articles::load(tx, &ids).await?,
            mentioned: articles::mentioned(tx, &entries).await?,
            earlier: neighbours::load(tx, &fingerprints, dedup, now).await?,
            changed: HashSet::new(),
            revisions: Vec::new(),
            mentions: Vec::new(),
            bands: NewBands::default(),
            merged: Vec::new(),
            lessons: Lessons::default(),
            requeued: Vec::new(),
        })
    }

    fn store(&mut self, item: &'f FinishedEntry, dedup: &dedup::Settings) -> Stored {
        let entry = &item.entry;
        match &item.outcome {
            EntryOutcome::Extracted(extracted) => match self.articles.get(&entry.article_id).cloned() {
                None => self.create(entry, extracted, dedup),
                Some(article) if article.content_sha256 == extracted.fingerprint.content_sha256 => {
                    self.mention(entry, article.revision)
                }
                Some(article) => self.revise(entry, extracted, article, dedup),
            },
            EntryOutcome::AlreadyStored => {
                if let Some(revision) = self.articles.get(&entry.article_id).map(|article| article.revision) {
                    self.mention(entry, revision)
                } else {
                    // It was stored when the worker looked and is not now: its turn comes again.
                    self.requeued.push(entry.id);
                    Stored::Noted
                }
            }
            EntryOutcome::Postponed { .. } | EntryOutcome::Failed { .. } => Stored::Noted,
        }
    }

    fn create(
        &mut self,
        entry: &'f Entry,
        extracted: &'f ExtractedArticle,
        dedup: &dedup::Settings,
    ) -> Stored {
        let id = entry.article_id;
        let number = self.outbox.next_seq();
        let verdict = self.judge(number, extracted, dedup);
        let (link, cluster_id) = match &verdict {
            Verdict::Original => (None, id),
            Verdict::Duplicate(link) => (Some(link.clone()), link.cluster_id),
        };
        let article = ArticleRow {
            id,
            number,
            revision: 1,
            content_sha256: extracted.fingerprint.content_sha256,
            url: extracted.url.to_string(),
            original_url: extracted.original_url.to_string(),
            hostname: extracted.url.host_str().unwrap_or_default().to_owned(),
            link,
            cluster_id,
            stored_at: self.now,
        };
        if verdict == Verdict::Original {
            self.lessons.add(&extracted.page_host, &extracted.article.block_hashes);
        }
        if !is_exact(&verdict) {
            self.bands.add(number, &extracted.fingerprint.bands);
        }
        self.keep(entry, extracted, article, Event::Created, verdict)
    }

    /// Another text of a known article. A cluster never splits: a copy stays linked whatever becomes of its text.
    fn revise(
        &mut self,
        entry: &'f Entry,
        extracted: &'f ExtractedArticle,
        mut article: ArticleRow,
        dedup: &dedup::Settings,
    ) -> Stored {
        article.revision += 1;
        article.content_sha256 = extracted.fingerprint.content_sha256;
        let verdict = match article.link.clone() {
            Some(link) => Verdict::Duplicate(link),
            None => self.judge(article.number, extracted, dedup),
        };
        if let (Verdict::Duplicate(link), None) = (&verdict, &article.link) {
            if link.cluster_id != article.cluster_id {
                self.merged.push((article.cluster_id, link.cluster_id));
                self.earlier.merge_cluster(article.cluster_id, link.cluster_id);
            }
            article.cluster_id = link.cluster_id;
            article.link = Some(link.clone());
        }
        self.bands
            .replace(article.number, if is_exact(&verdict) { &[] } else { &extracted.fingerprint.bands });
        self.keep(entry, extracted, article, Event::Revised, verdict)
    }

    fn judge(&self, number: i64, extracted: &ExtractedArticle, dedup: &dedup::Settings) -> Verdict {
        let neighbours = self.earlier.neighbours(number, &extracted.fingerprint);
        dedup::judge(&extracted.article.text, &extracted.fingerprint, &neighbours, dedup)
    }

    fn keep(
        &mut self,
        entry: &'f Entry,
        extracted: &'f ExtractedArticle,
        article: ArticleRow,
        event: Event,
        verdict: Verdict,
    ) -> Stored {
        let (id, revision) = (article.id, article.revision);
        if extracted.fingerprint.comparable {
            let neighbour = Neighbour {
                id,
                cluster_id: article.cluster_id,
                content_sha256: article.content_sha256,
                text: extracted.article.text.clone(),
            };
            self.earlier.add(article.number, neighbour, &extracted.fingerprint.bands);
        }
        self.articles.insert(id, article);
        self.changed.insert(id);
        self.revisions.push(NewRevision { id, revision, extracted });
        self.mentions.push(entry);
        self.mentioned.insert((id, entry.id));
        Stored::Article { seq: self.outbox.push(event, id, revision), verdict, revision }
    }

    /// The text is known: the entry joins the mentions, which is news the first time only.
    fn mention(&mut self, entry: &'f Entry, revision: u32) -> Stored {
        self.mentions.push(entry);
        if self.mentioned.insert((entry.article_id, entry.id)) {
            Stored::Linked { seq: self.outbox.push(Event::Linked, entry.article_id, revision) }
        } else {
            Stored::Noted
        }
    }

    async fn write(self, tx: &mut AnyConnection, dedup: &dedup::Settings) -> Result<(), StoreError> {
        let mut changed: Vec<&ArticleRow> =
            self.changed.iter().filter_map(|id| self.articles.get(id)).collect();
        changed.sort_unstable_by_key(|article| article.number);
        articles::upsert(tx, &changed).await?;
        for (from, into) in self.merged {
            articles::merge_clusters(tx, from, into).await?;
        }
        articles::insert_revisions(tx, &self.revisions).await?;
        articles::upsert_mentions(tx, &self.mentions).await?;
        self.bands.write(tx, dedup, self.now).await?;
        self.lessons.write(tx, self.now).await?;
        entries::requeue(tx, &self.requeued).await?;
        self.outbox.write(tx, self.now).await
    }
}

fn is_exact(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Duplicate(DuplicateLink { kind: DuplicateKind::Exact, .. }))
}
