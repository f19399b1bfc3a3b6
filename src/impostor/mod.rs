//! Whether what came for an announced page is that page at all.
//!
//! Servers answer 200 for bot checks, consent walls, error pages and pages that are gone. Such pages are told by what they are:
//! little text, the scripts and headers of those who make them, phrases in their headlines, and above all that they say
//! nothing of what the feed entry announces. A page that speaks of its entry is never taken for one of them, whatever scripts it
//! carries: the same vendors put them on every page of their customers.
//!
//! The signs are data, in `config/impostors.toml`. What no sign tells, the same text under many entries of a host does: that
//! is for the store to see.

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

/// Bytes of a page that are looked at.
const MAX_BYTES: usize = 256 << 10;
/// A page of fewer bytes is looked at whether it shows a sign or not.
const SMALL_PAGE_BYTES: usize = 16 << 10;
/// Share of what is announced that a page must hold in order to speak of it.
const LEAST_SHARE: f64 = 0.6;

/// What came in a page's stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impostor {
    /// A check that the reader is no machine.
    Challenge,
    /// A question for consent.
    ConsentWall,
    /// A form that asks for a name and a password.
    LoginWall,
    /// Word that there is no such page, or the front page instead of it.
    SoftNotFound,
    /// Word that something is broken.
    SoftError,
    /// The same text as under many other entries of the host, and nothing of what this one announces.
    RepeatedPage,
}

impl Impostor {
    /// Those that are told by signs.
    const WITH_SIGNS: [Self; 5] =
        [Self::Challenge, Self::ConsentWall, Self::LoginWall, Self::SoftNotFound, Self::SoftError];
}

impl std::fmt::Display for Impostor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Challenge => "a check for machines came instead of the page",
            Self::ConsentWall => "a question for consent came instead of the page",
            Self::LoginWall => "a form to log in came instead of the page",
            Self::SoftNotFound => "the server answered 200 and showed that the page is not there",
            Self::SoftError => "the server answered 200 and showed an error",
            Self::RepeatedPage => {
                "the same text stands under other entries of the host, and says nothing of this one"
            }
        })
    }
}

/// An answer to a request for a page.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// What was asked for.
    pub asked: &'a Url,
    /// Where the answer came from.
    pub final_url: &'a Url,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The page.
    pub html: &'a str,
}

/// What the headers of an answer say by themselves, whatever its status.
pub fn by_headers(headers: &HeaderMap) -> Option<Impostor> {
    let holds = |(name, wanted): &(String, String)| {
        headers.get_all(name.as_str()).iter().any(|value| {
            String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().contains(wanted.as_str())
        })
    };
    Impostor::WITH_SIGNS.into_iter().find(|kind| SIGNS.kinds[kind].headers.iter().any(holds))
}

/// Whether the page's `<title>` is the entry's, as nearly every page's is: it need not be looked at any further.
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

/// What came instead of the page that `entry` announces; nothing where the answer may be that page.
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
            // Nothing is announced: what the page calls itself must tell.
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

/// What a page is that came with a refusal, such as a status of 403. A check for machines may be passed another time; a plain
/// no is one.
pub fn by_refusal(html: &str) -> Option<Impostor> {
    let html = &html[..html.floor_char_boundary(MAX_BYTES)];
    let asks_for_proof = || Sight::of(html, MOST_WORDS_WITH_MARK).asks_for_proof();
    let is_check = SIGNS.marks_in(html).contains(&Impostor::Challenge) || asks_for_proof();
    is_check.then_some(Impostor::Challenge)
}

/// Whether a text that was read holds what `entry` announces.
pub fn speaks_of(text: &str, entry: &EntryEvidence) -> bool {
    Sight::of_text(&text[..text.floor_char_boundary(MAX_BYTES)]).speaks_of(entry)
}

/// Whether a page's own headline is that of `entry`.
pub fn has_headline(html: &str, entry: &EntryEvidence) -> bool {
    let sight = Sight::of_all(&html[..html.floor_char_boundary(MAX_BYTES)]);
    entry.title.as_deref().is_some_and(|title| share_of(&terms(title), &sight.title) >= LEAST_SHARE)
}

/// Whether a page tells another story than `copy`: the headline of the one stands nowhere among those of the other.
pub fn is_other_story(copy: &str, page: &str) -> bool {
    let sight = |html: &str| Sight::of_all(&html[..html.floor_char_boundary(MAX_BYTES)]);
    let [copy, page] = [copy, page].map(sight);
    let own = terms(if copy.heading.is_empty() { &copy.title } else { &copy.heading });
    !own.is_empty() && share_of(&own, &page.headlines) < LEAST_SHARE
}

/// A page that is gone leads to the front page of its site.
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

/// Whether a URL is that of a front page, in whatever language: a root without a query that could name an article.
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

/// Whether a URL is that of the section in which a page stands, by its shape: a folder above it, of which the page's own name is
/// longer than the folder's. The other way round the page is a version of what stands above it: `/2026/ferry-sails/amp`.
pub fn is_section_of(url: &Url, page: &Url) -> bool {
    let name = |url: &Url| {
        let mut segments = url.path_segments().into_iter().flatten();
        segments.rfind(|segment| !segment.is_empty()).map_or(0, str::len)
    };
    url.query().is_none() && is_above(url, page) && name(page) > name(url)
}

/// Whether a URL is that of a folder above another one of the same site: a section instead of its article.
pub fn is_above(url: &Url, below: &Url) -> bool {
    let folder = url.path().trim_end_matches('/');
    let rest = below.path().trim_end_matches('/').strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/')) && is_one_party(url, below)
}
