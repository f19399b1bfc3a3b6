//! The language of an article: detected in its text, and spelled as the page declares it.

use whatlang::{Lang, Script};

use crate::extract::words::letters::is_unspaced;
use crate::languages::{FunctionWords, LANGUAGES};

/// Minimum number of letters for detection.
const MIN_LETTERS: usize = 120;
/// Maximum length of the sample: more text does not change the result.
const SAMPLE_BYTES: usize = 1200;
/// In running text, at least one word in this many is a function word of its language.
const FUNCTION_WORD_IN: usize = 8;

/// Returns the language of `text` as a BCP 47 tag. The text decides, because many templates declare `en` whatever they contain. A
/// declaration that agrees with the text adds its region; one that detection cannot judge is kept.
pub(crate) fn language_of(declared: Option<&str>, text: &str) -> Option<String> {
    let declared = declared.and_then(normalise);
    let Some(sample) = sample(text) else { return declared };
    let primary = declared.as_deref().and_then(|tag| tag.split('-').next());
    // Enough for most articles, and cheaper than comparing trigrams with all languages in Latin script.
    if let Some(language) = by_function_words(sample)
        && primary.is_none_or(|primary| primary == language)
    {
        return declared.or_else(|| Some(language.to_owned()));
    }
    let Some(info) = whatlang::detect(sample) else { return declared };
    let detected = Detected {
        language: info.lang(),
        is_latin: info.script() == Script::Latin,
        is_reliable: info.is_reliable(),
    };
    if primary.is_some_and(|primary| detected.agrees_with(primary)) {
        return declared;
    }
    Some(code(detected.language).to_owned())
}

/// The result of comparing a sample with all languages.
struct Detected {
    language: Lang,
    is_latin: bool,
    is_reliable: bool,
}

impl Detected {
    /// Returns whether a declaration of `primary` stands: it is the same language, or nothing in the text contradicts it.
    fn agrees_with(&self, primary: &str) -> bool {
        let is_known = Lang::all().iter().any(|language| code(*language) == primary);
        let is_confused =
            CONFUSED.iter().any(|(detected, others)| *detected == self.language && others.contains(&primary));
        code(self.language) == primary
            || is_confused
            || !self.is_reliable
            || !is_known && self.is_latin != WRITTEN_OTHERWISE.contains(&primary)
    }
}

/// Languages that are detected as a similar one.
const CONFUSED: &[(Lang, &[&str])] = &[(Lang::Nob, &["no", "nn"]), (Lang::Hrv, &["bs", "sh", "sr"])];

/// Languages that detection does not know and that are not written in Latin script.
const WRITTEN_OTHERWISE: &[&str] =
    &["as", "bo", "ckb", "dv", "dz", "kk", "ky", "lo", "mn", "ps", "sa", "sd", "tg", "ti", "tt", "ug"];

/// Returns the tag in its usual form, such as `en-US` for `en_us`; `None` if it is not a language tag.
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

/// Returns the beginning of `text`; `None` if it has too few letters for detection.
fn sample(text: &str) -> Option<&str> {
    let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    // A character of a script without spaces carries as much information as a syllable.
    let letters = |c: char| if is_unspaced(c) { 3 } else { usize::from(c.is_alphabetic()) };
    (sample.chars().map(letters).sum::<usize>() >= MIN_LETTERS).then_some(sample)
}

/// Returns the language whose function words make up as much of `sample` as of running text, unless another language has more than
/// half as many. Only in Latin script: elsewhere a word may be a whole sentence, and a quotation in English be most of the words.
fn by_function_words(sample: &str) -> Option<&'static str> {
    if !is_latin(sample) {
        return None;
    }
    let FunctionWords { languages, languages_of } = &LANGUAGES.function_words;
    let mut seen = vec![0; languages.len()];
    let mut words = 0;
    for word in sample.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        words += 1;
        for language in languages_of.get(word).into_iter().flatten() {
            seen[*language] += 1;
        }
    }
    let (best, most) = seen.iter().copied().enumerate().max_by_key(|(_, seen)| *seen)?;
    let is_clear = seen.iter().enumerate().all(|(other, seen)| other == best || seen * 2 <= most);
    (most * FUNCTION_WORD_IN >= words && is_clear).then_some(&*languages[best])
}

/// Returns whether at most one letter in ten is of another script than the Latin.
fn is_latin(sample: &str) -> bool {
    let is_other = |c: &char| !matches!(c, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && c.is_alphabetic();
    sample.chars().filter(is_other).count() * 10 <= sample.chars().count()
}

/// Returns the shortest ISO 639 code of a language.
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
    fn function_words_tell_their_language_and_no_other() {
        for (expected, text) in [
            (
                Some("en"),
                "The ferry left in the morning, after the storm had died down and the harbour was cleared of sand.",
            ),
            (Some("de"), GERMAN),
            (
                Some("fr"),
                "Le bac est reparti le matin, après que la tempête s’est calmée et que le port a été dégagé pour les navires.",
            ),
            (
                Some("es"),
                "El transbordador zarpó por la mañana, una vez que amainó la tormenta y los equipos despejaron el puerto.",
            ),
            (
                Some("it"),
                "Il traghetto è ripartito al mattino, dopo che la tempesta si era calmata nella notte e il porto era stato sgombrato.",
            ),
            (
                Some("pt"),
                "O barco partiu de manhã, depois de a tempestade ter acalmado durante a noite e da limpeza do porto e dos cais.",
            ),
            (
                Some("nl"),
                "De veerboot vertrok met een uur vertraging van de kade, nadat het puin uit de haven was geruimd.",
            ),
            (
                None,
                "Die veerboot het die oggend vertrek nadat die storm gaan lê het en die hawe skoongemaak is.",
            ),
            (
                None,
                "El transbordador va salpar al matí, després que la tempesta s’hagués calmat durant la nit i que s’hagués netejat el port.",
            ),
            (
                None,
                "Færgen sejlede igen om morgenen, efter at stormen havde lagt sig, og den havn, der var lukket, blev ryddet for sand.",
            ),
            (
                None,
                "港に着いた船長は「The Lord of the Rings」を読み終え、with the windows open と書いた。町の人々は船を迎え、荷を降ろした。",
            ),
            (
                None,
                "船长说：“The storm was over and the harbour was open to the ferries.”渡轮于清晨离港，乘客们在码头等候了两天，终于可以回家。",
            ),
            (None, POLISH),
            (None, CROATIAN),
            (None, ICELANDIC),
        ] {
            assert_eq!(by_function_words(text), expected, "{text}");
        }
    }

    #[test]
    fn tags_are_normalised() {
        assert_eq!(normalise("en_us").as_deref(), Some("en-US"));
        assert_eq!(normalise("zh-hant-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(normalise("English").as_deref(), Some("en"));
        assert_eq!(normalise("x"), None);
    }
}
