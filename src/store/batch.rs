//! Changes that the articles of one transaction make.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::articles::{self, ArticleRow, NewRevision};
use super::blocks::Lessons;
use super::finish::{EntryOutcome, ExtractedArticle, FinishedEntry, Stored, Watch};
use super::neighbours::{self, NewBands};
use super::outbox::Outbox;
use super::raw_pages::{self, Reextracted};
use super::rechecks::Rechecks;
use super::{StoreError, entries, retention, search};
use crate::dedup::{self, Index, Neighbour, Publisher};
use crate::model::{
    ArticleId, DuplicateKind, DuplicateLink, Entry, EntryId, Event, FeedId, Fingerprint, Known, Verdict,
};

/// Changes that the articles of one transaction make: all rows are loaded first, decided on in memory entry by entry, then
/// written together.
pub(super) struct Batch<'f> {
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
    rechecks: Rechecks,
    removed: Vec<EntryId>,
}

impl<'f> Batch<'f> {
    pub(super) async fn load(
        tx: &mut AnyConnection,
        outbox: Outbox,
        entries: &[&Entry],
        fingerprints: &[&Fingerprint],
        dedup: &dedup::Settings,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let ids: Vec<ArticleId> = entries.iter().map(|entry| entry.article_id).collect();
        Ok(Self {
            now,
            outbox,
            articles: articles::load(tx, &ids).await?,
            mentioned: articles::mentioned(tx, entries).await?,
            earlier: neighbours::load(tx, fingerprints, dedup, now).await?,
            changed: HashSet::new(),
            revisions: Vec::new(),
            mentions: Vec::new(),
            bands: NewBands::default(),
            merged: Vec::new(),
            lessons: Lessons::default(),
            requeued: Vec::new(),
            rechecks: Rechecks::default(),
            removed: Vec::new(),
        })
    }

    pub(super) fn store(&mut self, item: &'f FinishedEntry, dedup: &dedup::Settings) -> Stored {
        let entry = &item.entry;
        if self.articles.get(&entry.article_id).is_some_and(|article| article.removed) {
            self.removed.push(entry.id);
            return Stored::Noted;
        }
        match &item.outcome {
            EntryOutcome::Extracted(extracted) => {
                let stored = match self.articles.get(&entry.article_id).cloned() {
                    None => self.create(entry, extracted, dedup),
                    Some(article) if is_the_same(&article, extracted) => {
                        self.mention(entry, article.revision)
                    }
                    Some(article) => {
                        self.revise(entry, extracted, ArticleRow { withdrawn_at: None, ..article }, dedup)
                    }
                };
                self.watch(entry, &extracted.watch);
                stored
            }
            EntryOutcome::Unchanged(watch) => {
                self.watch(entry, watch);
                Stored::Noted
            }
            EntryOutcome::Withdrawn => self.withdraw(entry),
            EntryOutcome::AlreadyStored => {
                if let Some(revision) = self.articles.get(&entry.article_id).map(|article| article.revision) {
                    self.mention(entry, revision)
                } else {
                    // The article was stored when the worker looked and no longer is: the entry goes back into the queue.
                    self.requeued.push(entry.id);
                    Stored::Noted
                }
            }
            EntryOutcome::AlreadyRemoved | EntryOutcome::Postponed { .. } | EntryOutcome::LeftOut { .. } => {
                Stored::Noted
            }
            EntryOutcome::Failed { .. } => {
                if entry.recheck.is_some() || entry.last_read.is_some() {
                    self.rechecks.give_up(entry.id);
                }
                Stored::Noted
            }
        }
    }

    fn watch(&mut self, entry: &Entry, watch: &Watch) {
        // A new article that has no validators and is not rechecked has no row to write or delete.
        if *watch == Watch::default() && entry.known == Known::No {
            return;
        }
        let id = entry.article_id;
        if let Some(article) = self.articles.get(&id) {
            self.rechecks.seen(
                id,
                entry.id,
                article.stored_at,
                self.now,
                (&watch.validators, watch.ages.as_slice()),
            );
        }
    }

    /// Marks the article as withdrawn. Its text and whatever is linked to it stay.
    fn withdraw(&mut self, entry: &Entry) -> Stored {
        let id = entry.article_id;
        self.rechecks.end(id);
        let Some(article) = self.articles.get_mut(&id).filter(|article| article.withdrawn_at.is_none())
        else {
            return Stored::Noted;
        };
        article.withdrawn_at = Some(self.now);
        let revision = article.revision;
        self.changed.insert(id);
        Stored::Withdrawn { seq: self.outbox.push(Event::Withdrawn, id, revision) }
    }

    /// Stores a text that was extracted again from a kept page, if the article has not changed since it was read.
    pub(super) fn store_reextracted(&mut self, made: &'f Reextracted, dedup: &dedup::Settings) -> Stored {
        match self.articles.get(&made.entry.article_id).cloned() {
            Some(article)
                if !article.removed
                    && article.revision == made.revision
                    && article.content_sha256 != made.extracted.fingerprint.content_sha256 =>
            {
                self.revise(&made.entry, &made.extracted, article, dedup)
            }
            _ => Stored::Noted,
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
        let verdict = self.judge(number, &publisher(extracted, Some(entry.feed_id)), extracted, dedup);
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
            withdrawn_at: None,
            feed_id: Some(entry.feed_id.0),
            removed: false,
        };
        if verdict == Verdict::Original {
            self.lessons.add(&extracted.page_host, &extracted.article);
        }
        if !is_exact(&verdict) {
            self.bands.add(number, &extracted.fingerprint.bands);
        }
        self.keep(entry, extracted, article, Event::Created, verdict)
    }

    /// Stores another text of a known article. Clusters never split: a copy stays linked however its text changes.
    fn revise(
        &mut self,
        entry: &'f Entry,
        extracted: &'f ExtractedArticle,
        mut article: ArticleRow,
        dedup: &dedup::Settings,
    ) -> Stored {
        article.revision += 1;
        article.content_sha256 = extracted.fingerprint.content_sha256;
        let verdict = if let Some(link) = article.link.clone() {
            Verdict::Duplicate(link)
        } else {
            let publisher = publisher(extracted, article.feed_id.map(FeedId));
            self.judge(article.number, &publisher, extracted, dedup)
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

    fn judge(
        &self,
        number: i64,
        publisher: &Publisher,
        extracted: &ExtractedArticle,
        dedup: &dedup::Settings,
    ) -> Verdict {
        let neighbours = self.earlier.neighbours(number, &extracted.fingerprint);
        dedup::judge(&extracted.article.text, &extracted.fingerprint, publisher, &neighbours, dedup)
    }

    fn keep(
        &mut self,
        entry: &'f Entry,
        extracted: &'f ExtractedArticle,
        article: ArticleRow,
        event: Event,
        verdict: Verdict,
    ) -> Stored {
        let (id, number, revision) = (article.id, article.number, article.revision);
        if extracted.fingerprint.comparable {
            let neighbour = Neighbour {
                id,
                cluster_id: article.cluster_id,
                content_sha256: article.content_sha256,
                text: dedup::compared(&extracted.article.text).to_owned(),
                publisher: publisher(extracted, article.feed_id.map(FeedId)),
            };
            self.earlier.add(number, neighbour, &extracted.fingerprint.bands);
        }
        self.articles.insert(id, article);
        self.changed.insert(id);
        self.revisions.push(NewRevision { id, number, revision, extracted });
        self.mentions.push(entry);
        self.mentioned.insert((id, entry.id));
        Stored::Article { seq: self.outbox.push(event, id, revision), verdict, revision }
    }

    /// Adds the entry to the mentions of an article whose text is known. Only the first mention by an entry makes an event.
    fn mention(&mut self, entry: &'f Entry, revision: u32) -> Stored {
        self.mentions.push(entry);
        if self.mentioned.insert((entry.article_id, entry.id)) {
            Stored::Linked { seq: self.outbox.push(Event::Linked, entry.article_id, revision) }
        } else {
            Stored::Noted
        }
    }

    pub(super) async fn write(
        self,
        tx: &mut AnyConnection,
        dedup: &dedup::Settings,
    ) -> Result<(), StoreError> {
        let mut changed: Vec<&ArticleRow> =
            self.changed.iter().filter_map(|id| self.articles.get(id)).collect();
        changed.sort_unstable_by_key(|article| article.number);
        articles::upsert(tx, &changed).await?;
        for (from, into) in self.merged {
            articles::merge_clusters(tx, from, into).await?;
        }
        articles::insert_revisions(tx, &self.revisions).await?;
        let made_from = self.revisions.iter().map(|revision| {
            let feed_id = self.articles.get(&revision.id).and_then(|article| article.feed_id);
            (revision.id, feed_id, revision.extracted)
        });
        raw_pages::insert(tx, made_from).await?;
        let withdrawn: Vec<i64> = changed
            .iter()
            .filter(|article| article.withdrawn_at.is_some())
            .map(|article| article.number)
            .collect();
        let is_there = |revision: &&NewRevision<'_>| !withdrawn.contains(&revision.number);
        search::index(tx, self.revisions.iter().filter(is_there)).await?;
        search::remove(tx, &withdrawn).await?;
        articles::upsert_mentions(tx, &self.mentions).await?;
        self.bands.write(tx, dedup, self.now).await?;
        self.lessons.write(tx, self.now).await?;
        self.rechecks.write(tx).await?;
        retention::mark_removed(tx, &self.removed).await?;
        entries::requeue(tx, &self.requeued).await?;
        self.outbox.write(tx, self.now).await
    }
}

fn publisher(extracted: &ExtractedArticle, feed: Option<FeedId>) -> Publisher {
    Publisher { host: extracted.url.host_str().unwrap_or_default().to_owned(), feed }
}

/// Returns whether the extracted text is the stored one. A withdrawn article that is available again counts as changed.
fn is_the_same(article: &ArticleRow, extracted: &ExtractedArticle) -> bool {
    article.content_sha256 == extracted.fingerprint.content_sha256 && article.withdrawn_at.is_none()
}

fn is_exact(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Duplicate(DuplicateLink { kind: DuplicateKind::Exact, .. }))
}
