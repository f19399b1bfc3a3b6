//! The model in two stages. The first looks at a block, its boxes and its neighbours; the second sees the first one's scores
//! all around as well, and so knows where the body is.

use std::collections::BTreeMap;

use super::box_words::{BoxWords, Weights};
use super::context::Context;
use super::features;
use super::groups::{Active, Names, groups};
use super::logistic::Model;
use super::scores::{Advise, Scores};
use super::trees::Trees;

/// A block of less than this in the first stage is not looked at by the second: half of all blocks are not.
pub const SECOND_LOOK: f32 = 0.05;

/// Both stages.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    first: Model,
    box_words: BoxWords,
    second: Trees,
}

/// The file as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    names: Names,
    first: BTreeMap<String, Vec<f32>>,
    /// By word, for the first stage; a model may know none.
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

/// The probability of every block. Those that are taken have none.
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
    // The second stage sees what the first saw: it is kept, block after block, in one list.
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
