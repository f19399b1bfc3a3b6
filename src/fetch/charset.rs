//! The encoding of a page: byte order mark, HTTP header, meta, then a guess. Readable text is never lost: a declaration that
//! the bytes contradict is ignored, and a stray byte costs one character, not the page.

use encoding_rs::{Encoding, UTF_8};

use super::media;
use crate::charset;
use crate::model::PageBody;

/// How far into the page a declaration is looked for. The standard says 1024 bytes, but publishers put it later.
const PRESCAN_BYTES: usize = 8 << 10;
/// With this many non-ASCII bytes, text in a multi-byte encoding is not valid UTF-8 by accident.
const UTF8_EVIDENCE_BYTES: usize = 16;

/// Decodes a page's bytes by BOM, header, meta, then a guess.
pub fn decode_page(body: &[u8], content_type: Option<&str>) -> String {
    if let Some((encoding, bom_length)) = Encoding::for_bom(body) {
        return encoding.decode_without_bom_handling(&body[bom_length..]).0.into_owned();
    }
    let declared: Vec<&'static Encoding> =
        [content_type.and_then(of_header), of_document(body)].into_iter().flatten().collect();
    if let Ok(text) = std::str::from_utf8(body)
        && (declared.is_empty() || is_surely_utf8(body, declared[0]))
    {
        return text.to_owned();
    }
    let clean = declared
        .iter()
        .find_map(|encoding| encoding.decode_without_bom_handling_and_without_replacement(body));
    match clean {
        Some(text) => text.into_owned(),
        None => guess(body, &declared),
    }
}

/// Decodes a page's bytes as a document: plain text where the bytes and their type say so, else HTML.
pub fn page_body(body: &[u8], content_type: Option<&str>) -> PageBody {
    let text = decode_page(body, content_type);
    match media::kind(body, content_type) {
        media::Kind::Text => PageBody::Text(text),
        media::Kind::Html | media::Kind::Other => PageBody::Html(text),
    }
}

/// Returns whether text that is valid UTF-8 is meant as UTF-8 even if `declared` is another encoding.
fn is_surely_utf8(body: &[u8], declared: &'static Encoding) -> bool {
    if declared == UTF_8 {
        return true;
    }
    let needed = if declared.is_single_byte() { 1 } else { UTF8_EVIDENCE_BYTES };
    body.iter().filter(|byte| !byte.is_ascii()).take(needed).count() == needed
}

/// Decodes bytes that fit no declared encoding.
fn guess(body: &[u8], declared: &[&'static Encoding]) -> String {
    if charset::is_mostly_utf8(body) {
        return charset::utf8_with_strays(body);
    }
    // The encoding that loses the fewest characters wins, declared ones before the guess: a declaration that fails at a few
    // bytes only is still better than a guess.
    let declared = declared.iter().copied().filter(|encoding| *encoding != UTF_8);
    let (text, _) = declared
        .chain([charset::guess(body)])
        .map(|encoding| {
            let text = encoding.decode_without_bom_handling(body).0;
            let lost = text.chars().filter(|char| *char == char::REPLACEMENT_CHARACTER).count();
            (text, lost)
        })
        .min_by_key(|(_, lost)| *lost)
        .expect("the guess is among them");
    text.into_owned()
}

fn of_header(content_type: &str) -> Option<&'static Encoding> {
    Encoding::for_label(charset::of_content_type(content_type)?.as_bytes())
}

/// Returns the encoding that the document declares in its XML declaration or the first `<meta>` that names one.
fn of_document(body: &[u8]) -> Option<&'static Encoding> {
    let mut rest = &body[..body.len().min(PRESCAN_BYTES)];
    while let Some(start) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[start..];
        let (end, declaring) = if rest.starts_with(b"<!--") {
            (find(rest, b"-->")?, None)
        } else {
            let name = match () {
                () if starts_with(rest, b"<meta") => Some("charset"),
                () if starts_with(rest, b"<?xml") => Some("encoding"),
                () => None,
            };
            (find(rest, b">")?, name)
        };
        let label = declaring.and_then(|name| charset::of_tag(&rest[..end], name));
        if let Some(encoding) = label.and_then(Encoding::for_label) {
            // The declaration was read byte by byte, so the text around it cannot be UTF-16.
            let wide = encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE;
            return Some(if wide { UTF_8 } else { encoding });
        }
        rest = &rest[end..];
    }
    None
}

fn starts_with(bytes: &[u8], tag: &[u8]) -> bool {
    bytes.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(label: &str, text: &str) -> Vec<u8> {
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        let (bytes, _, lossy) = encoding.encode(text);
        assert!(!lossy, "{text:?} has a place in {label}");
        bytes.into_owned()
    }

    #[test]
    fn declarations_in_their_order() {
        let german = "<p>Grüße aus Köln</p>";
        for (bytes, header, expected) in [
            (
                [b"\xEF\xBB\xBF".as_slice(), german.as_bytes()].concat(),
                Some("text/html; charset=latin1"),
                german,
            ),
            (encoded("latin1", german), Some("text/html; charset=ISO-8859-1"), german),
            (encoded("latin1", german), Some("text/html;Charset=\"iso-8859-1\""), german),
            (encoded("koi8-r", "Привет"), Some("text/html; charset=koi8-r"), "Привет"),
            (b"\xFF\xFEH\0i\0".to_vec(), None, "Hi"),
            (b"\xFE\xFF\0H\0i".to_vec(), Some("text/html; charset=utf-8"), "Hi"),
            (encoded("iso-2022-jp", "日本"), Some("text/html; charset=iso-2022-jp"), "日本"),
        ] {
            assert_eq!(decode_page(&bytes, header), expected, "{header:?}");
        }
        for (head, label) in [
            ("<meta charset=windows-1251>", "windows-1251"),
            ("<META content='text/html; charset=windows-1251' http-equiv=Content-Type>", "windows-1251"),
            ("<!-- <meta charset=utf-8> --><meta charset='windows-1251'/>", "windows-1251"),
            ("<?xml version=\"1.0\" encoding=\"windows-1251\"?>", "windows-1251"),
            ("<meta name=x content=y><meta charset = \"GBK\">", "gbk"),
        ] {
            let text = format!("{head}<p>Привет, мир</p>");
            assert_eq!(decode_page(&encoded(label, &text), Some("text/html")), text, "{head}");
        }
    }

    #[test]
    fn a_declaration_that_the_bytes_refute_is_not_believed() {
        let text = "<p>naïve café</p>";
        for header in
            ["text/html; charset=iso-8859-1", "text/html; charset=utf-16", "text/html; charset=nonsense"]
        {
            assert_eq!(decode_page(text.as_bytes(), Some(header)), text, "{header}");
        }
        let long = "<meta charset=gbk><p>Съешь же ещё этих мягких французских булок</p>";
        assert_eq!(decode_page(long.as_bytes(), None), long);
        let latin = encoded("latin1", "<meta charset=utf-8><p>Ein schöner Tag für Gänse, Bäume und Füße</p>");
        assert!(
            decode_page(&latin, Some("text/html; charset=utf-8"))
                .contains("schöner Tag für Gänse, Bäume und Füße")
        );
    }

    #[test]
    fn an_undeclared_page_is_guessed() {
        let russian = "Съешь же ещё этих мягких французских булок, да выпей чаю. ".repeat(20);
        assert_eq!(decode_page(&encoded("windows-1251", &russian), None), russian);
        let japanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。".repeat(20);
        assert_eq!(decode_page(&encoded("shift_jis", &japanese), None), japanese);
        let late = format!("<html>{}{russian}", "<script></script>".repeat(10_000));
        assert_eq!(decode_page(&encoded("windows-1251", &late), None), late);
    }

    #[test]
    fn a_stray_byte_costs_nothing_around_it() {
        let mut body = "<p>“Größe” — 10 €".repeat(3).into_bytes();
        body.extend_from_slice(b" caf\xE9 ");
        body.extend_from_slice("Straße".as_bytes());
        let text = decode_page(&body, Some("text/html; charset=utf-8"));
        assert!(text.ends_with(" café Straße"), "{text}");
        let cut = &"Füße".repeat(9).into_bytes()[..9];
        assert_eq!(decode_page(cut, Some("text/html; charset=utf-8")), "FüßeFü");
    }

    #[test]
    fn any_bytes_make_text() {
        assert_eq!(decode_page(b"", None), "");
        assert!(!decode_page(&(0..=255).collect::<Vec<u8>>(), Some("text/html; charset=utf-8")).is_empty());
    }
}
