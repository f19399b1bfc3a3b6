//! The human annotations of a page, and the resulting labels of its blocks.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;

/// The gold of a page; every part is optional.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Gold {
    pub(super) text: Option<String>,
    /// Snippets of the article, and of what does not belong to it.
    #[serde(deserialize_with = "list")]
    pub(super) with: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) without: Vec<String>,
    /// Texts by type: `fulltext`, `comments`, `related`…
    #[serde(deserialize_with = "list")]
    pub(super) segments: HashMap<String, String>,
}

/// Accepts `null` for the default.
fn list<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Words per n-gram.
const RUN: usize = 4;

/// Counts each run of four words in `words`, by hash; fewer words are one run.
pub(super) fn runs(words: &[&str]) -> HashMap<u64, u32> {
    let mut counts = HashMap::new();
    for run in words.windows(words.len().clamp(1, RUN)) {
        *counts.entry(hash(run)).or_default() += 1;
    }
    counts
}

fn hash(run: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    run.hash(&mut hasher);
    hasher.finish()
}

/// The words of `text`.
pub(super) fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect()
}

/// Returns the words of `text`; in scripts without spaces, every character is a word.
pub(super) fn fine_words(text: &str) -> Vec<&str> {
    let mut fine = Vec::new();
    for word in words(text) {
        let mut start = 0;
        for (at, c) in word.char_indices().filter(|(_, c)| is_unspaced(*c)) {
            let end = at + c.len_utf8();
            fine.extend([&word[start..at], &word[at..end]].into_iter().filter(|part| !part.is_empty()));
            start = end;
        }
        fine.extend(Some(&word[start..]).filter(|part| !part.is_empty()));
    }
    fine
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

/// Returns `text` with white space folded.
pub(super) fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The label of a block: its share of article words, and its weight in the page's score.
#[derive(Clone, Copy)]
pub(super) struct Label {
    pub(super) share: f32,
    pub(super) weight: f32,
}

impl Label {
    const UNKNOWN: Self = Self { share: 0.0, weight: 0.0 };

    pub(super) fn is_article(self) -> bool {
        self.share > 0.5
    }
}

/// Returns the labels of a page's blocks, given their texts.
pub(super) fn labels(gold: &Gold, blocks: &[String]) -> Vec<Label> {
    match gold.text.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => by_text(text, blocks),
        None => by_snippets(gold, blocks),
    }
}

fn by_text(gold: &str, blocks: &[String]) -> Vec<Label> {
    let gold = gold.to_lowercase();
    let gold = fine_words(&gold);
    let known: HashSet<u64> = (1..=RUN).flat_map(|length| gold.windows(length).map(hash)).collect();
    let label = |block: &String| {
        let block = block.to_lowercase();
        let words = fine_words(&block);
        let length = words.len().clamp(1, RUN);
        let all = words.windows(length).len();
        if all == 0 {
            return Label::UNKNOWN;
        }
        let hits = words.windows(length).filter(|run| known.contains(&hash(run))).count();
        Label { share: hits as f32 / all as f32, weight: words.len() as f32 }
    };
    let mut labels: Vec<Label> = blocks.iter().map(label).collect();
    let all: f32 = labels.iter().map(|label| label.weight).sum();
    for label in &mut labels {
        let sureness = (2.0 * label.share - 1.0).abs();
        label.weight *= (0.3 + 0.7 * sureness) / all.max(1.0);
    }
    labels
}

fn by_snippets(gold: &Gold, blocks: &[String]) -> Vec<Label> {
    let mut labels = vec![Label::UNKNOWN; blocks.len()];
    let blocks: Vec<String> = blocks.iter().map(|block| fold(block)).collect();
    let snippets = gold.with.len() + gold.without.len();
    for (share, snippets_of) in [(0.0, &gold.without), (1.0, &gold.with)] {
        for snippet in snippets_of.iter().map(|snippet| fold(snippet)).filter(|snippet| !snippet.is_empty()) {
            for (label, block) in labels.iter_mut().zip(&blocks) {
                let is_part = block.len() >= 20 && snippet.contains(&**block);
                if block.contains(&snippet) || is_part {
                    *label = Label { share, weight: 1.0 / snippets as f32 };
                }
            }
        }
    }
    labels
}
