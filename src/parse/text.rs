//! The text in feeds: resolves entities, removes stray control characters, and strips markup from headlines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use encoding_rs::WINDOWS_1252;
use html5ever::data::NAMED_ENTITIES;

use super::mojibake;
use crate::work;

/// The longest entity name, between `&` and `;`, that is looked up.
const MAX_ENTITY_NAME_BYTES: usize = 32;

/// The longest text that is read from a document: a longer summary or content is cut.
pub(super) const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// The longest tag that is recognized in a headline.
const MAX_INLINE_TAG_BYTES: usize = 2048;

/// The entities that a document declares, by name.
pub(super) type Entities<'a> = HashMap<&'a str, Cow<'a, str>>;

/// Resolves character references, the document's own entities and those of HTML. An `&` that begins none of them
/// stays as it is. Text that grows beyond [`MAX_TEXT_BYTES`] is cut.
pub(super) fn unescape<'a>(raw: &'a str, entities: &Entities<'_>) -> Cow<'a, str> {
    let Some(first) = raw.find('&') else { return Cow::Borrowed(raw) };
    work::count(raw.len());
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(after) = rest.strip_prefix('&') {
        if text.len() > MAX_TEXT_BYTES {
            break;
        }
        if let Some(name) = entity(after).filter(|name| push_entity(name, entities, &mut text)) {
            rest = &after[name.len()..];
        } else {
            text.push('&');
            rest = after;
        }
        let plain = rest.find('&').unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(text)
}

/// Resolves character references and the entities of HTML.
pub(super) fn unescape_html(raw: &str) -> Cow<'_, str> {
    unescape(raw, &Entities::new())
}

/// Returns the name and the semicolon that follow an `&`.
fn entity(after_ampersand: &str) -> Option<&str> {
    let window = &after_ampersand.as_bytes()[..after_ampersand.len().min(MAX_ENTITY_NAME_BYTES)];
    let end = window.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"#._-".contains(byte)))?;
    (end > 0 && window[end] == b';').then(|| &after_ampersand[..=end])
}

/// Appends the text of `reference`, a name with its semicolon; returns `false` if it is unknown.
fn push_entity(reference: &str, entities: &Entities<'_>, text: &mut String) -> bool {
    let name = reference.trim_end_matches(';');
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        let Ok(code) = code else { return false };
        // References to C1 control characters are meant as windows-1252 bytes.
        match u8::try_from(code) {
            Ok(byte @ 0x80..=0x9F) => text.push(from_windows_1252(byte)),
            _ => text.extend(char::from_u32(code).filter(|c| is_text(*c))),
        }
        return true;
    }
    if let Some(value) = entities.get(name) {
        text.push_str(value);
        return true;
    }
    // The names in the table include the semicolon, as in the text.
    let Some((first, second)) = NAMED_ENTITIES.get(reference) else { return false };
    text.extend([*first, *second].into_iter().filter(|code| *code != 0).filter_map(char::from_u32));
    true
}

/// Returns the character that a byte encodes in windows-1252.
pub(super) fn from_windows_1252(byte: u8) -> char {
    WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r')
}

/// Drops control characters, converts those of the C1 range to the windows-1252 characters that they are meant as, and
/// repairs UTF-8 that was decoded as windows-1252 and encoded again.
pub(super) fn clean(text: Cow<'_, str>) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')) {
        return text.into_owned();
    }
    work::count(text.len());
    let text = mojibake::repaired(&text).map_or(text, Cow::Owned);
    if text.chars().all(is_text) {
        return text.into_owned();
    }
    let mend = |c: char| match u8::try_from(c) {
        Ok(byte @ 0x80..=0x9F) => from_windows_1252(byte),
        _ => c,
    };
    text.chars().map(mend).filter(|c| is_text(*c)).collect()
}

/// Cuts a text to at most `max_bytes`, between characters.
pub(super) fn cut(text: Cow<'_, str>, max_bytes: usize) -> Cow<'_, str> {
    let end = text.floor_char_boundary(max_bytes);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Returns the text on one line: runs of white space become one space.
pub(super) fn fold_space(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

/// Elements that occur in headlines; anything else in angle brackets is text ("List<String>").
const INLINE_ELEMENTS: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "del", "div", "dfn", "em",
    "font", "h1", "h2", "h3", "h4", "h5", "h6", "i", "img", "ins", "kbd", "mark", "nobr", "p", "pre", "q",
    "s", "samp", "script", "small", "span", "strike", "strong", "style", "sub", "sup", "time", "tt", "u",
    "var", "wbr",
];

/// Those of [`INLINE_ELEMENTS`] that have no end tag.
const VOID_ELEMENTS: &[&str] = &["br", "img", "wbr"];

/// Those of [`INLINE_ELEMENTS`] that separate words.
const BREAKS: &[&str] = &["br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "p"];

/// Returns the text of a headline that may contain HTML, on one line. A tag without a partner is text: "The <b> tag".
pub(super) fn plain_line(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return fold_space(html);
    }
    // By element name: `ahead` counts the end tags to come, `open` the start tags that were removed.
    let mut ahead: HashMap<String, usize> = HashMap::new();
    for tag in tags(html).filter(|tag| tag.is_end) {
        *ahead.entry(tag.name).or_default() += 1;
    }
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut text = String::with_capacity(html.len());
    let mut from = 0;
    for Tag { name, is_end, range } in tags(html) {
        let (spend, gain) = if is_end { (&mut open, None) } else { (&mut ahead, Some(&mut open)) };
        let has_partner = match spend.get_mut(&name) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => VOID_ELEMENTS.contains(&name.as_str()) || name == COMMENT,
        };
        if has_partner {
            if let Some(open) = gain {
                *open.entry(name.clone()).or_default() += 1;
            }
            text.push_str(&html[from..range.start]);
            if BREAKS.contains(&name.as_str()) {
                text.push(' ');
            }
            from = range.end;
        } else if is_end && let Some(count) = ahead.get_mut(&name) {
            // This end tag cannot be the partner of a later start tag.
            *count = count.saturating_sub(1);
        }
    }
    text.push_str(&html[from..]);
    fold_space(&unescape_html(&text))
}

/// Returns text that is plain by its format, on one line. Entities are resolved, since some publishers escape it all the same.
pub(super) fn literal_line(text: &str) -> String {
    fold_space(&unescape_html(text))
}

/// The [`Tag::name`] of a comment.
const COMMENT: &str = "!--";

/// A tag or comment in a headline.
struct Tag {
    /// In lower case.
    name: String,
    is_end: bool,
    range: Range<usize>,
}

/// Returns the comments and the tags of [`INLINE_ELEMENTS`] in a headline.
fn tags(html: &str) -> impl Iterator<Item = Tag> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            work::count(1);
            let start = from + html[from..].find('<')?;
            let rest = &html[start..];
            if let Some((name, length)) = inline_tag(rest) {
                from = start + length;
                return Some(Tag { name, is_end: rest.starts_with("</"), range: start..from });
            }
            from = start + 1;
        }
    })
}

/// Returns the name and length of the tag or comment at the start of `html`.
fn inline_tag(html: &str) -> Option<(String, usize)> {
    let html = &html[..html.floor_char_boundary(MAX_INLINE_TAG_BYTES)];
    if html.starts_with("<!--") {
        return html.find("-->").map(|end| (COMMENT.to_owned(), end + 3));
    }
    let name = html[1..].strip_prefix('/').unwrap_or(&html[1..]);
    let name_length = name.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
    let known = INLINE_ELEMENTS.iter().find(|known| known.eq_ignore_ascii_case(&name[..name_length]))?;
    Some(((*known).to_owned(), html.find('>')? + 1))
}

/// Converts plain text to HTML: `<` and `&` are escaped, blank lines separate paragraphs, and line breaks are kept.
pub(super) fn plain_as_html(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    let mut in_paragraph = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            if std::mem::take(&mut in_paragraph) {
                html.push_str("</p>\n");
            }
            continue;
        }
        html.push_str(if in_paragraph { "<br>\n" } else { "<p>" });
        in_paragraph = true;
        for c in line.trim_end().chars() {
            match c {
                '<' => html.push_str("&lt;"),
                '&' => html.push_str("&amp;"),
                c => html.push(c),
            }
        }
    }
    if in_paragraph {
        html.push_str("</p>");
    }
    html
}

/// Returns whether a text that is declared plain is markup from its first character to its last.
pub(super) fn is_markup_throughout(text: &str) -> bool {
    let text = text.trim();
    let Some(first) = text.strip_prefix('<') else { return false };
    first.starts_with(|c: char| c.is_ascii_alphabetic()) && text.ends_with('>') && text.contains("</")
}
