//! Looks up the words of dates: months and units.

use crate::languages::{LANGUAGES, Unit};

/// A month and the calendar that its name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Month {
    /// 1 = January.
    Gregorian(i8),
    /// 1 = Farvardin, in the Solar Hijri calendar of Iran and Afghanistan.
    Jalali(i8),
}

/// Returns the month that `word` names; `next` is the following word, for the two-word month names of the Levant.
pub(crate) fn month(word: &str, next: Option<&str>) -> Option<Month> {
    let second = |next: Option<&str>| next.is_some_and(|next| next.starts_with("الثان"));
    match word {
        "كانون" => return Some(Month::Gregorian(if second(next) { 1 } else { 12 })),
        "تشرين" => return Some(Month::Gregorian(if second(next) { 11 } else { 10 })),
        _ => {}
    }
    // Persian pages mix the Arabic and Persian forms of two letters.
    let persian = word.replace('ي', "ی").replace('ك', "ک");
    let words = &LANGUAGES.date;
    let gregorian = words.months.get(word).or_else(|| words.months.get(persian.as_str()));
    let jalali = || words.jalali_months.get(persian.as_str());
    gregorian.map(|month| Month::Gregorian(*month)).or_else(|| jalali().map(|month| Month::Jalali(*month)))
}

/// Returns the month given by the one or two number words after the Vietnamese "tháng", and how many of them belong to it.
pub(crate) fn vietnamese_month(words: [Option<&str>; 2]) -> Option<(i8, usize)> {
    let [first, second] = words;
    let first = first?;
    let both = second.map(|second| format!("{first} {second}"));
    let month = |name: &str| LANGUAGES.date.month_numbers.get(name).copied();
    let of_two = both.as_deref().and_then(month).map(|month| (month, 2));
    of_two.or_else(|| month(first).map(|month| (month, 1)))
}

/// Returns the unit of time that `word` names.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    // "ay" (Turkish for month) starts too many words to be a stem.
    if word == "ay" {
        return Some(Unit::Month);
    }
    // A stem of up to three bytes must make up nearly the whole word.
    let fits = |stem: &str| word.starts_with(stem) && (stem.len() > 3 || word.len() <= stem.len() + 3);
    LANGUAGES.date.units.iter().find(|(stem, _)| fits(stem)).map(|(_, unit)| *unit)
}
