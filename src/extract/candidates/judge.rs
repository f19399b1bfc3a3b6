//! Which reading of a page to believe: a sum of weighted facts, with weights of its own for every way to read.

use std::collections::BTreeMap;

use super::{Candidate, FACT_NAMES, FACTS, NAMES};

/// The weights, by name in `config/judge.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    weights: [[f32; FACTS]; NAMES.len()],
}

/// A reading must promise so much more than the model's own. Less, and pages of news lose more than threads and lists gain, on
/// sites that nothing was fitted on.
pub const JUDGE_MARGIN: f32 = 0.1;

/// Where the model keeps nothing, another reading must have a chance of so much.
const LEAST_LIKELY: f32 = 0.4;

/// Fewer words are no text beside none.
const LEAST_WORDS: u32 = 30;

impl Judge {
    /// Reads them: a table for each way to read, a number for each fact.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let mut tables: BTreeMap<String, BTreeMap<String, f32>> =
            toml::from_str(file).map_err(|error| error.to_string())?;
        let mut weights = [[0.0; FACTS]; NAMES.len()];
        for (name, weights) in NAMES.iter().zip(&mut weights) {
            let mut table = tables.remove(*name).ok_or_else(|| format!("{name} has no weights"))?;
            for (fact, weight) in FACT_NAMES.iter().zip(weights) {
                *weight = table.remove(*fact).ok_or_else(|| format!("{name}: {fact} has no weight"))?;
            }
            if let Some(unknown) = table.keys().next() {
                return Err(format!("{name}: there is no fact {unknown}"));
            }
        }
        match tables.keys().next() {
            Some(unknown) => Err(format!("there is no candidate {unknown}")),
            None => Ok(Self { weights }),
        }
    }

    /// What a candidate promises more than the model's own choice: more of the mean of precision and recall.
    pub(crate) fn score(&self, candidate: &Candidate) -> f32 {
        self.weights[candidate.name].iter().zip(candidate.facts).map(|(weight, fact)| weight * fact).sum()
    }

    /// The one to believe: the first, which is the model's own, unless another promises more, or it is empty and another
    /// is a text: that page is one of other kinds than the model knows. A menu or a notice is no text.
    pub(crate) fn best<'c>(&self, candidates: &'c [Candidate]) -> Option<&'c Candidate> {
        let (own, others) = candidates.split_first()?;
        let best = others.iter().max_by(|one, other| self.score(one).total_cmp(&self.score(other)));
        let is_better = |best: &&Candidate| {
            self.score(best) > JUDGE_MARGIN
                || own.words == 0 && best.words >= LEAST_WORDS && best.expected_f1() > LEAST_LIKELY
        };
        Some(best.filter(is_better).unwrap_or(own))
    }
}
