//! Decodes bytes to text: by byte order mark, the zero bytes of UTF-16 and UTF-32, declared charsets, and finally a guess.
//! Decoding never fails: bytes that cannot be decoded become U+FFFD.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use crate::charset;

/// How far into the document an XML declaration is looked for: some feeds have a comment or junk before it.
const DECLARATION_WINDOW_BYTES: usize = 2048;

/// Decodes a feed's body. Adds a warning if it has no byte order mark and is not valid in UTF-8 or any declared charset.
pub(super) fn decode<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
    warnings: &mut Vec<String>,
) -> Cow<'a, str> {
    if let Some(text) = decode_marked(body) {
        return text;
    }
    let labels =
        [content_type.and_then(charset::of_content_type).map(str::as_bytes), declared_encoding(body)];
    let candidates: Vec<&'static Encoding> =
        labels.into_iter().flatten().filter_map(usable_encoding).collect();

    if let Ok(text) = std::str::from_utf8(body) {
        // Valid UTF-8 is UTF-8, whatever the label says, except for ISO-2022-JP, which consists of ASCII bytes.
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
            warnings.push(format!("not entirely {}, the declared encoding", encoding.name()));
            encoding.decode_without_bom_handling(body).0
        }
        _ if charset::is_mostly_utf8(body) => {
            warnings.push("not entirely UTF-8: the rest is read as windows-1252".to_owned());
            Cow::Owned(charset::utf8_with_strays(body))
        }
        _ => {
            let encoding = charset::guess(body);
            warnings
                .push(format!("not UTF-8, and no other encoding is declared: read as {}", encoding.name()));
            encoding.decode_without_bom_handling(body).0
        }
    }
}

/// Decodes by a byte order mark, or by the zero bytes around the first `<` or `{`; `None` without either.
fn decode_marked(body: &[u8]) -> Option<Cow<'_, str>> {
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => match std::str::from_utf8(rest) {
            Ok(text) => Some(Cow::Borrowed(text)),
            // A UTF-8 mark before text in another encoding: the other evidence decides.
            Err(_) if !charset::is_mostly_utf8(rest) => None,
            Err(_) => Some(Cow::Owned(charset::utf8_with_strays(rest))),
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

/// Returns the label in the XML declaration.
fn declared_encoding(body: &[u8]) -> Option<&[u8]> {
    let head = &body[..body.len().min(DECLARATION_WINDOW_BYTES)];
    let start = head.windows(5).position(|window| window == b"<?xml")?;
    let length = head[start..].windows(2).position(|window| window == b"?>")?;
    charset::of_tag(&head[start..start + length], "encoding")
}

/// Returns the encoding of a label unless it cannot be right: a body without zero bytes is not UTF-16, and ASCII does not
/// explain the non-ASCII bytes.
fn usable_encoding(label: &[u8]) -> Option<&'static Encoding> {
    if ["us-ascii", "ascii", "ansi_x3.4-1968"]
        .iter()
        .any(|ascii| label.eq_ignore_ascii_case(ascii.as_bytes()))
    {
        return None;
    }
    let encoding = Encoding::for_label_no_replacement(label)?;
    (encoding != UTF_16LE && encoding != UTF_16BE).then_some(encoding)
}
