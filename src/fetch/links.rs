//! The `Link` header (RFC 8288), as far as WebSub needs it.

use http::header::{HeaderMap, LINK};
use url::Url;

/// Most links read: the size of headers is bounded, but leaves room for thousands.
const MAX_LINKS: usize = 20;

/// The WebSub links in the `Link` headers of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The `rel=hub` links, in order.
    pub hubs: Vec<Url>,
    /// The first `rel=self` link.
    pub self_url: Option<Url>,
}

/// Reads the links of a response from `base`.
pub(super) fn read(headers: &HeaderMap, base: &Url) -> Links {
    let mut links = Links::default();
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    for (target, parameters) in values.flat_map(split).take(MAX_LINKS) {
        let Ok(url) = base.join(target) else { continue };
        if !matches!(url.scheme(), "http" | "https") {
            continue;
        }
        let relations = relations(parameters);
        let is = |name: &str| relations.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name));
        if is("hub") {
            links.hubs.push(url);
        } else if is("self") {
            links.self_url.get_or_insert(url);
        }
    }
    links
}

/// Returns target and parameters of each `<target>; parameters` in a header line.
fn split(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (target, after) = rest.split_once('<')?.1.split_once('>')?;
        let end = end_of_parameters(after);
        rest = &after[end..];
        Some((target.trim(), &after[..end]))
    })
}

/// Returns where the parameters end: at the first comma outside quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

/// Returns the value of the first `rel` parameter.
fn relations(parameters: &str) -> &str {
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"'))
    });
    named.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(lines: &[&str]) -> (Vec<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, line.parse().unwrap());
        }
        let found = read(&headers, &Url::parse("https://a.example/blog/feed").unwrap());
        (found.hubs.into_iter().map(String::from).collect(), found.self_url.map(String::from))
    }

    #[test]
    fn hubs_and_the_feeds_own_name() {
        let hub = "https://hub.example/".to_owned();
        let own = Some("https://a.example/blog/feed.xml".to_owned());
        assert_eq!(
            links(&["<https://hub.example/>; rel=hub, <feed.xml>; rel=\"self\""]),
            (vec![hub.clone()], own.clone())
        );
        assert_eq!(
            links(&["<https://hub.example/>; rel=\"HUB other\"", "<feed.xml>;title=\"a, b; c\"; Rel=self"]),
            (vec![hub.clone()], own)
        );
        let two = links(&["<https://hub.example/>; rel=hub", "</hub>; rel=hub, </x>; rel=next"]);
        assert_eq!(two, (vec![hub, "https://a.example/hub".to_owned()], None));
    }

    #[test]
    fn nonsense_names_nothing() {
        for line in [
            "",
            "<",
            "<>",
            "rel=hub",
            "<javascript:alert(1)>; rel=hub",
            "<https://x/>; rel=hubs",
            "<https://x/>",
        ] {
            assert_eq!(links(&[line]), (Vec::new(), None), "{line}");
        }
        assert_eq!(links(&[&"</h>;rel=hub,".repeat(1000)]).0.len(), MAX_LINKS);
    }
}
