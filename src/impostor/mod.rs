//! Detection of answers that are not the announced page.
//!
//! Servers answer 200 for bot checks, consent walls, error pages and pages that are gone. Such pages are recognized by little text,
//! the scripts and headers of the vendors, phrases in their headlines, and above all by not mentioning what the feed entry
//! announces. A page that mentions its entry is never classified as one, whatever scripts it contains: the same vendors put them on
//! every page of their customers.
//!
//! The signs are data, in `config/impostors.toml`. Cases without a sign show as the same text under many entries of a host: the
//! store detects those.

mod sight;
mod signs;
#[cfg(test)]
mod tests;

use http::HeaderMap;
use serde::Deserialize;
use url::Url;

use crate::model::EntryEvidence;
use crate::trust::is_one_party;
use sight::{MOST_WORDS, MOST_WORDS_WITH_MARK, MOST_WORDS_WITH_PHRASES, Sight, share_of, terms};
use signs::SIGNS;

/// Maximum bytes of a page that are examined.
const MAX_BYTES: usize = 256 << 10;
/// Smaller pages are examined even without a sign.
const SMALL_PAGE_BYTES: usize = 16 << 10;
/// Minimum share of the announced terms that a page must contain to count as mentioning its entry.
const LEAST_SHARE: f64 = 0.6;

/// A page that came in place of the requested one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impostor {
    /// A bot check.
    Challenge,
    /// A consent wall.
    ConsentWall,
    /// A login form.
    LoginWall,
    /// A message that the page does not exist, or the front page in its place.
    SoftNotFound,
    /// An error message.
    SoftError,
    /// The same text as many other entries of the host, without a mention of this one.
    RepeatedPage,
}

impl Impostor {
    /// The kinds recognized by signs.
    const WITH_SIGNS: [Self; 5] =
        [Self::Challenge, Self::ConsentWall, Self::LoginWall, Self::SoftNotFound, Self::SoftError];
}

impl std::fmt::Display for Impostor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Challenge => "the server sent a bot check instead of the page",
            Self::ConsentWall => "the server sent a consent wall instead of the page",
            Self::LoginWall => "the server sent a login form instead of the page",
            Self::SoftNotFound => "the server answered 200, but the page does not exist",
            Self::SoftError => "the server answered 200 with an error page",
            Self::RepeatedPage => {
                "the page has the same text as other entries of the host, and does not mention this one"
            }
        })
    }
}

/// A response to a request for a page.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The requested URL.
    pub asked: &'a Url,
    /// The URL after redirects.
    pub final_url: &'a Url,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The page.
    pub html: &'a str,
}

/// Classifies an answer by its headers alone, whatever its status.
pub fn by_headers(headers: &HeaderMap) -> Option<Impostor> {
    let holds = |(name, wanted): &(String, String)| {
        headers.get_all(name.as_str()).iter().any(|value| {
            String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().contains(wanted.as_str())
        })
    };
    Impostor::WITH_SIGNS.into_iter().find(|kind| SIGNS.kinds[kind].headers.iter().any(holds))
}

/// Returns whether the page's `<title>` matches the entry's title, as on nearly every genuine page, which then needs no further
/// checks.
fn titled_as(html: &str, entry: &EntryEvidence) -> bool {
    const MAX_TITLE_BYTES: usize = 1024;
    let head = &html.as_bytes()[..html.len().min(MAX_BYTES)];
    let Some(at) = head.windows(6).position(|window| window.eq_ignore_ascii_case(b"<title")) else {
        return false;
    };
    let title = &html[at..html.floor_char_boundary(at + MAX_TITLE_BYTES)];
    let title = title.split_once('>').map_or("", |(_, text)| text.split('<').next().unwrap_or_default());
    entry.title.as_deref().is_some_and(|wanted| share_of(&terms(wanted), title) >= LEAST_SHARE)
}

/// Classifies the answer to a request for the page of `entry`; `None` if it may be that page.
pub fn judge(answer: &Answer<'_>, entry: &EntryEvidence) -> Option<Impostor> {
    by_headers(answer.headers).or_else(|| by_place(answer)).or_else(|| {
        if titled_as(answer.html, entry) {
            return None;
        }
        let html = &answer.html[..answer.html.floor_char_boundary(MAX_BYTES)];
        let marks = SIGNS.marks_in(html);
        let led_up = is_above(answer.final_url, answer.asked);
        if marks.is_empty() && !led_up && html.len() > SMALL_PAGE_BYTES && !SIGNS.phrases.is_match(html) {
            return None;
        }
        if entry.title.is_none() && entry.own_text().is_none() {
            // The entry announces nothing: only the page's own headlines can tell.
            let sight = Sight::of(html, MOST_WORDS_WITH_PHRASES);
            let calls_itself = |kind: &Impostor| sight.has_headline_of(*kind, marks.contains(kind));
            return Impostor::WITH_SIGNS.into_iter().find(calls_itself);
        }
        let is_section = led_up && entry.title.is_some();
        let sight = if is_section { Sight::of_all(html) } else { Sight::of(html, MOST_WORDS) };
        if sight.speaks_of(entry) {
            return None;
        }
        if is_section {
            return Some(Impostor::SoftNotFound);
        }
        Impostor::WITH_SIGNS.into_iter().find(|kind| sight.is(*kind, marks.contains(kind)))
    })
}

/// Classifies a page that came with a refusal, such as status 403. A bot check may be passed at another time; a plain refusal is
/// final.
pub fn by_refusal(html: &str) -> Option<Impostor> {
    let html = &html[..html.floor_char_boundary(MAX_BYTES)];
    let asks_for_proof = || Sight::of(html, MOST_WORDS_WITH_MARK).asks_for_proof();
    let is_check = SIGNS.marks_in(html).contains(&Impostor::Challenge) || asks_for_proof();
    is_check.then_some(Impostor::Challenge)
}

/// Returns whether the extracted text mentions what the feed entry announces (terms of its title, or of its teaser).
pub fn speaks_of(text: &str, entry: &EntryEvidence) -> bool {
    Sight::of_text(&text[..text.floor_char_boundary(MAX_BYTES)]).speaks_of(entry)
}

/// Returns whether the page's own headline matches the title of `entry`.
pub fn has_headline(html: &str, entry: &EntryEvidence) -> bool {
    let sight = Sight::of_all(&html[..html.floor_char_boundary(MAX_BYTES)]);
    entry.title.as_deref().is_some_and(|title| share_of(&terms(title), &sight.title) >= LEAST_SHARE)
}

/// Returns whether `page` is about another story than `copy`: the headline of `copy` matches none of the headlines of `page`.
pub fn is_other_story(copy: &str, page: &str) -> bool {
    let sight = |html: &str| Sight::of_all(&html[..html.floor_char_boundary(MAX_BYTES)]);
    let [copy, page] = [copy, page].map(sight);
    let own = terms(if copy.heading.is_empty() { &copy.title } else { &copy.heading });
    !own.is_empty() && share_of(&own, &page.headlines) < LEAST_SHARE
}

/// Recognizes pages that are gone by a redirect to the front page of their site.
fn by_place(answer: &Answer<'_>) -> Option<Impostor> {
    let Answer { asked, final_url, .. } = answer;
    let is_led_away = if has_front_path(asked) {
        asked.query().is_some() && final_url.query().is_none()
    } else {
        has_front_path(final_url)
    };
    (is_led_away && has_front_path(final_url) && is_one_party(asked, final_url))
        .then_some(Impostor::SoftNotFound)
}

/// Returns whether a URL is that of a front page, in any language: a root path without a query that could identify an article.
pub fn is_front(url: &Url) -> bool {
    url.query().is_none() && has_front_path(url)
}

fn has_front_path(url: &Url) -> bool {
    let mut segments = url.path_segments().into_iter().flatten().filter(|segment| !segment.is_empty());
    let is_language = |segment: &str| {
        let mut parts = segment.split(['-', '_']);
        parts.all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    let is_index = |segment: &str| segment.split('.').next() == Some("index");
    match (segments.next(), segments.next()) {
        (None, _) => true,
        (Some(only), None) => is_language(only) || is_index(only),
        (Some(first), Some(second)) => is_language(first) && is_index(second) && segments.next().is_none(),
    }
}

/// Returns whether a URL looks like the section of a page: a parent folder whose name is shorter than the page's own name. If the
/// folder's name is longer, the page is a version of what is above it: `/2026/ferry-sails/amp`.
pub fn is_section_of(url: &Url, page: &Url) -> bool {
    let name = |url: &Url| {
        let mut segments = url.path_segments().into_iter().flatten();
        segments.rfind(|segment| !segment.is_empty()).map_or(0, str::len)
    };
    url.query().is_none() && is_above(url, page) && name(page) > name(url)
}

/// Returns whether a URL is a parent folder of another URL of the same party: a section instead of its article.
pub fn is_above(url: &Url, below: &Url) -> bool {
    let folder = url.path().trim_end_matches('/');
    let rest = below.path().trim_end_matches('/').strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/')) && is_one_party(url, below)
}
