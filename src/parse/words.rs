//! The words of a feed's text, by which changes of the text are detected. Some feeds change dates in comments, nonces,
//! tracking pixels and URLs of advertisements at every request; none of these are words.

use super::text::{fold_space, unescape_html};
use crate::model::Sha256Hash;
use crate::work;

/// Elements whose text is not displayed.
const SILENT: &[&str] = &["script", "style", "template"];

/// Returns a hash of the words in `html`, independent of the markup.
pub fn words_sha256(html: &str) -> Sha256Hash {
    Sha256Hash::of(words(html))
}

/// Returns the words on one line. Tags separate words, so that the same words in other blocks give the same line.
fn words(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        work::count(1);
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(length) = markup(rest) {
            text.push(' ');
            rest = &rest[length..];
        } else {
            text.push('<');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    fold_space(&unescape_html(&text))
}

/// Returns the length of the tag, comment or [`SILENT`] element at the start of `html`.
fn markup(html: &str) -> Option<usize> {
    if html.starts_with("<!--") {
        return Some(html.find("-->").map_or(html.len(), |end| end + 3));
    }
    let name = html[1..].trim_start_matches('/');
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
        return None;
    }
    let end = tag_length(html);
    let name_length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let silent = SILENT.iter().find(|silent| silent.eq_ignore_ascii_case(&name[..name_length]));
    match silent.filter(|_| !html.starts_with("</")) {
        Some(silent) => {
            let inside = &html[end..];
            let end_tag = format!("</{silent}");
            let close = inside
                .as_bytes()
                .windows(end_tag.len())
                .position(|window| window.eq_ignore_ascii_case(end_tag.as_bytes()));
            Some(close.map_or(html.len(), |close| end + close))
        }
        None => Some(end),
    }
}

/// Returns the length of a tag; `>` in quotes does not end it.
fn tag_length(html: &str) -> usize {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    html.len()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn what_is_renewed_at_every_request_is_no_word() {
        let plain = "The ferry sails at nine. Fares: 5 & 7.";
        for html in [
            "<p>The ferry sails at nine.</p> <p>Fares: 5 &amp; 7.</p>",
            "<div nonce='a1>b'>The ferry <b>sails</b> at nine.<!-- made at 10:00 --> Fares: 5 &#38; 7.</div><img src='https://p.example/?9'>",
            "<script nonce=x>var t = '<p>1</p>';</script>The ferry\n sails at nine. Fares: 5 & 7.<STYLE>p{}</style>",
        ] {
            assert_eq!(words(html), plain, "{html}");
        }
        assert_ne!(words("<p>The ferry sails at ten. Fares: 5 & 7.</p>"), plain);
        assert_eq!(words("a < b <!-- open"), "a < b");
        assert_eq!(words("<p"), "");
    }
}
