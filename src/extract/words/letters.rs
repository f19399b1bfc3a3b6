//! Letters: what two spellings of one text share, and which scripts they belong to.

use crate::work;

/// Letters and digits only, in lower case: what is left when markup, quotes and spaces have been treated differently.
pub(crate) fn letters(text: &str) -> String {
    work::count(text.len());
    let mut letters = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => letters.push(c.to_ascii_lowercase()),
            // No tables where they are not needed.
            'а'..='я' | 'α'..='ω' | '\u{3041}'..='\u{3096}' | '\u{4e00}'..='\u{9fff}' => letters.push(c),
            c if !c.is_ascii() && c.is_alphanumeric() => letters.extend(c.to_lowercase()),
            _ => {}
        }
    }
    letters
}

/// Whether `c` belongs to a script that writes no spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}')
}

/// The beginning of `text`, at most so many characters.
pub(crate) fn first_chars(text: &str, count: usize) -> &str {
    if text.len() <= count {
        return text;
    }
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

/// `text` without `prefix`, which is in lower case.
pub(crate) fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for expected in prefix.chars() {
        if first_lower(rest.next()?) != Some(expected) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// The first character that `c` has in lower case. The tables behind `to_lowercase` are slow.
pub(crate) fn first_lower(c: char) -> Option<char> {
    if c.is_ascii() { Some(c.to_ascii_lowercase()) } else { c.to_lowercase().next() }
}

/// Whether `c` is one of the signs that Chinese and Japanese are written with.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{9fff}')
}

/// Whether `c` belongs to the script of Korean.
pub(crate) fn is_hangul(c: char) -> bool {
    matches!(c, '가'..='힣')
}

/// Whether a short text may be a date: cheap, as it is asked of every text on the page.
pub(crate) fn may_hold_date(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let has_foreign_digits =
        || !text.is_ascii() && text.contains(|c| matches!(c, '٠'..='٩' | '۰'..='۹' | '０'..='９'));
    (3..=14).contains(&digits) || has_foreign_digits()
}
