//! The canonical form of a text: what it says, independent of markup, spacing and encoding details.

use unicode_normalization::UnicodeNormalization;

use crate::work;

/// Returns the text in Unicode NFC, without invisible and bidirectional control characters, each run of white space
/// replaced by one space. The function is idempotent. Combining marks of one letter are sorted in groups of thirty
/// (stream-safe format), as in an article's text.
pub fn canonical_text(text: &str) -> String {
    let mut canonical = String::with_capacity(text.len());
    for character in text.chars().filter(|character| !is_invisible(*character)).stream_safe().nfc() {
        work::count(1);
        if character == JOINER {
            continue;
        }
        if !character.is_whitespace() {
            canonical.push(character);
        } else if !canonical.is_empty() && !canonical.ends_with(' ') {
            canonical.push(' ');
        }
    }
    if canonical.ends_with(' ') {
        canonical.pop();
    }
    canonical
}

/// The character that the stream-safe format inserts between long runs of combining marks.
const JOINER: char = '\u{34F}';

/// Returns whether a character is invisible to readers: controls, joiners, directional marks, soft hyphens, selectors and
/// tags.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}')
        || (character.is_control() && !character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn furniture_of_the_encoding_is_gone() {
        assert_eq!(
            canonical_text(" \u{FEFF}One\u{200B} two\n\n\tthree\u{A0}\u{202E}four\u{0} "),
            "One two three four"
        );
        assert_eq!(canonical_text("cafe\u{301}"), "caf\u{e9}");
        assert_eq!(canonical_text("\u{200B}\n "), "");
        let marked = format!("a{}", "\u{323}\u{301}".repeat(100));
        assert_eq!(canonical_text(&marked).chars().filter(|mark| *mark == '\u{301}').count(), 100);
    }

    proptest::proptest! {
        #[test]
        fn canonical_text_is_idempotent(text in "\\PC{0,60}|[ \\n\u{200B}\u{301}a\u{e9}\u{2000}\u{1100}\u{1161}]{0,40}|[\u{301}\u{323}a]{0,200}") {
            let once = canonical_text(&text);
            proptest::prop_assert_eq!(canonical_text(&once), once);
        }
    }
}
