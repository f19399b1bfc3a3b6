//! Normalises white space and removes invisible characters when markup becomes text.

/// The separator to be written before the next word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pending {
    #[default]
    Nothing,
    Space,
    /// A line break in the source: a space, except within Chinese or Japanese text, which has none.
    LineBreak,
    /// A boundary between two boxes on one line.
    Box,
}

/// Appends `text` with runs of white space as one space and without invisible characters.
pub(crate) fn push_folded(out: &mut String, start: usize, pending: &mut Pending, text: &str) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let plain = plain_prefix(rest);
        let is_space = plain == 0 && c.is_whitespace() && c != '\u{85}';
        let length = if plain > 0 { plain } else { c.len_utf8() };
        let (piece, after) = rest.split_at(length);
        rest = after;
        if plain > 0 {
            if *pending > Pending::Nothing && !(*pending == Pending::LineBreak && joins(out, c)) {
                push_space(out, start);
            }
            *pending = Pending::Nothing;
            out.push_str(piece);
        } else if is_space {
            *pending = (*pending).max(if c == '\n' { Pending::LineBreak } else { Pending::Space });
        }
    }
}

/// Returns whether a line break in the source before `next` adds no space: between two Chinese or Japanese characters.
fn joins(before: &str, next: char) -> bool {
    let is_wide = |c: char| matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3ffff}');
    is_wide(next) && before.ends_with(is_wide)
}

/// Returns the number of bytes at the start that are copied unchanged: visible characters, and single spaces between visible
/// ASCII characters.
fn plain_prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_sign = |at: usize| matches!(bytes.get(at), Some(b'!'..=b'~'));
    let mut end = 0;
    loop {
        if is_sign(end) {
            end += 1;
            while let Some(eight) = bytes[end..].first_chunk()
                && let length @ 1.. = plain_length(*eight)
            {
                end += length;
            }
        } else if end > 0 && bytes.get(end) == Some(&b' ') && is_sign(end + 1) {
            end += 2;
        } else if bytes.get(end).is_some_and(|byte| !byte.is_ascii())
            && let Some(c) = text[end..].chars().next()
            && (is_common_letter(c) || !(c.is_whitespace() || is_invisible(c)))
        {
            end += c.len_utf8();
        } else {
            return end;
        }
    }
}

/// Returns whether a character is a letter from Latin to Thai, Japanese, Chinese or Korean, without the lookup tables of `char`.
fn is_common_letter(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{fff}' | '\u{3041}'..='\u{d7ff}')
}

/// Returns how many of eight bytes after a visible ASCII character are copied unchanged, testing all at once: none if one of
/// them is neither visible ASCII nor a space or if two spaces meet, else all but a space at their end.
fn plain_length(eight: [u8; 8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    let bytes = u64::from_le_bytes(eight);
    // A byte's highest bit is set if the byte is beyond ASCII, above `~` after adding one, or below the space after subtracting it.
    if (bytes | bytes.wrapping_add(EACH) | bytes.wrapping_sub(EACH * u64::from(b' '))) & HIGHEST != 0 {
        return 0;
    }
    let spaces = !((bytes ^ (EACH * u64::from(b' '))) + (HIGHEST - EACH)) & HIGHEST;
    if spaces & (spaces << 8) != 0 {
        return 0;
    }
    if eight[7] == b' ' { 7 } else { 8 }
}

fn push_space(out: &mut String, start: usize) {
    if out.len() > start && !out.ends_with(['\t', '\n']) {
        out.push(' ');
    }
}

/// Appends `text` unchanged, except for invisible characters and for blank lines after a blank line: one separates paragraphs
/// in any text.
pub(crate) fn push_preformatted(out: &mut String, text: &str) {
    for c in text.chars() {
        if c == '\n' {
            // A line of spaces and tabs is blank as well.
            let before = out.trim_end_matches([' ', '\t']);
            if before.ends_with("\n\n") {
                out.truncate(before.len());
                continue;
            }
        }
        if c == '\n' || c == '\t' || !is_invisible(c) {
            out.push(c);
        }
    }
}

/// Returns whether a character is a control or a mark without meaning in running text: zero-width spaces, soft hyphens,
/// direction overrides. The zero-width joiners are kept: Persian and Hindi need them.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffc}' | '\u{e000}'..='\u{f8ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded_one_by_one(text: &str) -> String {
        let words = text.split(|c: char| c.is_whitespace() && c != '\u{85}');
        let seen = words.map(|word| word.replace(is_invisible, "")).filter(|word| !word.is_empty());
        seen.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_line_of_the_source_ends_without_a_space_between_ideographs() {
        for (text, expected) in [
            ("港に着いた。\n  町長は", "港に着いた。町長は"),
            ("港 町", "港 町"),
            ("배가\n왔다", "배가 왔다"),
            ("港\nPier", "港 Pier"),
        ] {
            let mut folded = String::new();
            push_folded(&mut folded, 0, &mut Pending::Nothing, text);
            assert_eq!(folded, expected);
        }
    }

    #[test]
    fn preformatted_lines_stay_but_for_blank_ones_in_a_row() {
        for (pieces, expected) in [
            (&["a\n  b\n\nc\n\n\n\n\td\u{200b}"][..], "a\n  b\n\nc\n\n\td"),
            (&["a\n", "\n", "\nb"], "a\n\nb"),
            (&["a\n\n  \t\n  \n  b"], "a\n\n  b"),
        ] {
            let mut text = String::new();
            for piece in pieces {
                push_preformatted(&mut text, piece);
            }
            assert_eq!(text, expected);
        }
    }

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_fold_as_one_by_one(text in "[a-c~!  \\t\\x1f\\x7fé\u{a0}\u{200b}日]{0,40}") {
            let mut folded = String::new();
            push_folded(&mut folded, 0, &mut Pending::Nothing, &text);
            prop_assert_eq!(folded, folded_one_by_one(&text));
        }
    }
}
