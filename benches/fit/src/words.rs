//! Selection of the words in the names of boxes that the model learns: those used on many sites of several kinds.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use feedmill::extract::{BOX_PLACES, NameToken};

use crate::pages::LabelledPage;

/// Maximum number of learned words.
const MOST: usize = 1500;
/// Minimum number of sites that use a word.
const LEAST_SITES: usize = 20;
/// Minimum number of kinds of page that use a word, and of sites of each: a word of one set alone is specific to it.
const LEAST_KINDS: usize = 3;
const LEAST_OF_KIND: usize = 2;
/// Kinds with fewer sites count as if they had this many.
const FEWEST_OF_KIND: usize = 30;
/// L2 decay of words, ten times that of other facts; doubled for a word used on this many sites.
const L2: f32 = 0.1;
const PRIOR_SITES: f32 = 200.0;
/// Words whose weights are all smaller are dropped.
const LEAST_WEIGHT: f32 = 0.05;

/// All words of the pages, numbered in order of appearance.
#[derive(Default)]
pub(super) struct Numbers(Mutex<HashMap<NameToken, u32>>);

impl Numbers {
    /// Appends the facts about a block as numbers that encode a word and its place.
    pub(super) fn facts(&self, words: &[(NameToken, usize)], facts: &mut Vec<u32>) {
        let mut numbers = self.0.lock().expect("no other thread panicked");
        facts.extend(words.iter().map(|&(token, place)| {
            let next = u32::try_from(numbers.len()).expect("pages have fewer words");
            *numbers.entry(token).or_insert(next) * BOX_PLACES as u32 + place as u32
        }));
    }

    /// Returns the words by number.
    pub(super) fn into_words(self) -> Vec<NameToken> {
        let mut words: Vec<(NameToken, u32)> =
            self.0.into_inner().expect("no thread panicked").into_iter().collect();
        words.sort_unstable_by_key(|(_, number)| *number);
        words.into_iter().map(|(word, _)| word).collect()
    }
}

/// The chosen words and their weights.
pub(super) struct Learned {
    chosen: Vec<NameToken>,
    /// For each fact, the column of its word, or [`NO_COLUMN`].
    columns: Vec<u16>,
    decay: Vec<f32>,
    weights: Vec<f32>,
}

const NO_COLUMN: u16 = u16::MAX;

impl Learned {
    /// Chooses among `words`, given pages with the facts about their blocks: those used on the largest shares of sites, summed over
    /// all kinds.
    pub(super) fn choose<'a>(
        words: &[NameToken],
        pages: impl Iterator<Item = (&'a LabelledPage, &'a [u32])>,
    ) -> Self {
        let mut sites: Vec<HashSet<u64>> = Vec::new();
        let mut seen: Vec<HashSet<(usize, u64)>> = vec![HashSet::new(); words.len()];
        for (page, facts) in pages.filter(|(page, _)| page.is_sample()) {
            if sites.len() <= page.kind {
                sites.resize(page.kind + 1, HashSet::new());
            }
            sites[page.kind].insert(page.site);
            let of_page: HashSet<usize> = facts.iter().map(|fact| *fact as usize / BOX_PLACES).collect();
            for word in of_page {
                seen[word].insert((page.kind, page.site));
            }
        }
        let mut ranked: Vec<(f32, NameToken, usize, usize)> = Vec::new();
        for (number, seen) in seen.iter().enumerate() {
            let mut counts = vec![0_usize; sites.len()];
            seen.iter().for_each(|(kind, _)| counts[*kind] += 1);
            let kinds = counts.iter().filter(|count| **count >= LEAST_OF_KIND).count();
            if seen.len() >= LEAST_SITES && kinds >= LEAST_KINDS {
                let share = |(count, all): (&usize, &HashSet<u64>)| {
                    *count as f32 / all.len().max(FEWEST_OF_KIND) as f32
                };
                ranked.push((counts.iter().zip(&sites).map(share).sum(), words[number], number, seen.len()));
            }
        }
        ranked.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        ranked.truncate(MOST);
        let mut columns = vec![NO_COLUMN; words.len() * BOX_PLACES];
        let mut decay = Vec::new();
        for (_, _, number, sites) in &ranked {
            for place in 0..BOX_PLACES {
                columns[number * BOX_PLACES + place] =
                    u16::try_from(decay.len()).expect("a few thousand columns");
                decay.push(L2 * (1.0 + PRIOR_SITES / *sites as f32));
            }
        }
        let chosen = ranked.into_iter().map(|(_, word, ..)| word).collect();
        Self { chosen, columns, weights: vec![0.0; decay.len()], decay }
    }

    /// Returns the decay of each column.
    pub(super) fn decay(&self) -> &[f32] {
        &self.decay
    }

    /// Returns the columns of a block's facts.
    pub(super) fn columns<'a>(&'a self, facts: &'a [u32]) -> impl Iterator<Item = u16> + 'a {
        facts.iter().map(|fact| self.columns[*fact as usize]).filter(|column| *column != NO_COLUMN)
    }

    /// Takes the fitted weights; near-zero ones become zero.
    pub(super) fn take(&mut self, weights: Vec<f32>) {
        self.weights = weights;
        for weights in self.weights.chunks_mut(BOX_PLACES) {
            if weights.iter().all(|weight| weight.abs() < LEAST_WEIGHT) {
                weights.fill(0.0);
            }
        }
    }

    /// Returns the summed weights of a block's facts.
    pub(super) fn sum(&self, facts: &[u32]) -> f32 {
        self.columns(facts).map(|column| self.weights[usize::from(column)]).sum()
    }

    /// Returns the words with non-zero weights, in alphabetical order.
    pub(super) fn weighed(&self) -> Vec<(String, &[f32])> {
        let words = self.chosen.iter().map(ToString::to_string).zip(self.weights.chunks(BOX_PLACES));
        let mut words: Vec<_> =
            words.filter(|(_, weights)| weights.iter().any(|weight| *weight != 0.0)).collect();
        words.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        words
    }
}
