//! Chooses the dates of publication and last change: tries the sources in order.

pub(crate) mod date_words;
pub(crate) mod machine;
mod moment;
mod time_of_day;
mod tokens;
pub(crate) mod visible;

use std::cell::LazyCell;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::extract::metadata::clues::{DateClue, DateKind, Place};
use crate::extract::metadata::{NEAR_BYTES, Reach, Reader, words};
use moment::Moment;
use visible::{Certainty, NumericOrder};

/// A shorter text with a date consists of little else.
const BARE_DATE_BYTES: usize = 32;
/// Bytes of text from the headline within which such a date may be the article's if no other is found.
const BARE_DATE_REACH: usize = 3 * NEAR_BYTES;

/// Names of meta elements with the publication date, most trusted first.
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
/// Names of meta elements with the date of the last change, most trusted first.
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

/// The dates of publication and last change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dates {
    pub(crate) published: Option<Moment>,
    pub(crate) modified: Option<Moment>,
}

impl Reader<'_> {
    /// Returns the dates of publication and last change.
    ///
    /// The sources are tried in the order given in the parent module. A visible date with a year is preferred to one
    /// without ("4 May", "3 weeks ago"), wherever it is on the page.
    pub(crate) fn dates(&self, order: NumericOrder) -> Dates {
        let fetched_at = self.page.fetched_at;
        let read = |value: &str| machine::machine(value, fetched_at, order);
        let from_meta =
            |names: &[&str]| names.iter().find_map(|name| self.clues.meta_all(name).find_map(read));
        let plain = |at: Timestamp| Moment { at, offset: None };
        let visible = |kinds: &[DateKind], modified: bool, reach: Reach, certainty: Certainty| {
            kinds.iter().find_map(|kind| self.visible_date(*kind, modified, reach, order, certainty))
        };
        let whole = |kinds: &[DateKind], reach: Reach| visible(kinds, false, reach, Certainty::Whole);
        let by_element = [DateKind::Marked, DateKind::Time, DateKind::Class];
        let of_linked = |value: &Option<String>| value.as_deref().and_then(read);
        let of_url = || machine::of_url(&self.page.url, fetched_at);
        let modified = of_linked(&self.linked.modified)
            .or_else(|| from_meta(MODIFIED))
            .or_else(|| visible(&by_element, true, Reach::Near, Certainty::Any));
        let near_text = || whole(&[DateKind::Class, DateKind::Text], Reach::Near);
        let declared = of_linked(&self.linked.published)
            .or_else(|| from_meta(PUBLISHED))
            .or_else(|| self.clues.metas_where(names_publication).find_map(read))
            .or_else(|| whole(&[DateKind::Marked, DateKind::Time], Reach::Near));
        // Some templates write the last change twice; an earlier visible day is then the publication.
        let declared = match (declared, modified) {
            (Some(published), Some(modified)) if published.at == modified.at => {
                let earlier =
                    near_text().filter(|seen| seen.at + SignedDuration::from_hours(48) < published.at);
                earlier.or(Some(published))
            }
            (declared, _) => declared,
        };
        let published = declared
            .or_else(|| of_linked(&self.linked.uploaded))
            .or_else(|| self.entry?.published_at.and_then(|at| moment::plausible(at, fetched_at)).map(plain))
            .or_else(near_text)
            .or_else(|| of_url().map(plain))
            .or_else(|| whole(&by_element, Reach::Page))
            .or_else(|| self.text_date(order, |clue| words::speaks_of_publication(&clue.text)))
            // If a page states only a change, that is the earliest known date.
            .or(modified)
            .or_else(|| visible(&by_element, true, Reach::Page, Certainty::Whole))
            .or_else(|| visible(&[DateKind::Text], true, Reach::Page, Certainty::Whole))
            .or_else(|| visible(&by_element, false, Reach::Near, Certainty::Any))
            .or_else(|| visible(&[DateKind::Text], false, Reach::Near, Certainty::Any))
            .or_else(|| visible(&by_element, false, Reach::Page, Certainty::Any))
            .or_else(|| {
                let is_near = |clue: &DateClue<'_>| {
                    let distance = self.distance(clue.at, clue.place, Reach::Page);
                    distance.is_some_and(|distance| distance < BARE_DATE_REACH)
                };
                let bare = |clue: &DateClue<'_>| clue.text.len() < BARE_DATE_BYTES && is_near(clue);
                self.text_date(order, |clue| clue.place == Place::Open && bare(clue))
            })
            .or_else(|| visible::whole(&self.clues.title_element, fetched_at, order));
        let published = published.map(|moment| {
            let turned = of_url().and_then(|of_url| turned(moment.at, of_url)).map(plain);
            let moment = turned.unwrap_or(moment);
            Moment { offset: moment.offset.or_else(|| self.offset_at(moment.at)), ..moment }
        });
        let in_order = |modified: &Moment| published.is_none_or(|published| modified.at >= published.at);
        Dates { published, modified: modified.filter(in_order) }
    }

    /// Returns the UTC offset with which the page states the same moment elsewhere: an explicit zone, or a local time
    /// without a zone, which differs from `moment` by a multiple of 15 minutes.
    fn offset_at(&self, moment: Timestamp) -> Option<Offset> {
        const QUARTER_MINUTES: i64 = 15;
        const DAY_MINUTES: i64 = 24 * 60;
        let fetched_at = self.page.fetched_at;
        let minute = |at: Timestamp| at.as_second().div_euclid(60);
        let of_wall = |told: Moment| {
            let ahead = minute(told.at) - minute(moment);
            // Round times differ by multiples of 15 minutes without being the same moment.
            let odd = minute(moment) % QUARTER_MINUTES != 0;
            // A date without a time is stored as midnight, the start of its day. Only if that is ahead of the moment in UTC
            // does the page show another day than the moment's, which reveals a zone.
            let of_day = minute(told.at) % DAY_MINUTES == 0
                && moment.as_second() % 3600 == 0
                && (1..=10 * 60).contains(&ahead);
            let same = of_day || odd && ahead % QUARTER_MINUTES == 0 && (1..=14 * 60).contains(&ahead.abs());
            same.then(|| Offset::from_seconds(i32::try_from(ahead * 60).ok()?).ok()).flatten()
        };
        let near = self
            .clues
            .dates
            .iter()
            .filter(|clue| !clue.modified && self.distance(clue.at, clue.place, Reach::Near).is_some());
        let mut told = near.flat_map(|clue| {
            let value =
                clue.value.and_then(|value| machine::machine(value, fetched_at, NumericOrder::DayFirst));
            let text = visible::whole(&clue.text, fetched_at, NumericOrder::DayFirst);
            value.into_iter().chain(text)
        });
        told.find_map(|told| match told.offset {
            Some(offset) => (minute(told.at) == minute(moment)).then_some(offset),
            None => of_wall(told),
        })
    }

    /// Returns the complete date in the text that is nearest to the headline among those that `is_meant` accepts.
    fn text_date(&self, order: NumericOrder, is_meant: impl Fn(&DateClue<'_>) -> bool) -> Option<Moment> {
        let texts = self.clues.dates.iter().filter(|clue| clue.kind == DateKind::Text && !clue.modified);
        let dated = texts.filter(|clue| is_meant(clue)).filter_map(|clue| {
            let distance = self.distance(clue.at, clue.place, Reach::Page)?;
            Some((distance, visible::whole(&clue.text, self.page.fetched_at, order)?))
        });
        dated.min_by_key(|(distance, _)| *distance).map(|(_, moment)| moment)
    }

    /// Returns the moment in the nearest element of a kind; elements outside of furniture come first.
    fn visible_date(
        &self,
        kind: DateKind,
        modified: bool,
        reach: Reach,
        order: NumericOrder,
        certainty: Certainty,
    ) -> Option<Moment> {
        let fetched_at = self.page.fetched_at;
        let mut found: Vec<(usize, &DateClue<'_>)> = self
            .clues
            .dates
            .iter()
            .filter(|clue| clue.kind == kind && clue.modified == modified)
            .filter_map(|clue| Some((self.distance(clue.at, clue.place, reach)?, clue)))
            .collect();
        found.sort_by_key(|(distance, clue)| (clue.place, *distance));
        // A date in furniture belongs to what the box links to, however near the headline it is, if the article has a
        // date of its own.
        let has_own_date = LazyCell::new(|| self.has_own_date(order));
        let is_own = |clue: &DateClue<'_>| clue.place == Place::Open || !*has_own_date;
        found.into_iter().filter(|(_, clue)| is_own(clue)).find_map(|(_, clue)| {
            let stated = clue.value.and_then(|value| machine::machine(value, fetched_at, order));
            stated.or_else(|| visible::visible(&clue.text, fetched_at, order, certainty))
        })
    }
}

impl Reader<'_> {
    /// Returns whether a complete date is near the headline and outside of all furniture and comments.
    fn has_own_date(&self, order: NumericOrder) -> bool {
        let fetched_at = self.page.fetched_at;
        self.clues.dates.iter().any(|clue| {
            clue.place == Place::Open
                && !clue.modified
                && self.distance(clue.at, clue.place, Reach::Near).is_some()
                && (clue.value.is_some_and(|value| machine::machine(value, fetched_at, order).is_some())
                    || visible::whole(&clue.text, fetched_at, order).is_some())
        })
    }
}

/// Returns whether the name of a meta element that `PUBLISHED` lacks indicates the publication date.
fn names_publication(name: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(&["publish", "publication", "pubdate", "pub_date"])
        && has(&["date", "time", "_at"])
        && !has(&["modif", "updat", "last", "expir", "unpublish", "end"])
}

/// Returns `moment` with day and month swapped if that is the URL's day: numeric dates do not reveal their order.
fn turned(moment: Timestamp, of_url: Timestamp) -> Option<Timestamp> {
    let (stated, in_url) = (Offset::UTC.to_datetime(moment), Offset::UTC.to_datetime(of_url));
    if stated.date() == in_url.date() {
        return None;
    }
    let other = Date::new(stated.year(), stated.day(), stated.month()).ok()?;
    (other == in_url.date())
        .then(|| Offset::UTC.to_timestamp(other.to_datetime(stated.time())).ok())
        .flatten()
}
