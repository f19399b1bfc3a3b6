//! A page becomes an article and its fingerprint, on a CPU worker, with all that is known beside the page.

use std::sync::Arc;
use std::time::Instant;

use super::pages::{RawBody, Source, watch};
use super::suspects::guarded;
use super::workers::WorkError;
use super::{FeedOptions, Plan, Shared};
use crate::dedup;
use crate::extract::{Evidence, Rules, SiteEvidence, extract};
use crate::model::{
    Article, ContentSource, Entry, EntryEvidence, Fingerprint, Known, Page, QualityFlag, RawPages,
    strip_tracking,
};
use crate::store::{ExtractedArticle, RawPage, Store};
use crate::telemetry::metrics;

/// Extraction and fingerprint, on a worker.
pub(super) async fn refine(
    shared: &Shared,
    plan: &Plan,
    options: &FeedOptions,
    entry: &Entry,
    source: Source,
) -> Result<ExtractedArticle, WorkError> {
    let Source { page, raw_sha256, from_feed, raw, validators } = source;
    let fetched_at = page.fetched_at;
    let page_host = page_host(&page);
    let url = strip_tracking(&page.url);
    let ingredients = Ingredients {
        evidence: entry_evidence(&entry.evidence, options.content, from_feed),
        site: site_evidence(&shared.store, &page_host, entry.known == Known::ThroughThis).await,
        rules: Arc::clone(&plan.rules),
        dedup: plan.dedup.clone(),
        page,
        from_feed,
    };
    let raw = raw.filter(|_| options.keeping.raw == RawPages::Keep);
    let work = move || {
        let raw = raw.map(|RawBody { bytes, content_type }| {
            RawPage::compress(ingredients.page.final_url.clone(), content_type, &bytes)
        });
        let (article, fingerprint) = ingredients.refined();
        (article, fingerprint, raw)
    };
    let refined = guarded(
        entry.suspect,
        &shared.alone,
        shared.store.entry_attempt_begin(entry.id, entry.lease),
        shared.workers.run(work),
        shared.store.entry_attempt_end(entry.id, entry.lease),
    )
    .await;
    let (article, fingerprint, raw) = refined?;
    Ok(ExtractedArticle {
        article,
        fingerprint,
        url,
        original_url: entry.article_url(),
        page_host,
        raw_sha256,
        fetched_at,
        raw,
        watch: watch(options, validators),
    })
}

/// The host whose furniture a page shows: that of where the page was found, not of the link to it, for a link shortener
/// has many sites behind it.
pub(super) fn page_host(page: &Page) -> String {
    page.final_url.host_str().unwrap_or_default().to_owned()
}

/// What an article is made of.
pub(super) struct Ingredients {
    pub(super) page: Page,
    pub(super) evidence: EntryEvidence,
    pub(super) site: SiteEvidence,
    pub(super) rules: Arc<Rules>,
    pub(super) dedup: dedup::Settings,
    /// The page is the feed's own content.
    pub(super) from_feed: bool,
}

impl Ingredients {
    /// The article and its fingerprint: work for a CPU worker.
    pub(super) fn refined(&self) -> (Article, Fingerprint) {
        let began = Instant::now();
        // A feed's content has none of its site's furniture, and says nothing of its pages.
        let site = Some(&self.site).filter(|_| !self.from_feed);
        let mut article = extract(&self.page, &Evidence { entry: Some(&self.evidence), site }, &self.rules);
        if self.from_feed {
            article.block_hashes.clear();
            flag(&mut article, QualityFlag::FeedContentUsed);
        }
        metrics::extracted(began.elapsed());
        let fingerprint = dedup::fingerprint(&article, &self.dedup);
        (article, fingerprint)
    }
}

/// What is known of a host's furniture, for a page that is read for the first time or `again`.
pub(super) async fn site_evidence(store: &Store, host: &str, again: bool) -> SiteEvidence {
    match store.site_evidence(host).await {
        Ok(site) if again => without_one_article(site),
        Ok(site) => site,
        Err(error) => {
            tracing::warn!(error = %error, "the host's furniture is unknown: extracting without it");
            SiteEvidence::default()
        }
    }
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
pub(super) fn entry_evidence(
    evidence: &EntryEvidence,
    content: ContentSource,
    from_feed: bool,
) -> EntryEvidence {
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
