//! The language of an article: what its text is written in, spelled as the page declares it.

use whichlang::Lang;

/// Letters needed to tell a language.
const MIN_LETTERS: usize = 120;
/// Bytes looked at: more change nothing.
const SAMPLE_BYTES: usize = 1200;
/// Languages that detection never takes for others; any other declared one is believed while its script fits.
const DETECTED: &[&str] = &[
    "ar", "zh", "de", "en", "fr", "hi", "it", "ja", "ko", "nl", "pt", "ru", "es", "sv", "tr", "vi", "el",
    "fa", "pl",
];

/// The language of `text` as BCP 47. The text decides: many templates say `en` whatever they carry. A declaration that
/// agrees with the text adds its region; one that detection cannot judge stands.
pub(crate) fn language_of(declared: Option<&str>, text: &str) -> Option<String> {
    let declared = declared.and_then(normalise);
    let Some((detected, latin)) = detect(text) else { return declared };
    match declared {
        None => Some(detected.to_owned()),
        Some(tag) => {
            let primary = tag.split('-').next().unwrap_or(&tag);
            let unjudged = !DETECTED.contains(&primary) && latin != WRITTEN_OTHERWISE.contains(&primary);
            Some(if primary == detected || unjudged { tag } else { detected.to_owned() })
        }
    }
}

/// Languages that detection does not know and that are not written in Latin letters.
const WRITTEN_OTHERWISE: &[&str] = &[
    "uk", "be", "bg", "mk", "sr", "kk", "ky", "mn", "tg", "he", "yi", "ur", "ps", "ckb", "th", "lo", "km",
    "my", "ka", "hy", "am", "bn", "ta", "te", "kn", "ml", "mr", "gu", "pa", "ne", "si",
];

/// `en_us` as `en-US`; `None` for what is no language tag.
pub(crate) fn normalise(tag: &str) -> Option<String> {
    let tag = tag.trim().split([',', ';', ' ']).next()?.replace('_', "-");
    let mut parts = tag.split('-');
    let primary = parts.next()?.to_ascii_lowercase();
    let named = match primary.as_str() {
        "english" => "en",
        "german" | "deutsch" => "de",
        "french" => "fr",
        "spanish" => "es",
        "iw" => "he",
        other if matches!(other.len(), 2 | 3) && other.bytes().all(|byte| byte.is_ascii_lowercase()) => other,
        _ => return None,
    };
    let mut normal = named.to_owned();
    for part in parts {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match part.len() {
            2 if letters => normal.extend(["-", &part.to_ascii_uppercase()]),
            3 if part.bytes().all(|byte| byte.is_ascii_digit()) => normal.extend(["-", part]),
            4 if letters => {
                normal.extend(["-", &part[..1].to_ascii_uppercase(), &part[1..].to_ascii_lowercase()]);
            }
            _ => break,
        }
    }
    Some(normal)
}

/// The language of `text` and whether it is written in Latin letters, where there is text enough.
fn detect(text: &str) -> Option<(&'static str, bool)> {
    let text = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    let mut counts = Counts::default();
    text.chars().for_each(|c| counts.add(c));
    let letters = counts.latin + counts.greek + counts.arabic + counts.cyrillic + 3 * counts.ideographs;
    if letters < MIN_LETTERS {
        return None;
    }
    let most = |count: usize| count * 2 > letters;
    Some(match () {
        () if most(counts.greek) => ("el", false),
        () if most(counts.arabic) => (if counts.persian * 50 > counts.arabic { "fa" } else { "ar" }, false),
        () if most(counts.cyrillic) => {
            (if counts.ukrainian * 100 > counts.cyrillic { "uk" } else { "ru" }, false)
        }
        () if most(counts.latin) && counts.polish * 60 > counts.latin => ("pl", true),
        () => (code(whichlang::detect_language(text)), counts.latin * 2 > letters),
    })
}

/// Letters of a text by script, and those that one language of the script has for itself.
#[derive(Default)]
struct Counts {
    latin: usize,
    polish: usize,
    greek: usize,
    cyrillic: usize,
    ukrainian: usize,
    arabic: usize,
    persian: usize,
    ideographs: usize,
}

impl Counts {
    fn add(&mut self, c: char) {
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => {
                self.latin += 1;
                self.polish +=
                    usize::from(matches!(c, 'ł' | 'ą' | 'ę' | 'ż' | 'ś' | 'ź' | 'ń' | 'ć' | 'Ł' | 'Ż' | 'Ś'));
            }
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => self.greek += 1,
            '\u{400}'..='\u{4ff}' => {
                self.cyrillic += 1;
                self.ukrainian += usize::from(matches!(c, 'і' | 'ї' | 'є' | 'ґ'));
            }
            '\u{600}'..='\u{6ff}' => {
                self.arabic += 1;
                self.persian += usize::from(matches!(c, 'پ' | 'چ' | 'ژ' | 'گ' | 'ی' | 'ک'));
            }
            '\u{900}'..='\u{97f}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7a3}' => {
                self.ideographs += 1;
            }
            _ => {}
        }
    }
}

fn code(language: Lang) -> &'static str {
    match language {
        Lang::Ara => "ar",
        Lang::Cmn => "zh",
        Lang::Deu => "de",
        Lang::Eng => "en",
        Lang::Fra => "fr",
        Lang::Hin => "hi",
        Lang::Ita => "it",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Nld => "nl",
        Lang::Por => "pt",
        Lang::Rus => "ru",
        Lang::Spa => "es",
        Lang::Swe => "sv",
        Lang::Tur => "tr",
        Lang::Vie => "vi",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: &str = "Die Fähre legte am Morgen wieder ab, nachdem der Sturm über Nacht nachgelassen hatte und der Hafen \
        geräumt war. Viele Fahrgäste hatten zwei Tage lang auf der Insel gewartet und waren erleichtert.";
    const POLISH: &str = "Prom odpłynął rano, gdy sztorm osłabł, a port został oczyszczony. Wielu pasażerów czekało na wyspie \
        dwa dni i odetchnęło z ulgą, że mogą wrócić do domów na święta.";

    #[test]
    fn the_text_decides() {
        assert_eq!(language_of(Some("en"), GERMAN).as_deref(), Some("de"));
        assert_eq!(language_of(Some("de_AT"), GERMAN).as_deref(), Some("de-AT"));
        assert_eq!(language_of(None, POLISH).as_deref(), Some("pl"));
        assert_eq!(language_of(Some("en-GB"), "too short").as_deref(), Some("en-GB"));
        assert_eq!(language_of(None, ""), None);
    }

    #[test]
    fn tags_are_normalised() {
        assert_eq!(normalise("en_us").as_deref(), Some("en-US"));
        assert_eq!(normalise("zh-hant-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(normalise("English").as_deref(), Some("en"));
        assert_eq!(normalise("x"), None);
    }
}
