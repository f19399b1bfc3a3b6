//! The visible text of a page, and whether it mentions what an entry announces.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::signs::SIGNS;
use super::{Impostor, LEAST_SHARE};
use crate::markup::{Part, each_part, is_spaced};
use crate::model::EntryEvidence;

/// Maximum words of a page for a vendor's mark, two phrases, or one phrase to make it a wall: short posts have banners, too.
pub(super) const MOST_WORDS_WITH_MARK: usize = 250;
pub(super) const MOST_WORDS_WITH_PHRASES: usize = 120;
const MOST_WORDS_WITH_PHRASE: usize = 60;
/// Consent walls contain long texts about partners and purposes.
const MOST_CONSENT_WORDS: usize = 800;
/// A "not found" page may list other content.
const MOST_NOT_FOUND_WORDS: usize = 800;
/// A page with more words is of none of the kinds recognized by signs.
pub(super) const MOST_WORDS: usize =
    if MOST_CONSENT_WORDS > MOST_NOT_FOUND_WORDS { MOST_CONSENT_WORDS } else { MOST_NOT_FOUND_WORDS };
/// Words of a teaser that are used if an entry has no headline.
const TEASER_WORDS: usize = 30;

/// The visible text of a page.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// `<title>`, `h1` and `h2`, in lower case, one per line.
    pub(super) headlines: String,
    /// `<title>` and `h1`.
    pub(super) title: String,
    /// `h1` only.
    pub(super) heading: String,
    /// All visible words, in lower case.
    pub(super) text: String,
    words: usize,
}

impl Sight {
    /// The sight of extracted text.
    pub(super) fn of_text(text: &str) -> Self {
        let mut sight = Self::default();
        sight.note(text, Place::Text);
        sight
    }

    /// The sight of a whole page.
    pub(super) fn of_all(html: &str) -> Self {
        Self::of(html, usize::MAX)
    }

    /// The sight of a page, cut off after `enough` words: beyond the limits above, the rest makes no difference.
    pub(super) fn of(html: &str, enough: usize) -> Self {
        let mut sight = Self::default();
        let mut place = Place::Text;
        each_part(html, |part| {
            match part {
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
                        place = Place::Text;
                    }
                    _ => {}
                },
                Part::Text(text) => sight.note(text, place),
            }
            if sight.words > enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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

    /// Returns whether the page mentions what the entry announces: most terms of its headline, or of its teaser if it has no
    /// headline.
    pub(super) fn speaks_of(&self, entry: &EntryEvidence) -> bool {
        let headline = entry.title.as_deref().map(terms).unwrap_or_default();
        let wanted = if headline.is_empty() {
            terms(entry.own_text().unwrap_or_default()).into_iter().take(TEASER_WORDS).collect()
        } else {
            headline
        };
        share_of(&wanted, &self.text) >= LEAST_SHARE
    }

    /// Returns whether the page is short and its headlines contain a phrase of that kind.
    pub(super) fn has_headline_of(&self, kind: Impostor, has_mark: bool) -> bool {
        self.words <= MOST_WORDS_WITH_PHRASES
            && (has_mark || kind != Impostor::LoginWall)
            && SIGNS.kinds[&kind].all_phrases().any(|phrase| has_phrase(&self.headlines, phrase))
    }

    /// Returns whether the page is short and its headlines ask for proof that the reader is human.
    pub(super) fn asks_for_proof(&self) -> bool {
        let phrases = &SIGNS.kinds[&Impostor::Challenge].phrases;
        self.words <= MOST_WORDS_WITH_MARK && phrases.iter().any(|phrase| has_phrase(&self.headlines, phrase))
    }

    pub(super) fn is(&self, kind: Impostor, has_mark: bool) -> bool {
        let phrases = || SIGNS.kinds[&kind].all_phrases();
        let in_headline = || phrases().any(|phrase| has_phrase(&self.headlines, phrase));
        let in_text = || phrases().filter(|phrase| has_phrase(&self.text, phrase)).count();
        let is_all_phrases = || {
            self.words <= MOST_WORDS_WITH_PHRASES
                && in_text() >= if self.words <= MOST_WORDS_WITH_PHRASE { 1 } else { 2 }
        };
        let is_short = self.words <= MOST_WORDS_WITH_MARK;
        match kind {
            Impostor::Challenge => (is_short && (has_mark || in_headline())) || is_all_phrases(),
            Impostor::ConsentWall => {
                (self.words <= MOST_CONSENT_WORDS && in_headline())
                    || (is_short && has_mark && in_text() > 0)
                    || is_all_phrases()
            }
            // Many pages have a login form beside their text.
            Impostor::LoginWall => has_mark && ((is_short && in_headline()) || is_all_phrases()),
            Impostor::SoftNotFound => {
                (self.words <= MOST_NOT_FOUND_WORDS && in_headline()) || is_all_phrases()
            }
            Impostor::SoftError => (is_short && in_headline()) || is_all_phrases(),
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

/// Returns whether a phrase occurs in a text at word boundaries. Scripts without spaces have none.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let joins = |neighbour: Option<char>| neighbour.is_some_and(|c| c.is_alphanumeric() && is_spaced(c));
    text.match_indices(phrase).any(|(at, found)| {
        !joins(text[..at].chars().next_back()) && !joins(text[at + found.len()..].chars().next())
    })
}

/// Returns the distinctive terms of a text: words in lower case, each once, without the shortest; for scripts without spaces,
/// single characters. Markup separates words.
pub(super) fn terms(text: &str) -> Vec<String> {
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
        .map(|c| {
            let is_markup = in_tag || c == '<';
            in_tag = (in_tag || c == '<') && c != '>';
            if is_markup { ' ' } else { c }
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

/// Returns the share of the terms that a text contains; 0 if there are no terms.
#[expect(clippy::cast_precision_loss, reason = "counts of words on a page are far below 2^52")]
pub(super) fn share_of(wanted: &[String], text: &str) -> f64 {
    if wanted.is_empty() {
        return 0.0;
    }
    let found: HashSet<String> = terms(text).into_iter().collect();
    let shared = wanted.iter().filter(|term| found.contains(*term)).count();
    shared as f64 / wanted.len() as f64
}
