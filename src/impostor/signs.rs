//! The signs of `config/impostors.toml`.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::Impostor;

/// The signs of one kind.
#[derive(Deserialize)]
pub(super) struct Kind {
    pub(super) headers: Vec<(String, String)>,
    pub(super) marks: Vec<String>,
    pub(super) phrases: Vec<String>,
    /// Phrases that say no more than status 403 itself.
    #[serde(default)]
    pub(super) refusals: Vec<String>,
}

/// The signs of all kinds.
pub(super) struct Signs {
    pub(super) kinds: BTreeMap<Impostor, Kind>,
    marks: AhoCorasick,
    kind_of_mark: Vec<Impostor>,
    /// The phrases of all kinds, to rule out quickly that a page has any.
    pub(super) phrases: AhoCorasick,
}

/// The embedded signs, parsed once.
pub(super) static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let kinds: BTreeMap<Impostor, Kind> =
        toml::from_str(include_str!("../../config/impostors.toml")).expect("the embedded file is tested");
    let marks = || kinds.iter().flat_map(|(kind, signs)| signs.marks.iter().map(move |mark| (*kind, mark)));
    let automaton = |words: Vec<String>| {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words)
            .expect("the embedded lists are short")
    };
    Signs {
        kind_of_mark: marks().map(|(kind, _)| kind).collect(),
        marks: automaton(marks().map(|(_, mark)| mark.clone()).collect()),
        // The automaton ignores case for ASCII only, so phrases are also added capitalized: a phrase may begin a sentence.
        phrases: automaton(
            kinds.values().flat_map(Kind::all_phrases).flat_map(|it| [it.clone(), capitalised(it)]).collect(),
        ),
        kinds,
    }
});

fn capitalised(phrase: &str) -> String {
    let mut letters = phrase.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Kind {
    pub(super) fn all_phrases(&self) -> impl Iterator<Item = &String> {
        self.phrases.iter().chain(&self.refusals)
    }
}

impl Signs {
    /// Returns the kinds whose marks occur in a page.
    pub(super) fn marks_in(&self, html: &str) -> HashSet<Impostor> {
        self.marks
            .find_overlapping_iter(html)
            .map(|found| self.kind_of_mark[found.pattern().as_usize()])
            .collect()
    }
}
