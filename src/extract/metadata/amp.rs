//! AMP pages: mobile copies of articles, each of which names its original with `rel=canonical`.
//!
//! Only the head is read, token by token. No tree is built, so deep nesting costs nothing.

use url::Url;

use crate::impostor::is_front;
use crate::markup::{Tag, each_tag};
use crate::trust::is_one_party;

/// The part of a page that is read.
const MAX_HEAD_BYTES: usize = 256 << 10;
/// The `<html>` tag must start within this many bytes.
const MAX_PROLOGUE_BYTES: usize = 4 << 10;

/// Returns the original of the AMP page at `page_url`: its `rel=canonical`, if that is another URL of the same party.
/// Returns `None` for a page that is not AMP or is its own canonical.
pub fn amp_canonical(html: &str, page_url: &Url) -> Option<Url> {
    if !may_be_amp(html) {
        return None;
    }
    let mut head = Head::default();
    each_tag(&html[..html.floor_char_boundary(MAX_HEAD_BYTES)], |tag| head.note(tag));
    let mut canonical = page_url.join(head.canonical.as_deref().filter(|_| head.is_amp)?.trim()).ok()?;
    canonical.set_fragment(None);
    let is_other = canonical[..] != page_url[..url::Position::AfterQuery];
    let is_web = matches!(canonical.scheme(), "http" | "https");
    // The front page is never the original of an article, and a page of another party is not a valid original.
    let may_be_original = !is_front(&canonical) && is_one_party(&canonical, page_url);
    (is_web && is_other && may_be_original).then_some(canonical)
}

/// Checks the `<html>` tag quickly, since hardly any page is AMP.
fn may_be_amp(html: &str) -> bool {
    let head = &html.as_bytes()[..html.len().min(MAX_PROLOGUE_BYTES)];
    let root = head.windows(5).position(|window| window.eq_ignore_ascii_case(b"<html"));
    let Some(tag) = root.map(|at| &head[at..]) else { return false };
    let tag = &tag[..tag.iter().position(|byte| *byte == b'>').unwrap_or(tag.len())];
    tag.windows(3).any(|window| window.eq_ignore_ascii_case(b"amp") || window == "⚡".as_bytes())
}

#[derive(Default)]
struct Head {
    is_amp: bool,
    canonical: Option<String>,
    is_over: bool,
}

impl Head {
    fn note(&mut self, tag: &Tag) {
        match (&*tag.name, tag.is_end) {
            ("html", false) => self.is_amp |= tag.attribute("amp").or_else(|| tag.attribute("⚡")).is_some(),
            ("link", false) if self.canonical.is_none() && !self.is_over => {
                let rel = tag.attribute("rel").unwrap_or_default();
                if rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("canonical")) {
                    self.canonical = tag.attribute("href").map(str::to_owned);
                }
            }
            // Links in the body do not count: they may come from reader comments.
            ("body", false) | ("head", true) => self.is_over = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(html: &str) -> Option<String> {
        canonical_at(html, "https://example.org/amp/one?x=1")
    }

    fn canonical_at(html: &str, page: &str) -> Option<String> {
        amp_canonical(html, &Url::parse(page).unwrap()).map(String::from)
    }

    fn page(html: &str, href: &str) -> String {
        format!("<!doctype html><{html}><head><link rel=canonical href='{href}'></head><body>")
    }

    #[test]
    fn an_amp_page_names_its_original() {
        for html in ["html amp", "html ⚡ lang=en", "HTML AMP=''"] {
            assert_eq!(canonical(&page(html, "/one#top")).as_deref(), Some("https://example.org/one"));
        }
    }

    #[test]
    fn other_pages_and_other_sites_do_not_count() {
        assert_eq!(canonical(&page("html", "/one")), None, "no AMP");
        assert_eq!(canonical(&page("html amp", "/amp/one?x=1")), None, "its own canonical");
        assert_eq!(canonical(&page("html amp", "javascript:alert(1)")), None);
        assert_eq!(canonical(&page("html amp", "/")), None, "the front page");
        assert_eq!(canonical(&page("html amp", "https://example.net/one")), None, "another site");
        assert_eq!(canonical(&page("html amp", "https://evil-example.org/one")), None);
        assert_eq!(canonical("<html amp><body><link rel=canonical href=/comment>"), None, "not in the head");
        assert_eq!(canonical("<html amp><script>'<link rel=canonical href=/x>'</script>"), None);
        assert_eq!(canonical(""), None);
    }

    #[test]
    fn a_sites_copies_live_on_hosts_of_their_own() {
        let html = page("html amp", "https://www.example.org/one");
        for host in ["amp.example.org", "example.org", "m.example.org", "amp.news.example.org"] {
            let found = canonical_at(&html, &format!("https://{host}/amp/one"));
            assert_eq!(found.as_deref(), Some("https://www.example.org/one"), "{host}");
        }
        assert_eq!(canonical_at(&html, "https://amp.org/one"), None);
        let hosted = page("html amp", "https://ada.github.io/one");
        assert_eq!(canonical_at(&hosted, "https://bob.github.io/amp/one"), None, "neighbours are no party");
        let local = page("html amp", "http://127.0.0.2/one");
        assert_eq!(canonical_at(&local, "http://127.0.0.1/amp"), None);
        assert!(canonical_at(&local, "http://127.0.0.2/amp").is_some());
    }
}
