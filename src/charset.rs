//! Detection of the encoding of bytes, shared by feeds and pages. The decoders decide which sign takes precedence and what to do
//! with text that fits none: a page has a `<meta>`, a feed its XML declaration.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, WINDOWS_1252};

/// Maximum bytes given to the detector, which costs several times a parse.
const WINDOW_BYTES: usize = 64 << 10;

/// Returns the charset that a content type names: `text/xml; charset="utf-8"`.
pub(crate) fn of_content_type(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']).trim();
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
    })
}

/// Returns the charset after `name=` in a tag, quoted or not, as an attribute of its own or within the value of another.
pub(crate) fn of_tag<'a>(tag: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = tag.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name.as_bytes()))?;
    let value = tag[at + name.len()..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\'' | b';' | b'/' | b'?') || byte.is_ascii_whitespace();
    Some(&value[..value.iter().position(is_end).unwrap_or(value.len())])
}

/// Returns whether text that is not valid UTF-8 is nevertheless UTF-8 with a few invalid bytes, cut off by a size cap or a teaser
/// or pasted from elsewhere: the bytes of valid non-ASCII characters must be at least four times the invalid bytes.
pub(crate) fn is_mostly_utf8(body: &[u8]) -> bool {
    const LEAST_RIGHT_TO_WRONG: usize = 4;
    let (mut right, mut wrong) = (0_usize, 0_usize);
    for chunk in body.utf8_chunks() {
        right += chunk.valid().bytes().filter(|byte| !byte.is_ascii()).count();
        wrong += chunk.invalid().len();
    }
    right >= LEAST_RIGHT_TO_WRONG * wrong
}

/// Decodes UTF-8 and takes each invalid byte as windows-1252: nearly always a quotation from such a text. Drops a character that is
/// cut off at the end.
pub(crate) fn utf8_with_strays(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    let mut position = 0;
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        position += chunk.valid().len() + chunk.invalid().len();
        let is_cut_off = position == body.len() && chunk.invalid().first().is_some_and(|byte| *byte >= 0xC2);
        if !is_cut_off {
            text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
        }
    }
    text
}

/// Guesses the encoding of text that is not UTF-8.
pub(crate) fn guess(body: &[u8]) -> &'static Encoding {
    // A long ASCII prefix gives the detector no information.
    let first = body.iter().position(|byte| !byte.is_ascii()).unwrap_or_default();
    let end = body.len().min(first + WINDOW_BYTES);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&body[first..end], end == body.len());
    detector.guess(None, Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_by_name() {
        for (content_type, expected) in [
            ("text/xml; charset=\"utf-8\"", Some("utf-8")),
            ("text/html;Charset = ' koi8-r ' ; q=1", Some("koi8-r")),
            ("text/html; charset=; charset=gbk", Some("gbk")),
            ("charset=utf-8", None),
        ] {
            assert_eq!(of_content_type(content_type), expected, "{content_type}");
        }
        for (tag, name, expected) in [
            ("<?xml version='1.0' encoding = 'koi8-r'?", "encoding", Some("koi8-r")),
            ("<meta content='text/html; CHARSET=gbk' x", "charset", Some("gbk")),
            ("<meta charset=utf-8/", "charset", Some("utf-8")),
            ("<meta charset", "charset", None),
        ] {
            assert_eq!(of_tag(tag.as_bytes(), name), expected.map(str::as_bytes), "{tag}");
        }
    }

    #[test]
    fn strays_in_utf8() {
        let body = b"gr\xC3\xBC\xC3\x9Fe, caf\xE9 \xE2\x82";
        assert!(!is_mostly_utf8(body));
        assert!(is_mostly_utf8("größe".repeat(3).as_bytes()));
        assert_eq!(utf8_with_strays(body), "grüße, café ");
    }

    #[test]
    fn a_guess_is_never_utf8() {
        assert_eq!(guess(b"caf\xE9 au lait"), WINDOWS_1252);
        assert_ne!(guess("größe".as_bytes()), encoding_rs::UTF_8);
    }
}
