//! What the words of dates mean.

use crate::languages::{LANGUAGES, Unit};

/// Which calendar a month's name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Month {
    /// 1 = January.
    Gregorian(i8),
    /// 1 = Farvardin, of the Solar Hijri calendar of Iran and Afghanistan.
    Jalali(i8),
}

/// The month that `word` names; `next` is the word after it, for the names of two words in the Levant.
pub(crate) fn month(word: &str, next: Option<&str>) -> Option<Month> {
    let second = |next: Option<&str>| next.is_some_and(|next| next.starts_with("الثان"));
    match word {
        "كانون" => return Some(Month::Gregorian(if second(next) { 1 } else { 12 })),
        "تشرين" => return Some(Month::Gregorian(if second(next) { 11 } else { 10 })),
        _ => {}
    }
    // Persian pages mix the Arabic and the Persian form of two letters.
    let persian = word.replace('ي', "ی").replace('ك', "ک");
    let words = &LANGUAGES.date;
    let gregorian = words.months.get(word).or_else(|| words.months.get(persian.as_str()));
    let jalali = || words.jalali_months.get(persian.as_str());
    gregorian.map(|month| Month::Gregorian(*month)).or_else(|| jalali().map(|month| Month::Jalali(*month)))
}

/// The month that one or two words behind the Vietnamese "tháng" number, and how many of them do.
pub(crate) fn vietnamese_month(words: [Option<&str>; 2]) -> Option<(i8, usize)> {
    let [first, second] = words;
    let first = first?;
    let both = second.map(|second| format!("{first} {second}"));
    let month = |name: &str| LANGUAGES.date.month_numbers.get(name).copied();
    let of_two = both.as_deref().and_then(month).map(|month| (month, 2));
    of_two.or_else(|| month(first).map(|month| (month, 1)))
}

/// The unit that `word` names.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    // "ay" (Turkish month) begins too many words to be a stem.
    if word == "ay" {
        return Some(Unit::Month);
    }
    // One-letter and short stems stand for the whole word.
    let fits = |stem: &str| word.starts_with(stem) && (stem.len() > 3 || word.len() <= stem.len() + 3);
    LANGUAGES.date.units.iter().find(|(stem, _)| fits(stem)).map(|(_, unit)| *unit)
}
