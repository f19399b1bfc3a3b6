//! Who wrote it: the sources in their order, persons before the site itself.

use std::collections::HashSet;

use super::clues::BylineKind;
use super::{Reach, Reader, byline, words};

/// Names far from the headline that may still be its authors'.
const MAX_FAR_NAMES: usize = 4;
/// Bytes of text between the names of one byline.
const ONE_BYLINE_BYTES: usize = 160;

impl Reader<'_> {
    pub(super) fn authors(&self, site_name: Option<&str>) -> Vec<String> {
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
                    BylineKind::Text => byline::authors_of_byline(&byline.text),
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
}
