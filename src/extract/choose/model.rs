//! The two-stage model. The first stage sees a block, its boxes and its neighbours; the second also sees the first stage's
//! scores of all surrounding blocks, and so knows where the body is.

use std::collections::BTreeMap;

use super::box_words::{BoxWords, Weights};
use super::context::Context;
use super::features;
use super::groups::{Active, Names, groups};
use super::logistic::Model;
use super::scores::{Advise, Scores};
use super::trees::Trees;

/// Blocks with a lower first-stage probability skip the second stage: half of all blocks do.
pub const SECOND_LOOK: f32 = 0.05;

/// The coefficients of both stages.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    first: Model,
    box_words: BoxWords,
    second: Trees,
}

/// The file format of `config/model.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    names: Names,
    first: BTreeMap<String, Vec<f32>>,
    /// Weights by word, for the first stage; may be missing.
    #[serde(default)]
    box_words: BTreeMap<String, Weights>,
    second: SecondStage,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondStage {
    trees: Vec<String>,
}

impl Models {
    /// Reads the coefficients: a list for each group of the first stage, and the trees of the second.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let file: File = toml::from_str(file).map_err(|error| error.to_string())?;
        Ok(Self {
            first: Model::new(&file.names, &file.first)?,
            box_words: BoxWords::new(&file.box_words)?,
            second: Trees::parse(&groups(), &file.names, &file.second.trees)?,
        })
    }
}

/// Returns the probability of every block, 0 for blocks in `taken`.
pub(crate) fn probabilities(
    context: &Context<'_>,
    models: &Models,
    taken: &[bool],
    advise: &Advise<'_>,
) -> Vec<f32> {
    let is_taken = |at: usize| taken.get(at).copied().unwrap_or(false);
    let document = context.document;
    let blocks = 0..document.blocks.len();
    let box_words = models.box_words.sums(document);
    // The second stage needs the first stage's features again: they are kept in one list, block after block.
    let mut active = Active::default();
    let mut ends = Vec::with_capacity(blocks.len());
    let mut first = Vec::with_capacity(blocks.len());
    for at in blocks.clone() {
        let start = active.0.len();
        features::first(context, at, &mut active);
        let by_words = box_words[document.blocks[at].container];
        let probability = models.first.probability(&active.0[start..], by_words);
        first.push(if is_taken(at) { 0.0 } else { probability });
        ends.push(active.0.len());
    }
    let scores = Scores::new(context, first, advise);
    let (mut block, mut scratch) = (Active::default(), Vec::new());
    blocks
        .map(|at| {
            if scores.first[at] < SECOND_LOOK {
                return scores.first[at];
            }
            block.0.clear();
            let start = at.checked_sub(1).map_or(0, |before| ends[before]);
            block.0.extend_from_slice(&active.0[start..ends[at]]);
            features::second(context, &scores, at, &mut block);
            models.second.probability(&block.0, &mut scratch)
        })
        .collect()
}
