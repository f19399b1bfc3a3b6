//! The judge that picks among complete readings of a page, fitted on readings by models that were not fitted on the page's site.

use feedmill::extract::{Rules, reading_groups, readings};

use crate::gold::{runs, words};
use crate::pages::LabelledPage;
use crate::parallel;
use crate::trees::{self, Growth, Lines, Loss, Table};

const GROWTH: Growth = Growth {
    loss: Loss::Squares,
    trees: 250,
    rate: 0.05,
    column_share: 0.5,
    row_share: 0.7,
    least_curvature: 20.0,
};

/// A page's readings, the model's own first.
struct Choices {
    fold: usize,
    weight: f32,
    readings: Vec<Reading>,
}

struct Reading {
    features: Vec<u16>,
    /// The mean of precision and recall.
    worth: f32,
}

/// Judges in the format of `config/judge.toml`: fitted on all pages, if requested, and without those of each fold.
pub(super) struct Fitted {
    pub(super) all: Option<String>,
    pub(super) by_fold: Vec<String>,
}

/// Fits the judge to each reading's advantage over the model's own, and prints the value of the best readings.
pub(super) fn fit(pages: &[LabelledPage], by_fold: &[Rules], and_of_all: bool) -> Fitted {
    let labelled: Vec<&LabelledPage> = pages
        .iter()
        .filter(|page| page.is_sample() && page.gold.text.as_deref().is_some_and(|text| !text.is_empty()))
        .collect();
    let choices = parallel::map(&labelled, |page| Choices::new(page, &by_fold[page.fold]));
    let mut table = Table::new(&reading_groups());
    let mut folds = Vec::new();
    let (mut own_worth, mut best_worth, mut all) = (0.0, 0.0, 0.0);
    for page in &choices {
        let Some((own, others)) = page.readings.split_first() else { continue };
        for reading in others {
            table.push(&reading.features, f64::from(reading.worth - own.worth), page.weight);
            folds.push(page.fold);
        }
        own_worth += page.weight * own.worth;
        best_worth += page.weight * page.readings.iter().map(|reading| reading.worth).fold(0.0, f32::max);
        all += page.weight;
    }
    println!("worth of the model's own reading {:.4}, of the best {:.4}", own_worth / all, best_worth / all);
    let (trees, of_all) = table.fit_without_each(&folds, &GROWTH, and_of_all);
    Fitted { all: of_all.as_ref().map(to_toml), by_fold: trees.iter().map(to_toml).collect() }
}

impl Choices {
    fn new(page: &LabelledPage, rules: &Rules) -> Self {
        let gold = runs(&words(page.gold.text.as_deref().unwrap_or_default()));
        let want: u32 = gold.values().sum();
        let worth = |text: &str| {
            let have = runs(&words(text));
            let hit: u32 = gold.iter().map(|(run, count)| *count.min(have.get(run).unwrap_or(&0))).sum();
            let all: u32 = have.values().sum();
            let share = |of: u32| if of == 0 { 0.0 } else { hit as f32 / of as f32 };
            (share(want) + share(all)) / 2.0
        };
        let readings = readings(&page.page, rules)
            .into_iter()
            .map(|reading| Reading { worth: worth(&reading.text), features: reading.features });
        Self { fold: page.fold, weight: page.weight, readings: readings.collect() }
    }
}

const HEAD: &str = "\
# The judge of whole readings: trees of questions about a reading, a line a tree, in the form of model.toml. What stands at their
# ends adds up to what the reading promises more than the model's own: of the mean of precision and recall. The reading that
# promises most is believed. `name` is a fact about the reading, `model_name` the same about the model's own, `gain_name` the
# difference; `src/extract/candidates` says what the readings and the facts are. Written by benches/fit.
";

fn to_toml(trees: &Lines) -> String {
    format!("{HEAD}\n{}", trees::to_toml(trees))
}
