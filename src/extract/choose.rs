//! Which blocks are the article: the model in two stages.
//!
//! The first stage looks at a block, its boxes and its neighbours; the second sees the first one's scores all around
//! as well, and so knows where the body is.

use std::collections::BTreeMap;

use super::context::{Context, Scores};
use super::features::{self, Active};
use super::model::Model;

/// Blocks of at least this probability are kept.
pub(crate) const KEEP: f32 = 0.45;

/// Both stages.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    first: Model,
    second: Model,
}

impl Models {
    /// Reads the coefficients: a table a stage, a list a group.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let stages: BTreeMap<String, BTreeMap<String, Vec<f32>>> =
            toml::from_str(file).map_err(|error| error.to_string())?;
        let groups = features::groups();
        let stage = |name: &str| {
            Model::new(&groups, stages.get(name).ok_or_else(|| format!("{name}: no such stage"))?)
        };
        Ok(Self { first: stage("first")?, second: stage("second")? })
    }
}

/// The probability of every block to belong to the article.
pub(crate) fn score(context: &Context<'_>, models: &Models) -> Vec<f32> {
    let mut active = Active::default();
    let blocks = 0..context.document.blocks.len();
    let first = blocks
        .clone()
        .map(|at| {
            active.0.clear();
            features::first(context, at, &mut active);
            models.first.probability(&active.0)
        })
        .collect();
    let scores = Scores::new(context, first);
    blocks
        .map(|at| {
            active.0.clear();
            features::first(context, at, &mut active);
            features::second(context, &scores, at, &mut active);
            models.second.probability(&active.0)
        })
        .collect()
}
