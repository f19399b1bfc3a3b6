//! The judge that picks among whole readings of a page, fitted on readings by models that have not seen the page's site.

use std::fmt::Write as _;

use feedmill::extract::{JUDGE_MARGIN, Rules, fact_names, reading_names, readings};

use crate::gold::{runs, words};
use crate::pages::{FOLDS, LabelledPage};
use crate::parallel;

const STEPS: usize = 800;
const RATE: f32 = 0.01;
const L2: f32 = 0.0005;

/// A page's readings.
struct Choices {
    fold: usize,
    weight: f32,
    readings: Vec<Reading>,
}

struct Reading {
    name: usize,
    facts: Vec<f32>,
    /// The mean of its precision and its recall.
    worth: f32,
}

/// Judges in the form of `config/judge.toml`: fitted on all pages, and without those of each fold.
pub(super) struct Fitted {
    pub(super) all: String,
    pub(super) by_fold: Vec<String>,
}

type Weights = Vec<Vec<f32>>;

/// Fits them, and prints what they would win on sites that they have not seen.
pub(super) fn fit(pages: &[LabelledPage], by_fold: &[Rules]) -> Fitted {
    let labelled: Vec<&LabelledPage> = pages
        .iter()
        .filter(|page| page.is_sample() && page.gold.text.as_deref().is_some_and(|text| !text.is_empty()))
        .collect();
    let choices = parallel::map(&labelled, |page| Choices::new(page, &by_fold[page.fold]));
    let without: Vec<Option<usize>> = (0..FOLDS).map(Some).chain([None]).collect();
    let mut weights = parallel::map(&without, |without| {
        fit_weights(&choices.iter().filter(|page| Some(page.fold) != *without).collect::<Vec<_>>())
    });
    let (mut own, mut chosen, mut best, mut all) = (0.0, 0.0, 0.0, 0.0);
    for page in &choices {
        own += page.weight * page.readings[0].worth;
        chosen += page.weight * page.readings[page.choice(&weights[page.fold])].worth;
        best += page.weight * page.readings.iter().map(|reading| reading.worth).fold(0.0, f32::max);
        all += page.weight;
    }
    println!(
        "worth of the model's own reading {:.4}, of the judge's choice {:.4}, of the best {:.4}",
        own / all,
        chosen / all,
        best / all
    );
    let of_all = weights.pop().unwrap_or_default();
    Fitted { all: to_toml(&of_all), by_fold: weights.iter().map(to_toml).collect() }
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
        let readings = readings(&page.page, rules).into_iter().map(|candidate| Reading {
            name: candidate.name,
            worth: worth(&candidate.text),
            facts: candidate.facts,
        });
        Self { fold: page.fold, weight: page.weight, readings: readings.collect() }
    }

    fn score(weights: &Weights, reading: &Reading) -> f32 {
        weights[reading.name].iter().zip(&reading.facts).map(|(weight, fact)| weight * fact).sum()
    }

    fn choice(&self, weights: &Weights) -> usize {
        let score = |at: &usize| Self::score(weights, &self.readings[*at]);
        let best = (1..self.readings.len()).max_by(|one, other| score(one).total_cmp(&score(other)));
        best.filter(|best| score(best) > JUDGE_MARGIN).unwrap_or(0)
    }
}

/// What each reading is worth more than the model's own, by gradient descent on the squares of the errors.
fn fit_weights(pages: &[&Choices]) -> Weights {
    let mut weights: Weights = vec![vec![0.0; fact_names().len()]; reading_names().len()];
    let mut squares = weights.clone();
    let all: f32 = pages.iter().map(|page| page.weight).sum();
    for _ in 0..STEPS {
        let mut slopes: Weights =
            weights.iter().map(|of| of.iter().map(|weight| L2 * weight).collect()).collect();
        for page in pages {
            let Some((own, others)) = page.readings.split_first() else { continue };
            for reading in others {
                let error = Choices::score(&weights, reading) - (reading.worth - own.worth);
                for (slope, fact) in slopes[reading.name].iter_mut().zip(&reading.facts) {
                    *slope += page.weight / all * error * fact;
                }
            }
        }
        for ((weights, squares), slopes) in weights.iter_mut().zip(&mut squares).zip(&slopes) {
            for ((weight, square), slope) in weights.iter_mut().zip(squares).zip(slopes) {
                *square = 0.95 * *square + 0.05 * slope * slope;
                *weight -= RATE * slope / (square.sqrt() + 1e-4);
            }
        }
    }
    weights
}

const HEAD: &str = "\
# The judge of whole readings: for each way to read a page what every fact about the reading adds to what it promises more
# than the model's own: the mean of precision and recall. The reading that promises most is believed. `src/extract/candidates` says what the ways and the facts are. Written by benches/fit.
";

fn to_toml(weights: &Weights) -> String {
    let mut toml = HEAD.to_owned();
    for (name, weights) in reading_names().iter().zip(weights) {
        writeln!(toml, "\n[{name}]").expect("a string takes everything");
        for (fact, weight) in fact_names().iter().zip(weights) {
            let rounded = (weight * 1000.0).round() / 1000.0 + 0.0;
            writeln!(toml, "{fact} = {rounded:.3}").expect("a string takes everything");
        }
    }
    toml
}
