//! The words in dates: months in many languages, and what says nothing.

/// Names of the months, January first, in the languages whose feeds spell them out. Abbreviations of three letters
/// or more are found too.
const MONTHS: [&str; 12] = [
    "january januar jänner janvier enero gennaio janeiro januari январь января styczeń stycznia \
     ιανουαρίου ιαν ocak január leden ledna",
    "february februar feber février fevrier febrero febbraio fevereiro februari февраль февраля luty \
     lutego φεβρουαρίου φεβ şubat február únor února",
    "march märz maerz mrz mars marzo março maart mrt март марта marzec marca μαρτίου μάρ mart március \
     březen března",
    "april avril abril aprile апрель апреля kwiecień kwietnia απριλίου απρ nisan április duben dubna",
    "may mai mayo maggio maio mei maj май мая maja μαΐου μάι mayıs május květen května",
    "june juni juin junio giugno junho июнь июня czerwiec czerwca ιουνίου ιούν ιον haziran június \
     červen června",
    "july juli juillet julio luglio julho июль июля lipiec lipca ιουλίου ιούλ ιολ temmuz július \
     červenec července",
    "august août aout agosto augustus augusti август августа sierpień sierpnia αυγούστου αύγ ağustos \
     augusztus srpen srpna",
    "september septembre septiembre setiembre settembre setembro сентябрь сентября wrzesień września \
     σεπτεμβρίου σεπ eylül szeptember září",
    "october oktober octobre octubre ottobre outubro октябрь октября październik października οκτωβρίου \
     οκτ ekim október říjen října",
    "november novembre noviembre novembro ноябрь ноября listopad listopada νοεμβρίου νοέ kasım",
    "december dezember décembre decembre diciembre dicembre dezembro декабрь декабря grudzień grudnia \
     δεκεμβρίου δεκ aralık prosinec prosince",
];

/// The month, 1 to 12, of a lower-case name or its abbreviation.
pub(super) fn month(word: &str) -> Option<i64> {
    const ENGLISH: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    if let Some(index) = ENGLISH.iter().position(|name| *name == word) {
        return i64::try_from(index + 1).ok();
    }
    let long_enough = word.chars().count() >= 3;
    let matches = |name: &str| name == word || (long_enough && name.starts_with(word));
    let mut found = (1_i64..).zip(MONTHS).filter(|(_, names)| names.split(' ').any(matches));
    let (number, names) = found.next()?;
    // "jui" could be either: only the whole name, or one month's abbreviation, will do.
    let unique = found.next().is_none() || names.split(' ').any(|name| name == word);
    unique.then_some(number)
}

/// Words between the numbers that say nothing.
pub(super) fn is_filler(word: &str) -> bool {
    const FILLERS: &[&str] = &[
        "at", "de", "del", "of", "on", "um", "uhr", "à", "a", "le", "den", "the", "ore", "alle", "г", "kl",
        "klo",
    ];
    const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun", "thur", "tues"];
    FILLERS.contains(&word)
        || WEEKDAYS.contains(&word)
        || ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"].contains(&word)
}
