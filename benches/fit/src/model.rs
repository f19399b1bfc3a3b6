//! Both stages of the model, fitted on all pages and without each fold.

use std::fmt::Write as _;

use feedmill::extract::{NameToken, Rules, SECOND_LOOK, feature_groups, feature_names, samples};

use crate::gold::{Label, labels};
use crate::logistic::{Coefficients, Example, sigmoid};
use crate::pages::{LabelledPage, without_each};
use crate::parallel;
use crate::trees::{self, Growth, Lines, Loss, Table};
use crate::words::{Learned, Numbers};

const SECOND: Growth = Growth {
    loss: Loss::Logistic,
    trees: 150,
    rate: 0.075,
    column_share: 0.35,
    row_share: 0.3,
    least_curvature: 3.0,
};

/// Models in the format of `config/model.toml`.
pub(super) struct Fitted {
    /// Fitted on all pages, if requested.
    pub(super) all: Option<String>,
    /// Fitted without the pages of each fold.
    pub(super) by_fold: Vec<String>,
}

/// The blocks of a page.
struct Blocks {
    fold: usize,
    labels: Vec<Label>,
    /// The true facts of each block, concatenated.
    features: Vec<u16>,
    ends: Vec<usize>,
    /// The same for the words in the names of boxes.
    box_words: Vec<u32>,
    box_word_ends: Vec<usize>,
}

impl Blocks {
    /// Computes the blocks of one page; with the first stage's probabilities, those for the second stage. `numbers` assigns numbers
    /// to words.
    fn new(page: &LabelledPage, rules: &Rules, first: Option<&[f32]>, numbers: &Numbers) -> Self {
        let (mut features, mut ends, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut box_words, mut box_word_ends) = (Vec::new(), Vec::new());
        for sample in samples(&page.page, rules, first) {
            features.extend_from_slice(&sample.features);
            ends.push(features.len());
            if first.is_none() {
                numbers.facts(&sample.box_words, &mut box_words);
            }
            box_word_ends.push(box_words.len());
            texts.push(sample.text);
        }
        let mut labels = labels(&page.gold, &texts);
        for label in &mut labels {
            label.weight *= if page.is_sample() { page.weight } else { 0.0 };
        }
        Self { fold: page.fold, labels, features, ends, box_words, box_word_ends }
    }

    fn features(&self, at: usize) -> &[u16] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.features[start..self.ends[at]]
    }

    fn box_words(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).map_or(0, |before| self.box_word_ends[before]);
        &self.box_words[start..self.box_word_ends[at]]
    }

    /// Returns an example for each block, `None` for unlabelled ones, with the learned words.
    fn examples<'a>(&'a self, learned: Option<&'a Learned>) -> impl Iterator<Item = Option<Example<'a>>> {
        let known = move |(at, label): (usize, &Label)| {
            let (is_article, weight) = (label.is_article(), label.weight);
            (weight > 0.0).then(|| Example {
                features: self.features(at),
                extra: learned
                    .map(|learned| learned.columns(self.box_words(at)).collect())
                    .unwrap_or_default(),
                is_article,
                weight,
            })
        };
        self.labels.iter().enumerate().map(known)
    }
}

/// The first stage.
struct First {
    coefficients: Coefficients,
    learned: Learned,
}

impl First {
    /// Fits it on all pages outside a fold.
    fn fit(pages: &[LabelledPage], blocks: &[Blocks], words: &[NameToken], without: Option<usize>) -> Self {
        let size = feature_groups().iter().map(|group| group.facts.len()).sum();
        let seen = || pages.iter().zip(blocks).filter(|(page, _)| Some(page.fold) != without);
        let mut learned = Learned::choose(words, seen().map(|(page, blocks)| (page, &*blocks.box_words)));
        let examples: Vec<_> =
            seen().flat_map(|(_, blocks)| blocks.examples(Some(&learned))).flatten().collect();
        let (coefficients, weights) = Coefficients::fit(&examples, size, learned.decay());
        drop(examples);
        learned.take(weights);
        Self { coefficients, learned }
    }

    fn probabilities(&self, blocks: &Blocks) -> Vec<f32> {
        let sum = |at| self.coefficients.sum(blocks.features(at)) + self.learned.sum(blocks.box_words(at));
        (0..blocks.ends.len()).map(|at| sigmoid(sum(at))).collect()
    }
}

/// Fits both stages. The second is fitted on the first stage's probabilities for pages that the first was not fitted on.
pub(super) fn fit(pages: &[LabelledPage], rules: &Rules, and_of_all: bool) -> Fitted {
    let numbers = Numbers::default();
    let blocks = parallel::map(pages, |page| Blocks::new(page, rules, None, &numbers));
    let words = numbers.into_words();
    let (first, first_of_all) =
        without_each(and_of_all, |without| First::fit(pages, &blocks, &words, without));
    let scores = blocks.iter().map(|page| first[page.fold].probabilities(page)).collect::<Vec<_>>();
    drop(blocks);
    let scored: Vec<(&LabelledPage, Vec<f32>)> = pages.iter().zip(scores).collect();
    let numbers = Numbers::default();
    let blocks = parallel::map(&scored, |(page, scores)| Blocks::new(page, rules, Some(scores), &numbers));
    let mut table = Table::new(&feature_groups());
    let mut folds = Vec::new();
    for (page, (_, scores)) in blocks.iter().zip(&scored) {
        let looked_at = page.examples(None).zip(scores).filter(|(_, score)| **score >= SECOND_LOOK);
        for example in looked_at.filter_map(|(example, _)| example) {
            table.push(example.features, f64::from(u8::from(example.is_article)), example.weight);
            folds.push(page.fold);
        }
    }
    drop(blocks);
    let (second, second_of_all) = table.fit_without_each(&folds, &SECOND, and_of_all);
    let of_all = first_of_all.zip(second_of_all);
    Fitted {
        all: of_all.map(|(first, second)| to_toml(&first, &second)),
        by_fold: first.iter().zip(&second).map(|(first, second)| to_toml(first, second)).collect(),
    }
}

const HEAD: &str = "\
# The model that weighs the blocks of a page. The first stage: what each fact about a block adds to the log-odds that the
# block belongs to the article. The second: trees of questions, a line a tree. `name<n` asks whether the group stands below
# its nth step, from 1; `name/fact<1` asks whether a fact of a set does not hold. Behind a question stands what follows a
# yes, then what follows a no; a number is added to the log-odds. `[names]` holds what the facts about furniture and traits
# stand for, in their order: one that is not there weighs nothing. `[box_words]` belongs to the first stage: what a word (its first
# twelve letters) in the class or id of a box adds, of the block's own box, of one of the two around that, of one further out.
# `src/extract/choose/groups.rs` says what the groups are.
# Written by benches/fit; docs/extraction.md says how.
";

fn to_toml(first: &First, second: &Lines) -> String {
    let First { coefficients, learned } = first;
    let mut toml = format!("{HEAD}\n[names]\n");
    for (kind, names) in feature_names() {
        writeln!(toml, "{kind} = {names:?}").expect("a string takes everything");
    }
    writeln!(toml, "\n[first]\nbias = {}", list(&[coefficients.bias])).expect("a string takes everything");
    let mut offset = 0;
    for group in feature_groups() {
        let weights = &coefficients.weights[offset..offset + group.facts.len()];
        offset += group.facts.len();
        // Groups that the first stage does not use are not written.
        if weights.iter().any(|weight| *weight != 0.0) {
            writeln!(toml, "{} = {}", group.name, list(weights)).expect("a string takes everything");
        }
    }
    toml.push_str("\n[box_words]\n");
    for (word, weights) in learned.weighed() {
        writeln!(toml, "{word} = {}", list(weights)).expect("a string takes everything");
    }
    toml.push_str("\n[second]\n");
    toml.push_str(&trees::to_toml(second));
    toml
}

fn list(weights: &[f32]) -> String {
    // Adding 0.0 turns -0.00 into 0.00.
    let weights: Vec<String> =
        weights.iter().map(|weight| format!("{:.2}", (weight * 100.0).round() / 100.0 + 0.0)).collect();
    format!("[{}]", weights.join(", "))
}
