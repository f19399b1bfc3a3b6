//! Text that was UTF-8, was taken for windows-1252, and was encoded again: `cafÃ©` for "café".
//!
//! That the bytes of a text are UTF-8 once more proves little: "NESCAFÉ®" and "CAFÉ’S" are so by accident. What tells is
//! that nobody writes such a sequence: a capital inside a word, a letter before a sign that follows none, a letter and a
//! sign in turn, again and again. A text is repaired as a whole, where such sequences are no fewer than those that people
//! write.

use super::text::from_windows_1252;

/// Signs that people write right behind a capital letter.
const AFTER_LETTERS: &[char] = &[
    '…', '‘', '’', '“', '”', '•', '–', '—', '™', '‹', '›', '\u{a0}', 'ª', '«', '®', '°', '²', '³', '´', '·',
    '¹', 'º', '»',
];

/// The text that was encoded twice; `None` for one that is right as it is.
pub(super) fn repaired(text: &str) -> Option<String> {
    if !text.contains(is_lead) {
        return None;
    }
    let mut original = Vec::new();
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        bytes.push(byte_of(c)?);
        original.push(c);
    }
    let repaired = String::from_utf8(bytes).ok()?;
    // Each character of the original is one byte of the repaired text.
    let (mut impossible, mut possible) = (0_usize, 0_usize);
    let mut end_before = 0;
    for (start, c) in repaired.char_indices().filter(|(_, c)| !c.is_ascii()) {
        let end = start + c.len_utf8();
        let adjoins =
            (start == end_before && start > 0) || original.get(end).is_some_and(|next| !next.is_ascii());
        let before = start.checked_sub(1).map(|at| original[at]);
        if adjoins || is_impossible(before, &original[start..end]) {
            impossible += 1;
        } else {
            possible += 1;
        }
        end_before = end;
    }
    (impossible > 0 && impossible >= possible).then_some(repaired)
}

fn is_lead(c: char) -> bool {
    matches!(c, '\u{C2}'..='\u{F4}')
}

/// The byte that is `c` in windows-1252.
fn byte_of(c: char) -> Option<u8> {
    u8::try_from(c).ok().or_else(|| (0x80..=0x9F).find(|byte| from_windows_1252(*byte) == c))
}

/// Whether nobody writes these characters, which together are one in UTF-8, behind `before`.
fn is_impossible(before: Option<char>, sequence: &[char]) -> bool {
    let [lead, second, ..] = sequence else { return false };
    let follows_letters = AFTER_LETTERS.contains(second);
    match (*lead, sequence.len()) {
        // To Western letters and signs: no word begins with Â or Ã.
        ('\u{C2}' | '\u{C3}', 2) => !follows_letters || !before.is_some_and(char::is_uppercase),
        // To other Latin letters, Greek and Cyrillic: the lead is a capital.
        ('\u{C4}' | '\u{C5}' | '\u{CE}'..='\u{D1}', 2) => {
            !follows_letters || before.is_some_and(char::is_lowercase)
        }
        // To scripts that nobody writes one letter of, to marks and to phonetic signs.
        (_, 2) => false,
        // To punctuation and signs, and to all other scripts.
        (_, 3) => !follows_letters,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::repaired;

    #[test]
    fn what_people_write_stays() {
        for text in [
            "NESCAFÉ® opens a mill",
            "THE CAFÉ’S NEW BOATS",
            "LA LIBERTÉ…",
            "«\u{a0}Le café\u{a0}»",
            "Voilà\u{a0}»",
            "ÉTÉ»",
            "AMANHÃ… E DEPOIS",
            "IRMÃ® E IRMÃO",
            "SMÅ” VIL",
            "DÉJÀ–VU",
            "È° e à³",
            "Größe: 3×“",
            "naïve",
            "Ă",
        ] {
            assert_eq!(repaired(text), None, "{text}");
        }
    }

    /// A byte as whoever took the text for windows-1252 has read it.
    fn read(byte: u8) -> char {
        if byte.is_ascii() { char::from(byte) } else { super::from_windows_1252(byte) }
    }

    #[test]
    fn what_nobody_writes_is_repaired() {
        for text in [
            "le café du port",
            "L’été – déjà",
            "“Quoted” and it’s fine",
            "École",
            "CAFÉ",
            "10 °C",
            "£5 a day",
            "Привет, мир",
            "Ωμέγα",
            "東京の港",
            "😀 at the quay",
            "Łódź i Świnoujście",
            "naïve façade…",
            "→ next",
        ] {
            let twice: String = text.bytes().map(read).collect();
            assert_eq!(repaired(&twice).as_deref(), Some(text), "{twice}");
        }
    }
}
