//! Whether a page's body can hold an article. Servers label pages as plain text, as binary data, as anything or not at all. So
//! the declared type decides only if it rules out text; otherwise the first bytes decide.

use super::FetchError;

/// The kind of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    /// Plain text.
    Text,
    Other,
}

/// How much of a body is examined.
const SAMPLE_BYTES: usize = 2048;

/// Suffixes of subtypes below `application/` and `binary/` that may be text.
const TEXT_APPLICATIONS: &[&str] =
    &["html", "xml", "octet-stream", "json", "text", "unknown", "download", "x-php"];

/// First tags by which browsers recognize pages (WHATWG, MIME Sniffing), and a few more.
const PAGE_TAGS: &[&str] = &[
    "!doctype html",
    "html",
    "head",
    "body",
    "script",
    "iframe",
    "h1",
    "div",
    "font",
    "table",
    "a",
    "style",
    "title",
    "b",
    "br",
    "p",
    "meta",
    "article",
    "section",
    "main",
    "header",
    "link",
    "span",
    "ul",
    "h2",
    "img",
];

/// Returns whether the type alone rules out text: videos, images, archives, binary documents.
pub(super) fn is_surely_other(content_type: &str) -> bool {
    let essence = essence(content_type);
    match essence.split_once('/') {
        // No type at all, or "html".
        Some(("text" | "*" | "content", _)) | None => false,
        Some(("application" | "binary", kind)) => !TEXT_APPLICATIONS.iter().any(|text| kind.ends_with(text)),
        Some(_) => true,
    }
}

/// Returns the failure for a page that is not text.
pub(super) fn not_text(content_type: Option<&str>, length: Option<u64>) -> FetchError {
    let media_type = content_type.map(essence).filter(|essence| !essence.is_empty());
    FetchError::NotText { media_type, length }
}

/// Returns the kind of a body by its declared type and its first bytes.
pub(super) fn kind(body: &[u8], content_type: Option<&str>) -> Kind {
    let sample = &body[..body.len().min(SAMPLE_BYTES)];
    let sample = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample);
    let essence = essence(content_type.unwrap_or_default());
    let declares_markup = essence.contains("html") || essence.contains("xml");
    if declares_markup || is_wide(sample) || begins_page(sample) {
        return Kind::Html;
    }
    let is_binary =
        sample.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B));
    let is_json = essence.ends_with("json")
        || matches!(sample.trim_ascii_start(), [b'{' | b'[', ..]) && essence != "text/plain";
    match essence.as_str() {
        _ if is_binary => Kind::Other,
        _ if is_json => Kind::Other,
        "text/plain" | "text/markdown" | "text/x-markdown" => Kind::Text,
        // Any other type, without an end tag near the beginning: plain text.
        _ if !contains_tag(sample) => Kind::Text,
        _ => Kind::Html,
    }
}

fn essence(content_type: &str) -> String {
    content_type.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns whether the body is UTF-16, whose zero bytes do not mean binary data.
fn is_wide(sample: &[u8]) -> bool {
    matches!(sample, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'<', 0, ..] | [0, b'<', ..])
}

/// Returns whether the first tag, after comments and processing instructions, is one of [`PAGE_TAGS`].
fn begins_page(sample: &[u8]) -> bool {
    let mut rest = sample.trim_ascii_start();
    loop {
        let skipped =
            [(b"<!--".as_slice(), b"-->".as_slice()), (b"<?", b">")].into_iter().find_map(|(open, close)| {
                let inside = rest.strip_prefix(open)?;
                let end = inside.windows(close.len()).position(|window| window == close)?;
                Some(inside[end + close.len()..].trim_ascii_start())
            });
        match skipped {
            Some(after) => rest = after,
            None => break,
        }
    }
    let Some(tag) = rest.strip_prefix(b"<") else { return false };
    PAGE_TAGS.iter().any(|name| {
        let begins = tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
        begins
            && tag
                .get(name.len())
                .is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
    })
}

/// Returns whether the sample contains an end tag of [`PAGE_TAGS`].
fn contains_tag(sample: &[u8]) -> bool {
    sample.windows(2).enumerate().filter(|(_, window)| *window == b"</").any(|(at, _)| {
        let name = &sample[at + 2..];
        let length = name.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(name.len());
        std::str::from_utf8(&name[..length])
            .is_ok_and(|name| PAGE_TAGS.contains(&name.to_ascii_lowercase().as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body><p>Words</p></body></html>";
    const LINES: &[u8] = b"The ferry sails at nine.\n\nA vector<int> holds the fares, where a < b.";

    #[test]
    fn a_page_is_html_whatever_its_label() {
        let labels = [
            "text/plain",
            "application/octet-stream",
            "application/xhtml+xml",
            "",
            "html",
            "application/json",
            "text/html;;charset=utf-8",
            "text/html",
            "application/x-httpd-php",
            "binary/octet-stream",
        ];
        for label in labels {
            let content_type = Some(label).filter(|label| !label.is_empty());
            assert_eq!(kind(PAGE, content_type), Kind::Html, "{label}");
        }
        assert_eq!(kind(b"<!-- made by hand -->\n<?php ?><div>Words</div>", Some("text/plain")), Kind::Html);
    }

    #[test]
    fn plain_text_is_kept_as_it_is() {
        assert_eq!(kind(LINES, Some("text/plain; charset=utf-8")), Kind::Text);
        assert_eq!(kind(LINES, Some("application/octet-stream")), Kind::Text);
        assert_eq!(kind(LINES, None), Kind::Text);
        assert_eq!(kind(b"# A heading", Some("text/markdown")), Kind::Text);
        assert_eq!(kind(b"Write <p> for a paragraph.", Some("text/plain")), Kind::Text);
        assert_eq!(kind(LINES, Some("text/html")), Kind::Html);
    }

    #[test]
    fn what_is_neither_is_told_by_its_type_or_its_bytes() {
        for label in
            ["audio/mpeg", "video/mp4", "image/png", "application/pdf", "application/zip", "font/woff2"]
        {
            assert!(is_surely_other(label), "{label}");
        }
        for label in ["text/html", "application/octet-stream", "html", "", "application/rss+xml", "*/*"] {
            assert!(!is_surely_other(label), "{label}");
        }
        assert_eq!(kind(b"%PDF-1.7\n\x00\x01", Some("application/octet-stream")), Kind::Other);
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n\x00", None), Kind::Other);
        assert_eq!(kind(b"{\"title\": \"x\"}", Some("application/json")), Kind::Other);
    }
}
