//! Chooses the authors: tries the sources in order and prefers persons to the site itself.

pub(crate) mod byline;
pub(crate) mod names;

use std::collections::HashSet;

use crate::extract::html::text::plain;
use crate::extract::metadata::clues::{Byline, BylineKind, Place};
use crate::extract::metadata::dates::visible::{self, NumericOrder};
use crate::extract::metadata::title::parts;
use crate::extract::metadata::{Reach, Reader};
use crate::extract::words::letters::letters;
use crate::extract::words::openings;

/// Maximum number of names far from the headline; more belong to a list of other things.
const MAX_FAR_NAMES: usize = 4;
/// A byline with more words is a sentence.
const MOST_BYLINE_WORDS: usize = 13;
/// Maximum bytes of text between the names of one byline.
const ONE_BYLINE_BYTES: usize = 160;

impl Reader<'_> {
    pub(crate) fn authors(&self, site_name: Option<&str>) -> Vec<String> {
        let names: Vec<String> = self.site_names(site_name).iter().map(|name| letters(name)).collect();
        let is_site = |stated: &String| {
            let name = letters(stated);
            names.iter().any(|site| {
                let is_part = site.len() > 4 && name.contains(site.as_str());
                let is_most = is_part && (site.len() * 2 > name.len() || self.ends_title(stated));
                *site == name || is_most || (site.len() > 4 && name.starts_with(site.as_str()))
            })
        };
        let (linked, organisations) = self.authors_in_json_ld();
        let mut organisation = organisations.into_iter().next();
        let mut persons_of = |names: Vec<String>| {
            let (site_itself, persons): (Vec<String>, Vec<String>) = names.into_iter().partition(is_site);
            organisation = organisation.take().or_else(|| site_itself.into_iter().next());
            persons
        };
        let in_meta = self.authors_in_meta(&names);
        let near: Vec<Vec<String>> =
            [BylineKind::Marked, BylineKind::Class, BylineKind::Text, BylineKind::Link]
                .map(|kind| persons_of(self.authors_in_bylines(kind, Reach::Near)))
                .into();
        let declared: Vec<Vec<String>> = [linked].into_iter().chain(in_meta).map(&mut persons_of).collect();
        let [marked, class, text, link] = near.as_slice() else { return Vec::new() };
        if let Some(stated) = declared.iter().find(|names| !names.is_empty()) {
            // If the visible byline names other people than the metadata, the byline is right: readers and writers check it, while
            // the metadata holds whoever entered the article into the system.
            // Against names that both JSON-LD and meta elements state, only a short byline counts, not a sentence of the text.
            let is_stated_twice = !self.linked.authors.is_empty()
                && declared.iter().skip(1).any(|names| !names.is_empty() && names_all(names, stated));
            let mut named_on_page = || {
                let most_words = if is_stated_twice { MOST_BYLINE_WORDS } else { usize::MAX };
                let names = persons_of(self.authors_in_opened_bylines(most_words));
                let others = !names.is_empty()
                    && names
                        .iter()
                        .all(|name| name.contains(' ') && !names_all(stated, std::slice::from_ref(name)));
                others.then_some(names)
            };
            if let Some(names) = self.stated_in_full(stated, &declared, [marked, class, text]) {
                return names.clone();
            }
            return named_on_page().unwrap_or_else(|| stated.clone());
        }
        let entry = self.authors_in_entry();
        let far = |kind| self.authors_in_bylines(kind, Reach::Page);
        let (far_marked, far_class) = (far(BylineKind::Marked), far(BylineKind::Class));
        let (pen_name, beside_date) = (self.pen_name(), self.authors_beside_date());
        let signed = self.authors_in_signature();
        let candidates =
            [marked, &entry, class, text, link, &pen_name, &far_marked, &far_class, &signed, &beside_date];
        for names in candidates {
            let persons = persons_of(names.clone());
            if !persons.is_empty() {
                return persons;
            }
        }
        organisation.or_else(|| self.collective()).into_iter().collect()
    }

    /// Returns a longer or fuller form of the stated names: from another statement or the bylines at the headline.
    fn stated_in_full<'n>(
        &self,
        stated: &[String],
        declared: &'n [Vec<String>],
        bylines: [&'n Vec<String>; 3],
    ) -> Option<&'n Vec<String>> {
        let fuller = |names: &&Vec<String>| names.len() > stated.len() && names_all(names, stated);
        // A station's name may be in the byline's box; it then also ends the page's title.
        let in_full = |names: &&Vec<String>| {
            let is_full =
                |name: &String| name.contains(' ') && (!self.ends_title(name) || stated.contains(name));
            names.iter().all(is_full)
        };
        // Stated account names yield to the full names in a byline.
        let by_hand = || {
            let persons = bylines.into_iter().find(|names| !names.is_empty())?;
            let in_full = persons.iter().all(|name| name.contains(' '));
            (in_full && stated.iter().all(|name| is_account(name))).then_some(persons)
        };
        let in_bylines = || bylines.into_iter().filter(in_full).find(fuller);
        declared.iter().find(fuller).or_else(in_bylines).or_else(by_hand)
    }

    /// Returns the persons and the organisations in the first JSON-LD list that names any.
    fn authors_in_json_ld(&self) -> (Vec<String>, Vec<String>) {
        let (mut persons, mut organisations) = (Vec::new(), Vec::new());
        for list in &self.linked.authors {
            for author in list {
                if author.is_organisation {
                    names::add(&mut organisations, byline::organisation_of_value(&author.name));
                } else {
                    names::add(&mut persons, byline::authors_of_value(&author.name));
                }
            }
            if !(persons.is_empty() && organisations.is_empty()) {
                break;
            }
        }
        (persons, organisations)
    }

    /// Returns whether a name is the last part of the page's title, as a site's name is.
    fn ends_title(&self, name: &str) -> bool {
        let title = self.clues.title_element.as_str();
        let last = parts::segments(title).last().map_or("", |(_, part)| *part);
        last.len() < title.len() && letters(last) == letters(name)
    }

    /// Returns the editorial office, for pages that name nobody else.
    fn collective(&self) -> Option<String> {
        let bylines = self.clues.bylines.iter().filter(|byline| {
            matches!(byline.kind, BylineKind::Marked | BylineKind::Class)
                && self.distance(byline.at, byline.place, Reach::Near).is_some()
        });
        let declared = ["author", "twitter:data1"].into_iter().filter_map(|name| self.clues.meta(&[name]));
        bylines.map(|byline| byline.text.as_str()).chain(declared).find_map(byline::collective)
    }

    /// Returns the names in a text anywhere on the page with an explicit byline opening: "Written by Ada Lind".
    fn authors_in_signature(&self) -> Vec<String> {
        let signatures = self.clues.bylines.iter().filter(|byline| {
            byline.kind == BylineKind::Text
                && byline.place == Place::Open
                && openings::opens_byline_in_full(&byline.text)
        });
        let names = |byline: &Byline| byline::authors_of_byline(&byline.text);
        signatures.map(names).find(|names| !names.is_empty()).unwrap_or_default()
    }

    /// Returns the names beside the date at the headline.
    fn authors_beside_date(&self) -> Vec<String> {
        let titles = [self.clues.title_element.as_str()];
        let headings = self.clues.headings.iter().chain(&self.clues.lesser_headings);
        let titles: Vec<String> =
            titles.into_iter().chain(headings.map(|heading| heading.text.as_str())).map(letters).collect();
        let is_titled = |name: &String| titles.iter().any(|title| title.contains(&letters(name)));
        let near = self.clues.dates.iter().filter_map(|clue| {
            let distance = self.distance(clue.at, clue.place, Reach::Near)?;
            visible::whole(&clue.text, self.page.fetched_at, NumericOrder::DayFirst)?;
            let by = || openings::inner_byline(&clue.text).map(|_| byline::authors_of_byline(&clue.text));
            let names = Some(byline::authors_of_dateline(&clue.text)).filter(|names| !names.is_empty());
            let names = names.or_else(by).unwrap_or_default();
            (!names.is_empty() && !names.iter().any(is_titled)).then_some((distance, names))
        });
        near.min_by_key(|(distance, _)| *distance).map(|(_, names)| names).unwrap_or_default()
    }

    /// Returns the pen name in the nearest byline: "by quillpen".
    fn pen_name(&self) -> Vec<String> {
        let bylines = self.clues.bylines.iter().filter(|byline| byline.kind == BylineKind::Text);
        let near = bylines.filter_map(|byline| {
            let distance = self.distance(byline.at, byline.place, Reach::Near)?;
            Some((distance, byline::pen_name_of_byline(&byline.text))).filter(|(_, names)| !names.is_empty())
        });
        near.min_by_key(|(distance, _)| *distance).map(|(_, names)| names).unwrap_or_default()
    }

    /// Returns the names in the nearest byline at the headline that has a byline opening.
    fn authors_in_opened_bylines(&self, most_words: usize) -> Vec<String> {
        let is_short = |byline: &&Byline| byline.text.split_whitespace().nth(most_words).is_none();
        let bylines = self.clues.bylines.iter().filter(is_short).filter(|byline| {
            // A sentence that a link splits may continue with "by".
            let begins = || byline.kind != BylineKind::Text || byline.text.starts_with(char::is_uppercase);
            byline.kind != BylineKind::Link
                && openings::byline_opening(&byline.text).is_some_and(|rest| !rest.trim().is_empty())
                && begins()
        });
        let near = bylines.filter_map(|byline| {
            let distance = self.distance(byline.at, byline.place, Reach::Near)?;
            let names = match byline.kind {
                BylineKind::Text => byline::authors_of_opened_byline(&byline.text),
                _ => byline::authors_of_byline(&byline.text),
            };
            (byline.place == Place::Open).then_some((distance, names))
        });
        near.filter(|(_, names)| !names.is_empty())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, names)| names)
            .unwrap_or_default()
    }

    /// Returns the names in meta elements: one list, perhaps empty, per meta name, and one per matching Twitter card label.
    fn authors_in_meta(&self, site_names: &[String]) -> Vec<Vec<String>> {
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
            "citation_authors",
            "dc.creator",
            "dcterms.creator",
            "dc.creator.name",
            "creator",
            "authors",
            "byl",
            "byline",
            "article.author",
            "rbauthors",
            "article_author",
            "shareaholic:article_author_name",
            "content_author",
        ];
        let mut lists = Vec::new();
        for name in NAMES {
            let mut authors = Vec::new();
            for value in self.clues.meta_all(name).map(plain) {
                // A site's name may contain a conjunction.
                let is_site = site_names.contains(&letters(&value));
                let of_value = if is_site { byline::organisation_of_value } else { byline::authors_of_value };
                let names = of_value(&value);
                names::add(&mut authors, names);
            }
            lists.push(authors);
        }
        // The Twitter card that WordPress plugins write.
        for (label, data) in [("twitter:label1", "twitter:data1"), ("twitter:label2", "twitter:data2")] {
            if self.clues.meta(&[label]).is_some_and(openings::opens_byline)
                && let Some(name) = self.clues.meta(&[data])
            {
                lists.push(byline::authors_of_value(&plain(name)));
            }
        }
        lists
    }

    fn authors_in_entry(&self) -> Vec<String> {
        let mut authors = Vec::new();
        for name in self.entry.map_or(&[][..], |entry| &entry.authors) {
            names::add(&mut authors, byline::authors_of_value(name));
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
                    BylineKind::Text => byline::authors_of_opened_byline(&byline.text),
                    BylineKind::Link => byline::authors_of_byline(&byline.text),
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
                names::add(&mut authors, names);
            }
        }
        authors
    }
}

/// Returns whether each of `some` is among `names`, in the same or a longer form.
fn names_all(names: &[String], some: &[String]) -> bool {
    some.iter().all(|one| names.iter().any(|name| letters(name).contains(&letters(one))))
}

/// Returns whether a name is that of an account rather than a person: `jyoung`, `jane.young`, `JaneY`.
fn is_account(name: &str) -> bool {
    let mut chars = name.chars();
    let starts_small = chars.next().is_some_and(char::is_lowercase);
    let signs = name.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '-'));
    let capitals = name.chars().skip(1).any(char::is_uppercase);
    !name.contains(' ') && (starts_small || signs || capitals)
}
