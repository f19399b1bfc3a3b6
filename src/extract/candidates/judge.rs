//! Which reading of a page to believe: boosted trees over facts about it.

use serde::Deserialize;

use super::{Candidate, groups};
use crate::extract::choose::groups::Names;
use crate::extract::choose::trees::Trees;

/// The trees, as they stand in `config/judge.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    trees: Trees,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JudgeFile {
    trees: Vec<String>,
}

/// A reading must promise so much more than the model's own. Less is within what the trees err.
const MARGIN: f32 = 0.02;

/// Where the model keeps nothing, another reading must have a chance of so much.
const LEAST_LIKELY: f32 = 0.4;

/// Fewer words are no text beside none.
const LEAST_WORDS: u32 = 30;

impl Judge {
    /// Reads it: a tree a line, in the form of the model's.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let JudgeFile { trees } = toml::from_str(file).map_err(|error| error.to_string())?;
        Ok(Self { trees: Trees::parse(&groups(), &Names::default(), &trees)? })
    }

    /// What each candidate promises more than the model's own choice: more of the mean of precision and recall.
    pub(crate) fn scores(&self, candidates: &[Candidate]) -> Vec<f32> {
        let mut scratch = Vec::new();
        let others = candidates.iter().skip(1);
        let others = others.map(|candidate| self.trees.sum(&candidate.features, &mut scratch));
        std::iter::once(0.0).chain(others).take(candidates.len()).collect()
    }
}

/// The one to believe of those with these scores: the first, which is the model's own, unless another promises more; where it is empty,
/// unless another is a text: that page is one of other kinds than the model knows. A menu or a notice is no text.
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
