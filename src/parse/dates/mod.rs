//! Dates as publishers write them. An instant is given only where the text leaves no doubt: a day that could be a
//! month, or a zone that nobody knows, gives none.

mod tokens;
mod words;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use tokens::{Day, Middle, Token, tokens};
use words::{is_filler, month};

use crate::zones;

/// Years in which a feed entry can have been published. The web has none before, and what lies far ahead is a typo.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2100;

/// Longer texts are no dates.
const MAX_DATE_BYTES: usize = 120;

/// The instant that `text` names, in whatever layout.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_DATE_BYTES {
        return None;
    }
    let timestamp =
        if text.bytes().all(|byte| byte.is_ascii_digit()) { digits(text) } else { calendar(text) }?;
    YEARS.contains(&timestamp.to_zoned(jiff::tz::TimeZone::UTC).year()).then_some(timestamp)
}

/// A date written as one number: by its length an epoch, a day or a moment.
fn digits(text: &str) -> Option<Timestamp> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    match text.len() {
        4 => Parts { year: number(0..4), month: Some(1), day: Some(1), ..Parts::default() }.timestamp(),
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

/// `YYYYMMDD`.
fn compact_day(text: &str) -> Option<Parts> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    (text.len() == 8 && text.is_ascii()).then(|| Parts {
        year: number(0..4),
        month: number(4..6),
        day: number(6..8),
        ..Parts::default()
    })
}

/// `HHMM` or `HHMMSS`.
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

/// What has been understood of a date so far.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    time: Option<Clock>,
    /// Half of the day, by `am` or `pm`.
    afternoon: Option<bool>,
    /// Seconds east of Greenwich.
    offset: Option<i32>,
}

impl Parts {
    fn timestamp(self) -> Option<Timestamp> {
        let year = match self.year? {
            short @ 0..=68 => short + 2000,
            short @ 69..=99 => short + 1900,
            year => year,
        };
        let date = Date::new(year.try_into().ok()?, self.month?.try_into().ok()?, self.day?.try_into().ok()?)
            .ok()?;
        let mut clock = self.time.unwrap_or(Clock { hour: 0, minute: 0, second: 0, nanosecond: 0 });
        match self.afternoon {
            Some(true) if clock.hour < 12 => clock.hour += 12,
            Some(false) if clock.hour == 12 => clock.hour = 0,
            _ => {}
        }
        // 24:00 is the next midnight, and a leap second the second before it.
        let next_day = clock.hour == 24 && clock.minute == 0;
        let hour = if next_day { 0 } else { clock.hour };
        let time = Time::new(hour, clock.minute, clock.second.min(59), clock.nanosecond).ok()?;
        let date = if next_day { date.tomorrow().ok()? } else { date };
        Offset::from_seconds(self.offset.unwrap_or(0)).ok()?.to_timestamp(date.to_datetime(time)).ok()
    }
}

fn calendar(text: &str) -> Option<Timestamp> {
    let mut parts = Parts::default();
    let tokens = tokens(text);
    // "mar. 3 juin": a short first word may be a weekday for all that it looks like a month.
    let first_may_be_weekday = matches!(tokens.first(), Some(Token::Word(word)) if word.chars().count() <= 4);
    let mut months_seen = 0;
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        rest = after;
        match token {
            Token::Number(number, digits) => take_number(&mut parts, *number, *digits)?,
            Token::Day(day) => take_day(&mut parts, day, text)?,
            Token::Clock(clock) if parts.time.is_none() => parts.time = Some(*clock),
            Token::Offset(seconds) => parts.offset = Some(parts.offset.unwrap_or(0) + seconds),
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
                    _ if is_filler(word) => {}
                    _ if parts.day.is_none() && parts.year.is_none() => {}
                    _ => parts.offset = Some(parts.offset.unwrap_or(0) + zones::offset(word)?.seconds()),
                }
            }
            Token::Clock(_) | Token::Unknown => return None,
        }
    }
    if parts.month.is_some() && parts.day.is_none() && parts.time.is_none() {
        parts.day = Some(1);
    }
    parts.timestamp()
}

/// A bare number: the day or the year, by its size and by what is still missing.
fn take_number(parts: &mut Parts, number: i64, digits: usize) -> Option<()> {
    match digits {
        3.. => {
            if parts.year.is_some() {
                return None;
            }
            parts.year = Some(number);
        }
        _ if parts.day.is_none() => parts.day = Some(number),
        _ if parts.year.is_none() => parts.year = Some(number),
        _ => return None,
    }
    Some(())
}

/// Three numbers, or two, joined by a separator.
fn take_day(parts: &mut Parts, day: &Day, text: &str) -> Option<()> {
    if parts.year.is_some() || parts.day.is_some() {
        return None;
    }
    let separator = day.separator;
    match (day.first, day.second, day.third) {
        // 2006-09-15, 2006-Sep-15, 2006-09
        ((year, 4), Middle::Number(month) | Middle::Month(month), day) => {
            (parts.year, parts.month) = (Some(year), Some(month));
            parts.day = Some(day.map_or(1, |(day, _)| day));
        }
        // 15-Sep-2006, 15-Sep-06
        ((day, _), Middle::Month(month), Some((year, _))) => {
            (parts.year, parts.month, parts.day) = (Some(year), Some(month), Some(day));
        }
        ((day, _), Middle::Number(month), Some((year, 2 | 4))) => {
            let (day, month) = match (day, month) {
                (day, month) if day > 12 || day == month => (day, month),
                (month, day) if day > 12 => (day, month),
                // Points part day and month everywhere; am and pm are American.
                (day, month) if separator == '.' => (day, month),
                (month, day) if separator == '/' && has_half_of_day(text) => (day, month),
                _ => return None,
            };
            (parts.year, parts.month, parts.day) = (Some(year), Some(month), Some(day));
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
