//! The judge, which decides which reading of a page to use: boosted trees over facts about each reading.

use serde::Deserialize;

use super::{Candidate, groups};
use crate::extract::choose::groups::Names;
use crate::extract::choose::trees::Trees;

/// The trees of `config/judge.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    trees: Trees,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JudgeFile {
    trees: Vec<String>,
}

/// A reading replaces the model's own only if its score is higher than this; smaller gains are within the trees' error.
const MARGIN: f32 = 0.02;

/// If the model keeps nothing, a reading with a higher expected F1 replaces it.
const LEAST_LIKELY: f32 = 0.4;

/// If the model keeps nothing, a reading of fewer words does not replace it.
const LEAST_WORDS: u32 = 30;

impl Judge {
    /// Parses the judge: one tree per line, in the format of the model's trees.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let JudgeFile { trees } = toml::from_str(file).map_err(|error| error.to_string())?;
        Ok(Self { trees: Trees::parse(&groups(), &Names::default(), &trees)? })
    }

    /// Returns each candidate's predicted gain over the model's own choice, in the mean of precision and recall.
    pub(crate) fn scores(&self, candidates: &[Candidate]) -> Vec<f32> {
        let mut scratch = Vec::new();
        let others = candidates.iter().skip(1);
        let others = others.map(|candidate| self.trees.sum(&candidate.features, &mut scratch));
        std::iter::once(0.0).chain(others).take(candidates.len()).collect()
    }
}

/// Returns the candidate to use, given the scores: the first, which is the model's own, unless another has a sufficiently
/// higher score. If the model's own is empty, the page is of a kind that the model does not know: another one then needs
/// [`LEAST_WORDS`] (a menu or a notice is not text), and a higher score or a sufficient expected F1.
pub(crate) fn best<'c>(candidates: &'c [Candidate], scores: &[f32]) -> Option<&'c Candidate> {
    let (own, others) = candidates.split_first()?;
    let others = others.iter().zip(scores.iter().skip(1));
    let best = others.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let is_better = |(best, score): &(&Candidate, &f32)| {
        let promises_more = **score > MARGIN;
        if own.words > 0 {
            return promises_more;
        }
        best.words >= LEAST_WORDS && (promises_more || best.expected_f1() > LEAST_LIKELY)
    };
    Some(best.filter(is_better).map_or(own, |(best, _)| best))
}
