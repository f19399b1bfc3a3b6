//! Repairs UTF-8 that was decoded as windows-1252 and encoded again: `cafÃ©` for "café".
//!
//! That the windows-1252 bytes of a text are valid UTF-8 proves little: "NESCAFÉ®" and "CAFÉ’S" are so by accident. The
//! evidence is sequences that nobody writes: a capital inside a word, a letter before a sign that never follows letters,
//! letters and signs that alternate again and again. A text is repaired as a whole, if such sequences are at least as many
//! as plausible ones.

use super::text::from_windows_1252;

/// Signs that people write directly after a capital letter.
const AFTER_LETTERS: &[char] = &[
    '…', '‘', '’', '“', '”', '•', '–', '—', '™', '‹', '›', '\u{a0}', 'ª', '«', '®', '°', '²', '³', '´', '·',
    '¹', 'º', '»',
];

/// Returns the original of a text that was encoded twice; `None` for a correct text.
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
    // Each character of `original`, the given text, is one byte of the repaired text.
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

/// Returns the byte that encodes `c` in windows-1252.
fn byte_of(c: char) -> Option<u8> {
    u8::try_from(c).ok().or_else(|| (0x80..=0x9F).find(|byte| from_windows_1252(*byte) == c))
}

/// Returns whether nobody writes these characters, whose bytes form one UTF-8 character, after `before`.
fn is_impossible(before: Option<char>, sequence: &[char]) -> bool {
    let [lead, second, ..] = sequence else { return false };
    let follows_letters = AFTER_LETTERS.contains(second);
    match (*lead, sequence.len()) {
        // Repaired to Western letters and signs: no word begins with Â or Ã.
        ('\u{C2}' | '\u{C3}', 2) => !follows_letters || !before.is_some_and(char::is_uppercase),
        // Repaired to other Latin letters, Greek and Cyrillic: the lead is a capital.
        ('\u{C4}' | '\u{C5}' | '\u{CE}'..='\u{D1}', 2) => {
            !follows_letters || before.is_some_and(char::is_lowercase)
        }
        // Repaired to scripts of which nobody writes a single letter, to marks or to phonetic signs.
        (_, 2) => false,
        // Repaired to punctuation and signs, and to all other scripts.
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

    /// Decodes a byte as windows-1252, as the faulty program did.
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
