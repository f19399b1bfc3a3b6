//! Finds the kind of furniture that a line's own words name, using the lines of all languages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use serde::Deserialize;

use super::furniture::Furniture;
use crate::languages::Lines;
use crate::work;

/// The part of a line that a phrase covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Coverage {
    End,
    Start,
    Whole,
}

/// A match of a line with a word list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub(crate) furniture: Furniture,
    pub(crate) coverage: Coverage,
    /// Whether further evidence confirms a partial match: another word that article sentences with this phrase lack.
    pub(crate) is_borne_out: bool,
}

/// The settings of one kind in `config/words/furniture.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    #[serde(default = "unbounded")]
    max_words: u32,
}

fn unbounded() -> u32 {
    u32::MAX
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Phrase {
    text: Box<str>,
    /// Whether the phrase must not be followed by a letter or digit.
    is_word: bool,
    furniture: Furniture,
    max_words: u32,
}

/// Phrases by their first or last two characters.
type Buckets = HashMap<[char; 2], Vec<Phrase>, RandomState>;

/// The compiled word lists. Looking a line up takes constant time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phrases {
    whole: HashMap<Box<str>, Furniture, RandomState>,
    /// Phrases at the start, by their first two characters, longest first.
    starts: Buckets,
    /// Phrases at the end, by their last two characters in reverse, longest first.
    ends: Buckets,
    /// First two characters of the whole lines, with the word count of the longest such line.
    openings: HashMap<[char; 2], usize, RandomState>,
    /// Words that confirm that a sentence is furniture.
    with: HashMap<Furniture, Vec<Box<str>>, RandomState>,
    /// Words for what reading on requires: a subscription, a login.
    access: Vec<Box<str>>,
    /// Words for other things that may require the same: a comment, a newsletter.
    aside: Vec<Box<str>>,
}

/// Bytes compared at either end of a long line; no phrase is longer.
const EDGE_BYTES: usize = 160;
/// Longer lines are sentences, whatever they start with.
const MAX_LINE_BYTES: usize = 600;
const MAX_LINE_WORDS: f32 = 64.0;

impl Phrases {
    /// Compiles the lines of all languages. `kinds` is the content of `config/words/furniture.toml`. If a line starts or ends
    /// with equally long phrases of two kinds, the kind that comes first in [`Furniture`] wins.
    pub(crate) fn new(kinds: &str, lines: &BTreeMap<String, Lines>) -> Result<Self, String> {
        let kinds: BTreeMap<Furniture, Kind> = toml::from_str(kinds).map_err(|error| error.to_string())?;
        if let Some(name) = lines.keys().find(|name| kinds.keys().all(|kind| kind.name() != *name)) {
            return Err(format!("{name}: no such kind of lines"));
        }
        let mut phrases = Self::default();
        for (furniture, kind) in kinds {
            let Some(lines) = lines.get(furniture.name()) else { continue };
            let of_kind = |problem: String| format!("{}: {problem}", furniture.name());
            phrases.add(furniture, kind.max_words, lines).map_err(of_kind)?;
        }
        for bucket in phrases.starts.values_mut().chain(phrases.ends.values_mut()) {
            bucket.sort_by_key(|phrase| Reverse(phrase.text.len()));
        }
        Ok(phrases)
    }

    /// Adds the lines of one kind. A line that could never match is an error.
    fn add(&mut self, furniture: Furniture, max_words: u32, lines: &Lines) -> Result<(), String> {
        for line in &lines.whole {
            let text = fold(line);
            if let Some(key) = first_two(text.chars()) {
                let longest = self.openings.entry(key).or_default();
                *longest = text.split_whitespace().count().max(*longest);
            }
            if self.whole.insert(text.into(), furniture).is_some() {
                return Err(format!("{line:?} in `whole` is already in another list of whole lines"));
            }
        }
        let add = |buckets: &mut Buckets, line: &str, key: Option<[char; 2]>, phrase: Phrase| {
            let bucket = buckets.entry(key.ok_or_else(|| format!("{line:?}: too short"))?).or_default();
            if bucket.contains(&phrase) {
                return Err(format!("{line:?}: stands there twice"));
            }
            bucket.push(phrase);
            Ok(())
        };
        for line in &lines.start {
            let text = fold_inner(line);
            let key = first_two(text.chars());
            // "by " is a word and does not match "Byron Bay".
            let is_word = line.ends_with(' ');
            add(&mut self.starts, line, key, Phrase { text: text.into(), is_word, furniture, max_words })?;
        }
        for line in &lines.end {
            let text = fold_inner(line);
            let key = first_two(text.chars().rev());
            add(
                &mut self.ends,
                line,
                key,
                Phrase { text: text.into(), is_word: false, furniture, max_words },
            )?;
        }
        let lower = |words: &[String]| words.iter().map(|word| word.to_lowercase().into()).collect();
        self.with.insert(furniture, lower(&lines.with));
        self.access.extend::<Vec<Box<str>>>(lower(&lines.access));
        self.aside.extend::<Vec<Box<str>>>(lower(&lines.aside));
        Ok(())
    }

    /// Returns the furniture that `line`, which has `words` words, names itself.
    pub(crate) fn find(&self, line: &str, words: f32) -> Option<Match> {
        if line.len() > MAX_LINE_BYTES || words > MAX_LINE_WORDS {
            return None;
        }
        // Whole lines are short, and only the ends of a long line are checked. Folding is the expensive part, and few lines
        // start or end like any phrase, so the first and last characters are folded before the rest.
        let (head, tail) = if line.len() <= 2 * EDGE_BYTES {
            if self.may_be_whole(line) {
                let folded = fold_inner(line);
                let bare = folded.trim_matches(is_edge);
                if let Some(furniture) = self.whole.get(bare).copied().or_else(|| self.counted(bare)) {
                    return Some(Match { furniture, coverage: Coverage::Whole, is_borne_out: true });
                }
            }
            (line, line)
        } else {
            let tail = line.ceil_char_boundary(line.len() - EDGE_BYTES);
            (&line[..line.floor_char_boundary(EDGE_BYTES)], &line[tail..])
        };
        let fits = |phrase: &&Phrase| words <= phrase.max_words as f32;
        let bucket = first_two_folded(head).and_then(|key| self.starts.get(&key));
        let start = bucket.filter(|bucket| bucket.iter().any(|phrase| fits(&phrase))).and_then(|bucket| {
            let longest = bucket.first().map_or(0, |phrase| phrase.text.len());
            // Include one more byte, to see whether the word ends.
            let head = fold_start(head, longest + 1);
            let begins = |phrase: &Phrase| {
                let rest = head.strip_prefix(&*phrase.text);
                rest.is_some_and(|rest| !phrase.is_word || !rest.starts_with(char::is_alphanumeric))
            };
            bucket.iter().find(|phrase| begins(phrase) && fits(phrase))
        });
        let partly = |phrase: &Phrase, coverage: Coverage| Match {
            furniture: phrase.furniture,
            coverage,
            is_borne_out: self.is_borne_out(phrase, line),
        };
        if let Some(phrase) = start {
            return Some(partly(phrase, Coverage::Start));
        }
        let bucket = last_two_folded(tail).and_then(|key| self.ends.get(&key));
        let end = bucket.filter(|bucket| bucket.iter().any(|phrase| fits(&phrase))).and_then(|bucket| {
            let tail = fold_inner(tail);
            bucket.iter().find(|phrase| tail.ends_with(&*phrase.text) && fits(phrase))
        });
        end.map(|phrase| partly(phrase, Coverage::End))
    }

    /// Returns `Comments` for a whole line of that kind with a count: "Comments (12)". After other lines the number may be a year.
    fn counted(&self, line: &str) -> Option<Furniture> {
        let uncounted = line.strip_suffix("(#")?.trim_end();
        self.whole.get(uncounted).copied().filter(|furniture| *furniture == Furniture::Comments)
    }

    /// Returns whether a line has a word that confirms a phrase, or consists mostly of the phrase.
    fn is_borne_out(&self, phrase: &Phrase, line: &str) -> bool {
        let folded = fold_inner(line);
        let has = |with: &Vec<Box<str>>| with.iter().any(|word| folded.contains(&**word));
        phrase.text.len() * 2 > folded.len() || self.with.get(&phrase.furniture).is_some_and(has)
    }

    /// Returns whether a line mentions what reading on requires: to subscribe, to log in.
    pub(crate) fn asks_for_access(&self, line: &str) -> bool {
        has_one_of(&self.access, line)
    }

    /// Returns whether a line mentions something other than the text that may require the same.
    pub(crate) fn is_aside(&self, line: &str) -> bool {
        has_one_of(&self.aside, line)
    }

    /// Returns whether a listed whole line starts like `line` and has at least as many words, not counting a number at the end.
    fn may_be_whole(&self, line: &str) -> bool {
        let bare = line.trim_matches(is_edge);
        let Some(key) = first_two_folded(bare) else { return true };
        self.openings.get(&key).is_some_and(|&longest| bare.split_whitespace().nth(longest + 1).is_none())
    }
}

fn has_one_of(words: &[Box<str>], line: &str) -> bool {
    let line = fold_inner(line);
    words.iter().any(|word| line.contains(&**word))
}

fn first_two(mut chars: impl Iterator<Item = char>) -> Option<[char; 2]> {
    Some([chars.next()?, chars.next()?])
}

/// Returns whether a character may surround the words of a line.
fn is_edge(c: char) -> bool {
    !c.is_alphanumeric() && c != '#'
}

/// Returns whether a character folds independently of its neighbours.
fn folds_alone(c: char) -> bool {
    !c.is_whitespace() && !c.is_ascii_digit() && c != '#'
}

/// Returns the first two characters of the result of [`fold`]; `None` if it has fewer.
pub(crate) fn first_two_letters(line: &str) -> Option<[char; 2]> {
    first_two_folded(line.trim_matches(is_edge))
}

/// Returns the first two characters of the folded line.
fn first_two_folded(line: &str) -> Option<[char; 2]> {
    let line = line.trim_start();
    if let [first, second, ..] = line.as_bytes()
        && first.is_ascii_alphabetic()
        && second.is_ascii_alphabetic()
    {
        return Some([first, second].map(|letter| char::from(letter.to_ascii_lowercase())));
    }
    let second = line.char_indices().filter(|(_, c)| folds_alone(*c)).nth(1);
    let end = second.map_or(line.len(), |(at, c)| at + c.len_utf8());
    first_two(fold_inner(&line[..end]).chars())
}

/// Returns the last two characters of the folded line, the last one first.
fn last_two_folded(line: &str) -> Option<[char; 2]> {
    let line = line.trim_end();
    if let [.., before, last] = line.as_bytes()
        && before.is_ascii_alphabetic()
        && last.is_ascii_alphabetic()
    {
        return Some([last, before].map(|letter| char::from(letter.to_ascii_lowercase())));
    }
    let second = line.char_indices().rev().filter(|(_, c)| folds_alone(*c)).nth(1);
    let start = second.map_or(0, |(at, _)| at);
    first_two(fold_inner(&line[start..]).chars().rev())
}

/// Folds a line for comparison: lower case, digits as one `#`, plain apostrophes, single spaces.
pub(crate) fn fold_inner(line: &str) -> String {
    fold_start(line, usize::MAX)
}

/// Like [`fold_inner`], but may stop after `enough` bytes.
fn fold_start(line: &str, enough: usize) -> String {
    work::count(line.len().min(enough));
    let mut folded = String::with_capacity(line.len().min(enough));
    for c in line.trim().chars() {
        if folded.len() >= enough {
            break;
        }
        match c {
            'a'..='z' => folded.push(c),
            '’' | '‘' | '`' | '´' => folded.push('\''),
            c if c.is_ascii_digit() => {
                if !folded.ends_with('#') {
                    folded.push('#');
                }
            }
            c if c.is_whitespace() => {
                if !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            // Scripts without case, and common lower-case ranges: the tables of `to_lowercase` are slow.
            'а'..='я' | 'α'..='ω' | '\u{600}'..='\u{6ff}' | '\u{2e80}'..='\u{d7ff}' => folded.push(c),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// Like [`fold_inner`], without anything around the first and last letter, digit or `#`.
pub(crate) fn fold(line: &str) -> String {
    fold_inner(line).trim_matches(is_edge).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(lines: &str) -> Result<Phrases, String> {
        Phrases::new("[share]\nmax_words = 3\n[credit]\n[comments]", &toml::from_str(lines).unwrap())
    }

    #[test]
    fn a_line_is_found_by_what_it_covers() {
        let of_shares = "[share]\nwhole = ['Share']\nstart = ['by ']\n";
        let others = "[credit]\nend = ['/AFP)']\n[comments]\nwhole = ['Comments']";
        let phrases = compiled(&[of_shares, others].concat()).unwrap();
        let found = |line: &str| {
            let words = line.split_whitespace().count() as f32;
            phrases.find(line, words).map(|found| (found.furniture, found.coverage))
        };
        assert_eq!(found("share:"), Some((Furniture::Share, Coverage::Whole)));
        assert_eq!(found("Comments (12)"), Some((Furniture::Comments, Coverage::Whole)));
        assert_eq!(found("Share (2019)"), None);
        assert_eq!(found("By whom?"), Some((Furniture::Share, Coverage::Start)));
        assert_eq!(found("Byron Bay"), None);
        assert_eq!(found("by the light of many moons"), None);
        assert_eq!(
            found("The bridge, seen from the quay (Lind/AFP)"),
            Some((Furniture::Credit, Coverage::End))
        );
    }

    #[test]
    fn a_line_that_could_never_be_found_is_a_mistake() {
        let error = |lines: &str| compiled(lines).unwrap_err();
        assert!(error("[share]\nwhole = ['Share', 'share:']").starts_with("share: \"share:\" in `whole`"));
        assert!(
            error("[share]\nwhole = ['more']\n[credit]\nwhole = ['more']").starts_with("credit: \"more\"")
        );
        assert_eq!(error("[share]\nstart = ['©']"), "share: \"©\": too short");
        assert_eq!(error("[share]\nend = ['ad', 'Ad']"), "share: \"Ad\": stands there twice");
        assert_eq!(error("[related]\nend = ['ad']"), "related: no such kind of lines");
    }
}
