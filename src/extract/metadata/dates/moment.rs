//! Which moments are believed at all.
//!
//! No moment lies after the fetch: one up to a day ahead is a clock in another zone and becomes the fetch itself, one further
//! ahead is an error and dropped. Nothing before `EARLIEST_YEAR` is believed either: that is where unset clocks point.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A moment and the zone in which it was told, where it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    /// Offset from UTC; `None` where the value has none or only a `Z`, which servers write whatever their zone.
    pub(crate) offset: Option<Offset>,
}

/// Web pages are dated from here on.
const EARLIEST_YEAR: i16 = 1990;

/// `moment` where it can be true; the fetch in its place where it is less than a day ahead of it.
pub(crate) fn plausible(moment: Timestamp, fetched_at: Timestamp) -> Option<Timestamp> {
    let latest = fetched_at.checked_add(SignedDuration::from_hours(24)).ok()?;
    let year = Offset::UTC.to_datetime(moment).year();
    (year >= EARLIEST_YEAR && moment <= latest).then(|| moment.min(fetched_at))
}
