//! Decides which moments are plausible.
//!
//! No moment lies after the fetch. One up to a day ahead comes from a clock in another zone and is replaced by the time of the
//! fetch; one further ahead is an error and dropped. Years before `EARLIEST_YEAR` are dropped too: unset clocks give them.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A moment with the UTC offset it was stated in, if known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    /// Offset from UTC; `None` if the value has none or only a `Z`, which servers write whatever their zone is.
    pub(crate) offset: Option<Offset>,
}

/// Earliest plausible year of a web page.
const EARLIEST_YEAR: i16 = 1990;

/// Returns `moment` if it is plausible, or the time of the fetch if `moment` is up to a day ahead of it.
pub(crate) fn plausible(moment: Timestamp, fetched_at: Timestamp) -> Option<Timestamp> {
    let latest = fetched_at.checked_add(SignedDuration::from_hours(24)).ok()?;
    let year = Offset::UTC.to_datetime(moment).year();
    (year >= EARLIEST_YEAR && moment <= latest).then(|| moment.min(fetched_at))
}
