//! Both stages of the model, fitted on all pages and without each fold.

use std::fmt::Write as _;

use feedmill::extract::{Rules, feature_groups, samples};

use crate::gold::{Label, labels};
use crate::logistic::{Coefficients, Example};
use crate::pages::{FOLDS, LabelledPage};
use crate::parallel;

/// Models in the form of `config/model.toml`.
pub(super) struct Fitted {
    /// Fitted on all pages.
    pub(super) all: String,
    /// Fitted without the pages of each fold.
    pub(super) by_fold: Vec<String>,
}

/// The blocks of a page.
struct Blocks {
    fold: usize,
    labels: Vec<Label>,
    /// The facts about each block that hold, one block behind the other.
    features: Vec<u16>,
    ends: Vec<usize>,
}

impl Blocks {
    /// The blocks of one page, with the first stage's probabilities those that the second sees.
    fn new(page: &LabelledPage, rules: &Rules, first: Option<&[f32]>) -> Self {
        let (mut features, mut ends, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for sample in samples(&page.page, rules, first) {
            features.extend_from_slice(&sample.features);
            ends.push(features.len());
            texts.push(sample.text);
        }
        let mut labels = labels(&page.gold, &texts);
        for label in &mut labels {
            label.weight /= (page.of_site as f32).sqrt();
        }
        Self { fold: page.fold, labels, features, ends }
    }

    fn features(&self, at: usize) -> &[u16] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.features[start..self.ends[at]]
    }

    fn examples(&self) -> impl Iterator<Item = Example<'_>> {
        let known = |(at, label): (usize, &Label)| {
            let (is_article, weight) = (label.is_article(), label.weight);
            (weight > 0.0).then(|| Example { features: self.features(at), is_article, weight })
        };
        self.labels.iter().enumerate().filter_map(known)
    }

    fn probabilities(&self, by: &Coefficients) -> Vec<f32> {
        (0..self.ends.len()).map(|at| by.probability(self.features(at))).collect()
    }
}

/// Fits both stages. The second is fitted on what the first says of pages that it has not seen.
pub(super) fn fit(pages: &[LabelledPage], rules: &Rules) -> Fitted {
    let first_blocks = parallel::map(pages, |page| Blocks::new(page, rules, None));
    let first = Stage::fit(&first_blocks);
    let scores: Vec<Vec<f32>> =
        first_blocks.iter().map(|page| page.probabilities(&first.by_fold[page.fold])).collect();
    let pages: Vec<(&LabelledPage, Vec<f32>)> = pages.iter().zip(scores).collect();
    let second_blocks = parallel::map(&pages, |(page, scores)| Blocks::new(page, rules, Some(scores)));
    let second = Stage::fit(&second_blocks);
    Fitted {
        all: to_toml(&first.all, &second.all),
        by_fold: first
            .by_fold
            .iter()
            .zip(&second.by_fold)
            .map(|(first, second)| to_toml(first, second))
            .collect(),
    }
}

struct Stage {
    all: Coefficients,
    by_fold: Vec<Coefficients>,
}

impl Stage {
    fn fit(pages: &[Blocks]) -> Self {
        let size = feature_groups().iter().map(|(_, size)| size).sum();
        let without: Vec<Option<usize>> = (0..FOLDS).map(Some).chain([None]).collect();
        let mut fitted = parallel::map(&without, |without| {
            let seen = pages.iter().filter(|page| Some(page.fold) != *without);
            Coefficients::fit(&seen.flat_map(Blocks::examples).collect::<Vec<_>>(), size)
        });
        let all = fitted.pop().expect("the last is without no fold");
        Self { all, by_fold: fitted }
    }
}

const HEAD: &str = "\
# The coefficients of the model that weighs the blocks of a page: what each fact about a block adds to the log-odds that
# the block belongs to the article. Two stages; `src/extract/features.rs` says what the groups and their steps are.
# Written by benches/fit; docs/extraction.md says how.
";

fn to_toml(first: &Coefficients, second: &Coefficients) -> String {
    let mut toml = HEAD.to_owned();
    for (name, stage) in [("first", first), ("second", second)] {
        write!(toml, "\n[{name}]\nbias = {}\n", list(&[stage.bias])).expect("a string takes everything");
        let mut offset = 0;
        for (group, size) in feature_groups() {
            let weights = &stage.weights[offset..offset + size];
            offset += size;
            // What no block of this stage has is not written.
            if weights.iter().any(|weight| *weight != 0.0) {
                writeln!(toml, "{group} = {}", list(weights)).expect("a string takes everything");
            }
        }
    }
    toml
}

fn list(weights: &[f32]) -> String {
    // Adding nothing turns -0.00 into 0.00.
    let weights: Vec<String> =
        weights.iter().map(|weight| format!("{:.2}", (weight * 100.0).round() / 100.0 + 0.0)).collect();
    format!("[{}]", weights.join(", "))
}
