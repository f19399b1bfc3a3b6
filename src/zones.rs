//! Time zones by their abbreviations, for the dates of feeds and of pages.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use jiff::tz::Offset;

/// `config/words/zones.toml`.
static ZONES: LazyLock<HashMap<String, Offset, RandomState>> = LazyLock::new(|| {
    parse(include_str!("../config/words/zones.toml")).expect("the shipped zones are tested")
});

/// Returns the UTC offset of the zone with this abbreviation, given in lower case.
pub(crate) fn offset(abbreviation: &str) -> Option<Offset> {
    ZONES.get(abbreviation).copied()
}

/// Parses a file that lists abbreviations by offset: `"+05:30" = ["ist"]`.
fn parse(file: &str) -> Result<HashMap<String, Offset, RandomState>, String> {
    let by_offset: BTreeMap<String, Vec<String>> = toml::from_str(file).map_err(|error| error.to_string())?;
    let mut zones = HashMap::default();
    for (written, abbreviations) in by_offset {
        let offset =
            hours_and_minutes(&written).ok_or_else(|| format!("{written}: no offset such as +05:30"))?;
        for abbreviation in abbreviations {
            if zones.insert(abbreviation.clone(), offset).is_some() {
                return Err(format!("{abbreviation}: stands there twice"));
            }
        }
    }
    Ok(zones)
}

fn hours_and_minutes(written: &str) -> Option<Offset> {
    let (sign, rest) = match written.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_zones_are_read() {
        for (abbreviation, minutes) in [("utc", 0), ("ist", 330), ("pst", -480), ("nst", -210), ("мск", 180)]
        {
            let offset = offset(abbreviation).map(|offset| offset.seconds() / 60);
            assert_eq!(offset, Some(minutes), "{abbreviation}");
        }
        assert_eq!(offset("xyz"), None);
    }

    #[test]
    fn what_is_no_table_of_zones_is_named() {
        let error = |file: &str| parse(file).unwrap_err();
        assert_eq!(error("'5:30' = ['ist']"), "5:30: no offset such as +05:30");
        assert_eq!(error("'+05:30' = ['ist']\n'+02:00' = ['ist']"), "ist: stands there twice");
    }
}
