//! Letters: comparable forms of text, and scripts.

use crate::work;

/// Returns letters and digits only, in lower case: equal for texts that differ only in markup, quotes and spaces.
pub(crate) fn letters(text: &str) -> String {
    work::count(text.len());
    let mut letters = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => letters.push(c.to_ascii_lowercase()),
            // Avoid the tables of `to_lowercase` where they are not needed.
            'а'..='я' | 'α'..='ω' | '\u{3041}'..='\u{3096}' | '\u{4e00}'..='\u{9fff}' => letters.push(c),
            c if !c.is_ascii() && c.is_alphanumeric() => letters.extend(c.to_lowercase()),
            _ => {}
        }
    }
    letters
}

/// Returns whether `c` belongs to a script without spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}')
}

/// Returns at most the first `count` characters of `text`.
pub(crate) fn first_chars(text: &str, count: usize) -> &str {
    if text.len() <= count {
        return text;
    }
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

/// Strips `prefix`, given in lower case, from `text` in any case; `None` if `text` does not start with it.
pub(crate) fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for expected in prefix.chars() {
        if first_lower(rest.next()?) != Some(expected) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Returns the first character of `c` in lower case. ASCII is handled apart, since the tables of `to_lowercase` are slow.
pub(crate) fn first_lower(c: char) -> Option<char> {
    if c.is_ascii() { Some(c.to_ascii_lowercase()) } else { c.to_lowercase().next() }
}

/// Returns whether `c` is a Chinese or Japanese character.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{9fff}')
}

/// Returns whether `c` belongs to the Korean script.
pub(crate) fn is_hangul(c: char) -> bool {
    matches!(c, '가'..='힣')
}

/// Returns whether a short text may be a date: a cheap check, since it runs on every text of the page.
pub(crate) fn may_hold_date(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let has_foreign_digits =
        || !text.is_ascii() && text.contains(|c| matches!(c, '٠'..='٩' | '۰'..='۹' | '０'..='９'));
    (3..=14).contains(&digits) || has_foreign_digits()
}
