//! In-memory index of earlier articles, looked up by content hash and by band.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Neighbour;
use crate::model::{ArticleId, Fingerprint, Sha256Hash};

/// Maximum number of candidates compared with one text: those that share the most bands with it.
const MAX_CANDIDATES: usize = 32;

/// Articles by content hash, by band and by their order of arrival (`number`). The store fills an index with what concerns
/// one batch of articles; a batch on the command line fills one with all its articles.
#[derive(Clone, Debug, Default)]
pub struct Index {
    first_by_content: HashMap<Sha256Hash, (i64, Neighbour)>,
    numbers_by_band: HashMap<u64, Vec<i64>>,
    by_number: HashMap<i64, Neighbour>,
}

impl Index {
    /// Records an article as the first with its content, unless one with a lower number is known.
    pub fn add_first(&mut self, number: i64, neighbour: Neighbour) {
        let first = self.first_by_content.entry(neighbour.content_sha256);
        let first = first.or_insert_with(|| (number, neighbour.clone()));
        if number < first.0 {
            *first = (number, neighbour);
        }
    }

    /// Records that the article `number` has this band.
    pub fn add_band(&mut self, band: u64, number: i64) {
        self.numbers_by_band.entry(band).or_default().push(number);
    }

    /// Stores the text of an article that is known by its bands.
    pub fn add_text(&mut self, number: i64, neighbour: Neighbour) {
        self.by_number.insert(number, neighbour);
    }

    /// Adds an article with its content hash, bands and text.
    pub fn add(&mut self, number: i64, neighbour: Neighbour, bands: &[u64]) {
        for band in bands {
            self.add_band(*band, number);
        }
        self.add_first(number, neighbour.clone());
        self.add_text(number, neighbour);
    }

    /// Removes an article.
    pub fn remove(&mut self, number: i64, content: Sha256Hash, bands: &[u64]) {
        for band in bands {
            if let Some(numbers) = self.numbers_by_band.get_mut(band) {
                numbers.retain(|other| *other != number);
                if numbers.is_empty() {
                    self.numbers_by_band.remove(band);
                }
            }
        }
        if self.first_by_content.get(&content).is_some_and(|(first, _)| *first == number) {
            self.first_by_content.remove(&content);
        }
        self.by_number.remove(&number);
    }

    /// Returns the first article before `number` with the same content; if there is none, the articles before `number` that
    /// share a band with the text, oldest first.
    pub fn neighbours(&self, number: i64, fingerprint: &Fingerprint) -> Vec<Neighbour> {
        if !fingerprint.comparable {
            return Vec::new();
        }
        match self.first_by_content.get(&fingerprint.content_sha256) {
            Some((first, neighbour)) if *first < number => vec![neighbour.clone()],
            _ => self
                .candidates(number, fingerprint)
                .into_iter()
                .filter_map(|candidate| self.by_number.get(&candidate).cloned())
                .collect(),
        }
    }

    /// Returns the numbers below `number` of the articles that share the most bands with the text, oldest first.
    pub fn candidates(&self, number: i64, fingerprint: &Fingerprint) -> Vec<i64> {
        let mut shared: HashMap<i64, u32> = HashMap::new();
        for numbers in fingerprint.bands.iter().filter_map(|band| self.numbers_by_band.get(band)) {
            for earlier in numbers.iter().filter(|earlier| **earlier < number) {
                *shared.entry(*earlier).or_default() += 1;
            }
        }
        let mut ranked: Vec<(i64, u32)> = shared.into_iter().collect();
        ranked.sort_unstable_by_key(|(number, bands)| (Reverse(*bands), *number));
        let mut candidates: Vec<i64> =
            ranked.into_iter().take(MAX_CANDIDATES).map(|(number, _)| number).collect();
        candidates.sort_unstable();
        candidates
    }

    /// Moves all articles of the cluster `from` to the cluster `into`.
    pub fn merge_cluster(&mut self, from: ArticleId, into: ArticleId) {
        let first = self.first_by_content.values_mut().map(|(_, neighbour)| neighbour);
        for neighbour in first.chain(self.by_number.values_mut()) {
            if neighbour.cluster_id == from {
                neighbour.cluster_id = into;
            }
        }
    }
}
