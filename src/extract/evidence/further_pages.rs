//! Finds the further pages of an article.

use std::borrow::Cow;

use html5ever::local_name;
use url::Url;

use crate::extract::html::tree::{Element, NodeRef, Tree};
use crate::model::strip_tracking;

/// The position of a page among the pages of its article.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The address of the first page.
    pub(crate) first: &'a Url,
    /// The page number, from 1.
    pub(crate) number: u32,
}

/// Returns the address of the article's next page, if this page links to it: by `rel=next` or by its number.
pub(crate) fn next_page(tree: &Tree, page: &Url, place: Place<'_>) -> Option<Url> {
    let wanted = (place.number + 1).to_string();
    let leads_on = |node: NodeRef<'_>| {
        let element = node.value().as_element()?;
        let is_link = element.name.local == local_name!("link");
        if !is_link && element.name.local != local_name!("a") {
            return None;
        }
        let address = element.attribute(&local_name!("href"))?;
        if !(address.contains(&*wanted) && (is_next(element) || !is_link && says(node, &wanted))) {
            return None;
        }
        page.join(address.trim()).ok().filter(|next| place.is_before(next))
    };
    tree.nodes().find_map(leads_on)
}

fn is_next(element: &Element) -> bool {
    let relation = element.attribute(&local_name!("rel")).unwrap_or_default();
    relation.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

fn says(link: NodeRef<'_>, number: &str) -> bool {
    link.first_child().and_then(|child| child.value().as_text()).is_some_and(|text| text.trim() == number)
}

impl<'a> Place<'a> {
    /// Returns the position of the first page.
    pub(crate) const fn first(url: &'a Url) -> Self {
        Self { first: url, number: 1 }
    }

    /// Returns whether `next` is the address of the first page with the number after this page's. A blog's `rel=next` leads to
    /// another post.
    fn is_before(self, next: &Url) -> bool {
        // A feed's link may have tracking parameters that the page's own links lack.
        let first = &strip_tracking(self.first);
        if next.host_str() != first.host_str() || next.port() != first.port() || next.fragment().is_some() {
            return false;
        }
        let Some(next) = numbered(&strip_tracking(next)).filter(|next| next.number == self.number + 1) else {
            return false;
        };
        let counted = numbered(first).filter(|first| first.number == 1);
        next.stem == stem(first.path(), &first.query_pairs().map(parameter).collect::<Vec<_>>())
            || counted.is_some_and(|counted| counted.stem == next.stem)
    }
}

/// Returns whether an address names its number as that of a page: `page-2`, `?p=2`. In any other address the number may be a
/// part of the name.
pub(crate) fn is_called_page(url: &Url) -> bool {
    numbered(url).is_some_and(|numbered| numbered.is_called)
}

/// Names of page numbers in parameters and paths.
const COUNTERS: &[&str] =
    &["p", "page", "pg", "pn", "pageno", "pagenum", "paged", "seite", "pagina", "part", "strana"];

/// An address with a page number in it.
struct Numbered {
    /// The address without that number.
    stem: String,
    number: u32,
    /// Whether a word names the number as that of a page.
    is_called: bool,
}

fn numbered(url: &Url) -> Option<Numbered> {
    let is_counter = |word: &str| COUNTERS.iter().any(|counter| word.eq_ignore_ascii_case(counter));
    let mut number = None;
    let mut query: Vec<String> = Vec::new();
    for (name, value) in url.query_pairs() {
        match value.parse() {
            Ok(counted) if is_counter(&name) => number = Some(counted),
            _ => query.push(parameter((name, value))),
        }
    }
    if let Some(number) = number {
        return Some(Numbered { stem: stem(url.path(), &query), number, is_called: true });
    }
    let path = url.path().trim_end_matches('/');
    let (folder, name) = path.rsplit_once('/')?;
    let (name, ending) = name.split_at(name.find('.').unwrap_or(name.len()));
    let before = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // A year or an article's own number is not a page number.
    let number = name[before.len()..].parse().ok().filter(|number| (1..=99).contains(number))?;
    if !before.is_empty() && !before.ends_with(['-', '_', ',']) {
        return None;
    }
    let mut own = format!("{folder}/{before}");
    own.truncate(own.trim_end_matches(['-', '_', ',', '/']).len());
    let is_called = own.rsplit_once('/').is_some_and(|(_, last)| is_counter(last));
    if is_called {
        own.truncate(own.rfind('/').unwrap_or_default());
    }
    Some(Numbered { stem: stem(&format!("{own}{ending}"), &query), number, is_called })
}

fn stem(path: &str, query: &[String]) -> String {
    format!("{}?{}", path.trim_end_matches('/'), query.join("&"))
}

fn parameter((name, value): (Cow<'_, str>, Cow<'_, str>)) -> String {
    format!("{name}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_pages() {
        let page = |path: &str| Url::parse("https://courier.example/").unwrap().join(path).unwrap();
        for (first, second) in [
            ("/a/ferry", "?p=2"),
            ("/a/ferry?x=1", "?x=1&page=2"),
            ("/a/ferry?utm_source=rss", "/a/ferry?page=2"),
            ("/a/ferry?page=1", "?page=2"),
            ("/a/ferry", "/a/ferry/2/"),
            ("/a/ferry/", "/a/ferry/page/2/"),
            ("/a/ferry", "/a/ferry/seite-2"),
            ("/a/ferry.html", "/a/ferry-2.html"),
            ("/a/ferry-1.html", "/a/ferry-2.html"),
            ("/a/ferry.html", "/a/ferry,2.html"),
        ] {
            let first = page(first);
            assert!(is_before(&first, 1, second), "{first} {second}");
        }
        for (first, second) in [
            ("/a/ferry", "/a/barge"),
            ("/a/4711", "/a/4712"),
            ("/?p=1204", "/?p=1205"),
            ("/a/ferry", "/a/ferry/comment-page-2/"),
            ("/a/ferry", "/a/ferry?page=2#comments"),
            ("/a/ferry?page=2", "/a/ferry?page=3"),
            ("/2026/11/20/ferry", "/2026/11/21/ferry"),
        ] {
            let first = page(first);
            assert!(!is_before(&first, 1, second), "{first} {second}");
        }
    }

    fn is_before(first: &Url, number: u32, next: &str) -> bool {
        Place { first, number }.is_before(&first.join(next).unwrap())
    }

    #[test]
    fn pages_are_counted_on() {
        let first = Url::parse("https://courier.example/a/ferry.html").unwrap();
        assert!(is_before(&first, 9, "ferry-10.html"));
        for (number, other) in
            [(2, "ferry-2.html"), (2, "ferry-4.html"), (2, "barge-3.html"), (2, "ferry.html")]
        {
            assert!(!is_before(&first, number, other), "{number} {other}");
        }
        assert!(!is_before(&first, 1, "https://elsewhere.example/a/ferry-2.html"));
        assert!(!is_before(&first, 1, "https://courier.example:8443/a/ferry-2.html"));
        for (next, is_called) in
            [("?page=2", true), ("ferry/page/2", true), ("ferry/page-2", true), ("ferry-2", false)]
        {
            assert_eq!(is_called_page(&first.join(next).unwrap()), is_called, "{next}");
        }
    }
}
