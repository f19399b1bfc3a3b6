//! A text as the set of its overlapping word groups (shingles).

use crate::work;

/// Tokens per shingle.
const WIDTH: usize = 5;
/// Maximum number of tokens read per text: text beyond them does not make it another story, and the cost of a huge page
/// stays bounded.
const MAX_TOKENS: usize = 20_000;

/// The distinct shingles of a text, as hashes in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shingles(Vec<u64>);

impl Shingles {
    /// Computes the shingles of canonical text, ignoring case and punctuation.
    pub(super) fn of(canonical: &str) -> Self {
        work::count(canonical.len());
        let tokens = tokens(canonical);
        let mut shingles: Vec<u64> = tokens
            .windows(WIDTH)
            .map(|window| window.iter().fold(0, |hash: u64, token| mix(hash.rotate_left(7) ^ token)))
            .collect();
        shingles.sort_unstable();
        shingles.dedup();
        Self(shingles)
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.0
    }

    /// Returns whether there are enough shingles to tell a copy from a common phrase.
    pub(super) fn suffice(&self, min_shingles: u32) -> bool {
        self.0.len() as u64 >= u64::from(min_shingles.max(1))
    }

    /// Returns the share of the smaller set that the larger one contains: 1.0 for a text that was only shortened.
    pub(super) fn containment(&self, other: &Self) -> f64 {
        let (mut mine, mut others) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = 0_u32;
        while let (Some(a), Some(b)) = (mine.peek(), others.peek()) {
            let (less_or_equal, more_or_equal) = (a <= b, a >= b);
            shared += u32::from(less_or_equal && more_or_equal);
            if less_or_equal {
                mine.next();
            }
            if more_or_equal {
                others.next();
            }
        }
        let smaller = u32::try_from(self.0.len().min(other.0.len())).expect("at most MAX_TOKENS");
        if smaller == 0 { 0.0 } else { f64::from(shared) / f64::from(smaller) }
    }
}

/// Returns the hashes of the lower-case words; in scripts without spaces between words, of the single characters.
fn tokens(text: &str) -> Vec<u64> {
    let mut tokens = Vec::with_capacity((text.len() / 6).min(MAX_TOKENS));
    let mut word = Word::default();
    for character in text.chars() {
        if tokens.len() >= MAX_TOKENS {
            return tokens;
        }
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
        } else if stands_alone(character) {
            tokens.extend(word.take());
            word.push(character);
            tokens.extend(word.take());
        } else if !character.is_ascii() && (character.is_alphanumeric() || is_mark(character)) {
            character.to_lowercase().for_each(|character| word.push(character));
        } else if !is_apostrophe(character) {
            tokens.extend(word.take());
        }
    }
    tokens.extend(word.take());
    tokens
}

/// FNV-1a over the characters of a word.
#[derive(Default)]
struct Word(Option<u64>);

impl Word {
    fn push(&mut self, character: char) {
        let hash = self.0.unwrap_or(0xCBF2_9CE4_8422_2325);
        self.0 = Some((hash ^ u64::from(character)).wrapping_mul(0x0100_0000_01B3));
    }

    fn take(&mut self) -> Option<u64> {
        self.0.take().map(mix)
    }
}

/// Returns whether the script has no spaces between words: Han, kana, Bopomofo, Thai, Lao, Tibetan, Myanmar, Khmer.
fn stands_alone(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0EFF}' | '\u{0F00}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3041}'..='\u{312F}'
        | '\u{31A0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

/// Returns whether the character is a mark that belongs to the preceding letter; splitting there would break words of Indic
/// scripts apart.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{0300}'..='\u{036F}' | '\u{0900}'..='\u{0DFF}')
}

/// Returns whether the character is an apostrophe: `don't` is one word with either form, and equals `dont`.
fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}')
}

/// Spreads every bit over all others (the finaliser of splitmix64). Must never change: stored values depend on it.
pub(super) const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_make_no_difference() {
        let plain = Shingles::of("the mayor said she would not be there on friday");
        assert_eq!(plain, Shingles::of("The mayor said: \u{201C}She would not be there on Friday!\u{201D}"));
        assert_eq!(plain.hashes().len(), 6);
        assert_eq!(tokens("Don\u{2019}t"), tokens("don't"));
        assert!(Shingles::of("only four words here").hashes().is_empty());
    }

    #[test]
    fn scripts_without_spaces_go_by_character() {
        assert_eq!(tokens("東京 2026年").len(), 4);
        assert_eq!(tokens("ข่าว").len(), 4);
        assert_eq!(tokens("서울 시장").len(), 2);
        assert_eq!(tokens("समाचार पत्र").len(), 2);
    }

    #[test]
    fn a_cut_text_is_contained() {
        let whole = Shingles::of("one two three four five six seven eight nine ten");
        let cut = Shingles::of("three four five six seven eight");
        assert!((cut.containment(&whole) - 1.0).abs() < f64::EPSILON);
        assert!((whole.containment(&cut) - 1.0).abs() < f64::EPSILON);
        assert!(whole.containment(&Shingles::of("a b c d e f g")).abs() < f64::EPSILON);
        assert!(whole.containment(&Shingles::of("")).abs() < f64::EPSILON);
    }

    #[test]
    fn a_huge_text_costs_no_more_than_a_long_one() {
        let huge = "word ".repeat(2_000_000);
        assert_eq!(tokens(&huge).len(), MAX_TOKENS);
    }
}
