//! Counts over a block's text that need no knowledge of its language.

use bitflags::{Flags, bitflags};

use super::hash::TextHash;
use crate::extract::words::letters::is_unspaced;

bitflags! {
    /// Characters that are rare in prose.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Signs: u8 {
        /// Copyright and trademark.
        const RIGHTS = 1;
        const AT = 1 << 1;
        /// The beginning of a web address.
        const ADDRESS = 1 << 2;
        const CURRENCY = 1 << 3;
        /// A vertical bar.
        const BAR = 1 << 4;
        /// An arrow, a bullet, a star.
        const ARROW = 1 << 5;
    }
}

impl Signs {
    pub(crate) const COUNT: usize = Self::FLAGS.len();
}

/// Counts over the text of one block.
#[expect(clippy::struct_excessive_bools, reason = "observations, not states: every combination occurs")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measure {
    /// Words; for scripts without spaces see [`WORDS_OF_CHARACTER`].
    pub(crate) words: f32,
    /// Words as counted in records: every character of a script without spaces is one.
    pub(crate) count: u32,
    /// Share of the text inside links.
    pub(crate) link_share: f32,
    /// Share of the text in bold.
    pub(crate) strong_share: f32,
    /// Number of links that begin inside, or are open at its start.
    pub(crate) links: u32,
    /// Ends of sentences, followed by white space or the end of the text.
    pub(crate) sentences: u32,
    /// Commas, semicolons and their equivalents in other scripts.
    pub(crate) commas: u32,
    pub(crate) digit_share: f32,
    /// Words that begin with a capital, as a share of all.
    pub(crate) capital_share: f32,
    /// Separators as in menus and widget lines.
    pub(crate) separators: u32,
    /// Whether the text ends like a sentence.
    pub(crate) ends_sentence: bool,
    pub(crate) ends_colon: bool,
    pub(crate) ends_question: bool,
    pub(crate) has_ellipsis_end: bool,
    /// The kind of the first character; see [`edge`].
    pub(crate) opening: u8,
    /// The kind of the last character.
    pub(crate) closing: u8,
    pub(crate) signs: Signs,
    /// Whether most letters are capitals.
    pub(crate) is_shouted: bool,
}

/// Returns the kind of a character at the edge of a block.
fn edge(c: char) -> u8 {
    match c {
        c if c.is_numeric() => 2,
        c if c.is_uppercase() => 0,
        c if c.is_lowercase() => 1,
        '"' | '“' | '„' | '«' | '\'' | '‘' | '”' | '»' | '’' | '「' | '『' => 3,
        '(' | ')' | '[' | ']' | '{' | '}' | '（' | '）' | '【' | '】' => 4,
        '-' | '–' | '—' | '*' | '•' | '·' | '−' => 5,
        '.' | '!' | '?' | '…' | '。' | '！' | '？' => 6,
        ':' | '：' | ',' | ';' => 7,
        c if c.is_alphabetic() => 8,
        _ => 9,
    }
}

/// Words per character in scripts without spaces: most words there have more than one character.
const WORDS_OF_CHARACTER: f32 = 0.6;

/// The number of kinds of characters at an edge.
pub(crate) const EDGES: usize = 10;

/// `char::is_alphanumeric` for characters beyond ASCII, which avoids its lookup tables for common scripts.
fn is_letter(c: char) -> bool {
    match c {
        'Α'..='ώ' | 'А'..='ё' | '\u{620}'..='\u{64a}' | '\u{3041}'..='\u{3096}' | '\u{4e00}'..='\u{9fff}' => {
            true
        }
        '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{3004}' => false,
        c => c.is_alphanumeric(),
    }
}

/// `char::is_uppercase` for characters beyond ASCII, likewise.
fn is_capital(c: char) -> bool {
    match c {
        'а'..='ё' | 'α'..='ώ' | '\u{600}'..='\u{6ff}' | '\u{2e80}'..='\u{d7ff}' => false,
        c => c.is_uppercase(),
    }
}

/// Measures `text` and computes its [hash](super::hash::hash_text). `link_bytes` and `strong_bytes` are the bytes in links
/// and in bold.
///
/// Each step of the hash depends on the previous one: computed in the same pass as the counts, it costs next to nothing.
pub(crate) fn measure(text: &str, link_bytes: usize, strong_bytes: usize, links: u32) -> (Measure, u64) {
    let mut hash = TextHash::default();
    let mut words = 0_u32;
    let mut unspaced = 0_u32;
    let mut capitals = 0_u32;
    let mut digits = 0_u32;
    let mut letters = 0_u32;
    let mut upper = 0_u32;
    let mut counts = Measure { links, ..Measure::default() };
    let mut in_word = false;
    let mut ended = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        hash.add(c);
        if c.is_ascii_lowercase() {
            ended = false;
            letters += 1;
            words += u32::from(!in_word);
            in_word = true;
            // The rest of the word changes no other count.
            let rest = chars.as_str();
            let end = rest.bytes().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(rest.len());
            for byte in rest[..end].bytes() {
                letters += 1;
                hash.add(char::from(byte));
            }
            chars = rest[end..].chars();
            continue;
        }
        if c == ' ' || c == '\n' || c == '\t' {
            counts.sentences += u32::from(ended);
            ended = false;
            in_word = false;
            continue;
        }
        if c.is_ascii_alphanumeric() || (!c.is_ascii() && is_letter(c)) {
            ended = false;
            letters += 1;
            digits += u32::from(c.is_ascii_digit());
            let is_upper = c.is_ascii_uppercase() || (!c.is_ascii() && is_capital(c));
            upper += u32::from(is_upper);
            if is_unspaced(c) {
                unspaced += 1;
                in_word = false;
            } else if !in_word {
                in_word = true;
                words += 1;
                capitals += u32::from(is_upper);
            }
            continue;
        }
        counts.see_sign(c, &mut ended);
    }
    counts.sentences += u32::from(ended);
    counts.count = words + unspaced;
    counts.words = words as f32 + unspaced as f32 * WORDS_OF_CHARACTER;
    let share = |part: usize, all: usize| if all == 0 { 0.0 } else { (part as f32 / all as f32).min(1.0) };
    counts.link_share = share(link_bytes, text.len());
    counts.strong_share = share(strong_bytes, text.len());
    counts.digit_share = share(digits as usize, letters as usize);
    counts.capital_share = share(capitals as usize, words as usize);
    counts.is_shouted = letters > 3 && upper * 2 > letters;
    counts.see_edges(text);
    (counts, hash.finish())
}

impl Measure {
    /// Returns whether the text is a link, apart from a character or a word beside it.
    pub(crate) fn is_linked(&self) -> bool {
        const LEAST_LINKED: f32 = 0.8;
        self.link_share > LEAST_LINKED
    }

    /// Counts a character that is neither a letter nor white space.
    fn see_sign(&mut self, c: char, ended: &mut bool) {
        match c {
            '.' | '!' | '?' | '…' | '؟' | '۔' => *ended = true,
            '。' | '！' | '？' => self.sentences += 1,
            ',' | ';' | '，' | '、' | '；' | '،' | '؛' => self.commas += 1,
            '/' => self.separators += 1,
            '|' => {
                self.separators += 1;
                self.signs |= Signs::BAR;
            }
            '»' | '›' | '•' | '·' | '>' => {
                self.separators += 1;
                self.signs |= Signs::ARROW;
            }
            '©' | '®' => self.signs |= Signs::RIGHTS,
            '@' => self.signs |= Signs::AT,
            '€' | '$' | '£' | '¥' => self.signs |= Signs::CURRENCY,
            '→' | '►' | '▶' | '▸' | '←' | '▼' | '●' | '■' | '★' | '☆' | '✓' | '\u{1f000}'..='\u{1ffff}' =>
            {
                self.signs |= Signs::ARROW;
            }
            _ => {}
        }
    }

    /// Records how the text begins and ends, and whether it contains web addresses.
    fn see_edges(&mut self, text: &str) {
        let tail = text.trim_end_matches(['"', '”', '’', '»', '\'', ')', '“', '」', '』', '）', ']', ' ']);
        if text.as_bytes().windows(4).any(|four| four == b"www." || four == b"http") {
            self.signs |= Signs::ADDRESS;
        }
        self.opening = text.chars().next().map_or(9, edge);
        self.closing = text.chars().next_back().map_or(9, edge);
        self.ends_sentence = tail.ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '۔', ';']);
        self.ends_question = tail.ends_with(['?', '？', '؟']);
        self.ends_colon = tail.ends_with([':', '：']);
        self.has_ellipsis_end = tail.ends_with("...") || tail.ends_with('…');
    }
}
