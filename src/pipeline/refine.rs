//! A page becomes an article and its fingerprint, on a CPU worker, with all that is known beside the page.

use std::sync::Arc;
use std::time::Instant;

use super::pages::{Body, Origin, Source, watch};
use super::task::Task;
use super::workers::WorkError;
use crate::dedup;
use crate::extract::{Evidence, Rules, SiteEvidence, extract};
use crate::model::{
    Article, ContentSource, EntryEvidence, Fingerprint, Known, Page, PageBody, QualityFlag, RawPages,
    Sha256Hash, Validators, strip_tracking,
};
use crate::store::{ExtractedArticle, RawPage, Store};
use crate::telemetry::metrics;

impl Task<'_> {
    /// Extraction and fingerprint, on a worker.
    pub(super) async fn refine(&self, source: Source) -> Result<ExtractedArticle, WorkError> {
        let Self { shared, plan, options, entry } = *self;
        let Source { page, origin } = source;
        let fetched_at = page.fetched_at;
        let page_host = page_host(&page);
        let url = strip_tracking(&page.url);
        let from_feed = matches!(origin, Origin::Feed);
        let ingredients = Ingredients {
            evidence: entry_evidence(&entry.evidence, options.content, from_feed),
            site: site_evidence(&shared.store, &page_host, entry.known == Known::ThroughThis).await,
            rules: Arc::clone(&plan.rules),
            dedup: plan.dedup.clone(),
            page,
            from_feed,
        };
        let keeping = options.keeping.raw;
        let work = move || {
            let origin = OriginRecord::of(origin, &ingredients.page, keeping);
            let (article, fingerprint) = ingredients.refined();
            (article, fingerprint, origin)
        };
        let (article, fingerprint, origin) = self.on_worker(work).await?;
        Ok(ExtractedArticle {
            article,
            fingerprint,
            url,
            original_url: entry.article_url(),
            page_host,
            raw_sha256: origin.sha256,
            fetched_at,
            raw: origin.raw,
            watch: watch(options, origin.validators),
        })
    }
}

/// What is kept of where an article came from.
struct OriginRecord {
    sha256: Sha256Hash,
    raw: Option<RawPage>,
    validators: Validators,
}

impl OriginRecord {
    fn of(origin: Origin, page: &Page, keeping: RawPages) -> Self {
        match origin {
            Origin::Feed => {
                let (PageBody::Html(content) | PageBody::Text(content)) = &page.body;
                Self { sha256: Sha256Hash::of(content), raw: None, validators: Validators::default() }
            }
            Origin::Server(Body { bytes, sha256, content_type, validators }) => {
                let raw = (keeping == RawPages::Keep)
                    .then(|| RawPage::compress(page.final_url.clone(), content_type, &bytes));
                Self { sha256, raw, validators }
            }
        }
    }
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
        let evidence = Evidence { entry: Some(&self.evidence), site: Some(&self.site) };
        let mut article = extract(&self.page, &evidence, &self.rules);
        if self.from_feed {
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
