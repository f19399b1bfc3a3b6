//! Whether an article goes on on further pages of its own.

use html5ever::local_name;
use url::Url;

use crate::extract::html::tree::{Element, NodeRef, Tree};

/// Whether a page links to a second page of the same text: as what comes next, or by its number.
pub(crate) fn has_second_page(tree: &Tree, page: &Url) -> bool {
    let leads_on = |node: NodeRef<'_>| {
        let element = node.value().as_element()?;
        let is_link = element.name.local == local_name!("link");
        if !is_link && element.name.local != local_name!("a") {
            return None;
        }
        let address = element.attribute(&local_name!("href"))?;
        let says_so = is_next(element) || !is_link && says_two(node);
        Some(
            address.contains('2')
                && says_so
                && page.join(address.trim()).is_ok_and(|next| is_second(page, &next)),
        )
    };
    tree.nodes().any(|node| leads_on(node).unwrap_or(false))
}

fn is_next(element: &Element) -> bool {
    let relation = element.attribute(&local_name!("rel")).unwrap_or_default();
    relation.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

fn says_two(link: NodeRef<'_>) -> bool {
    link.first_child().and_then(|child| child.value().as_text()).is_some_and(|text| text.trim() == "2")
}

/// Whether `next` has the address of `page` and the number of a second page in it. A blog's `rel=next` leads to another post.
fn is_second(page: &Url, next: &Url) -> bool {
    if next.host_str() != page.host_str() || next.fragment().is_some() {
        return false;
    }
    let (own, own_number) = numbered(page);
    let (other, number) = numbered(next);
    number == Some(2) && own_number.unwrap_or(1) == 1 && own == other
}

/// Names of the parameter that counts pages.
const COUNTERS: &[&str] =
    &["p", "page", "pg", "pn", "pageno", "pagenum", "paged", "seite", "pagina", "part", "strana"];

/// An address without the number of its page, and that number.
fn numbered(url: &Url) -> (String, Option<u32>) {
    let mut number = None;
    let mut query: Vec<String> = Vec::new();
    for (name, value) in url.query_pairs() {
        match value.parse() {
            Ok(counted) if COUNTERS.contains(&&*name.to_lowercase()) => number = Some(counted),
            _ => query.push(format!("{name}={value}")),
        }
    }
    let mut path = url.path().trim_end_matches('/');
    let end = path.rfind('/').map_or(0, |at| at + 1);
    let stem = path[end..].split('.').next().unwrap_or_default();
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (before, counted) = stem.split_at(stem.len() - digits);
    let mut ending = "";
    // A year, a day or an article's own number is no page's.
    if number.is_none()
        && let Ok(counted @ 1..=9) = counted.parse()
        && (before.is_empty() || before.ends_with(['-', '_', ',']))
    {
        number = Some(counted);
        ending = &path[end + stem.len()..];
        path = path[..end + before.len()].trim_end_matches(['-', '_', ',', '/']);
        let words = |counter: &&&str| path.ends_with(&format!("/{counter}"));
        if let Some(counter) = COUNTERS.iter().find(words) {
            path = &path[..path.len() - counter.len() - 1];
        }
    }
    (format!("{path}{ending}?{}", query.join("&")), number)
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
            ("/a/ferry?page=1", "?page=2"),
            ("/a/ferry", "/a/ferry/2/"),
            ("/a/ferry/", "/a/ferry/page/2/"),
            ("/a/ferry", "/a/ferry/seite-2"),
            ("/a/ferry.html", "/a/ferry-2.html"),
            ("/a/ferry-1.html", "/a/ferry-2.html"),
            ("/a/ferry.html", "/a/ferry,2.html"),
        ] {
            let first = page(first);
            assert!(is_second(&first, &first.join(second).unwrap()), "{first} {second}");
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
            assert!(!is_second(&first, &first.join(second).unwrap()), "{first} {second}");
        }
    }
}
