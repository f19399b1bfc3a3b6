//! Texts and queries as words, for full-text search. Both back ends receive words that are split and folded here, and nothing else:
//! so both find the same, regardless of their own word rules.
//!
//! - A word is a run of letters and digits, in lower case. Latin letters lose their accents.
//! - In scripts without spaces between words (Chinese, Japanese, Thai) every character is a word; several in a row form a phrase.

use std::ops::Range;

use unicode_normalization::char::decompose_canonical;

use crate::extract::is_unspaced;

/// Maximum indexed characters of a text. PostgreSQL accepts at most one mebibyte of distinct words and positions.
const MAX_INDEXED_CHARS: usize = 100_000;

/// Maximum words of a query in total.
const MAX_ASKED_WORDS: usize = 32;

/// Length of an excerpt in characters, and how many of them precede the first word found.
const EXCERPT_CHARS: usize = 280;
const EXCERPT_LEAD_CHARS: usize = 80;

/// Returns the words of a title and a text, separated by single spaces, as the index stores them.
pub fn index_form(title: Option<&str>, text: &str) -> String {
    let mut form = String::with_capacity(text.len().min(MAX_INDEXED_CHARS) + 80);
    let end = text.char_indices().nth(MAX_INDEXED_CHARS).map_or(text.len(), |(end, _)| end);
    for (_, word) in words(title.unwrap_or_default()).chain(words(&text[..end])) {
        if !form.is_empty() {
            form.push(' ');
        }
        form.push_str(&word);
    }
    form
}

/// A query: the phrases that an article must contain and must not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    wanted: Vec<Phrase>,
    unwanted: Vec<Phrase>,
}

/// Consecutive words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The words in order; at least one.
    pub words: Vec<String>,
    /// Whether the last word is a prefix.
    pub is_open: bool,
}

/// The reason a query is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The query has no required word.
    #[error("no word to look for; hint: for example harbour \"night ferry\" storm* -fog")]
    NoWord,
    /// The query has too many words.
    #[error("more than {MAX_ASKED_WORDS} words; hint: use fewer and rarer words")]
    TooLong,
}

impl Question {
    /// Parses `harbour "night ferry" storm* -fog`: each word is required, quoted words in a row, a word with a star as a prefix; a
    /// word with a minus is excluded.
    pub fn parse(text: &str) -> Result<Self, QuestionError> {
        let mut question = Self::default();
        let mut rest = text.trim_start();
        let mut count = 0;
        while !rest.is_empty() {
            let is_unwanted = rest.starts_with('-');
            rest = rest.strip_prefix('-').unwrap_or(rest);
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
            };
            let words: Vec<String> = words(term).map(|(_, word)| word).collect();
            count += words.len();
            if count > MAX_ASKED_WORDS {
                return Err(QuestionError::TooLong);
            }
            if !words.is_empty() {
                let phrase = Phrase { words, is_open: term.ends_with('*') };
                if is_unwanted { &mut question.unwanted } else { &mut question.wanted }.push(phrase);
            }
            rest = after.trim_start();
        }
        if question.wanted.is_empty() { Err(QuestionError::NoWord) } else { Ok(question) }
    }

    /// The required phrases; at least one.
    pub fn wanted(&self) -> &[Phrase] {
        &self.wanted
    }

    /// The excluded phrases.
    pub fn unwanted(&self) -> &[Phrase] {
        &self.unwanted
    }

    /// Returns whether an article matches, as the index would answer; used for phrases and common prefixes, for which the index is
    /// too slow.
    pub fn is_answered_by(&self, title: Option<&str>, text: &str) -> bool {
        let form = index_form(title, text);
        let words: Vec<&str> = form.split(' ').collect();
        let holds = |phrase: &Phrase| words.windows(phrase.words.len()).any(|row| phrase.stands_for(row));
        self.wanted.iter().all(holds) && !self.unwanted.iter().any(holds)
    }

    /// Returns the part of a text around the first match, with all matches marked; the beginning if nothing matches.
    pub fn excerpt(&self, text: &str) -> Vec<Piece> {
        let found = words(text).find(|(_, word)| self.names(word));
        let first = found.map_or(0, |(range, _)| range.start);
        let start = start_before(text, first);
        let end = text[start..].char_indices().nth(EXCERPT_CHARS).map_or(text.len(), |(end, _)| start + end);
        let mut pieces = Vec::new();
        if start > 0 {
            pieces.push(Piece::plain("… "));
        }
        pieces.extend(self.marked(&text[start..end]));
        if end < text.len() {
            pieces.push(Piece::plain(" …"));
        }
        pieces
    }

    /// Returns the whole text with the words of the query marked.
    pub fn marked(&self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut done = 0;
        for (range, _) in words(text).filter(|(_, word)| self.names(word)) {
            if done < range.start {
                pieces.push(Piece::plain(&text[done..range.start]));
            }
            pieces.push(Piece { is_found: true, text: text[range.clone()].to_owned() });
            done = range.end;
        }
        if done < text.len() {
            pieces.push(Piece::plain(&text[done..]));
        }
        pieces
    }

    fn names(&self, word: &str) -> bool {
        self.wanted.iter().any(|phrase| {
            let is_open_end =
                || phrase.is_open && phrase.words.last().is_some_and(|end| word.starts_with(end));
            phrase.words.iter().any(|wanted| wanted == word) || is_open_end()
        })
    }
}

impl Phrase {
    /// Returns whether these words match the phrase. `row` must have as many words as the phrase.
    fn stands_for(&self, row: &[&str]) -> bool {
        let last = row.len() - 1;
        self.words.iter().zip(row).enumerate().all(|(place, (wanted, word))| {
            if self.is_open && place == last { word.starts_with(wanted.as_str()) } else { word == wanted }
        })
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whether it is a word of the query.
    pub is_found: bool,
    /// The text of the part.
    pub text: String,
}

impl Piece {
    fn plain(text: &str) -> Self {
        Self { is_found: false, text: text.to_owned() }
    }
}

/// Returns the start of a word about `EXCERPT_LEAD_CHARS` before `at`.
fn start_before(text: &str, at: usize) -> usize {
    let Some((start, _)) = text[..at].char_indices().rev().nth(EXCERPT_LEAD_CHARS) else { return 0 };
    let space = text[start..at].find(char::is_whitespace);
    space.map_or(start, |space| start + space + 1)
}

/// Returns the words of a text, each with its byte range.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = chars.by_ref().find(|(_, c)| c.is_alphanumeric())?;
        let mut word = String::new();
        fold(first, &mut word);
        let mut end = start + first.len_utf8();
        if is_unspaced(first) {
            return Some((start..end, word));
        }
        let goes_on = |c: char| (c.is_alphanumeric() || is_accent(c)) && !is_unspaced(c);
        while let Some((at, c)) = chars.next_if(|(_, c)| goes_on(*c)) {
            fold(c, &mut word);
            end = at + c.len_utf8();
        }
        Some((start..end, word))
    })
}

/// Returns whether the character is a combining mark over or under the preceding letter.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

fn fold(c: char, word: &mut String) {
    /// The end of the Latin letters with diacritics.
    const END_OF_LATIN: char = '\u{250}';
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for c in c.to_lowercase() {
        if c < END_OF_LATIN {
            let mut base = None;
            decompose_canonical(c, |part| base = base.or(Some(part)));
            word.push(base.filter(char::is_ascii_alphabetic).unwrap_or(c));
        } else if !is_accent(c) {
            word.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_characters_of_unspaced_scripts_stand_alone() {
        assert_eq!(index_form(Some("L’Élan!"), "ZÜRICH, cafe\u{301}s: 3.5 %"), "l elan zurich cafes 3 5");
        assert_eq!(index_form(None, "港は2026年に Йод"), "港 は 2026 年 に йод");
        assert_eq!(index_form(None, "!?"), "");
    }

    #[test]
    fn only_the_beginning_of_an_endless_text_is_indexed() {
        let form = index_form(None, &"ab ".repeat(MAX_INDEXED_CHARS));
        assert!(form.len() <= MAX_INDEXED_CHARS);
    }

    #[test]
    fn a_question_is_words_phrases_beginnings_and_exclusions() {
        let phrase = |words: &[&str], is_open| Phrase {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            is_open,
        };
        let question = Question::parse(r#"  Harbour "night ferry" storm* -fog -"all clear" it's "#).unwrap();
        assert_eq!(
            question.wanted,
            [
                phrase(&["harbour"], false),
                phrase(&["night", "ferry"], false),
                phrase(&["storm"], true),
                phrase(&["it", "s"], false)
            ]
        );
        assert_eq!(question.unwanted, [phrase(&["fog"], false), phrase(&["all", "clear"], false)]);
        assert_eq!(Question::parse("港湾").unwrap().wanted, [phrase(&["港", "湾"], false)]);
        for nothing in ["", " -fog", "\"", "* - %"] {
            assert_eq!(Question::parse(nothing), Err(QuestionError::NoWord), "{nothing:?}");
        }
        assert_eq!(Question::parse(&"a ".repeat(33)), Err(QuestionError::TooLong));
    }

    #[test]
    fn an_excerpt_stands_around_what_was_found() {
        let question = Question::parse("ferr* cafe").unwrap();
        let text =
            format!("{}The Ferries wait at the café. {}", "Nothing here. ".repeat(20), "More. ".repeat(99));
        let pieces = question.excerpt(&text);
        let found: Vec<&str> =
            pieces.iter().filter(|piece| piece.is_found).map(|piece| piece.text.as_str()).collect();
        assert_eq!(found, ["Ferries", "café"]);
        let whole: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert!(whole.starts_with("… ") && whole.ends_with(" …") && whole.chars().count() < 300, "{whole}");
        let beginning: String = question.excerpt("Nothing.").into_iter().map(|piece| piece.text).collect();
        assert_eq!(beginning, "Nothing.");
    }
}
