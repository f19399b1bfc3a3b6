//! Headers that requests send, and response headers that are kept.

use http::header::{ETAG, HeaderName, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{FetchError, freshness};
use crate::model::Validators;

/// Our name in `User-Agent` and to robots.txt.
pub(super) const PRODUCT: &str = env!("CARGO_PKG_NAME");
/// Tolerated error of a server's clock or of ours.
pub(super) const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);
/// Longest validator or media type accepted: longer ones would only fill the store.
pub(super) const MAX_VALUE_BYTES: usize = 1024;

/// Returns the `User-Agent`: `feedmill/0.1.0 (+https://example.org/about)`.
pub(super) fn user_agent(contact: Option<&Url>) -> Result<HeaderValue, FetchError> {
    let contact = contact.map(|contact| format!(" (+{contact})")).unwrap_or_default();
    let text = format!("{PRODUCT}/{}{contact}", env!("CARGO_PKG_VERSION"));
    header_value("the user agent", &text)
}

pub(super) fn header_value(what: &str, text: &str) -> Result<HeaderValue, FetchError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        FetchError::BadOption(format!("{what} contains a character that is not allowed in a header"))
    })
}

/// Returns the validators, byte for byte. A `Last-Modified` later than the response itself is dropped (RFC 9110, 8.8.2.1):
/// a conditional request with it would be answered "not modified" until that time.
pub(super) fn validators(headers: &HeaderMap, now: Timestamp) -> Validators {
    let latest = freshness::date(headers).map_or(now, |date| date.max(now)) + CLOCK_TOLERANCE;
    Validators {
        etag: readable(headers, &ETAG, MAX_VALUE_BYTES),
        last_modified: readable(headers, &LAST_MODIFIED, MAX_VALUE_BYTES)
            .filter(|date| !freshness::is_ahead(date, latest)),
    }
}

/// Returns a header's value if it is non-empty UTF-8 of at most `max_bytes` bytes.
pub(super) fn readable(headers: &HeaderMap, name: &HeaderName, max_bytes: usize) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    let text = std::str::from_utf8(value).ok()?;
    (1..=max_bytes).contains(&text.len()).then(|| text.to_owned())
}
