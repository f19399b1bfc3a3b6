//! When it was published and last changed: the sources in their order.

use jiff::Timestamp;

use super::clues::{DateClue, DateKind};
use super::date_text::{self, NumericOrder};
use super::{Reach, Reader, date};

impl Reader<'_> {
    /// Publication and last change.
    pub(super) fn dates(&self, order: NumericOrder) -> (Option<Timestamp>, Option<Timestamp>) {
        const PUBLISHED: &[&str] = &[
            "article:published_time",
            "article:published",
            "og:published_time",
            "og:article:published_time",
            "datepublished",
            "parsely-pub-date",
            "sailthru.date",
            "cxenseparse:recs:publishtime",
            "cxenseparse:publishtime",
            "pubdate",
            "publishdate",
            "publish-date",
            "publish_date",
            "published_date",
            "publication_date",
            "publication-date",
            "published",
            "dc.date.issued",
            "dcterms.issued",
            "dc.date.created",
            "dcterms.created",
            "dc.date",
            "dcterms.date",
            "dc.created",
            "citation_publication_date",
            "citation_online_date",
            "citation_date",
            "bt:pubdate",
            "date",
            "article.published",
            "published-date",
            "article_date_original",
            "originalpublicationdate",
            "displaydate",
            "date_published",
            "datecreated",
            "created",
            "article.created",
            "timestamp",
            "rnews:datepublished",
            "release_date",
            "created_date",
        ];
        const MODIFIED: &[&str] = &[
            "article:modified_time",
            "og:updated_time",
            "datemodified",
            "dcterms.modified",
            "dc.date.modified",
            "dc.modified",
            "article:modified",
            "article.updated",
            "lastmod",
            "last-modified",
            "revised",
            "date_modified",
            "modified",
        ];
        let fetched_at = self.page.fetched_at;
        let read = |value: &str| date::machine(value, fetched_at, order);
        let from_meta =
            |names: &[&str]| names.iter().find_map(|name| self.clues.meta_all(name).find_map(read));
        let visible = |kinds: &[DateKind], modified: bool, reach: Reach| {
            kinds.iter().find_map(|kind| self.visible_date(*kind, modified, reach, order))
        };
        let by_element = [DateKind::Marked, DateKind::Time, DateKind::Class];
        let modified_at = self
            .linked
            .modified
            .as_deref()
            .and_then(read)
            .or_else(|| from_meta(MODIFIED))
            .or_else(|| visible(&by_element, true, Reach::Near));
        let published_at = self
            .linked
            .published
            .as_deref()
            .and_then(read)
            .or_else(|| from_meta(PUBLISHED))
            .or_else(|| visible(&[DateKind::Marked, DateKind::Time], false, Reach::Near))
            .or_else(|| self.entry?.published_at.and_then(|moment| date::plausible(moment, fetched_at)))
            .or_else(|| visible(&[DateKind::Class, DateKind::Text], false, Reach::Near))
            .or_else(|| date::of_url(&self.page.url, fetched_at))
            .or_else(|| visible(&by_element, false, Reach::Page))
            // A page that owns to a change only: the change is the earliest that it owns to.
            .or(modified_at)
            .or_else(|| visible(&by_element, true, Reach::Page))
            .or_else(|| visible(&[DateKind::Text], true, Reach::Page));
        (
            published_at,
            modified_at.filter(|modified| published_at.is_none_or(|published| *modified >= published)),
        )
    }

    /// The moment that the nearest element of a kind gives.
    fn visible_date(
        &self,
        kind: DateKind,
        modified: bool,
        reach: Reach,
        order: NumericOrder,
    ) -> Option<Timestamp> {
        let fetched_at = self.page.fetched_at;
        let mut found: Vec<(usize, &DateClue<'_>)> = self
            .clues
            .dates
            .iter()
            .filter(|clue| clue.kind == kind && clue.modified == modified)
            .filter_map(|clue| Some((self.distance(clue.at, clue.place, reach)?, clue)))
            .collect();
        found.sort_by_key(|(distance, clue)| (clue.place, *distance));
        found.into_iter().find_map(|(_, clue)| {
            let stated = clue.value.and_then(|value| date::machine(value, fetched_at, order));
            stated.or_else(|| date_text::visible(&clue.text, fetched_at, order))
        })
    }
}
