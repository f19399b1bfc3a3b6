//! Splits a date into numbers, words and signs, in the scripts of the supported languages.

use crate::work;

/// Maximum number of tokens: a visible date is at the beginning of its text.
const MAX_TOKENS: usize = 48;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Value, and number of digits.
    Number(i64, usize),
    /// A word in lower case.
    Word(String),
    Sign(char),
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Returns a number of one or two digits.
    pub(super) fn small(&self) -> Option<i8> {
        match self {
            Self::Number(value, 1 | 2) => i8::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn year(&self) -> Option<i16> {
        match self {
            Self::Number(value, 4) => year(*value),
            _ => None,
        }
    }

    pub(super) fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// Converts a written year to a Gregorian one. Thai years count from the Buddha's death, 543 years earlier.
pub(super) fn year(written: i64) -> Option<i16> {
    const THAI: std::ops::Range<i64> = 2443..2643;
    i16::try_from(if THAI.contains(&written) { written - 543 } else { written }).ok()
}

/// Splits a text into numbers, words and signs, up to `MAX_TOKENS`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    work::count(text.len().min(MAX_TOKENS));
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&c) = rest.peek() {
        if tokens.len() == MAX_TOKENS {
            break;
        }
        if digit(c).is_some() {
            let (mut value, mut digits) = (0_i64, 0);
            while let Some(next) = rest.peek().copied().and_then(digit) {
                value = value.saturating_mul(10).saturating_add(next);
                digits += 1;
                rest.next();
            }
            tokens.push(Token::Number(value, digits));
        } else if c.is_alphabetic() {
            let mut word = String::new();
            while let Some(&next) = rest.peek() {
                // A combining mark (Arabic vowels, decomposed accents) and the zero-width joiner belong to the word.
                if !(next.is_alphabetic() || is_mark(next) || is_sign_of_word(next)) {
                    break;
                }
                word.extend(next.to_lowercase().filter(|c| !is_mark(*c)).map(without_dot));
                rest.next();
                // Thai abbreviations contain dots: ก.พ.
                let mut ahead = rest.clone();
                if is_thai(next) && ahead.next() == Some('.') && ahead.next().is_some_and(is_thai) {
                    rest.next();
                    word.push('.');
                }
            }
            tokens.push(Token::Word(word));
        } else {
            rest.next();
            if !c.is_whitespace() {
                tokens.push(Token::Sign(c));
            }
        }
    }
    tokens
}

fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}' // accents
            | '\u{591}'..='\u{5c7}' // Hebrew points
            | '\u{64b}'..='\u{65f}' // Arabic vowels
            | '\u{93c}' | '\u{9bc}' // the dot below Indic letters, which few write
            | '\u{200c}' | '\u{200d}'
    )
}

/// Returns whether `c` is a non-letter that is part of a word: the Indic virama, or a sign above Thai letters.
fn is_sign_of_word(c: char) -> bool {
    matches!(c, '\u{94d}' | '\u{9cd}' | '\u{e47}'..='\u{e4e}')
}

/// Replaces Indic letters that include a dot below by the same letters without it.
fn without_dot(c: char) -> char {
    match c {
        '\u{95e}' => 'फ',
        '\u{9df}' => 'য',
        c => c,
    }
}

fn is_thai(c: char) -> bool {
    matches!(c, '\u{e01}'..='\u{e4e}')
}

/// Returns the value of a digit in any script that the supported languages write numbers in.
fn digit(c: char) -> Option<i64> {
    let zero = match c {
        '0'..='9' => '0',
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        '०'..='९' => '०',
        '০'..='৯' => '০',
        '๐'..='๙' => '๐',
        '０'..='９' => '０',
        _ => return None,
    };
    Some(i64::from(u32::from(c) - u32::from(zero)))
}
