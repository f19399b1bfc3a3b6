//! Reads the metadata of a page's article.
//!
//! One walk collects every statement (`clues`); conflicts are resolved by one order, from machine-readable statements
//! about this very article down to text that merely looks like metadata:
//!
//! 1. JSON-LD (the article's node; where there are several, the one that names this page), then its web page's node
//! 2. meta elements: `article:*`, OpenGraph, then parse.ly, sailthru, Dublin Core, citation and plain names
//! 3. microdata and `rel=author`, `rel=license`, `<time>` with a machine-readable moment
//! 4. the feed entry that announced the page
//! 5. visible text, nearest to the headline first: elements whose class names a byline or date, then text that starts
//!    like a byline or reads as a date
//! 6. the date in the URL
//! 7. text far from the headline that explicitly names the author or the publication day
//!
//! Some fields deviate where this order is known to be wrong:
//!
//! - The title is the visible headline wherever a declared one confirms it (see `title`), since declared ones are written
//!   for search engines and social networks.
//! - Authors: a statement that contains the stated authors and more is preferred as the more complete one. An account name
//!   (`jyoung2`), or a name that the byline at the headline contradicts, yields to the byline. An organisation that
//!   is the site itself yields to any person named further down. The editorial office is used only if nobody else is
//!   named.
//! - Dates: a publication equal to the last change to the second yields to an earlier day at the headline. A visible date
//!   without a year yields to every date that has one. The URL's day decides the order of day and month of a
//!   numeric date. No date lies after the fetch.
//! - The language is that of the text (see `language`).
//! - Description and image are most reliable in OpenGraph, so it comes before JSON-LD.

pub(crate) mod amp;
pub(crate) mod authors;
mod clues;
pub(crate) mod dates;
mod language;
mod title;
pub(crate) mod words;

use jiff::Timestamp;
use url::Url;

pub(crate) use authors::byline::authors_of_byline;
pub(crate) use dates::visible::{date_of_text, names_more_than_a_date};
pub(crate) use language::language_of;

use clues::{Clues, Heading, Place};
use dates::visible::NumericOrder;

use crate::extract::account::{Account, Line, Opening, Rule};
use crate::extract::evidence::json_ld::{JsonLd, Linked, PageKeys};
use crate::extract::html::text::{fold_space, plain};
use crate::extract::html::tree::Tree;
use crate::extract::words::furniture::Furniture;
use crate::extract::words::letters::letters;
use crate::model::{EntryEvidence, Metadata, Page};
use crate::work;

/// Maximum number of keywords of one article.
const MAX_TAGS: usize = 40;
/// Longest keyword, section or name.
const MAX_LABEL_CHARS: usize = 100;
/// Bytes of text after the headline within which a byline or date counts as the article's.
const NEAR_BYTES: usize = 1500;
/// Bytes of text from the headline within which it counts even inside furniture.
const TOUCHING_BYTES: usize = 120;
/// Bytes of text before the headline within which a byline or date counts as the article's.
const NEAR_BEFORE_BYTES: usize = 300;

/// Fills a missing author or publication date from the byline and dateline lines that were removed from the text.
pub(crate) fn complete(
    metadata: &mut Metadata,
    lines: &[Line<'_>],
    account: &Account,
    fetched_at: Timestamp,
) {
    let opening = Opening::new(lines, account);
    for (at, line) in lines.iter().enumerate() {
        let verdict = account.verdict(at);
        let is_byline = verdict == Some(Rule::Words(Furniture::Byline)) && metadata.authors.is_empty();
        let is_dateline =
            verdict == Some(Rule::Words(Furniture::Dateline)) && metadata.published_at.is_none();
        // Bylines and datelines of other articles are further away from the text.
        if !(is_byline || is_dateline) || !opening.holds(at) {
            continue;
        }
        if is_byline {
            metadata.authors = authors_of_byline(line.text);
        } else {
            metadata.published_at = date_of_text(line.text, fetched_at);
        }
    }
}

/// Returns the metadata of a feed entry, for documents without metadata of their own.
pub(crate) fn of_entry(entry: &EntryEvidence) -> Metadata {
    Metadata {
        title: entry.title.as_deref().and_then(on_one_line),
        authors: entry.authors.iter().filter_map(|author| on_one_line(author)).collect(),
        published_at: entry.published_at,
        modified_at: entry.updated_at,
        language: entry.language.clone(),
        tags: entry.tags.clone(),
        image: entry.image.clone(),
        ..Metadata::default()
    }
}

/// Reads the metadata of a page.
pub(crate) fn read(tree: &Tree, json_ld: &JsonLd, page: &Page, entry: Option<&EntryEvidence>) -> Metadata {
    let clues = Clues::collect(tree);
    let canonical_url = canonical_url(&clues, page);
    let linked = json_ld.article(&page_keys(&clues, page, canonical_url.as_ref()));
    let mut reader = Reader { clues: &clues, linked: &linked, page, entry, headline_at: None };
    let site_name = reader.site_name();
    let title = reader.title(site_name.as_deref());
    reader.headline_at = title.as_ref().and_then(|title| title.at).or_else(|| {
        let first = clues.headings.iter().find(|heading| heading.place == Place::Open);
        first.map(|heading| heading.at)
    });
    let language = reader.language();
    let order = numeric_order(language.as_deref(), &page.url);
    let dates = reader.dates(order);
    Metadata {
        title: title.map(|title| title.text),
        description: reader.description(),
        authors: reader.authors(site_name.as_deref()),
        published_at: dates.published.map(|moment| moment.at),
        modified_at: dates.modified.map(|moment| moment.at),
        utc_offset: dates.published.or(dates.modified).and_then(|moment| moment.offset),
        language,
        canonical_url,
        section: reader.section(),
        tags: reader.tags(),
        image: reader.image(),
        license: reader.license(),
        site_name,
    }
}

fn page_keys(clues: &Clues<'_>, page: &Page, canonical: Option<&Url>) -> PageKeys {
    let titles = [clues.title_element.as_str()]
        .into_iter()
        .chain(clues.meta(&["og:title"]))
        .chain(clues.headings.iter().map(|heading| heading.text.as_str()));
    let addresses = [&page.url, &page.final_url].into_iter().chain(canonical);
    PageKeys {
        titles: titles.map(letters).filter(|title| !title.is_empty()).collect(),
        addresses: addresses.map(crate::model::normalise_url).map(|url| letters(&url)).collect(),
    }
}

/// Returns the page's canonical URL. One that points to the site's front page is a template error and ignored.
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

/// Returns the order of day and month in `4/5/2024`: month first in English, except on hosts of countries that put the day first.
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

/// How far from the headline a statement may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Near the headline.
    Near,
    /// Anywhere except in reader comments.
    Page,
}

struct Reader<'a> {
    clues: &'a Clues<'a>,
    linked: &'a Linked,
    page: &'a Page,
    entry: Option<&'a EntryEvidence>,
    /// Text position of the headline.
    headline_at: Option<usize>,
}

impl<'a> Reader<'a> {
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

    fn title(&self, site_name: Option<&str>) -> Option<title::Headline> {
        let open = |headings: &'a [Heading<'a>]| {
            headings.iter().filter(|heading| heading.place == Place::Open).collect::<Vec<_>>()
        };
        let names = [
            "parsely-title",
            "sailthru.title",
            "twitter:title",
            "dc.title",
            "dcterms.title",
            "citation_title",
            "title",
        ];
        let stated = |name: &str| self.clues.meta(&[name]).map(str::to_owned);
        let declared = stated("og:title")
            .into_iter()
            .chain(self.linked.headline.clone())
            .chain(names.iter().filter_map(|name| stated(name)));
        let sections = ["article:section", "og:article:section", "section"];
        title::choose(&title::Sources {
            headings: open(&self.clues.headings),
            lesser: open(&self.clues.lesser_headings),
            declared: declared.collect(),
            element: &self.clues.title_element,
            entry: self.entry.and_then(|entry| entry.title.as_deref()),
            site_names: self.site_names(site_name),
            sections: self.linked.section.as_deref().into_iter().chain(self.clues.meta(&sections)).collect(),
            host: self.page.final_url.host_str().unwrap_or_default(),
            path: self.page.final_url.path(),
        })
    }

    /// Returns the names of the site: stated ones and those derived from its host.
    fn site_names(&self, stated: Option<&str>) -> Vec<String> {
        let host = self.page.final_url.host_str().unwrap_or_default();
        // Some sites give the feed the title of the page.
        let feeds =
            self.clues.feed_titles.iter().filter(|title| !title.starts_with(&self.clues.title_element));
        let labels: Vec<&str> = host.split('.').filter(|label| *label != "www").collect();
        let host_name = labels.iter().rev().skip(1).find(|label| label.len() > 3).or(labels.first());
        stated
            .into_iter()
            .chain(self.linked.site_name.as_deref())
            .chain(self.clues.meta(&["application-name"]))
            .chain(feeds.filter_map(|title| title::parts::site_of_feed_title(title)))
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
        Some(plain(stated.or_else(entry)?)).filter(|text| !text.is_empty())
    }

    /// Returns the distance from the headline in bytes (weighted three times before it); `None` if out of reach.
    fn distance(&self, at: usize, place: Place, reach: Reach) -> Option<usize> {
        work::count(1);
        let distance = match self.headline_at.map(|heading| (heading, at.checked_sub(heading))) {
            // Without a headline everything is within reach.
            None => Some(at),
            Some((_, Some(after))) => (after <= NEAR_BYTES || reach == Reach::Page).then_some(after),
            // Text above a headline is as often part of the site's header.
            Some((heading, None)) => {
                (heading - at <= NEAR_BEFORE_BYTES || reach == Reach::Page).then_some((heading - at) * 3)
            }
        };
        match place {
            Place::Open => distance,
            // Text right at the headline belongs to it, whatever its box is called.
            Place::Furniture => distance.filter(|distance| {
                reach == Reach::Page || (self.headline_at.is_some() && *distance <= TOUCHING_BYTES)
            }),
            Place::Comments => None,
        }
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
        let mut stated =
            ["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"]
                .iter()
                .filter_map(|name| self.clues.meta(&[name]))
                .chain(self.linked.image.as_deref())
                .chain(self.clues.meta(&["parsely-image-url", "sailthru.image.full", "thumbnail"]));
        let entry = || self.entry?.image.clone().filter(|url| matches!(url.scheme(), "http" | "https"));
        stated.find_map(|address| web_address(address, self.page)).or_else(entry)
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

/// Returns the text as one line without invisible characters; `None` if nothing is left.
pub(crate) fn on_one_line(text: &str) -> Option<String> {
    Some(fold_space(text).trim().to_owned()).filter(|line| !line.is_empty())
}

/// Returns a short text as one line; `None` if it is empty or too long for a label.
fn label(text: &str) -> Option<String> {
    let text = plain(text);
    (!text.is_empty() && text.chars().count() <= MAX_LABEL_CHARS).then_some(text)
}
