//! The texts of a feed, by the rules of its format: plain, HTML or encoded.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::text::{MAX_TEXT_BYTES, clean, cut, fold_space, is_markup_throughout, plain_as_html, plain_line};
use super::tree::Element;

/// Longest headline, name or category kept, in bytes.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// How much of an element is read for such a line: markup and white space are removed later.
const MAX_RAW_LINE_BYTES: usize = 64 * 1024;

/// What the `type` and `mode` of an element say about its text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// No markup: every character stands for itself.
    Plain,
    /// Markup as text, or in RSS whatever the publisher wrote.
    Html,
    /// Markup as child elements.
    Inline,
    Base64,
}

/// Returns how an element's text is encoded. Atom is plain by default, RSS is HTML.
fn encoding(element: Element<'_>, plain_by_default: bool) -> Encoding {
    let mode = element.attribute("mode").unwrap_or_default().trim().to_ascii_lowercase();
    let media_type = element.attribute("type").unwrap_or_default().trim().to_ascii_lowercase();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if mode == "base64" {
        return Encoding::Base64;
    }
    match media_type {
        "" if mode == "escaped" || !plain_by_default => Encoding::Html,
        "" if mode == "xml" => Encoding::Inline,
        "" | "text" | "text/plain" | "plain" => Encoding::Plain,
        "html" | "text/html" => Encoding::Html,
        "xhtml" | "application/xhtml+xml" => Encoding::Inline,
        _ if mode == "escaped" => Encoding::Html,
        _ if media_type.ends_with("+xml") || media_type.ends_with("/xml") => Encoding::Inline,
        _ if media_type.starts_with("text/") => Encoding::Html,
        _ if media_type.contains('/') && mode.is_empty() => Encoding::Base64,
        _ => Encoding::Html,
    }
}

/// Reads a headline or name: plain text on one line.
pub(super) fn line(element: Element<'_>, plain_by_default: bool) -> Option<String> {
    let text = || cut(element.text(), MAX_RAW_LINE_BYTES);
    let line = match encoding(element, plain_by_default) {
        _ if has_markup(element) => plain_line(&element.inner_html(MAX_RAW_LINE_BYTES)),
        Encoding::Plain | Encoding::Inline => fold_space(&text()),
        Encoding::Html => plain_line(&text()),
        Encoding::Base64 => plain_line(&decode_base64(&text())),
    };
    capped_line(line)
}

/// Reads a summary or content of an entry as HTML, whatever its encoding.
pub(super) fn html(element: Element<'_>, plain_by_default: bool) -> Option<String> {
    if !has_markup(element) && encoding(element, plain_by_default) == Encoding::Plain {
        return html_of_plain(&element.text());
    }
    body(element, plain_by_default)
}

/// Converts plain text to HTML. Text that is markup throughout is mislabelled and stays as it is, as does text that reads the
/// same either way.
pub(super) fn html_of_plain(text: &str) -> Option<String> {
    let text = capped_body(text.into())?;
    let is_same = !text.contains(['<', '&', '\n', '\r']) || is_markup_throughout(&text);
    Some(if is_same { text } else { cut(plain_as_html(&text).into(), MAX_TEXT_BYTES).into_owned() })
}

/// Reads a text as given: HTML or plain.
pub(super) fn body(element: Element<'_>, plain_by_default: bool) -> Option<String> {
    if has_markup(element) {
        return capped_body(element.inner_html(MAX_TEXT_BYTES).into());
    }
    match encoding(element, plain_by_default) {
        Encoding::Base64 => capped_body(decode_base64(&element.text()).into()),
        _ => capped_body(element.text()),
    }
}

/// Reads a value without markup: an id, a date, a link.
pub(super) fn value(element: Element<'_>) -> Option<String> {
    capped_line(cut(element.text(), MAX_RAW_LINE_BYTES).trim().to_owned())
}

/// Cleans a line and cuts it to the longest kept.
pub(super) fn capped_line(line: String) -> Option<String> {
    some_text(clean(cut(line.into(), MAX_LINE_BYTES)))
}

/// Cleans a text and cuts it to the longest kept.
pub(super) fn capped_body(text: Cow<'_, str>) -> Option<String> {
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() < text.len() => Cow::Owned(text.trim().to_owned()),
        Cow::Owned(text) => Cow::Owned(text),
    };
    some_text(clean(cut(text, MAX_TEXT_BYTES)))
}

fn has_markup(element: Element<'_>) -> bool {
    element.children().next().is_some()
}

fn some_text(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

/// Decodes base64; returns text that is not base64 unchanged.
fn decode_base64(text: &str) -> String {
    let compact: String = text.split_whitespace().collect();
    match BASE64_STANDARD.decode(compact) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => text.to_owned(),
    }
}
