//! The words of each language (`config/words/<language>.toml`), for feeds and pages: function words, words around names in bylines,
//! words of dates, and lines of furniture.
//!
//! A byline is read before the language of the page is known, so the words of all languages apply everywhere. `any.toml` holds words
//! that belong to no language.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use serde::Deserialize;

macro_rules! files {
    ($($language:literal)*) => {
        const FILES: &[(&str, &str)] =
            &[$(($language, include_str!(concat!("../config/words/", $language, ".toml")))),*];
    };
}

files! {
    "any" "ar" "be" "bg" "bn" "ca" "cs" "da" "de" "el" "en" "es" "et" "fa" "fi" "fr" "gl" "he" "hi" "hr" "hu" "id" "is" "it"
    "ja" "ka" "ko" "lt" "lv" "mk" "mr" "ms" "nl" "no" "pl" "pt" "ro" "ru" "sk" "sl" "sr" "sv" "th" "tr" "uk" "ur" "vi" "zh"
}

type Set = HashSet<String, RandomState>;

/// The contents of a file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Language {
    /// The most common words that are rare in other languages, in lower case (capitalised words are not looked up): articles,
    /// prepositions, pronouns.
    function_words: Vec<String>,
    byline: Byline,
    date: Dates,
    furniture: BTreeMap<String, Lines>,
}

/// Words around names in bylines, in lower case except for degrees.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Byline {
    /// Words before an author's name.
    pub(crate) openings: Set,
    /// Words before the names of other contributors: editors, fact checkers, photographers.
    pub(crate) others: Set,
    /// Roles and positions. A part that consists of them alone is not a name.
    pub(crate) roles: Set,
    /// Roles and departments that stand for a group of people.
    pub(crate) collectives: Set,
    /// Words that join names.
    pub(crate) conjunctions: Set,
    /// Particles that belong to names.
    pub(crate) particles: Set,
    /// Degrees and certificates after a name, without dots.
    pub(crate) post_nominals: Set,
    /// Words of buttons and labels beside a name: a part that contains one is not a name.
    pub(crate) labels: Set,
    /// First words of links to an author's profile or other articles.
    pub(crate) invitations: Set,
    /// Texts in place of a name: links to profiles and lists, placeholders of templates.
    pub(crate) no_names: Set,
    /// Words that end the names in a byline.
    pub(crate) cuts: Set,
}

/// Words of dates, in lower case; inflected words by their stem.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dates {
    change: Vec<String>,
    publication: Vec<String>,
    /// Names and abbreviations, January first.
    months: Vec<Vec<String>>,
    /// Words without meaning between the parts of a date.
    fillers: Set,
    /// Names and abbreviations of the days of the week.
    weekdays: Set,
    /// Words after a time of day: "14:30 Uhr".
    clock: Set,
    /// Months of the Solar Hijri calendar.
    jalali_months: Vec<String>,
    /// Month names that are numerals.
    month_numbers: Vec<String>,
    units: BTreeMap<Unit, Vec<String>>,
    ago_before: Set,
    ago_after: Set,
    /// Words for today, yesterday and the day before, in this order.
    days_ago: Vec<Vec<String>>,
}

/// Lines of one kind of furniture; `config/words/furniture.toml` says how they are compared.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lines {
    pub(crate) whole: Vec<String>,
    pub(crate) start: Vec<String>,
    pub(crate) end: Vec<String>,
    pub(crate) with: Vec<String>,
    pub(crate) access: Vec<String>,
    pub(crate) aside: Vec<String>,
}

/// A unit of "three weeks ago".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Words of dates in all languages.
#[derive(Debug, Default)]
pub(crate) struct DateWords {
    /// Words that mark the date of a change, and of the publication.
    pub(crate) change: Vec<String>,
    pub(crate) publication: Vec<String>,
    /// Month numbers by name, from 1.
    pub(crate) months: HashMap<String, i8, RandomState>,
    /// Words without meaning between the parts of a date.
    pub(crate) fillers: Set,
    /// Names and abbreviations of the days of the week.
    pub(crate) weekdays: Set,
    /// Words after a time of day: "14:30 Uhr".
    pub(crate) clock: Set,
    pub(crate) jalali_months: HashMap<String, i8, RandomState>,
    pub(crate) month_numbers: HashMap<String, i8, RandomState>,
    /// Stems of the units' names.
    pub(crate) units: Vec<(String, Unit)>,
    /// Words before the amount ("vor 3 Wochen"), and after the unit ("3 weeks ago").
    pub(crate) ago_before: Set,
    pub(crate) ago_after: Set,
    /// Number of days before today, by name.
    pub(crate) days_ago: HashMap<String, i32, RandomState>,
}

impl DateWords {
    /// Returns whether a lower-case word adds nothing to the numbers of a date.
    pub(crate) fn is_filler(&self, word: &str) -> bool {
        self.fillers.contains(word) || self.weekdays.contains(word) || self.clock.contains(word)
    }
}

/// The function words of the languages that list some.
#[derive(Debug, Default)]
pub(crate) struct FunctionWords {
    /// ISO 639 codes.
    pub(crate) languages: Vec<String>,
    /// Indices into `languages`, by lower-case word.
    pub(crate) languages_of: HashMap<String, Vec<usize>, RandomState>,
}

/// The shipped words.
#[derive(Default)]
pub(crate) struct Languages {
    pub(crate) function_words: FunctionWords,
    pub(crate) byline: Byline,
    pub(crate) date: DateWords,
    /// Lines by kind of furniture.
    pub(crate) furniture: BTreeMap<String, Lines>,
}

/// The words of all languages.
pub(crate) static LANGUAGES: LazyLock<Languages> =
    LazyLock::new(|| read(FILES).expect("the shipped words of languages are tested"));

fn read(files: &[(&str, &str)]) -> Result<Languages, String> {
    let mut all = Languages::default();
    for (language, file) in files {
        let words: Language = toml::from_str(file).map_err(|error| format!("{language}: {error}"))?;
        all.function_words.add(language, words.function_words);
        all.byline.add(words.byline);
        all.date.add(words.date).map_err(|error| format!("{language}: {error}"))?;
        for (kind, lines) in words.furniture {
            all.furniture.entry(kind).or_default().add(lines);
        }
    }
    Ok(all)
}

impl FunctionWords {
    fn add(&mut self, language: &str, words: Vec<String>) {
        if words.is_empty() {
            return;
        }
        for word in words {
            self.languages_of.entry(word).or_default().push(self.languages.len());
        }
        self.languages.push(language.to_owned());
    }
}

impl Byline {
    fn add(&mut self, other: Self) {
        self.openings.extend(other.openings);
        self.others.extend(other.others);
        self.roles.extend(other.roles);
        self.collectives.extend(other.collectives);
        self.conjunctions.extend(other.conjunctions);
        self.particles.extend(other.particles);
        self.post_nominals.extend(other.post_nominals);
        self.labels.extend(other.labels);
        self.invitations.extend(other.invitations);
        self.no_names.extend(other.no_names);
        self.cuts.extend(other.cuts);
    }
}

impl Lines {
    fn add(&mut self, other: Self) {
        self.whole.extend(other.whole);
        self.start.extend(other.start);
        self.end.extend(other.end);
        self.with.extend(other.with);
        self.access.extend(other.access);
        self.aside.extend(other.aside);
    }
}

impl DateWords {
    fn add(&mut self, other: Dates) -> Result<(), String> {
        self.change.extend(other.change);
        self.publication.extend(other.publication);
        number(&mut self.months, other.months, 1)?;
        self.fillers.extend(other.fillers);
        self.weekdays.extend(other.weekdays);
        self.clock.extend(other.clock);
        let alone = |names: Vec<String>| names.into_iter().map(|name| vec![name]).collect();
        number(&mut self.jalali_months, alone(other.jalali_months), 1)?;
        number(&mut self.month_numbers, alone(other.month_numbers), 1)?;
        number(&mut self.days_ago, other.days_ago, 0)?;
        for (unit, stems) in other.units {
            self.units.extend(stems.into_iter().map(|stem| (stem, unit)));
        }
        self.ago_before.extend(other.ago_before);
        self.ago_after.extend(other.ago_after);
        Ok(())
    }
}

/// Maps each name to the number of its list. Returns an error if a name has another number in another language.
fn number<N: Copy + PartialEq + From<i8>>(
    by_name: &mut HashMap<String, N, RandomState>,
    lists: Vec<Vec<String>>,
    first: i8,
) -> Result<(), String> {
    for (number, names) in (first..).zip(lists) {
        for name in names {
            let number = N::from(number);
            if by_name.get(&name).is_some_and(|before| *before != number) {
                return Err(format!("{name}: means something else in another language"));
            }
            by_name.insert(name, number);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_a_language_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/words");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut files: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap()).replace(".toml", "")).collect();
        // Files that are not languages have longer names.
        files.retain(|name| name.len() <= 3);
        files.sort();
        assert_eq!(files, FILES.iter().map(|(language, _)| *language).collect::<Vec<_>>());
        assert!(LANGUAGES.byline.openings.contains("von"));
        assert_eq!(LANGUAGES.date.months.get("března"), Some(&3));
    }

    #[test]
    fn a_name_means_one_month() {
        let error = read(&[("pl", "[date]\nmonths = [['maj']]"), ("sv", "[date]\nmonths = [[], ['maj']]")]);
        assert_eq!(error.err().unwrap(), "sv: maj: means something else in another language");
        assert!(read(&[("de", "[byline]\nopening = ['von']")]).err().unwrap().starts_with("de: "));
    }
}
