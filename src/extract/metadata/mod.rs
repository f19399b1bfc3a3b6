//! What a page says about its article.
//!
//! One walk collects every statement ([`clues`]); conflicts are resolved by one order, from what is written for machines
//! about this very article down to what only looks like it:
//!
//! 1. JSON-LD (the article's node; where there are several, the one that names this page), then its web page's node
//! 2. meta elements: `article:*`, OpenGraph, then parse.ly, sailthru, Dublin Core, citation and plain names
//! 3. microdata and `rel=author`, `rel=license`, `<time>` with a machine-readable moment
//! 4. the feed entry that announced the page
//! 5. visible text, the nearest to the headline first: elements whose class says byline or date, then text that begins
//!    as bylines do or reads as a date
//! 6. the date in the URL
//!
//! Three fields part from it, each for a reason. The title is the visible headline wherever a declared one confirms it
//! (see [`title`]), as declared ones are written for search engines and social networks. The language is that of the text
//! (see [`language`]). An organisation that is the site itself gives way, as an author, to any person named further down.
//! A page's own description and image are best in OpenGraph, before JSON-LD.

mod byline;
mod clues;
mod date;
mod date_words;
mod json;
mod json_ld;
mod language;
mod title;
mod words;

use std::collections::HashSet;

use jiff::Timestamp;
use scraper::Html;
use url::Url;

pub(crate) use byline::authors_of_byline;
pub(crate) use date::date_of_text;
pub(crate) use language::language_of;

use clues::{BylineKind, Clues, DateClue, DateKind, Place};
use date::NumericOrder;
use json_ld::LinkedData;

use crate::model::{EntryEvidence, Page};

/// Most keywords of one article.
const MAX_TAGS: usize = 40;
/// Longest keyword, section or name.
const MAX_LABEL_CHARS: usize = 100;
/// Bytes of text from the headline within which a byline or date is the article's.
const NEAR_BYTES: usize = 1500;
/// Bytes of text before the headline within which they still are.
const NEAR_BEFORE_BYTES: usize = 300;
/// Names far from the headline that may still be its authors'.
const MAX_FAR_NAMES: usize = 4;
/// Bytes of text between the names of one byline.
const ONE_BYLINE_BYTES: usize = 160;

/// Every field that a page may state, ready for the article.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metadata {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) published_at: Option<Timestamp>,
    pub(crate) modified_at: Option<Timestamp>,
    pub(crate) language: Option<String>,
    pub(crate) canonical_url: Option<Url>,
    pub(crate) site_name: Option<String>,
    pub(crate) section: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) image: Option<Url>,
    pub(crate) license: Option<String>,
}

/// Reads them.
pub(crate) fn read(html: &Html, page: &Page, entry: Option<&EntryEvidence>) -> Metadata {
    let clues = Clues::collect(html);
    let canonical_url = canonical_url(&clues, page);
    let linked =
        json_ld::read(clues.linked_data.iter().copied(), &page_keys(&clues, page, canonical_url.as_ref()));
    let reader = Reader { clues: &clues, linked: &linked, page, entry };
    let site_name = reader.site_name();
    let language = reader.language();
    let order = numeric_order(language.as_deref(), &page.url);
    let (published_at, modified_at) = reader.dates(order);
    Metadata {
        title: reader.title(site_name.as_deref()),
        description: reader.description(),
        authors: reader.authors(site_name.as_deref()),
        published_at,
        modified_at,
        language,
        canonical_url,
        section: reader.section(),
        tags: reader.tags(),
        image: reader.image(),
        license: reader.license(),
        site_name,
    }
}

fn page_keys(clues: &Clues<'_>, page: &Page, canonical: Option<&Url>) -> json_ld::PageKeys {
    let titles = [clues.title_element.as_str()]
        .into_iter()
        .chain(clues.meta(&["og:title"]))
        .chain(clues.headings.iter().map(|heading| heading.text.as_str()));
    let addresses = [&page.url, &page.final_url].into_iter().chain(canonical);
    json_ld::PageKeys {
        titles: titles.map(words::key).filter(|title| !title.is_empty()).collect(),
        addresses: addresses.map(crate::model::normalise_url).map(|url| words::key(&url)).collect(),
    }
}

/// The page's own address for itself. One that leads to the site's front page is a template's mistake.
fn canonical_url(clues: &Clues<'_>, page: &Page) -> Option<Url> {
    let candidates = clues.canonical.into_iter().chain(clues.meta(&["og:url"]));
    candidates.filter_map(|address| web_address(address, page)).find_map(|mut url| {
        let front_page = url.path() == "/" && url.query().is_none() && page.final_url.path() != "/";
        let named_host = url.host_str().is_some_and(|host| host.contains('.') && !host.ends_with('.'));
        url.set_fragment(None);
        (named_host && !front_page).then_some(url)
    })
}

fn web_address(address: &str, page: &Page) -> Option<Url> {
    let address = address.trim();
    if address.is_empty() || address.contains("{{") {
        return None;
    }
    let url = page.final_url.join(address).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// Whether `4/5/2024` is the fifth of April: in English outside the countries that put the day first.
fn numeric_order(language: Option<&str>, url: &Url) -> NumericOrder {
    let day_first_host = url
        .host_str()
        .and_then(|host| host.rsplit('.').next())
        .is_some_and(|last| matches!(last, "uk" | "au" | "nz" | "ie" | "in" | "za" | "eu"));
    match language {
        Some("en" | "en-US") if !day_first_host => NumericOrder::MonthFirst,
        _ => NumericOrder::DayFirst,
    }
}

/// How far from the headline a statement may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// In the head of the article.
    Near,
    /// Anywhere but among the comments.
    Page,
}

struct Reader<'a> {
    clues: &'a Clues<'a>,
    linked: &'a LinkedData,
    page: &'a Page,
    entry: Option<&'a EntryEvidence>,
}

impl Reader<'_> {
    fn site_name(&self) -> Option<String> {
        let declared = self.clues.meta(&["og:site_name"]).or(self.linked.site_name.as_deref());
        let other = || {
            self.clues.meta(&[
                "application-name",
                "apple-mobile-web-app-title",
                "dc.publisher",
                "citation_journal_title",
            ])
        };
        label(declared.or_else(other)?)
    }

    fn language(&self) -> Option<String> {
        let declared = self
            .clues
            .html_language
            .and_then(language::normalise)
            .or_else(|| self.linked.language.as_deref().and_then(language::normalise))
            .or_else(|| {
                let names = &[
                    "content-language",
                    "language",
                    "og:locale",
                    "dc.language",
                    "dcterms.language",
                    "inlanguage",
                ];
                names.iter().find_map(|name| self.clues.meta(&[name]).and_then(language::normalise))
            })
            .or_else(|| self.entry?.language.as_deref().and_then(language::normalise));
        language_of(declared.as_deref(), &self.clues.sample)
    }

    fn title(&self, site_name: Option<&str>) -> Option<String> {
        let visible: Vec<&str> = self
            .clues
            .headings
            .iter()
            .filter(|heading| heading.place == Place::Open)
            .map(|heading| heading.text.as_str())
            .collect();
        let declared = ["og:title"]
            .iter()
            .filter_map(|name| self.clues.meta(&[name]).map(str::to_owned))
            .chain(self.linked.headline.clone())
            .chain(
                [
                    "parsely-title",
                    "sailthru.title",
                    "twitter:title",
                    "dc.title",
                    "dcterms.title",
                    "citation_title",
                    "title",
                ]
                .iter()
                .filter_map(|name| self.clues.meta(&[name]).map(str::to_owned)),
            );
        title::choose(&title::Sources {
            headings: visible,
            declared: declared.collect(),
            element: &self.clues.title_element,
            entry: self.entry.and_then(|entry| entry.title.as_deref()),
            site_names: self.site_names(site_name),
        })
    }

    /// The names that the site goes by: stated ones and its host.
    fn site_names(&self, stated: Option<&str>) -> Vec<String> {
        let host = self.page.final_url.host_str().unwrap_or_default();
        let labels: Vec<&str> = host.split('.').filter(|label| *label != "www").collect();
        let host_name = labels.iter().rev().skip(1).find(|label| label.len() > 3).or(labels.first());
        stated
            .into_iter()
            .chain(self.linked.site_name.as_deref())
            .chain(self.clues.meta(&["application-name"]))
            .chain([host])
            .chain(host_name.copied())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn description(&self) -> Option<String> {
        let stated = self
            .clues
            .meta(&["og:description", "description"])
            .or(self.linked.description.as_deref())
            .or_else(|| {
                self.clues.meta(&[
                    "twitter:description",
                    "sailthru.description",
                    "dc.description",
                    "dcterms.abstract",
                ])
            });
        let entry = || self.entry?.summary.as_deref();
        Some(words::plain(stated.or_else(entry)?)).filter(|text| !text.is_empty())
    }

    fn authors(&self, site_name: Option<&str>) -> Vec<String> {
        let names: Vec<String> = self.site_names(site_name).iter().map(|name| words::key(name)).collect();
        let is_site = |name: &String| {
            let name = words::key(name);
            names.iter().any(|site| *site == name || (site.len() > 4 && name.starts_with(site.as_str())))
        };
        let mut organisation = self.linked.organisations.first().cloned();
        let candidates: [&dyn Fn() -> Vec<String>; 8] = [
            &|| self.linked.authors.clone(),
            &|| self.authors_in_meta(),
            &|| self.authors_in_bylines(BylineKind::Marked, Reach::Near),
            &|| self.authors_in_entry(),
            &|| self.authors_in_bylines(BylineKind::Class, Reach::Near),
            &|| self.authors_in_bylines(BylineKind::Text, Reach::Near),
            &|| self.authors_in_bylines(BylineKind::Marked, Reach::Page),
            &|| self.authors_in_bylines(BylineKind::Class, Reach::Page),
        ];
        for names in candidates.iter().map(|candidate| candidate()) {
            let (site_itself, persons): (Vec<String>, Vec<String>) = names.into_iter().partition(is_site);
            if !persons.is_empty() {
                return persons;
            }
            organisation = organisation.or_else(|| site_itself.into_iter().next());
        }
        organisation.into_iter().collect()
    }

    fn authors_in_meta(&self) -> Vec<String> {
        const NAMES: &[&str] = &[
            "author",
            "article:author",
            "article:author_name",
            "article:author:name",
            "og:article:author",
            "parsely-author",
            "sailthru.author",
            "cxenseparse:author",
            "citation_author",
            "dc.creator",
            "dcterms.creator",
            "dc.creator.name",
            "creator",
            "authors",
            "byl",
            "byline",
            "article.author",
            "rbauthors",
        ];
        let mut authors = Vec::new();
        for name in NAMES {
            for value in self.clues.meta_all(name) {
                byline::add(&mut authors, byline::authors_of_value(&words::plain(value)));
            }
            if !authors.is_empty() {
                return authors;
            }
        }
        // The card that WordPress plugins write for social networks.
        if self.clues.meta(&["twitter:label1"]).is_some_and(words::opens_byline)
            && let Some(name) = self.clues.meta(&["twitter:data1"])
        {
            byline::add(&mut authors, byline::authors_of_value(&words::plain(name)));
        }
        authors
    }

    fn authors_in_entry(&self) -> Vec<String> {
        let mut authors = Vec::new();
        for name in self.entry.map_or(&[][..], |entry| &entry.authors) {
            byline::add(&mut authors, byline::authors_of_value(name));
        }
        authors
    }

    fn authors_in_bylines(&self, kind: BylineKind, reach: Reach) -> Vec<String> {
        let mut found: Vec<(usize, usize, Vec<String>)> = self
            .clues
            .bylines
            .iter()
            .filter(|byline| byline.kind == kind)
            .filter_map(|byline| {
                let distance = self.distance(byline.at, byline.place, reach)?;
                let names = match kind {
                    BylineKind::Marked => byline::authors_of_value(&byline.text),
                    BylineKind::Class => byline::authors_of_element(&byline.text),
                    BylineKind::Text => authors_of_byline(&byline.text),
                };
                (!names.is_empty()).then_some((distance, byline.at, names))
            })
            .collect();
        found.sort_by_key(|(distance, ..)| *distance);
        let mut authors = Vec::new();
        // Many names far from the headline belong to a list of other things.
        let named: HashSet<&String> = found.iter().flat_map(|(.., names)| names).collect();
        if reach == Reach::Page && named.len() > MAX_FAR_NAMES {
            return authors;
        }
        let Some(&(_, nearest, _)) = found.first() else { return authors };
        for (_, at, names) in found {
            if at.abs_diff(nearest) <= ONE_BYLINE_BYTES {
                byline::add(&mut authors, names);
            }
        }
        authors
    }

    /// How far a place is from the headline; `None` where that is out of reach.
    fn distance(&self, at: usize, place: Place, reach: Reach) -> Option<usize> {
        let heading = self.clues.headings.iter().find(|heading| heading.place == Place::Open);
        let distance = match heading.map(|heading| (heading.at, at.checked_sub(heading.at))) {
            // Without a headline nothing is far from it.
            None => Some(at),
            Some((_, Some(after))) => (after <= NEAR_BYTES || reach == Reach::Page).then_some(after),
            // What stands above a headline is as often the header of the site.
            Some((heading, None)) => {
                (heading - at <= NEAR_BEFORE_BYTES || reach == Reach::Page).then_some((heading - at) * 3)
            }
        };
        match place {
            Place::Open => distance,
            Place::Furniture => distance.filter(|_| reach == Reach::Page),
            Place::Comments => None,
        }
    }

    /// Publication and last change.
    fn dates(&self, order: NumericOrder) -> (Option<Timestamp>, Option<Timestamp>) {
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
            stated.or_else(|| date::visible(&clue.text, fetched_at, order))
        })
    }

    fn section(&self) -> Option<String> {
        let stated = self.linked.section.as_deref();
        stated
            .or_else(|| {
                self.clues.meta(&[
                    "article:section",
                    "og:article:section",
                    "parsely-section",
                    "section",
                    "cg",
                    "dc.subject",
                ])
            })
            .and_then(label)
    }

    fn tags(&self) -> Vec<String> {
        let list = |value: &str| value.split([',', ';', '،', '、']).map(str::to_owned).collect::<Vec<_>>();
        let from_meta = |name: &str| self.clues.meta_all(name).flat_map(list).collect::<Vec<_>>();
        let stated = [&self.linked.tags[..]].into_iter().map(<[String]>::to_vec);
        let meta =
            ["article:tag", "og:article:tag", "parsely-tags", "sailthru.tags", "news_keywords", "keywords"];
        let candidates = stated
            .chain(meta.iter().map(|name| from_meta(name)))
            .chain(self.entry.map(|entry| entry.tags.clone()));
        for candidate in candidates {
            let mut tags: Vec<String> = Vec::new();
            for tag in candidate.iter().filter_map(|tag| label(tag)) {
                if tags.len() < MAX_TAGS && !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
            if !tags.is_empty() {
                return tags;
            }
        }
        Vec::new()
    }

    fn image(&self) -> Option<Url> {
        let stated =
            ["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"]
                .iter()
                .filter_map(|name| self.clues.meta(&[name]))
                .chain(self.linked.image.as_deref())
                .chain(self.clues.meta(&["parsely-image-url", "sailthru.image.full", "thumbnail"]));
        let entry = || self.entry?.image.clone().filter(|url| matches!(url.scheme(), "http" | "https"));
        stated.filter_map(|address| web_address(address, self.page)).next().or_else(entry)
    }

    fn license(&self) -> Option<String> {
        let stated = self.linked.license.as_deref().or(self.clues.license);
        let stated =
            stated.or_else(|| self.clues.meta(&["dcterms.license", "dc.rights.license", "license"]))?;
        match web_address(stated, self.page) {
            Some(url) if stated.contains('/') => Some(url.to_string()),
            _ => label(stated),
        }
    }
}

/// A short text on one line; `None` where it is empty or too long to be a label.
fn label(text: &str) -> Option<String> {
    let text = words::plain(text);
    (!text.is_empty() && text.chars().count() <= MAX_LABEL_CHARS).then_some(text)
}
