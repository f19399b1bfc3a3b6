//! When to poll again, by the headers of a response (RFC 9111, RFC 9110 section 10.2.3).
//!
//! A poller needs only this arithmetic of HTTP caching; a caching library would also decide on storage, shared caches and
//! request directives, none of which exist here.

use std::time::Duration;

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, HeaderName, RETRY_AFTER};
use jiff::Timestamp;
use jiff::civil;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

use crate::schedule::Freshness;

/// Returns the freshness of a response that arrived at `now`.
pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Freshness {
    Freshness {
        fresh_for: fresh_for(headers, now),
        retry_after: retry_after(headers, now),
        ..Freshness::default()
    }
}

/// Returns `max-age` minus `Age`, else `Expires` minus `Date`; `None` if the response must be revalidated anyway.
fn fresh_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let directives: Vec<(String, &str)> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            (name.trim().to_ascii_lowercase(), argument.trim().trim_matches('"'))
        })
        .collect();
    if directives.iter().any(|(name, _)| matches!(name.as_str(), "no-cache" | "no-store")) {
        return None;
    }
    let max_age =
        directives.iter().find(|(name, _)| name == "max-age").and_then(|(_, seconds)| delta(seconds));
    if let Some(max_age) = max_age {
        let age = text(headers, &AGE).and_then(delta).unwrap_or_default();
        return Some(max_age.saturating_sub(age));
    }
    // "0" and other invalid dates mean that the response is already stale.
    let expires = http_date(text(headers, &EXPIRES)?)?;
    Some(until(expires, date(headers).unwrap_or(now)))
}

/// Returns the `Date` header.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    text(headers, &DATE).and_then(http_date)
}

/// Returns whether an HTTP date is after `latest`; `false` for anything that is not an HTTP date.
pub(super) fn is_ahead(date: &str, latest: Timestamp) -> bool {
    http_date(date.trim()).is_some_and(|date| date > latest)
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    delta(value).or_else(|| http_date(value).map(|date| until(date, now)))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Parses whole seconds, clamped to `u32::MAX`.
fn delta(seconds: &str) -> Option<Duration> {
    let digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| Duration::from_secs(seconds.parse().unwrap_or(u64::from(u32::MAX)).min(u64::from(u32::MAX))))
}

fn until(later: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// Parses a date in one of HTTP's three formats: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`,
/// `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str) -> Option<Timestamp> {
    const RFC_2822: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    if let Ok(timestamp) = RFC_2822.parse_timestamp(text) {
        return Some(timestamp);
    }
    // The weekday is redundant, so it is not checked.
    let form = if text.contains(',') { "%d-%b-%y %H:%M:%S GMT" } else { "%b %e %H:%M:%S %Y" };
    let date = text.split_once([',', ' '])?.1.trim_start();
    let date = civil::DateTime::strptime(form, date).ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "1994-11-06T08:49:37Z";

    fn fresh(lines: &[(&str, &str)]) -> Freshness {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        read(&headers, NOW.parse().unwrap())
    }

    #[test]
    fn freshness_by_the_headers() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<u64>);
        let table: &[Row<'_>] = &[
            (&[], None),
            (&[("cache-control", "max-age=600")], Some(600)),
            (&[("cache-control", "public, Max-Age=\"600\"")], Some(600)),
            (&[("cache-control", "max-age=600"), ("age", "100")], Some(500)),
            (&[("cache-control", "max-age=600"), ("age", "1000")], Some(0)),
            (&[("cache-control", "max-age=600, no-cache")], None),
            (&[("cache-control", "max-age=600"), ("cache-control", "no-store")], None),
            (&[("cache-control", "s-maxage=600")], None),
            (&[("cache-control", "max-age=soon")], None),
            (&[("cache-control", "max-age=99999999999999999999")], Some(u64::from(u32::MAX))),
            (
                &[("expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:39:37 GMT")],
                Some(4200),
            ),
            (&[("expires", "Sun, 06 Nov 1994 09:49:37 GMT")], Some(3600)),
            (&[("expires", "Sun, 06 Nov 1994 07:49:37 GMT")], Some(0)),
            (&[("expires", "0")], None),
            (&[("cache-control", "max-age=60"), ("expires", "Sun, 06 Nov 1994 09:49:37 GMT")], Some(60)),
        ];
        for (headers, expected) in table {
            assert_eq!(fresh(headers).fresh_for, expected.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn retry_after_in_seconds_and_in_all_three_forms_of_date() {
        for (value, expected) in [
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun Nov  6 08:51:37 1994", Some(120)),
            ("Mon, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("", None),
            ("tomorrow", None),
        ] {
            assert_eq!(
                fresh(&[("retry-after", value)]).retry_after,
                expected.map(Duration::from_secs),
                "{value:?}"
            );
        }
    }
}
