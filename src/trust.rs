//! Which feeds are trusted for which pages. `docs/trust.md` describes the whole model.
//!
//! A party is the holder of a registrable domain. A feed is trusted for a page if both belong to one party, if the page's party
//! names the feed, or if the operator says so. Any other feed only mentions the page: a stranger could supply any text for it.
//!
//! The public suffix list comes with the crate `psl`, which is regenerated from it every few days, needs no file at run time, and
//! knows the private suffixes (`github.io`) under which unrelated parties have names.

use url::Url;

use crate::markup::{Tag, each_tag};
use crate::model::normalise_url;

/// The part of a page searched for the feeds that it names, in bytes.
const MAX_HEAD_BYTES: usize = 256 << 10;

/// Returns the party that answers for a URL: its registrable domain. A name without a public suffix and an IP address are parties
/// of their own; an address includes its port, since services of several parties may share one.
pub fn party(url: &Url) -> Option<String> {
    match url.host()? {
        url::Host::Domain(host) => Some(registrable_domain(host).to_owned()),
        address @ (url::Host::Ipv4(_) | url::Host::Ipv6(_)) => {
            Some(format!("{address}:{}", url.port_or_known_default().unwrap_or_default()))
        }
    }
}

/// Returns the registrable domain of a host, or the host itself if it has no public suffix.
pub fn registrable_domain(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    psl::domain_str(host).unwrap_or(host)
}

/// Returns whether one party answers for both URLs.
pub fn is_one_party(one: &Url, other: &Url) -> bool {
    party(one).is_some_and(|party_of_one| party(other) == Some(party_of_one))
}

/// The hosts for which the operator trusts a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpeaksFor(Vec<Host>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// This host and its subdomains.
    At(String),
}

/// The error for a text that is not a host.
#[derive(Debug, thiserror::Error)]
#[error("not a host: write it like \"example.org\", or \"*\" for every one")]
pub struct NotAHost;

impl SpeaksFor {
    /// Reads the operator's list: hosts, which include their subdomains, or `*`.
    pub fn read(hosts: &[String]) -> Result<Self, NotAHost> {
        let read = |text: &String| {
            if text == "*" {
                return Ok(Host::Any);
            }
            let host = url::Host::parse(text).map_err(|_| NotAHost)?;
            Ok(Host::At(host.to_string().trim_end_matches('.').to_owned()))
        };
        hosts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether the list contains the host of `url`.
    pub fn holds(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_end_matches('.');
        self.0.iter().any(|listed| match listed {
            Host::Any => true,
            Host::At(listed) => host
                .strip_suffix(listed.as_str())
                .is_some_and(|labels| labels.is_empty() || (labels.ends_with('.') && !listed.contains(':'))),
        })
    }
}

/// Returns whether a page names one of `feeds`, the addresses of one feed, by a `rel=alternate` in its head. Only the head counts,
/// because commenters cannot write there.
pub fn names_feed(html: &str, page_url: &Url, feeds: &[&Url]) -> bool {
    let feeds: Vec<String> = feeds.iter().map(|feed| normalise_url(feed)).collect();
    let mut head = Head { base: page_url.clone(), feeds, is_named: false, is_over: false };
    each_tag(&html[..html.floor_char_boundary(MAX_HEAD_BYTES)], |tag| head.note(tag));
    head.is_named
}

struct Head {
    base: Url,
    feeds: Vec<String>,
    is_named: bool,
    is_over: bool,
}

impl Head {
    fn note(&mut self, tag: &Tag) {
        match (&*tag.name, tag.is_end) {
            ("link", false) if !self.is_over => {
                let rel = tag.attribute("rel").unwrap_or_default();
                let is_alternate =
                    rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("alternate"));
                let target = tag.attribute("href").filter(|_| is_alternate);
                let target = target.and_then(|href| self.base.join(href.trim()).ok());
                self.is_named |= target.is_some_and(|target| self.feeds.contains(&normalise_url(&target)));
            }
            ("body", false) | ("head", true) => self.is_over = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_party_is_a_registrable_domain() {
        for (text, expected) in [
            ("https://www.gazette.example/a", "gazette.example"),
            ("https://gazette.example./", "gazette.example"),
            ("http://news.gazette.co.uk:8080/", "gazette.co.uk"),
            ("https://ada.github.io/", "ada.github.io"),
            ("https://blog.ada.github.io/", "ada.github.io"),
            ("https://github.io/", "github.io"),
            ("http://localhost:81/", "localhost"),
            ("http://127.0.0.1:81/", "127.0.0.1:81"),
            ("https://127.0.0.1/", "127.0.0.1:443"),
            ("http://[::1]:81/", "[::1]:81"),
        ] {
            assert_eq!(party(&url(text)).as_deref(), Some(expected), "{text}");
        }
        assert!(is_one_party(&url("https://feeds.gazette.example/rss"), &url("http://gazette.example/a")));
        assert!(!is_one_party(&url("https://ada.github.io/"), &url("https://bob.github.io/")));
        assert!(!is_one_party(&url("https://evil-gazette.example/"), &url("https://gazette.example/")));
        assert!(!is_one_party(&url("http://127.0.0.1:81/"), &url("http://127.0.0.1:82/")));
    }

    #[test]
    fn the_operators_list_holds_hosts_and_what_is_below_them() {
        let list = SpeaksFor::read(&["Gazette.example".to_owned(), "127.0.0.2".to_owned()]).unwrap();
        for held in ["https://gazette.example/a", "http://www.gazette.example:8/a", "http://127.0.0.2:9/"] {
            assert!(list.holds(&url(held)), "{held}");
        }
        for other in ["https://evil-gazette.example/a", "https://example/a", "http://127.0.0.1/"] {
            assert!(!list.holds(&url(other)), "{other}");
        }
        assert!(SpeaksFor::read(&["*".to_owned()]).unwrap().holds(&url("https://other.example/")));
        assert!(!SpeaksFor::default().holds(&url("https://other.example/")));
        for bad in ["", "a b", "https://gazette.example/"] {
            assert!(SpeaksFor::read(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_head_names_feeds() {
        let page = url("https://gazette.example/a");
        let feed = url("https://feeds.example/gazette");
        let names = |html: &str| names_feed(html, &page, &[&feed]);
        let link =
            "<link rel='alternate home' type='application/rss+xml' href='http://feeds.example/gazette/'>";
        assert!(names(&format!("<html><head>{link}</head><body>")));
        assert!(!names(&format!("<html><head></head><body>{link}")));
        assert!(!names(&format!("<html><head></head>{link}")));
        assert!(!names(&link.replace("alternate", "canonical")));
        assert!(!names(&link.replace("/gazette/", "/other")));
        assert!(!names(""));
    }
}
