//! Makes a page into an article and its fingerprint, on a CPU worker, with all that is known beside the page.

use std::sync::Arc;
use std::time::Instant;

use url::Url;

use super::bundle::bundle;
use super::pages::{Bodies, COPIES, Origin, OwnText, Source};
use super::task::{Ending, Task};
use super::workers::WorkError;
use crate::dedup;
use crate::extract::{Evidence, MAX_NODES, Rules, SiteEvidence, extract_pages};
use crate::impostor::{is_front, is_section_of};
use crate::model::{
    Article, ContentSource, EntryEvidence, FailureKind, Fingerprint, Known, Page, QualityFlag, RawPages,
    Sha256Hash, Validators,
};
use crate::store::{ExtractedArticle, RawPage, Store, StoreError};
use crate::telemetry::metrics;
use crate::trust::is_one_party;

/// Memory in bytes that a node of a page and the block around it take while the page is read.
const NODE_COST: usize = 2 << 10;

/// Memory that an article takes until it is recorded, per byte of its text: its account describes its blocks.
const ARTICLE_COST: usize = 2;

impl Task<'_> {
    /// Returns the furniture known for the page's host. If the store fails, the entry is postponed: a text made without it
    /// would contain what every page of its host shows.
    pub(super) async fn furniture_of(&self, page: &Page) -> Result<SiteEvidence, Ending> {
        let is_read_again = self.entry.known == Known::ThroughThis;
        site_evidence(&self.shared.store, &page_host(page), is_read_again).await.map_err(|error| {
            let reason = format!("cannot read the known boilerplate of the host: {error}");
            self.postponed(None, FailureKind::StoreFailed, reason).into()
        })
    }

    /// Extracts the article and computes its fingerprint, on a worker.
    pub(super) async fn refine(
        &self,
        source: Source,
        site: SiteEvidence,
    ) -> Result<Result<ExtractedArticle, WorkError>, Ending> {
        let Self { plan, options, entry, .. } = *self;
        let Source { page, origin, id, url, feed_speaks } = source;
        let fetched_at = page.fetched_at;
        let page_host = page_host(&page);
        let (flags, look_again) = match &origin {
            Origin::Feed(own_text) => (own_text.flags(), own_text.look_again),
            Origin::Server(_) => (Vec::new(), false),
        };
        let may_stand_in = feed_speaks && options.content != ContentSource::Page && flags.is_empty();
        let mut enclosures = entry.evidence.enclosures.clone();
        if let Origin::Feed(OwnText { linked: Some(file), .. }) = &origin
            && !enclosures.iter().any(|known| known.url == file.url)
        {
            enclosures.push(file.clone());
        }
        let ingredients = Ingredients {
            evidence: entry_evidence(&entry.evidence, may_stand_in),
            site,
            rules: Arc::clone(&plan.rules),
            dedup: plan.dedup.clone(),
            page,
            further: Vec::new(),
            flags,
            from_feed: matches!(origin, Origin::Feed(_)),
        };
        self.held.hold(ingredients.memory()).await;
        let draft = match self.whole(Box::new(ingredients), origin).await? {
            Ok(draft) => draft,
            Err(error) => return Ok(Err(error)),
        };
        let Draft { article, fingerprint, origin } = draft;
        let raw_bytes = origin.raw.as_ref().map_or(0, RawPage::kept_bytes);
        self.held.hold(article.text.len() * ARTICLE_COST + raw_bytes).await;
        self.shared.selectors.note(&article.selectors);
        Ok(Ok(ExtractedArticle {
            article,
            fingerprint,
            id,
            url,
            original_url: entry.article_url(),
            page_host,
            raw_sha256: origin.sha256,
            fetched_at,
            raw: origin.raw,
            enclosures,
            watch: self.watch(origin.validators, look_again || origin.lacks_one),
        }))
    }
}

/// An article, and the record of its origin.
pub(super) struct Draft {
    article: Article,
    fingerprint: Fingerprint,
    origin: OriginRecord,
}

struct OriginRecord {
    sha256: Sha256Hash,
    raw: Option<RawPage>,
    validators: Validators,
    /// Whether one of its pages is to be fetched once more.
    lacks_one: bool,
}

impl Draft {
    /// Combines the results made of `ingredients` that came from `origin`; runs on a CPU worker.
    pub(super) fn new(
        article: Article,
        fingerprint: Fingerprint,
        origin: Origin,
        ingredients: &Ingredients,
        keeping: RawPages,
    ) -> Self {
        let origin = match origin {
            Origin::Feed(_) => OriginRecord {
                sha256: Sha256Hash::of(ingredients.page.body.source()),
                raw: None,
                validators: Validators::default(),
                lacks_one: false,
            },
            Origin::Server(bodies) => OriginRecord::of(bodies, ingredients, keeping),
        };
        Self { article, fingerprint, origin }
    }
}

impl OriginRecord {
    fn of(bodies: Bodies, ingredients: &Ingredients, keeping: RawPages) -> Self {
        let Bodies { first, further, lacks_one } = bodies;
        let (sha256, content_type, bytes) = if further.is_empty() {
            (first.sha256, first.content_type, first.bytes)
        } else {
            let urls = ingredients.pages().map(|page| &page.final_url);
            let (content_type, bytes) = bundle(urls.zip([&first].into_iter().chain(&further)));
            (Sha256Hash::of(&bytes), Some(content_type), bytes)
        };
        let raw = (keeping == RawPages::Keep)
            .then(|| RawPage::compress(ingredients.page.final_url.clone(), content_type, &bytes));
        // A 304 for the first page says nothing about a further page that was unavailable.
        let validators = if lacks_one { Validators::default() } else { first.validators };
        Self { sha256, raw, validators, lacks_one }
    }
}

/// Returns the host whose furniture a page shows: that of its final URL, not of the link to it, since a link shortener
/// leads to many sites.
pub(super) fn page_host(page: &Page) -> String {
    page.final_url.host_str().unwrap_or_default().to_owned()
}

/// The inputs of an extraction.
pub(super) struct Ingredients {
    pub(super) page: Page,
    /// The pages on which the article continues.
    pub(super) further: Vec<Page>,
    pub(super) evidence: EntryEvidence,
    pub(super) site: SiteEvidence,
    pub(super) rules: Arc<Rules>,
    pub(super) dedup: dedup::Settings,
    /// Flags of its text that are known in advance.
    pub(super) flags: Vec<QualityFlag>,
    /// Whether the page is the feed's own text.
    pub(super) from_feed: bool,
}

impl Ingredients {
    fn pages(&self) -> impl Iterator<Item = &Page> + Clone {
        [&self.page].into_iter().chain(&self.further)
    }

    /// Returns the memory in bytes that its pages take while they are read, one tree after the other.
    pub(super) fn memory(&self) -> usize {
        let bytes: usize = self.pages().map(|page| page.body.source().len()).sum();
        let nodes =
            |page: &Page| page.body.source().bytes().filter(|byte| matches!(byte, b'<' | b'\n')).count();
        bytes * COPIES + self.pages().map(nodes).max().unwrap_or(0).min(MAX_NODES) * NODE_COST
    }

    /// Extracts the article and computes its fingerprint; runs on a CPU worker.
    pub(super) fn refined(&self) -> (Article, Fingerprint) {
        let began = Instant::now();
        // A feed's text has none of its site's furniture, and teaches nothing about the site's pages.
        let site = Some(&self.site).filter(|_| !self.from_feed);
        let evidence = Evidence { entry: Some(&self.evidence), site };
        let mut article = extract_pages(&self.page, &self.further, &evidence, &self.rules);
        if self.from_feed {
            article.block_hashes.clear();
        }
        article.quality_flags.extend(&self.flags);
        article.quality_flags.sort_unstable();
        article.quality_flags.dedup();
        article.metadata.canonical_url.take_if(|canonical| !may_be_named(canonical, &self.page));
        metrics::extracted(began.elapsed());
        let fingerprint = dedup::fingerprint(&article, &self.dedup);
        (article, fingerprint)
    }
}

/// Returns what is known of a host's furniture, for a page that is read for the first time or `again`.
pub(super) async fn site_evidence(
    store: &Store,
    host: &str,
    again: bool,
) -> Result<SiteEvidence, StoreError> {
    let mut site = store.site_evidence(host).await?;
    if again {
        // Which blocks the page itself has contributed is not stored, so every count is reduced by one.
        site.unlearn_unknown();
    }
    Ok(site)
}

/// Returns whether a page may use this address as its canonical URL: it must belong to the same party, and must not be a
/// front page (unless the page is one) or a section, which is not an article's address.
fn may_be_named(canonical: &Url, page: &Page) -> bool {
    let own = &page.final_url;
    is_one_party(canonical, own) && (!is_front(canonical) || is_front(own)) && !is_section_of(canonical, own)
}

impl OwnText {
    fn flags(&self) -> Vec<QualityFlag> {
        let teaser = self.is_teaser.then_some(QualityFlag::TeaserOnly);
        [QualityFlag::FeedContentUsed].into_iter().chain(teaser).collect()
    }
}

/// Returns the entry as evidence, which may stand in for the page or not.
pub(super) fn entry_evidence(evidence: &EntryEvidence, may_stand_in: bool) -> EntryEvidence {
    EntryEvidence { only_mentions: !may_stand_in, ..evidence.clone() }
}
