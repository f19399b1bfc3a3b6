//! Reads moments from machine-readable values and URLs. A date without a zone is taken as UTC, so that its day is the one
//! that the page shows.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::Offset;

use super::date_words::{self, Month};
use super::moment::{Moment, plausible};
use super::visible::{Certainty, NumericOrder, visible};

/// Reads the moment in a machine-readable value: ISO 8601, RFC 2822, or seconds or milliseconds since 1970. Any other
/// value is read as a visible date, since some publishers write one there.
pub(crate) fn machine(value: &str, fetched_at: Timestamp, order: NumericOrder) -> Option<Moment> {
    let value = value.trim();
    let Some(at) = iso(value).or_else(|| epoch(value)) else {
        return visible(value, fetched_at, order, Certainty::Whole);
    };
    let at = plausible(at, fetched_at)?;
    Some(Moment { at, offset: offset(value) })
}

/// Returns the UTC offset in an ISO 8601 or RFC 2822 value; `None` if it has none or a zero one.
fn offset(value: &str) -> Option<Offset> {
    if let Ok(pieces) = Pieces::parse(value) {
        return match pieces.offset()? {
            PiecesOffset::Numeric(offset) if !offset.offset().is_zero() => Some(offset.offset()),
            _ => None,
        };
    }
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let zoned = parser.parse_zoned(value).ok()?;
    Some(zoned.offset()).filter(|offset| !offset.is_zero())
}

/// Returns the day in a URL's path: `/2024/05/04/`, `2024-05-04`, `/20240504/`.
pub(crate) fn of_url(url: &url::Url, fetched_at: Timestamp) -> Option<Timestamp> {
    let path = url.path();
    let runs: Vec<(usize, &str)> = digit_runs(path).collect();
    let eight_digits = runs.iter().filter(|(_, run)| run.len() == 8).find_map(|(_, run)| {
        Date::new(run[..4].parse().ok()?, run[4..6].parse().ok()?, run[6..].parse().ok()?).ok()
    });
    let in_three = || {
        runs.windows(3).find_map(|window| {
            let [(start, year), (_, month), (day_start, day)] = window else { return None };
            let joined = day_start - start == year.len() + month.len() + 2;
            let whole = year.len() == 4 && month.len() <= 2 && day.len() <= 2;
            if !(joined && whole) {
                return None;
            }
            Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
        })
    };
    let in_words = || {
        let mut parts = path.split('/').skip_while(|part| part.len() != 4 || part.parse::<i16>().is_err());
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let Month::Gregorian(month) = date_words::month(month, None)? else { return None };
        Date::new(year.parse().ok()?, month, day.parse().ok()?).ok()
    };
    // 04-05-2024: day first, as everywhere but in the US; month first only if the second number is not a month.
    let year_last = || {
        runs.windows(3).find_map(|window| {
            let [(start, day), (_, month), (year_start, year)] = window else { return None };
            if !(year_start - start == 6 && day.len() == 2 && month.len() == 2 && year.len() == 4) {
                return None;
            }
            let (day, month): (i8, i8) = (day.parse().ok()?, month.parse().ok()?);
            let (day, month) = if month > 12 { (month, day) } else { (day, month) };
            Date::new(year.parse().ok()?, month, day).ok()
        })
    };
    let date = in_three().or(eight_digits).or_else(in_words).or_else(year_last)?;
    let moment = Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?;
    // Only past days count: ids look like dates too.
    (moment <= fetched_at).then(|| plausible(moment, fetched_at)).flatten()
}

fn iso(value: &str) -> Option<Timestamp> {
    if !value.is_ascii() || value.len() < 8 {
        return None;
    }
    if let Ok(moment) = value.parse::<Timestamp>() {
        return Some(moment);
    }
    let looks_iso = value.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    if looks_iso && value.contains(['-', 'T']) {
        let civil = value.parse::<DateTime>().ok()?;
        return Offset::UTC.to_timestamp(civil).ok();
    }
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(value).ok()
}

fn epoch(value: &str) -> Option<Timestamp> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = value.parse().ok()?;
    match value.len() {
        9 | 10 => Timestamp::from_second(number).ok(),
        13 => Timestamp::from_millisecond(number).ok(),
        _ => None,
    }
}

fn digit_runs(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + path[rest..].find(|c: char| c.is_ascii_digit())?;
        let end = path[start..].find(|c: char| !c.is_ascii_digit()).map_or(path.len(), |len| start + len);
        rest = end;
        Some((start, &path[start..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched() -> Timestamp {
        "2024-06-15T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn machine_values() {
        let of = |value: &str| {
            machine(value, fetched(), NumericOrder::MonthFirst).map(|moment| moment.at.to_string())
        };
        for value in [
            "2024-05-04T14:30:00+02:00",
            "2024-05-04T12:30:00.000+0000",
            "Sat, 04 May 2024 12:30:00 GMT",
            "1714825800",
            "1714825800000",
            "2024-05-04 12:30",
        ] {
            assert_eq!(of(value).as_deref(), Some("2024-05-04T12:30:00Z"), "{value}");
        }
        assert_eq!(of("0000-00-00 00:00:00"), None);
        assert_eq!(of("1970-01-01T00:00:00Z"), None);
        assert_eq!(of("Sat May 4 12:30:00 2024").as_deref(), Some("2024-05-04T12:30:00Z"));
    }

    #[test]
    fn the_zone_of_a_value() {
        let of = |value: &str| {
            let moment = machine(value, fetched(), NumericOrder::MonthFirst).unwrap();
            moment.offset.map(|offset| offset.seconds() / 3600)
        };
        assert_eq!(of("2024-05-04T14:30:00+02:00"), Some(2));
        assert_eq!(of("2024-05-04T14:30:00-0700"), Some(-7));
        assert_eq!(of("Sat, 04 May 2024 12:30:00 -0400"), Some(-4));
        assert_eq!(of("2024-05-04T12:30:00Z"), None);
        assert_eq!(of("2024-05-04"), None);
        assert_eq!(of("4 May 2024, 12:30 CEST"), Some(2));
    }

    #[test]
    fn days_in_urls() {
        let of = |path: &str| {
            let url = url::Url::parse("https://news.example").unwrap().join(path).unwrap();
            of_url(&url, fetched()).map(|moment| moment.to_string()[..10].to_owned())
        };
        assert_eq!(of("/2024/05/04/story").as_deref(), Some("2024-05-04"));
        assert_eq!(of("/world/2024/may/04/story").as_deref(), Some("2024-05-04"));
        assert_eq!(of("/story-2024-05-04.html").as_deref(), Some("2024-05-04"));
        assert_eq!(of("/20240504/story").as_deref(), Some("2024-05-04"));
        assert_eq!(of("/story-04-05-2024").as_deref(), Some("2024-05-04"));
        assert_eq!(of("/2024/story"), None);
        assert_eq!(of("/20249999"), None);
    }
}
