//! Parses dates in the formats that publishers use. Ambiguous dates are rejected: a day that could be the month gives no
//! date. An unknown zone name is ignored, and the date is kept (RFC 5322, 4.3).

mod tokens;
mod words;
mod zones;

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan};

use tokens::{Day, Middle, Token, tokens};
use words::month;
use zones::{Zone, place, zone};

use crate::languages::LANGUAGES;

pub(super) use zones::{Region, depends_on_region};

/// Years in which a feed entry can have been published. Before, there was no web, and dates far ahead are typos.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2100;

/// Longer texts are not dates.
const MAX_DATE_BYTES: usize = 120;

/// Returns the instant that `text` names, in any layout, with zone abbreviations as used in `region`.
pub(super) fn parse_date(text: &str, region: Region) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_DATE_BYTES {
        return None;
    }
    let timestamp =
        if text.bytes().all(|byte| byte.is_ascii_digit()) { digits(text) } else { calendar(text, region) }?;
    YEARS.contains(&timestamp.to_zoned(jiff::tz::TimeZone::UTC).year()).then_some(timestamp)
}

/// Parses a date written as one number: by its length a Unix timestamp, a year, a day or a day with a time.
fn digits(text: &str) -> Option<Timestamp> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    match text.len() {
        4 => Parts { year: number(0..4).map(Year::whole), month: Some(1), day: Some(1), ..Parts::default() }
            .timestamp(),
        8 => compact_day(text)?.timestamp(),
        9 | 10 => Timestamp::from_second(number(0..text.len())?).ok(),
        12 | 14 => {
            let mut parts = compact_day(&text[..8])?;
            parts.time = compact_time(&text[8..]);
            parts.time?;
            parts.timestamp()
        }
        13 => Timestamp::from_millisecond(number(0..13)?).ok(),
        _ => None,
    }
}

/// Parses `YYYYMMDD`.
fn compact_day(text: &str) -> Option<Parts> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    (text.len() == 8 && text.is_ascii()).then(|| Parts {
        year: number(0..4).map(Year::whole),
        month: number(4..6),
        day: number(6..8),
        ..Parts::default()
    })
}

/// Parses `HHMM` or `HHMMSS`.
fn compact_time(text: &str) -> Option<Clock> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i8>().ok());
    if !matches!(text.len(), 4 | 6) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let second = if text.len() == 6 { number(4..6)? } else { 0 };
    Some(Clock { hour: number(0..2)?, minute: number(2..4)?, second, nanosecond: 0 })
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
}

/// A year and the number of its digits.
#[derive(Clone, Copy, Debug)]
struct Year {
    number: i64,
    digits: usize,
}

impl Year {
    fn whole(number: i64) -> Self {
        Self { number, digits: 4 }
    }

    /// Returns the full year. Two digits stand for a year of this century or the last (RFC 5322, 4.3); any other number below
    /// 1000 is written by programs that do not know the year.
    fn meant(self) -> Option<i16> {
        match (self.number, self.digits) {
            (short @ 0..=68, 2) => i16::try_from(short + 2000).ok(),
            (short @ 69..=99, 2) => i16::try_from(short + 1900).ok(),
            (year @ 1000.., _) => i16::try_from(year).ok(),
            _ => None,
        }
    }
}

/// The parts of a date that are known so far.
#[derive(Default)]
struct Parts {
    year: Option<Year>,
    month: Option<i64>,
    day: Option<i64>,
    time: Option<Clock>,
    /// Whether `pm` was given; `None` without `am` or `pm`.
    afternoon: Option<bool>,
    /// Seconds east of UTC.
    offset: Option<i32>,
    /// The zone, used if there is no offset.
    place: Option<jiff::tz::TimeZone>,
}

impl Parts {
    fn timestamp(self) -> Option<Timestamp> {
        let year = self.year?.meant()?;
        let date = Date::new(year, self.month?.try_into().ok()?, self.day?.try_into().ok()?).ok()?;
        let mut clock = self.time.unwrap_or(Clock { hour: 0, minute: 0, second: 0, nanosecond: 0 });
        match self.afternoon {
            Some(true) if clock.hour < 12 => clock.hour += 12,
            Some(false) if clock.hour == 12 => clock.hour = 0,
            _ => {}
        }
        // 24:00 is midnight of the next day, and a leap second counts as the second after it.
        let next_day = clock.hour == 24 && clock.minute == 0;
        let hour = if next_day { 0 } else { clock.hour };
        let is_leap = clock.second == 60;
        let second = if is_leap { 59 } else { clock.second };
        let time = Time::new(hour, clock.minute, second, clock.nanosecond).ok()?;
        let date = if next_day { date.tomorrow().ok()? } else { date };
        let zone = match (self.offset, self.place) {
            (Some(seconds), _) => Zone::Fixed(seconds),
            (None, Some(place)) => Zone::Place(place),
            (None, None) => Zone::Fixed(0),
        };
        let moment = date.to_datetime(time);
        zone.instant(if is_leap { moment.checked_add(1.second()).ok()? } else { moment })
    }

    fn is_in(&mut self, zone: Zone) {
        match zone {
            Zone::Fixed(seconds) => self.offset = Some(self.offset.unwrap_or(0) + seconds),
            Zone::Place(place) => self.place = Some(place),
        }
    }

    /// Returns whether enough is known that another word can only be a zone.
    fn is_dated(&self) -> bool {
        self.time.is_some() || (self.year.is_some() && self.month.is_some() && self.day.is_some())
    }
}

fn calendar(text: &str, region: Region) -> Option<Timestamp> {
    let mut parts = Parts::default();
    let (tokens, comments) = tokens(text);
    // "mar. 3 juin": a short first word may be a weekday even if it looks like a month.
    let first_may_be_weekday = matches!(tokens.first(), Some(Token::Word(word)) if word.chars().count() <= 4);
    let mut months_seen = 0;
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        rest = after;
        match token {
            Token::Number(number, digits) => take_number(&mut parts, *number, *digits)?,
            Token::Day(day) => take_day(&mut parts, day, text)?,
            Token::Clock(clock) if parts.time.is_none() => parts.time = Some(*clock),
            Token::Offset(seconds) => parts.is_in(Zone::Fixed(*seconds)),
            Token::Place(place) => parts.is_in(Zone::Place(place.clone())),
            Token::Word(word) => {
                if let Some(number) = month(word) {
                    months_seen += 1;
                    if parts.month.is_none() || (months_seen == 2 && first_may_be_weekday) {
                        parts.month = Some(number);
                        continue;
                    }
                }
                match word.as_str() {
                    "am" | "a.m" => parts.afternoon = Some(false),
                    "pm" | "p.m" => parts.afternoon = Some(true),
                    _ if LANGUAGES.date.is_filler(word) => {}
                    _ if parts.day.is_none() && parts.year.is_none() => {}
                    _ => match zone(word, region) {
                        Some(zone) => parts.is_in(zone),
                        None if parts.is_dated() => {}
                        None => return None,
                    },
                }
            }
            Token::Clock(_) | Token::Unknown => return None,
        }
    }
    if parts.month.is_some() && parts.day.is_none() && parts.time.is_none() {
        parts.day = Some(1);
    }
    if parts.offset.is_none() && parts.place.is_none() {
        let mut names = comments.split_whitespace();
        if let Some(zone) =
            names.find_map(|name| place(name).map(Zone::Place).or_else(|| zone(&name.to_lowercase(), region)))
        {
            parts.is_in(zone);
        }
    }
    parts.timestamp()
}

/// Takes a bare number as the day or the year, by its number of digits and by what is still missing.
fn take_number(parts: &mut Parts, number: i64, digits: usize) -> Option<()> {
    match digits {
        3.. => {
            if parts.year.is_some() {
                return None;
            }
            parts.year = Some(Year { number, digits });
        }
        _ if parts.day.is_none() => parts.day = Some(number),
        _ if parts.year.is_none() => parts.year = Some(Year { number, digits }),
        _ => return None,
    }
    Some(())
}

/// Takes two or three numbers joined by a separator.
fn take_day(parts: &mut Parts, day: &Day, text: &str) -> Option<()> {
    if parts.year.is_some() || parts.day.is_some() {
        return None;
    }
    let separator = day.separator;
    match (day.first, day.second, day.third) {
        // 2006-09-15, 2006-Sep-15, 2006-09
        ((year, 4), Middle::Number(month) | Middle::Month(month), day) => {
            (parts.year, parts.month) = (Some(Year::whole(year)), Some(month));
            parts.day = Some(day.map_or(1, |(day, _)| day));
        }
        // 15-Sep-2006, 15-Sep-06
        ((day, _), Middle::Month(month), Some((number, digits))) => {
            (parts.year, parts.month, parts.day) = (Some(Year { number, digits }), Some(month), Some(day));
        }
        ((day, _), Middle::Number(month), Some((number, digits @ (2 | 4)))) => {
            let (day, month) = match (day, month) {
                (day, month) if day > 12 || day == month => (day, month),
                (month, day) if day > 12 => (day, month),
                // With dots the day always comes first; with slashes and am or pm the date is American: month first.
                (day, month) if separator == '.' => (day, month),
                (month, day) if separator == '/' && has_half_of_day(text) => (day, month),
                _ => return None,
            };
            (parts.year, parts.month, parts.day) = (Some(Year { number, digits }), Some(month), Some(day));
        }
        _ => return None,
    }
    Some(())
}

fn has_half_of_day(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.ends_with("am") || text.ends_with("pm") || text.contains("am ") || text.contains("pm ")
}

#[cfg(test)]
mod tests;
