//! Reads a page up to the choice of its body: the part shared by extraction and the program that fits the model.

use url::Url;

use super::blocks::{Document, segment};
use super::choose::context::Hints;
use super::evidence::entry;
use super::evidence::further_pages::{Place, next_page};
use super::evidence::headline::Headline;
use super::evidence::json_ld::JsonLd;
use super::evidence::kinds::{Kinds, Said};
use super::html;
use super::judge::operator::Selected;
use super::judge::selectors::CompiledSite;
use super::metadata;
use crate::model::{EntryEvidence, Metadata, Page, SelectorUse};

/// What is known about a page before its body is chosen.
pub(crate) struct Head {
    pub(crate) document: Document,
    pub(crate) headline: Headline,
    pub(crate) metadata: Metadata,
    /// Whether a parser limit cut the page short.
    pub(crate) partial: bool,
    /// The next page of the article.
    pub(crate) next_page: Option<Url>,
    pub(crate) is_liveblog: bool,
    pub(crate) is_not_free: bool,
    /// What kind of page it declares itself to be.
    pub(crate) said: Said,
    /// The whole body, if the page states it in its metadata.
    pub(crate) stated_body: Option<String>,
    /// The whole body, if the feed entry states it.
    entrys_body: Option<String>,
    /// How the article starts, according to the feed entry.
    lead: Option<String>,
    /// Texts that the operator's selectors removed.
    pub(crate) removed: Vec<String>,
    /// The operator's selectors, and whether they match.
    pub(crate) selectors: Vec<SelectorUse>,
    /// Which blocks the operator's selectors mark as the body.
    pub(crate) operators_body: Option<Vec<bool>>,
}

impl Head {
    /// Reads a web page, or the HTML inside a feed entry. `place` is the page's position among the pages of its article,
    /// `site` holds the operator's selectors for the site.
    pub(crate) fn read(
        html: &str,
        page: &Page,
        place: Place<'_>,
        entry: Option<&EntryEvidence>,
        site: Option<&CompiledSite>,
        kinds: &Kinds,
    ) -> Self {
        let html::Parsed { mut tree, partial } = html::parse(html);
        let mut selected = site.map(|site| Selected::new(&tree, site));
        html::shown::show(&mut tree);
        let next_page = next_page(&tree, &page.final_url, place);
        let json_ld = JsonLd::read(&tree);
        let mut metadata = metadata::read(&tree, &json_ld, page, entry);
        let (mut removed, mut selectors) = (Vec::new(), Vec::new());
        if let Some(selected) = &mut selected {
            selectors = selected.uses();
            selected.overwrite(page.fetched_at, &mut metadata);
            removed = selected.remove_dropped(&mut tree);
        }
        let document = segment::segment(&tree, page.final_url.host_str().unwrap_or_default());
        let statements = json_ld.statements();
        Self {
            headline: Headline::new(&document, metadata.title.as_deref()),
            metadata,
            partial,
            next_page,
            is_liveblog: statements.is_liveblog,
            is_not_free: statements.is_not_free,
            said: kinds.read(&page.url, &tree, &json_ld),
            stated_body: statements.whole_body(),
            entrys_body: entry.and_then(entry::stated_body),
            lead: entry.and_then(entry::lead),
            removed,
            selectors,
            operators_body: selected.and_then(|selected| selected.body(&document)),
            document,
        }
    }

    /// Returns what page and feed entry say about the body, as input for the [`Context`](super::choose::context::Context).
    pub(crate) fn hints(&self) -> Hints<'_> {
        Hints {
            lead: self.lead.as_deref().or(self.metadata.description.as_deref()),
            body: self.stated_body.as_deref().or(self.entrys_body.as_deref()),
            said: self.said,
            is_liveblog: self.is_liveblog,
        }
    }
}
