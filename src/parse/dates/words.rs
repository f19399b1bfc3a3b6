//! The names of months in dates, in every language of `config/words`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::LazyLock;

use crate::languages::LANGUAGES;

/// Months by name, sorted so that they can be found by prefix.
static MONTHS: LazyLock<BTreeMap<&str, i8>> =
    LazyLock::new(|| LANGUAGES.date.months.iter().map(|(name, number)| (name.as_str(), *number)).collect());

/// Returns the month, 1 to 12, of a lower-case name or its abbreviation.
pub(super) fn month(word: &str) -> Option<i64> {
    const LEAST_LETTERS: usize = 3;
    if let Some(number) = MONTHS.get(word) {
        return Some(i64::from(*number));
    }
    if word.chars().count() < LEAST_LETTERS {
        return None;
    }
    let behind = MONTHS.range::<str, _>((Bound::Excluded(word), Bound::Unbounded));
    let mut begun = behind.take_while(|(name, _)| name.starts_with(word)).map(|(_, number)| *number);
    // "jui" may be June or July: a prefix must be that of one month only.
    let number = begun.next()?;
    begun.all(|other| other == number).then(|| i64::from(number))
}
