//! Reads dates as shown to readers, from "4 May 2024, 2.30 pm EDT" to "gestern, 14:30 Uhr".
//!
//! A text is split into numbers, words and signs; the first sequence of them that makes a date counts.

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp};

use super::date_words::{self, Month};
use super::moment::{Moment, plausible};
use super::time_of_day::time_of_day;
use super::tokens::{Token, tokens, year};
use crate::languages::{LANGUAGES, Unit};

/// How to read `4/5/2024`. With dots the day comes first everywhere, with hyphens except in `MonthFirstDashed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NumericOrder {
    /// 4 May.
    #[default]
    DayFirst,
    /// April 5.
    MonthFirst,
    /// April 5, also in `4-5-2024`.
    MonthFirstDashed,
}

/// Reads the moment in a visible date: month names in any supported language, numeric layouts, and times relative to
/// the fetch. Returns `None` if there is no date or it is implausible.
pub(crate) fn date_of_text(text: &str, fetched_at: Timestamp) -> Option<Timestamp> {
    visible(text, fetched_at, NumericOrder::DayFirst, Certainty::Any).map(|moment| moment.at)
}

/// How much of a date has to be stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// Day, month and year.
    Whole,
    /// Also "4 May", "yesterday" and "3 weeks ago", completed by the time of the fetch.
    Any,
}

/// Like [`date_of_text`], for a given order of day and month and a given certainty; keeps the UTC offset.
pub(crate) fn visible(
    text: &str,
    fetched_at: Timestamp,
    order: NumericOrder,
    certainty: Certainty,
) -> Option<Moment> {
    let tokens = tokens(text);
    let today = (certainty == Certainty::Any).then_some(fetched_at);
    let believed = |moment: Moment| Some(Moment { at: plausible(moment.at, fetched_at)?, ..moment });
    if calendar_date(&tokens, today, order).is_none() {
        return believed(Moment { at: relative(&tokens, today?)?, offset: None });
    }
    // If the day lies after the fetch, day and month are in the other order.
    [order, NumericOrder::DayFirst, NumericOrder::MonthFirstDashed]
        .into_iter()
        .find_map(|order| believed(at(calendar_date(&tokens, today, order)?, &tokens)?))
}

/// Returns whether a text contains a word that is not part of dates.
pub(crate) fn names_more_than_a_date(text: &str) -> bool {
    /// "4th", "14 h", "a.m.".
    const MOST_LETTERS_OF_SIGN: usize = 2;
    let words = &LANGUAGES.date;
    let is_of_date = |word: &str| {
        word.is_ascii() && word.len() <= MOST_LETTERS_OF_SIGN
            || words.is_filler(word)
            || words.ago_before.contains(word)
            || words.ago_after.contains(word)
            || words.days_ago.contains_key(word)
            || date_words::month(word, None).is_some()
            || date_words::unit(word).is_some()
    };
    tokens(text).iter().filter_map(Token::word).any(|word| !is_of_date(word))
}

/// Reads a date with its year in `text`.
pub(crate) fn whole(text: &str, fetched_at: Timestamp, order: NumericOrder) -> Option<Moment> {
    visible(text, fetched_at, order, Certainty::Whole)
}

fn calendar_date(tokens: &[Token], today: Option<Timestamp>, order: NumericOrder) -> Option<Date> {
    (0..tokens.len()).find_map(|i| {
        let here = &tokens[i..];
        east_asian(here).or_else(|| numeric(here, order)).or_else(|| month_by_name(tokens, i, today))
    })
}

/// Reads "2024年5月4日" and "2024년 5월 4일".
fn east_asian(tokens: &[Token]) -> Option<Date> {
    let [year, Token::Word(y), month, Token::Word(m), day, rest @ ..] = tokens else { return None };
    let day_sign = rest.first().and_then(Token::word).unwrap_or_default();
    let chinese = y == "年" && m == "月" && day_sign.starts_with(['日', '号', '號']);
    let korean = y == "년" && m == "월" && day_sign.starts_with('일');
    (chinese || korean).then(|| Date::new(year.year()?, month.small()?, day.small()?).ok()).flatten()
}

fn numeric(tokens: &[Token], order: NumericOrder) -> Option<Date> {
    let [first, Token::Sign(a), second, Token::Sign(b), third, ..] = tokens else { return None };
    if a != b || !matches!(a, '-' | '/' | '.' | '‐' | '–' | '／') {
        return None;
    }
    if let Some(year) = first.year() {
        let (month, day) = (second.small()?, third.small()?);
        return if (1300..1500).contains(&year) {
            jalali(year, month, day)
        } else {
            Date::new(year, month, day).ok()
        };
    }
    let year = match third {
        Token::Number(value, 4) => year(*value)?,
        // 04.05.24: not with hyphens, as 04-05-24 is as often a score or a phone number.
        Token::Number(value, 2) if *a != '-' => 2000 + i16::try_from(*value).ok()?,
        _ => return None,
    };
    let (first, second) = (first.small()?, second.small()?);
    let wanted = match order {
        NumericOrder::DayFirst => false,
        NumericOrder::MonthFirst => *a == '/',
        NumericOrder::MonthFirstDashed => matches!(a, '/' | '-'),
    };
    let month_first = second > 12 || (first <= 12 && wanted);
    let (day, month) = if month_first { (second, first) } else { (first, second) };
    Date::new(year, month, day).ok()
}

/// Reads "4 May 2024", "May 4th, 2024", "4 de mayo de 2024", "2024, May 4", "May 4 14:30:00 2024"; without a year only if
/// `today` is given.
fn month_by_name(tokens: &[Token], i: usize, today: Option<Timestamp>) -> Option<Date> {
    let word = tokens[i].word()?;
    let (month, skipped) = named_month(word, tokens, i)?;
    let before = neighbours(tokens[..i].iter().rev());
    let after = neighbours(tokens[i + 1 + skipped..].iter());
    let pairs = [(before[0], after[0]), (after[0], after[1]), (after[0], before[0])];
    // The layout of C's asctime.
    let behind_time = match &tokens[i + 1 + skipped..] {
        [
            Token::Number(..),
            Token::Number(..),
            Token::Sign(':'),
            Token::Number(..),
            Token::Sign(':'),
            Token::Number(..),
            year @ Token::Number(_, 4),
            ..,
        ] => Some(year),
        _ => None,
    };
    let mut pairs = pairs.into_iter().chain([(after[0], behind_time)]);
    let dated = pairs.find_map(|(day, year)| Some((day?.small()?, Some(year?.year()?))));
    // A day without a year counts as a date only in a short text.
    let undated = || {
        let day = [before[0], after[0]].into_iter().flatten().find_map(Token::small);
        day.filter(|_| tokens.len() <= 9).map(|day| (day, None))
    };
    let (day, year) = dated.or_else(undated)?;
    match (month, year) {
        (Month::Gregorian(month), Some(year)) => Date::new(year, month, day).ok(),
        (Month::Jalali(month), Some(year)) => jalali(year, month, day),
        (Month::Gregorian(month), None) => {
            let today = Offset::UTC.to_datetime(today?).date();
            let this_year = Date::new(today.year(), month, day).ok()?;
            if this_year <= today.tomorrow().ok()? {
                Some(this_year)
            } else {
                Date::new(today.year() - 1, month, day).ok()
            }
        }
        (Month::Jalali(_), None) => None,
    }
}

/// Returns the month that the word at `i` names, and how many following tokens belong to the name.
fn named_month(word: &str, tokens: &[Token], i: usize) -> Option<(Month, usize)> {
    let behind = |at: usize| tokens.get(i + at).and_then(Token::word);
    match word {
        "tháng" => match tokens.get(i + 1).and_then(Token::small) {
            Some(month) => Some((Month::Gregorian(month), 1)),
            None => date_words::vietnamese_month([behind(1), behind(2)])
                .map(|(month, words)| (Month::Gregorian(month), words)),
        },
        // "listopada" is November in Polish and October in Croatian; only Croatian puts a dot after the day.
        "listopada" if i > 0 && tokens[i - 1].is('.') => Some((Month::Gregorian(10), 0)),
        _ => {
            let month = date_words::month(word, behind(1))?;
            Some((month, usize::from(matches!(word, "كانون" | "تشرين"))))
        }
    }
}

/// Returns the two nearest numbers on one side of a month's name, skipping what is written between the parts of a date.
fn neighbours<'a>(tokens: impl Iterator<Item = &'a Token>) -> [Option<&'a Token>; 2] {
    let mut found = [None, None];
    let mut count = 0;
    for token in tokens {
        match token {
            Token::Number(..) => {
                found[count] = Some(token);
                count += 1;
                if count == 2 {
                    break;
                }
            }
            Token::Sign('.' | ',' | '-' | '/' | '،' | '’' | '\'' | '–') => {}
            Token::Word(word)
                if matches!(
                    word.as_str(),
                    "de" | "del"
                        | "of"
                        | "the"
                        | "st"
                        | "nd"
                        | "rd"
                        | "th"
                        | "er"
                        | "º"
                        | "ª"
                        | "г"
                        | "р"
                        | "m"
                        | "gada"
                        | "năm"
                        | "พ.ศ"
                ) => {}
            _ => break,
        }
    }
    found
}

/// Converts a day of the Solar Hijri calendar, by the 33-year cycle that holds from 1244 to 1531.
fn jalali(year: i16, month: i8, day: i8) -> Option<Date> {
    let days_in_month = match month {
        1..=6 => 31,
        7..=12 => 30,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || !(1244..=1531).contains(&year) {
        return None;
    }
    let year = i32::from(year) + 1595;
    let month_start = if month < 7 { (i32::from(month) - 1) * 31 } else { (i32::from(month) - 7) * 30 + 186 };
    // Days since 1 January of year 0 in the proleptic Gregorian calendar.
    let days = -355_668 + 365 * year + year / 33 * 8 + (year % 33 + 3) / 4 + i32::from(day) + month_start;
    let epoch = Date::new(1970, 1, 1).expect("a day of the calendar");
    epoch.checked_add(Span::new().try_days(days - 719_528).ok()?).ok()
}

/// Combines `date` with the time and zone in the text; without them midnight and UTC.
fn at(date: Date, tokens: &[Token]) -> Option<Moment> {
    let (time, offset) = time_of_day(tokens).unwrap_or((Time::midnight(), None));
    let at = offset.unwrap_or(Offset::UTC).to_timestamp(date.to_datetime(time)).ok()?;
    Some(Moment { at, offset })
}

/// Reads "3 weeks ago", "vor einer Stunde", "gestern, 14:30".
fn relative(tokens: &[Token], fetched_at: Timestamp) -> Option<Timestamp> {
    let words = &LANGUAGES.date;
    for (i, token) in tokens.iter().enumerate() {
        let Some(word) = token.word() else { continue };
        let named = words.days_ago.get(word);
        // A word like "today" counts as a date only in a short text, since many sentences contain it.
        if let Some(days) = named.filter(|_| tokens.len() <= 8) {
            let day = Offset::UTC.to_datetime(fetched_at).date();
            let day = day.checked_sub(Span::new().try_days(*days).ok()?).ok()?;
            let timed = time_of_day(tokens).is_some();
            return if timed || *days > 0 { Some(at(day, tokens)?.at) } else { Some(fetched_at) };
        }
        let Some(unit) = date_words::unit(word) else { continue };
        let cjk = word.ends_with('前');
        let amount = i.checked_sub(1).and_then(|at| tokens.get(at));
        let (amount, start) = match amount {
            Some(Token::Number(amount, 1..=3)) => (*amount, i - 1),
            _ if cjk => continue,
            // "an hour ago", "vor einer Woche".
            Some(Token::Word(_)) => (1, i - 1),
            _ => (1, i),
        };
        let is_before = || {
            let one = start.checked_sub(1).and_then(|at| tokens[at].word());
            let three = start
                .checked_sub(3)
                .map(|at| tokens[at..start].iter().filter_map(Token::word).collect::<Vec<_>>().join(" "));
            one.is_some_and(|word| words.ago_before.contains(word))
                || three.is_some_and(|three| words.ago_before.contains(&three))
        };
        // "πριν από 3 ημέρες" has a word in between.
        let greek = start.checked_sub(2).and_then(|at| tokens[at].word()) == Some("πριν");
        let after =
            tokens.get(i + 1).and_then(Token::word).is_some_and(|word| words.ago_after.contains(word));
        if cjk || after || greek || is_before() {
            return ago(amount, unit, fetched_at);
        }
    }
    None
}

fn ago(amount: i64, unit: Unit, fetched_at: Timestamp) -> Option<Timestamp> {
    let span = Span::new();
    let span = match unit {
        Unit::Minute => span.try_minutes(amount),
        Unit::Hour => span.try_hours(amount),
        Unit::Day => span.try_days(amount),
        Unit::Week => span.try_weeks(amount),
        Unit::Month => span.try_months(amount),
        Unit::Year => span.try_years(amount),
    };
    let moment = fetched_at.to_zoned(TimeZone::UTC).checked_sub(span.ok()?).ok()?;
    Some(moment.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched() -> Timestamp {
        "2024-06-15T12:00:00Z".parse().unwrap()
    }

    fn day(text: &str) -> String {
        date_of_text(text, fetched()).map_or_else(|| "none".to_owned(), |moment| moment.to_string())
    }

    #[test]
    fn months_by_name_in_every_language() {
        for text in [
            "May 4, 2024",
            "Published on Saturday, May 4th, 2024",
            "4 May 2024",
            "Samstag, 4. Mai 2024",
            "le 4 mai 2024",
            "4 de mayo de 2024",
            "4 de maio de 2024",
            "4 maggio 2024",
            "4 мая 2024 г.",
            "4 maja 2024",
            "4 Μαΐου 2024",
            "4 Mayıs 2024",
            "4 مايو 2024",
            "٤ أيار ٢٠٢٤",
            "۴ مه ۲۰۲۴",
            "۱۵ اردیبهشت ۱۴۰۳",
            "1403/02/15",
            "2024年5月4日",
            "２０２４年５月４日（土）",
            "2024년 5월 4일",
            "4. května 2024",
            "4. mája 2024",
            "2024. május 4., szombat",
            "4 mai 2024",
            "4. svibnja 2024.",
            "4. маја 2024.",
            "4 травня 2024 р.",
            "4 mei 2024",
            "lördag 4 maj 2024",
            "4. toukokuuta 2024",
            "2024. gada 4. maijs",
            "2024 m. gegužės 4 d.",
            "Sabtu, 4 Mei 2024",
            "4 tháng 5, 2024",
            "ngày 4 tháng 5 năm 2024",
            "Tháng Năm 4, 2024",
            "4 मई 2024",
            "४ मई २०२४",
            "৪ মে ২০২৪",
            "4 พ.ค. 2567",
            "๔ พฤษภาคม พ.ศ. ๒๕๖๗",
            "04/05/2567",
            "4 במאי 2024",
            "٤ مئی ۲۰۲۴",
            "04.05.2024",
            "4.5.24",
            "04/05/2024",
            "2024-05-04",
            "2024/5/4",
        ] {
            assert_eq!(day(text), "2024-05-04T00:00:00Z", "{text}");
        }
    }

    #[test]
    fn names_of_more_than_one_month() {
        assert_eq!(day("4 listopada 2023"), "2023-11-04T00:00:00Z");
        assert_eq!(day("4. listopada 2023."), "2023-10-04T00:00:00Z");
        assert_eq!(day("4. listopadu 2023"), "2023-11-04T00:00:00Z");
        assert_eq!(day("4 Tháng Mười Một, 2023"), "2023-11-04T00:00:00Z");
        assert_eq!(day("4 Tháng Mười, 2023"), "2023-10-04T00:00:00Z");
    }

    #[test]
    fn spellings_of_the_same_month() {
        for text in ["4 फरवरी 2024", "4 फ\u{93c}रवरी 2024", "4 \u{95e}रवरी 2024", "4 ফেব্রুয\u{9bc}ারি 2024"]
        {
            assert_eq!(day(text), "2024-02-04T00:00:00Z", "{text}");
        }
        assert_eq!(day("4 กุมภาพันธ์ 2567"), "2024-02-04T00:00:00Z");
    }

    #[test]
    fn times_and_zones() {
        for (text, expected) in [
            ("4. Mai 2024, 14:30 Uhr", "2024-05-04T14:30:00Z"),
            ("May 4, 2024 2:30 PM EDT", "2024-05-04T18:30:00Z"),
            ("May 4, 2024 at 2:30 p.m. ET", "2024-05-04T14:30:00Z"),
            ("4 พ.ค. 2567 08:10 น.", "2024-05-04T08:10:00Z"),
            ("04/05/2024, 10:15 WIB", "2024-05-04T03:15:00Z"),
            ("2024-05-04 14:30:05 +0200", "2024-05-04T12:30:00Z"),
            ("4 mai 2024 à 14h30", "2024-05-04T14:30:00Z"),
            ("Sat May 04 2024 14:30:00 GMT+0200 (CEST)", "2024-05-04T12:30:00Z"),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
    }

    #[test]
    fn a_day_ahead_of_the_fetch_was_written_in_the_other_order() {
        assert_eq!(day("05/04/2024"), "2024-04-05T00:00:00Z");
        assert_eq!(day("05/07/2024"), "2024-05-07T00:00:00Z");
        assert_eq!(day("05-07-2024"), "2024-05-07T00:00:00Z");
        assert_eq!(day("05.07.2024"), "none");
    }

    #[test]
    fn a_year_that_is_not_written_is_no_certain_date() {
        let whole = |text: &str| whole(text, fetched(), NumericOrder::DayFirst).is_some();
        assert!(whole("4 May 2024") && whole("04.05.2024"));
        assert!(!whole("4 May") && !whole("yesterday") && !whole("3 weeks ago"));
    }

    #[test]
    fn relative_to_the_fetch() {
        for (text, expected) in [
            ("3 weeks ago", "2024-05-25T12:00:00Z"),
            ("an hour ago", "2024-06-15T11:00:00Z"),
            ("vor 2 Tagen", "2024-06-13T12:00:00Z"),
            ("vor einer Stunde", "2024-06-15T11:00:00Z"),
            ("gestern", "2024-06-14T00:00:00Z"),
            ("gestern, 14:30 Uhr", "2024-06-14T14:30:00Z"),
            ("il y a 2 jours", "2024-06-13T12:00:00Z"),
            ("hace 2 días", "2024-06-13T12:00:00Z"),
            ("há 2 dias", "2024-06-13T12:00:00Z"),
            ("2 giorni fa", "2024-06-13T12:00:00Z"),
            ("2 дня назад", "2024-06-13T12:00:00Z"),
            ("2 dni temu", "2024-06-13T12:00:00Z"),
            ("πριν από 2 ημέρες", "2024-06-13T12:00:00Z"),
            ("2 gün önce", "2024-06-13T12:00:00Z"),
            ("منذ 2 أيام", "2024-06-13T12:00:00Z"),
            ("۲ روز پیش", "2024-06-13T12:00:00Z"),
            ("2天前", "2024-06-13T12:00:00Z"),
            ("2日前", "2024-06-13T12:00:00Z"),
            ("3時間前", "2024-06-15T09:00:00Z"),
            ("2 months ago", "2024-04-15T12:00:00Z"),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
    }

    #[test]
    fn not_dates() {
        for text in
            ["", "Chapter 11", "1.2.3", "May the force", "99/99/2024", "May 4, 1066", "ago", "0123-456-789"]
        {
            assert_eq!(day(text), "none", "{text}");
        }
    }

    #[test]
    fn never_after_the_fetch() {
        assert_eq!(day("2024-06-16"), "2024-06-15T12:00:00Z");
        assert_eq!(day("2024-06-18"), "none");
        assert_eq!(day("12 May"), "2024-05-12T00:00:00Z");
        assert_eq!(day("12 July"), "2023-07-12T00:00:00Z");
    }
}
