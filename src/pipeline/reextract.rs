//! Reads kept pages with the current extractor and rules: a text that differs from the stored one becomes a revision of its
//! article.
//!
//! Nothing is claimed. The transaction that writes checks again what is stored: an article that has got another revision
//! meanwhile is left alone, so this may run beside a daemon.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::task::JoinSet;
use url::Url;

use super::bundle::{Part, is_bundle, parts};
use super::refine::{Ingredients, entry_evidence, page_host, site_evidence};
use super::voice::is_of_the_feeds;
use super::workers::{Stopped, WorkError, Workers};
use super::{FeedOptions, Plan, party_of};
use crate::dedup;
use crate::extract::Rules;
use crate::fetch::page_body;
use crate::model::{Article, ArticleId, BlockAccount, ContentSource, Entry, Page, strip_tracking};
use crate::store::{
    ExtractedArticle, RawPage, RawSelection, Reextracted, Store, StoreError, Stored, StoredPage, Watch,
};

/// Number of pages read from the store, and of revisions written to it, at a time.
const BATCH: u32 = 16;

/// Everything needed to re-extract kept pages.
#[derive(Clone, Debug)]
pub struct Reextraction {
    /// The store.
    pub store: Store,
    /// The CPU workers.
    pub workers: Workers,
    /// Boilerplate rules and the operator's selectors.
    pub rules: Arc<Rules>,
    /// When two texts count as copies.
    pub dedup: dedup::Settings,
    /// Options by configured URL.
    pub feeds: Arc<HashMap<Url, Arc<FeedOptions>>>,
    /// Options for articles whose feed was removed from the configuration.
    pub fallback: Arc<FeedOptions>,
}

/// What to do with texts that differ from the stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Store them as revisions.
    Store,
    /// Only count them.
    DryRun,
}

/// Counts of what has been done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Pages read.
    pub pages: AtomicU64,
    /// Pages that give another text than the stored one.
    pub changed: AtomicU64,
    /// Changed pages whose text became a revision.
    pub revised: AtomicU64,
    /// Pages that could not be read.
    pub failed: AtomicU64,
}

/// A kept page as read by the rules in force and by other rules.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The URL of the page.
    pub url: Url,
    /// The article by the rules in force.
    pub before: Article,
    /// The article by the other rules.
    pub after: Article,
}

impl Comparison {
    /// Returns whether the other rules change nothing that a reader sees.
    pub fn is_same(&self) -> bool {
        let Self { before, after, .. } = self;
        before.text == after.text && before.metadata == after.metadata
    }
}

impl Reextraction {
    /// Re-extracts every selected page, in the order in which the articles were stored.
    pub async fn run(&self, selection: &RawSelection, mode: Mode, counts: &Counts) -> Result<(), StoreError> {
        let mut number = 0;
        loop {
            let pages = self.next_pages(&mut number, selection, counts).await?;
            if pages.is_empty() {
                return Ok(());
            }
            let changed = self.remake(pages, counts).await;
            add(&counts.changed, changed.len());
            if mode == Mode::Store && !changed.is_empty() {
                let stored = self.store.articles_reextracted(&changed, &self.dedup).await?;
                let is_revision = |stored: &&Stored| matches!(stored, Stored::Article { .. });
                add(&counts.revised, stored.iter().filter(is_revision).count());
            }
        }
    }

    /// Reads every selected page by the rules in force and by other rules, in the order in which the articles were stored.
    /// Nothing is stored. `seen` is called with each page that both could read.
    pub async fn compare(
        &self,
        selection: &RawSelection,
        others: &Arc<Rules>,
        counts: &Counts,
        mut seen: impl FnMut(Comparison),
    ) -> Result<(), StoreError> {
        let mut number = 0;
        loop {
            let pages = self.next_pages(&mut number, selection, counts).await?;
            if pages.is_empty() {
                return Ok(());
            }
            let mut tasks = JoinSet::new();
            for stored in pages {
                let (this, others) = (self.clone(), Arc::clone(others));
                tasks.spawn(async move {
                    let (number, url) = (stored.number, stored.entry.article_url());
                    let compared = this.compared(stored, others).await;
                    (number, url, compared.map(Some))
                });
            }
            for comparison in gathered(tasks, counts).await {
                add(&counts.changed, usize::from(!comparison.is_same()));
                seen(comparison);
            }
        }
    }

    /// Returns the next pages after `number`, and sets it to that of the last page.
    async fn next_pages(
        &self,
        number: &mut i64,
        selection: &RawSelection,
        counts: &Counts,
    ) -> Result<Vec<StoredPage>, StoreError> {
        let pages = self.store.raw_pages_after(*number, selection, BATCH).await?;
        *number = pages.last().map_or(*number, |last| last.number);
        add(&counts.pages, pages.len());
        Ok(pages)
    }

    async fn compared(&self, stored: StoredPage, others: Arc<Rules>) -> Result<Comparison, Failure> {
        let url = stored.entry.article_url();
        let party = party_of(&stored.entry.feed_url);
        let mut ingredients = self.ingredients(stored.page, &stored.entry, stored.fetched_at).await?;
        let work = move || {
            let (before, _) = ingredients.refined();
            ingredients.rules = others;
            let (after, _) = ingredients.refined();
            Comparison { url, before, after }
        };
        Ok(self.workers.run(&party, work).await??)
    }

    /// Returns the articles that differ from the stored ones, in the order of `pages`.
    async fn remake(&self, pages: Vec<StoredPage>, counts: &Counts) -> Vec<Reextracted> {
        let mut tasks = JoinSet::new();
        for stored in pages {
            let this = self.clone();
            tasks.spawn(async move {
                let (number, url) = (stored.number, stored.entry.article_url());
                (number, url, this.made_of(stored).await)
            });
        }
        let made = gathered(tasks, counts).await;
        for article in &made {
            tracing::info!(page.url = %article.extracted.original_url, "text changed");
        }
        made
    }

    /// Returns the ingredients of a kept page's article.
    async fn ingredients(
        &self,
        raw: RawPage,
        entry: &Entry,
        fetched_at: Timestamp,
    ) -> Result<Ingredients, Failure> {
        let options = self.feeds.get(&entry.feed_url).unwrap_or(&self.fallback);
        let Self { store, workers, rules, dedup, .. } = self;
        Tools { store, workers, rules, dedup }.ingredients(raw, entry, options, fetched_at).await
    }

    /// Returns the article that the page gives now, if its text differs from the stored one.
    async fn made_of(&self, stored: StoredPage) -> Result<Option<Reextracted>, Failure> {
        let StoredPage { revision, content_sha256, raw_sha256, fetched_at, page: raw, entry, .. } = stored;
        let original_url = entry.article_url();
        let ingredients = self.ingredients(raw, &entry, fetched_at).await?;
        let page_host = page_host(&ingredients.page);
        let party = party_of(&entry.feed_url);
        let (article, fingerprint) = self.workers.run(&party, move || ingredients.refined()).await??;
        if fingerprint.content_sha256 == content_sha256 {
            return Ok(None);
        }
        let extracted = ExtractedArticle {
            article,
            fingerprint,
            id: entry.article_id,
            url: strip_tracking(&original_url),
            original_url,
            enclosures: entry.evidence.enclosures.clone(),
            page_host,
            raw_sha256,
            fetched_at,
            raw: None,
            watch: Watch::default(),
        };
        Ok(Some(Reextracted { entry, revision, extracted }))
    }
}

/// Everything needed to read one page.
struct Tools<'t> {
    store: &'t Store,
    workers: &'t Workers,
    rules: &'t Arc<Rules>,
    dedup: &'t dedup::Settings,
}

impl Tools<'_> {
    /// Returns the ingredients of a kept page's article.
    async fn ingredients(
        &self,
        raw: RawPage,
        entry: &Entry,
        options: &FeedOptions,
        fetched_at: Timestamp,
    ) -> Result<Ingredients, Failure> {
        let url = entry.article_url();
        let read = move || pages_of(raw, url, fetched_at);
        let pages = self.workers.run(&party_of(&entry.feed_url), read).await??.map_err(Failure::Damaged)?;
        let (page, further) = pages;
        let may_stand_in =
            options.content != ContentSource::Page && is_of_the_feeds(entry, options, &page.final_url);
        Ok(Ingredients {
            evidence: entry_evidence(&entry.evidence, may_stand_in),
            site: site_evidence(self.store, &page_host(&page), true).await?,
            page,
            further,
            rules: Arc::clone(self.rules),
            dedup: self.dedup.clone(),
            flags: Vec::new(),
            from_feed: false,
        })
    }
}

/// Returns the first page of an article found at `url`, and its further pages.
fn pages_of(raw: RawPage, url: Url, fetched_at: Timestamp) -> std::io::Result<(Page, Vec<Page>)> {
    let body = raw.body()?;
    if !is_bundle(raw.content_type.as_deref()) {
        let body = page_body(&body, raw.content_type.as_deref());
        return Ok((Page { url, final_url: raw.final_url, body, fetched_at }, Vec::new()));
    }
    let page = |url: Url, part: Part| Page {
        url,
        body: page_body(&part.body, part.content_type.as_deref()),
        final_url: part.url,
        fetched_at,
    };
    let (first, further) = parts(&body)?;
    let further = further.into_iter().map(|part| page(part.url.clone(), part));
    Ok((page(url, first), further.collect()))
}

/// Returns the fates of the blocks of an article's kept page by the current rules; `None` if its page is not kept.
pub async fn blocks_now(
    store: &Store,
    workers: &Workers,
    plan: &Plan,
    id: ArticleId,
) -> Result<Option<Vec<BlockAccount>>, Failure> {
    let Some(StoredPage { page, entry, fetched_at, .. }) = store.raw_page(id).await? else { return Ok(None) };
    let tools = Tools { store, workers, rules: &plan.rules, dedup: &plan.dedup };
    let ingredients = tools.ingredients(page, &entry, &plan.options(&entry.feed_url), fetched_at).await?;
    let (article, _) = workers.run(&party_of(&entry.feed_url), move || ingredients.refined()).await??;
    Ok(Some(article.account))
}

/// Returns the results of the concurrent tasks of one batch, in the order of their numbers.
async fn gathered<T: 'static>(
    mut tasks: JoinSet<(i64, Url, Result<Option<T>, Failure>)>,
    counts: &Counts,
) -> Vec<T> {
    let mut made = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((number, _, Ok(Some(one)))) => made.push((number, one)),
            Ok((_, _, Ok(None))) => {}
            Ok((_, url, Err(error))) => {
                add(&counts.failed, 1);
                tracing::warn!(page.url = %url, reason = %error, "cannot re-extract the page");
            }
            Err(error) => {
                add(&counts.failed, 1);
                tracing::error!(error = %error, "a worker task failed");
            }
        }
    }
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, one)| one).collect()
}

/// Why a kept page gives no article.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Its extraction panicked or ran out of time.
    #[error("the extractor {0}")]
    Work(#[from] WorkError),
    /// The process is stopping.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The store failed to provide the necessary data.
    #[error("cannot read the inputs of the extraction: {0}")]
    Store(#[from] StoreError),
    /// It cannot be decompressed.
    #[error("the kept page is damaged: {0}")]
    Damaged(std::io::Error),
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
