//! The language of an article: what its text is written in, spelled as the page declares it.

use whatlang::{Lang, Script};

use crate::extract::words::letters::is_unspaced;

/// Letters needed to tell a language.
const MIN_LETTERS: usize = 120;
/// Bytes looked at: more change nothing.
const SAMPLE_BYTES: usize = 1200;

/// The language of `text` as BCP 47. The text decides: many templates say `en` whatever they carry. A declaration that
/// agrees with the text adds its region; one that detection cannot judge stands.
pub(crate) fn language_of(declared: Option<&str>, text: &str) -> Option<String> {
    let declared = declared.and_then(normalise);
    let Some(detected) = detect(text) else { return declared };
    let stands = |tag: &String| detected.leaves(tag.split('-').next().unwrap_or(tag));
    Some(declared.filter(stands).unwrap_or_else(|| code(detected.language).to_owned()))
}

/// What a text is written in.
struct Detected {
    language: Lang,
    is_latin: bool,
    is_sure: bool,
}

impl Detected {
    /// Whether a declaration of `primary` stands: it is the same, or nothing in the text speaks against it.
    fn leaves(&self, primary: &str) -> bool {
        let is_known = Lang::all().iter().any(|language| code(*language) == primary);
        let is_taken_for_it =
            SEEN_AS.iter().any(|(seen, others)| *seen == self.language && others.contains(&primary));
        code(self.language) == primary
            || is_taken_for_it
            || !self.is_sure
            || !is_known && self.is_latin != WRITTEN_OTHERWISE.contains(&primary)
    }
}

/// Languages that are taken for a neighbour of theirs.
const SEEN_AS: &[(Lang, &[&str])] = &[(Lang::Nob, &["no", "nn"]), (Lang::Hrv, &["bs", "sh", "sr"])];

/// Languages that detection does not know and that are not written in Latin letters.
const WRITTEN_OTHERWISE: &[&str] =
    &["as", "bo", "ckb", "dv", "dz", "kk", "ky", "lo", "mn", "ps", "sa", "sd", "tg", "ti", "tt", "ug"];

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

/// The language of `text`, where there is text enough.
fn detect(text: &str) -> Option<Detected> {
    let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    // A sign of a script without spaces says as much as a syllable.
    let letters = |c: char| if is_unspaced(c) { 3 } else { usize::from(c.is_alphabetic()) };
    if sample.chars().map(letters).sum::<usize>() < MIN_LETTERS {
        return None;
    }
    let info = whatlang::detect(sample)?;
    Some(Detected {
        language: info.lang(),
        is_latin: info.script() == Script::Latin,
        is_sure: info.is_reliable(),
    })
}

/// The shortest ISO 639 code. A line a language, which makes it long.
fn code(language: Lang) -> &'static str {
    match language {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: &str = "Die Fähre legte am Morgen wieder ab, nachdem der Sturm über Nacht nachgelassen hatte und der Hafen \
        geräumt war. Viele Fahrgäste hatten zwei Tage lang auf der Insel gewartet und waren erleichtert.";
    const POLISH: &str = "Prom odpłynął rano, gdy sztorm osłabł, a port został oczyszczony. Wielu pasażerów czekało na wyspie \
        dwa dni i odetchnęło z ulgą, że mogą wrócić do domów na święta.";
    const CROATIAN: &str = "Trajekt je ujutro ponovno isplovio nakon što je oluja tijekom noći oslabila, a luka je očišćena. Mnogi su \
        putnici dva dana čekali na otoku i odahnuli su jer se mogu vratiti svojim kućama za blagdane.";
    const ICELANDIC: &str = "Ferjan lagði aftur af stað um morguninn eftir að storminn hafði lægt um nóttina og höfnin hafði verið \
        hreinsuð. Margir farþegar höfðu beðið í tvo daga á eyjunni og þeim var létt.";

    #[test]
    fn the_text_decides() {
        assert_eq!(language_of(Some("en"), GERMAN).as_deref(), Some("de"));
        assert_eq!(language_of(Some("de_AT"), GERMAN).as_deref(), Some("de-AT"));
        assert_eq!(language_of(None, POLISH).as_deref(), Some("pl"));
        assert_eq!(language_of(Some("en-GB"), "too short").as_deref(), Some("en-GB"));
        assert_eq!(language_of(None, ""), None);
        assert_eq!(language_of(Some("bs"), CROATIAN).as_deref(), Some("bs"));
        assert_eq!(language_of(Some("is"), ICELANDIC).as_deref(), Some("is"), "detection does not know it");
        assert_eq!(language_of(Some("kk"), POLISH).as_deref(), Some("pl"), "it has letters of its own");
    }

    #[test]
    fn tags_are_normalised() {
        assert_eq!(normalise("en_us").as_deref(), Some("en-US"));
        assert_eq!(normalise("zh-hant-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(normalise("English").as_deref(), Some("en"));
        assert_eq!(normalise("x"), None);
    }
}
