//! Bytes to text: byte order mark, the shape of UTF-16 and UTF-32, declared charsets, and at last a guess. Nothing is
//! ever rejected: what cannot be read becomes U+FFFD.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into the document an XML declaration is looked for: some feeds put a comment or junk before it.
const DECLARATION_WINDOW_BYTES: usize = 2048;

/// How much of the body a guess looks at: detection costs several times a parse.
const GUESS_WINDOW_BYTES: usize = 64 * 1024;

/// Decodes a feed's body. A charset that the bytes contradict is not believed, and a warning says so.
pub(super) fn decode<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
    warnings: &mut Vec<String>,
) -> Cow<'a, str> {
    if let Some(text) = decode_marked(body) {
        return text;
    }
    let from_http = content_type.and_then(charset_parameter);
    let from_declaration = declared_encoding(body);
    let labels = [from_http.as_deref(), from_declaration.as_deref()];
    let candidates: Vec<&'static Encoding> =
        labels.into_iter().flatten().filter_map(usable_encoding).collect();

    if let Ok(text) = std::str::from_utf8(body) {
        // Text that happens to be valid UTF-8 is UTF-8, whatever a label says; only ISO-2022-JP hides in ASCII.
        if candidates.first() == Some(&ISO_2022_JP)
            && let Some(text) = ISO_2022_JP.decode_without_bom_handling_and_without_replacement(body)
        {
            return text;
        }
        return Cow::Borrowed(text);
    }
    for encoding in candidates.iter().filter(|encoding| **encoding != UTF_8) {
        if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(body) {
            return text;
        }
    }
    match candidates.first() {
        Some(encoding) if *encoding != UTF_8 => {
            warnings.push(format!("not all of it is {}, as it declares", encoding.name()));
            encoding.decode_without_bom_handling(body).0
        }
        _ if is_mostly_utf8(body) => {
            warnings.push("not all of it is UTF-8: the rest is read as windows-1252".to_owned());
            decode_stained(body)
        }
        _ => {
            let encoding = guess(body);
            warnings.push(format!("not UTF-8, and nothing else is declared: read as {}", encoding.name()));
            encoding.decode_without_bom_handling(body).0
        }
    }
}

/// UTF-8 with strange bytes in it: nearly always a quotation from a windows-1252 text, so they are read as such.
fn decode_stained(body: &[u8]) -> Cow<'_, str> {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    Cow::Owned(text)
}

/// Decodes what a byte order mark, or the zero bytes around the first `<`, give away.
fn decode_marked(body: &[u8]) -> Option<Cow<'_, str>> {
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => match std::str::from_utf8(rest) {
            Ok(text) => Some(Cow::Borrowed(text)),
            // A mark in front of something else: the other evidence decides.
            Err(_) if !is_mostly_utf8(rest) => None,
            Err(_) => Some(decode_stained(rest)),
        },
        [0xFF, 0xFE, 0, 0, rest @ ..] => Some(decode_utf32(rest, u32::from_le_bytes)),
        [0, 0, 0xFE, 0xFF, rest @ ..] => Some(decode_utf32(rest, u32::from_be_bytes)),
        [0xFF, 0xFE, rest @ ..] => Some(UTF_16LE.decode_without_bom_handling(rest).0),
        [0xFE, 0xFF, rest @ ..] => Some(UTF_16BE.decode_without_bom_handling(rest).0),
        [b'<' | b'{', 0, 0, 0, ..] => Some(decode_utf32(body, u32::from_le_bytes)),
        [0, 0, 0, b'<' | b'{', ..] => Some(decode_utf32(body, u32::from_be_bytes)),
        [b'<' | b'{', 0, ..] => Some(UTF_16LE.decode_without_bom_handling(body).0),
        [0, b'<' | b'{', ..] => Some(UTF_16BE.decode_without_bom_handling(body).0),
        _ => None,
    }
}

fn decode_utf32(body: &[u8], read: fn([u8; 4]) -> u32) -> Cow<'static, str> {
    let characters = body.as_chunks::<4>().0.iter();
    characters.map(|bytes| char::from_u32(read(*bytes)).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The charset in a content type: `text/xml; charset="utf-8"`.
fn charset_parameter(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']).trim();
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The encoding in the XML declaration, read as ASCII.
fn declared_encoding(body: &[u8]) -> Option<String> {
    let head = &body[..body.len().min(DECLARATION_WINDOW_BYTES)];
    let start = head.windows(5).position(|window| window == b"<?xml")?;
    let length = head[start..].windows(2).position(|window| window == b"?>")?;
    let declaration = String::from_utf8_lossy(&head[start..start + length]);
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next().map(|label| label.trim().to_owned())
}

/// The encoding of a label, unless it cannot be true: a body without zero bytes is no UTF-16, and ASCII says nothing
/// about the bytes that made us ask.
fn usable_encoding(label: &str) -> Option<&'static Encoding> {
    if ["us-ascii", "ascii", "ansi_x3.4-1968"].iter().any(|ascii| label.eq_ignore_ascii_case(ascii)) {
        return None;
    }
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    (encoding != UTF_16LE && encoding != UTF_16BE).then_some(encoding)
}

/// Whether broken UTF-8 is still UTF-8: the sequences that are right outnumber those that are wrong.
fn is_mostly_utf8(body: &[u8]) -> bool {
    let (mut right, mut wrong) = (0_usize, 0_usize);
    for chunk in body[..body.len().min(GUESS_WINDOW_BYTES)].utf8_chunks() {
        right += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    if right + wrong == 0 {
        // The damage lies beyond the window, in a text that was ASCII so far.
        return false;
    }
    right > wrong
}

fn guess(body: &[u8]) -> &'static Encoding {
    // Start where the first high byte stands: a long ASCII head says nothing.
    let start = body.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
    let window = &body[start..body.len().min(start + GUESS_WINDOW_BYTES)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(window, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    if encoding == UTF_8 { WINDOWS_1252 } else { encoding }
}
