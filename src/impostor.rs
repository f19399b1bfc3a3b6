//! Whether what came for an announced page is that page at all.
//!
//! Servers answer 200 for bot checks, consent walls, error pages and pages that are gone. Such pages are told by what they are:
//! little text, the scripts and headers of those who make them, phrases in their headlines, and above all that they say
//! nothing of what the feed entry announces. A page that speaks of its entry is never taken for one of them, whatever scripts it
//! carries: the same vendors put them on every page of their customers.
//!
//! The signs are data, in `config/impostors.toml`. What no sign tells, the same text under many entries of a host does: that
//! is for the store to see.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use http::HeaderMap;
use serde::Deserialize;
use url::Url;

use crate::markup::{Part, each_part, is_spaced};
use crate::model::EntryEvidence;
use crate::trust::is_one_party;

/// Bytes of a page that are looked at.
const MAX_BYTES: usize = 256 << 10;
/// A page of fewer bytes is looked at whether it shows a sign or not.
const SMALL_PAGE_BYTES: usize = 16 << 10;
/// Words beside which a vendor's mark, and a phrase, still make a wall.
const MOST_WORDS_WITH_MARK: usize = 250;
const MOST_WORDS_WITH_PHRASE: usize = 120;
/// Consent walls go on at length about partners and purposes.
const MOST_CONSENT_WORDS: usize = 800;
/// A page that is gone may show what else there is.
const MOST_NOT_FOUND_WORDS: usize = 800;
/// Share of what is announced that a page must hold in order to speak of it.
const LEAST_SHARE: f64 = 0.6;
/// Words of a teaser that stand for a headline where there is none.
const TEASER_WORDS: usize = 30;

/// What came in a page's stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impostor {
    /// A check that the reader is no machine.
    Challenge,
    /// A question for consent.
    ConsentWall,
    /// Word that there is no such page, or the front page instead of it.
    SoftNotFound,
    /// Word that something is broken.
    SoftError,
    /// The same text as under many other entries of the host, and nothing of what this one announces.
    RepeatedPage,
}

impl Impostor {
    /// Those that are told by signs.
    const WITH_SIGNS: [Self; 4] = [Self::Challenge, Self::ConsentWall, Self::SoftNotFound, Self::SoftError];
}

impl std::fmt::Display for Impostor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Challenge => "a check for machines came instead of the page",
            Self::ConsentWall => "a question for consent came instead of the page",
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

/// What came instead of the page that `entry` announces; nothing where the answer may be that page.
pub fn judge(answer: &Answer<'_>, entry: &EntryEvidence) -> Option<Impostor> {
    by_headers(answer.headers).or_else(|| by_place(answer)).or_else(|| {
        let html = &answer.html[..answer.html.floor_char_boundary(MAX_BYTES)];
        let marks = SIGNS.marks_in(html);
        let led_up = is_above(answer.final_url, answer.asked);
        if marks.is_empty() && !led_up && html.len() > SMALL_PAGE_BYTES && !SIGNS.phrases.is_match(html) {
            return None;
        }
        let sight = Sight::of(html);
        if sight.speaks_of(entry) {
            return None;
        }
        if led_up && entry.title.is_some() {
            return Some(Impostor::SoftNotFound);
        }
        Impostor::WITH_SIGNS.into_iter().find(|kind| sight.is(*kind, marks.contains(kind)))
    })
}

/// Whether a text that was read holds what `entry` announces.
pub fn speaks_of(text: &str, entry: &EntryEvidence) -> bool {
    Sight { text: text.to_lowercase(), ..Sight::default() }.speaks_of(entry)
}

/// Whether a page's own headline is that of `entry`.
pub fn has_headline(html: &str, entry: &EntryEvidence) -> bool {
    let sight = Sight::of(&html[..html.floor_char_boundary(MAX_BYTES)]);
    entry.title.as_deref().is_some_and(|title| share_of(&terms(title), &sight.title) >= LEAST_SHARE)
}

/// Whether a page tells another story than `copy`: the headline of the one stands nowhere among those of the other.
pub fn is_other_story(copy: &str, page: &str) -> bool {
    let [copy, page] = [copy, page].map(|html| Sight::of(&html[..html.floor_char_boundary(MAX_BYTES)]));
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

/// Whether a URL is that of a folder above another one of the same site: a section instead of its article.
pub fn is_above(url: &Url, below: &Url) -> bool {
    let folder = url.path().trim_end_matches('/');
    let rest = below.path().trim_end_matches('/').strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/')) && is_one_party(url, below)
}

#[derive(Deserialize)]
struct Kind {
    headers: Vec<(String, String)>,
    marks: Vec<String>,
    phrases: Vec<String>,
}

struct Signs {
    kinds: BTreeMap<Impostor, Kind>,
    marks: AhoCorasick,
    kind_of_mark: Vec<Impostor>,
    /// The phrases of all kinds, to tell quickly that a page has none.
    phrases: AhoCorasick,
}

static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let kinds: BTreeMap<Impostor, Kind> =
        toml::from_str(include_str!("../config/impostors.toml")).expect("the embedded file is tested");
    let marks = || kinds.iter().flat_map(|(kind, signs)| signs.marks.iter().map(move |mark| (*kind, mark)));
    let automaton = |words: Vec<String>| {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words)
            .expect("the embedded lists are short")
    };
    Signs {
        kind_of_mark: marks().map(|(kind, _)| kind).collect(),
        marks: automaton(marks().map(|(_, mark)| mark.clone()).collect()),
        // Case that is not ASCII's is not looked through: a phrase may begin a sentence.
        phrases: automaton(
            kinds
                .values()
                .flat_map(|signs| &signs.phrases)
                .flat_map(|it| [it.clone(), capitalised(it)])
                .collect(),
        ),
        kinds,
    }
});

fn capitalised(phrase: &str) -> String {
    let mut letters = phrase.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Signs {
    fn marks_in(&self, html: &str) -> HashSet<Impostor> {
        self.marks
            .find_overlapping_iter(html)
            .map(|found| self.kind_of_mark[found.pattern().as_usize()])
            .collect()
    }
}

/// What a reader sees of a page.
#[derive(Debug, Default)]
struct Sight {
    /// `<title>` and headings, in lower case, each on its line.
    headlines: String,
    /// `<title>` and first headings.
    title: String,
    /// First headings.
    heading: String,
    /// The words between the tags, in lower case.
    text: String,
    words: usize,
}

impl Sight {
    fn of(html: &str) -> Self {
        let mut sight = Self::default();
        let mut place = Place::Text;
        each_part(html, |part| match part {
            Part::Tag(tag) => match (&*tag.name, tag.is_end) {
                ("script" | "style" | "template" | "svg", false) => place = Place::Hidden,
                (name @ ("title" | "h1" | "h2"), false) => {
                    place = match name {
                        "title" => Place::Title,
                        "h1" => Place::Heading,
                        _ => Place::Subheading,
                    };
                    sight.headlines.push('\n');
                }
                ("script" | "style" | "template" | "svg" | "title" | "h1" | "h2", true) => {
                    place = Place::Text
                }
                _ => {}
            },
            Part::Text(text) => sight.note(text, place),
        });
        sight
    }

    fn note(&mut self, text: &str, place: Place) {
        if place == Place::Hidden {
            return;
        }
        for word in text.split_whitespace() {
            let word = word.to_lowercase().replace('\u{2019}', "'");
            let (is_title, is_heading) = (place == Place::Title, place == Place::Heading);
            let places = [
                (true, &mut self.text),
                (place != Place::Text, &mut self.headlines),
                (is_title || is_heading, &mut self.title),
                (is_heading, &mut self.heading),
            ];
            for (is_in, text) in places {
                if is_in {
                    text.push_str(&word);
                    text.push(' ');
                }
            }
            self.words += 1;
        }
    }

    /// Whether the page holds what the entry announces: most words of its headline, or of its teaser where it has none.
    fn speaks_of(&self, entry: &EntryEvidence) -> bool {
        let headline = entry.title.as_deref().map(terms).unwrap_or_default();
        let wanted = if headline.is_empty() {
            terms(entry.own_text().unwrap_or_default()).into_iter().take(TEASER_WORDS).collect()
        } else {
            headline
        };
        share_of(&wanted, &self.text) >= LEAST_SHARE
    }

    fn is(&self, kind: Impostor, has_mark: bool) -> bool {
        let phrases = &SIGNS.kinds[&kind].phrases;
        let in_headline = || phrases.iter().any(|phrase| has_phrase(&self.headlines, phrase));
        let in_text = || phrases.iter().any(|phrase| has_phrase(&self.text, phrase));
        match kind {
            Impostor::Challenge => {
                (has_mark && self.words <= MOST_WORDS_WITH_MARK)
                    || (self.words <= MOST_WORDS_WITH_PHRASE && in_text())
            }
            Impostor::ConsentWall => {
                (self.words <= MOST_WORDS_WITH_PHRASE && in_text())
                    || (self.words <= MOST_CONSENT_WORDS && (in_headline() || (has_mark && in_text())))
            }
            Impostor::SoftNotFound => self.words <= MOST_NOT_FOUND_WORDS && in_headline(),
            Impostor::SoftError => self.words <= MOST_WORDS_WITH_MARK && in_headline(),
            Impostor::RepeatedPage => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Title,
    Heading,
    Subheading,
    Hidden,
}

/// Whether a phrase stands in a text by itself, not as a part of longer words. Scripts without spaces have no word ends.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let joins = |neighbour: Option<char>| neighbour.is_some_and(|c| c.is_alphanumeric() && is_spaced(c));
    text.match_indices(phrase).any(|(at, found)| {
        !joins(text[..at].chars().next_back()) && !joins(text[at + found.len()..].chars().next())
    })
}

/// The words by which a text can be known: in lower case, each once, without the shortest; of scripts without spaces the single
/// characters. Markup counts as a break.
fn terms(text: &str) -> Vec<String> {
    const LEAST_LETTERS: usize = 3;
    let mut terms = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |term: String| {
        if seen.insert(term.clone()) {
            terms.push(term);
        }
    };
    let mut in_tag = false;
    let plain: String = text
        .chars()
        .filter_map(|c| {
            let is_markup = in_tag || c == '<';
            in_tag = (in_tag || c == '<') && c != '>';
            Some(if is_markup { ' ' } else { c })
        })
        .collect();
    for word in plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.chars().any(|c| !is_spaced(c)) {
            word.chars().for_each(|c| add(c.to_string()));
        } else if word.chars().count() >= LEAST_LETTERS || word.contains(char::is_numeric) {
            add(word.to_lowercase());
        }
    }
    terms
}

/// The share of terms that a text holds; none of no terms.
#[expect(clippy::cast_precision_loss, reason = "counts of words on a page are far below 2^52")]
fn share_of(wanted: &[String], text: &str) -> f64 {
    if wanted.is_empty() {
        return 0.0;
    }
    let found: HashSet<String> = terms(text).into_iter().collect();
    let shared = wanted.iter().filter(|term| found.contains(*term)).count();
    shared as f64 / wanted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn entry(title: &str, summary: &str) -> EntryEvidence {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        EntryEvidence { title: some(title), summary: some(summary), ..EntryEvidence::default() }
    }

    fn ferry() -> EntryEvidence {
        entry("Ferry sails at noon", "The ferry company has a new boat.")
    }

    fn seen(html: &str, entry: &EntryEvidence) -> Option<Impostor> {
        let page = url("https://gazette.example/2026/ferry");
        judge(&Answer { asked: &page, final_url: &page, headers: &HeaderMap::new(), html }, entry)
    }

    fn led(asked: &str, final_url: &str, html: &str) -> Option<Impostor> {
        let answer =
            Answer { asked: &url(asked), final_url: &url(final_url), headers: &HeaderMap::new(), html };
        judge(&answer, &ferry())
    }

    fn page(head: &str, body: &str) -> String {
        format!("<!doctype html><html><head>{head}</head><body>{body}</body></html>")
    }

    #[test]
    fn walls_are_told_by_what_they_are() {
        use Impostor::{Challenge, ConsentWall, SoftError, SoftNotFound};
        let long = "<p>Latest from the coast and from the islands, every hour of the day.</p>".repeat(30);
        let pages = [
            (
                Challenge,
                page("<title>Just a moment...</title>", "<p>Enable JavaScript and cookies to continue</p>"),
            ),
            (
                Challenge,
                page("<script src='/cdn-cgi/challenge-platform/h/b/orchestrate/x'></script>", "<p>Wait.</p>"),
            ),
            (Challenge, page("<title>Hm</title>", "<script id='anubis_challenge'>{}</script><h1>Oh</h1>")),
            (Challenge, page("", "<script>var dd={'host':'geo.captcha-delivery.com'}</script>")),
            (
                Challenge,
                page(
                    "<title>\u{042f} \u{043d}\u{0435} \u{0440}\u{043e}\u{0431}\u{043e}\u{0442}</title>",
                    "<p>?</p>",
                ),
            ),
            (
                ConsentWall,
                page("<title>Before you continue</title>", &format!("<p>We use cookies.</p>{long}")),
            ),
            (
                ConsentWall,
                page(
                    "<title>Gazette</title>",
                    "<p>We and our partners store data.</p><button>Accept all</button>",
                ),
            ),
            (SoftNotFound, page("<title>Page not found - Gazette</title>", &format!("<h1>Sorry</h1>{long}"))),
            (SoftNotFound, page("<title>Gazette</title>", &format!("<h1>Seite nicht gefunden</h1>{long}"))),
            (SoftError, page("<title>503 Service Unavailable</title>", "<p>Come back later.</p>")),
            (SoftError, page("", "<h1>Error establishing a database connection</h1>")),
        ];
        for (kind, html) in pages {
            assert_eq!(seen(&html, &ferry()), Some(kind), "{html}");
        }
    }

    #[test]
    fn a_page_that_speaks_of_its_entry_is_that_page() {
        let vendor = "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>";
        let pages = [
            page(vendor, "<h1>Ferry sails at noon</h1><p>We use cookies. Accept all</p>"),
            page("<title>404: the ferry that sails at noon was not found</title>", "<p>A story.</p>"),
            page("", "<h1>The new boat</h1><p>The ferry sails at noon, with a security check for all.</p>"),
        ];
        for html in pages {
            assert_eq!(seen(&html, &ferry()), None, "{html}");
        }
        let teaser = entry("", "The ferry company has a new boat.");
        assert_eq!(seen(&page(vendor, "<p>The company's ferry has got a new boat.</p>"), &teaser), None);
        let plain =
            page("<title>Tides</title>", "<h1>Tides</h1><p>High water is at six, low water at noon.</p>");
        assert_eq!(seen(&plain, &ferry()), None, "another headline alone condemns nothing");
    }

    #[test]
    fn scripts_without_spaces_are_read_by_character() {
        let story = entry("渡し船が正午に出る", "");
        let wall = page("<title>私はロボットではありません</title>", "");
        assert_eq!(seen(&wall, &story), Some(Impostor::Challenge));
        assert_eq!(seen(&page("", "<h1>渡し船が正午に出る</h1><p>お探しのページ</p>"), &story), None);
    }

    #[test]
    fn headers_speak_for_themselves() {
        let mut headers = HeaderMap::new();
        headers.insert("cf-mitigated", "challenge".parse().unwrap());
        assert_eq!(by_headers(&headers), Some(Impostor::Challenge));
        headers.insert("cf-mitigated", "none".parse().unwrap());
        assert_eq!(by_headers(&headers), None);
    }

    #[test]
    fn who_is_led_to_the_front_page_has_not_got_the_article() {
        let home = page("<title>Gazette</title>", "<h2>Ferry sails at noon</h2><p>And other news.</p>");
        let gone = Some(Impostor::SoftNotFound);
        for (asked, final_url, expected) in [
            ("https://gazette.example/2026/ferry", "https://www.gazette.example/", gone),
            ("https://gazette.example/2026/ferry", "https://gazette.example/?from=404", gone),
            ("https://gazette.example/?p=17", "https://gazette.example/", gone),
            ("https://gazette.example/de/2026/ferry", "https://gazette.example/de/", gone),
            ("https://gazette.example/2026/ferry", "https://gazette.example/index.html", gone),
            ("https://gazette.example/", "https://gazette.example/en/", None),
            ("https://gazette.example/?p=17", "https://gazette.example/ferry", None),
            ("https://short.example/x", "https://gazette.example/", None),
        ] {
            assert_eq!(led(asked, final_url, &home), expected, "{asked} to {final_url}");
        }
    }

    #[test]
    fn who_is_led_to_a_section_has_got_what_the_section_says() {
        let section = page("<title>News</title>", "<h1>News</h1><p>Trams, tides and towers.</p>");
        let article = page("<title>Ferry sails at noon</title>", "<p>It sails.</p>");
        let (asked, above) = ("https://gazette.example/news/ferry", "https://gazette.example/news/");
        assert_eq!(led(asked, above, &section), Some(Impostor::SoftNotFound));
        assert_eq!(led(asked, above, &article), None);
        assert_eq!(led(above, asked, &section), None);
    }

    #[test]
    fn a_copy_and_its_original_have_one_headline() {
        let story =
            |headline: &str| page("<title>Gazette</title>", &format!("<h1>{headline}</h1><p>It sails.</p>"));
        let section = page("<title>Gazette</title>", "<h1>News</h1><h2>Trams stand still</h2>");
        assert!(!is_other_story(&story("Ferry sails at noon"), &story("The ferry sails at noon")));
        assert!(is_other_story(&story("Ferry sails at noon"), &section));
        assert!(!is_other_story(&page("", "<p>It sails.</p>"), &section), "nothing is known of it");
    }

    #[test]
    fn the_headline_of_a_page_is_not_that_of_a_part() {
        let changes = page("<title>Changes</title>", "<h1>Changes</h1><h2>Ferry sails at noon</h2>");
        assert!(!has_headline(&changes, &ferry()));
        assert!(has_headline(&page("<title>Ferry sails at noon | Gazette</title>", ""), &ferry()));
        assert!(!has_headline(&changes, &entry("", "The ferry company has a new boat.")));
    }

    #[test]
    fn every_kind_has_signs_in_lower_case() {
        for kind in Impostor::WITH_SIGNS {
            let signs = &SIGNS.kinds[&kind];
            let texts = signs
                .marks
                .iter()
                .chain(&signs.phrases)
                .chain(signs.headers.iter().flat_map(|(a, b)| [a, b]));
            for text in texts {
                assert_eq!(*text, text.to_lowercase(), "{kind:?}");
            }
            assert!(!signs.phrases.is_empty(), "{kind:?}");
        }
    }
}
