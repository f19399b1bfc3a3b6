//! The input of the program that fits the model: a page's blocks, with the facts about them that the model weighs.

use super::box_words;
pub use super::box_words::BOX_PLACES;
use super::context::Context;
use super::features;
use super::groups::{Active, Group, Names, groups};
use super::scores::{Advise, Scores};
pub use crate::extract::words::classes::NameToken;

/// A block of a page, as the model sees it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The block's text.
    pub text: String,
    /// The facts that hold: indices into the concatenated groups of [`feature_groups`].
    pub features: Vec<u16>,
    /// The words in the names of the boxes around the block, each with its place, a number below [`BOX_PLACES`].
    pub box_words: Vec<(NameToken, usize)>,
}

/// A group of facts of one kind.
#[derive(Clone, Debug)]
pub struct FeatureGroup {
    /// The group's name in `config/model.toml`.
    pub name: &'static str,
    /// The names of its facts in that file.
    pub facts: Vec<String>,
    /// Whether several facts can hold at once. If not, they are the steps of a number or the values of a kind.
    pub is_set: bool,
}

/// Returns the groups of facts, in the order of their indices.
pub fn feature_groups() -> Vec<FeatureGroup> {
    described(groups(), &Names::current())
}

/// Converts groups to the form that fitting programs read.
pub(crate) fn described(groups: Vec<Group>, names: &Names) -> Vec<FeatureGroup> {
    let public = |Group { name, facts, .. }| FeatureGroup {
        name,
        facts: (0..facts.len()).map(|fact| names.name(facts, fact)).collect(),
        is_set: facts.is_set(),
    };
    groups.into_iter().map(public).collect()
}

/// Returns the names of furniture kinds and traits, in order. They are written into the model file, so that a model still
/// knows its facts after others have been added.
pub fn feature_names() -> [(&'static str, Vec<String>); 2] {
    let Names { furniture, traits } = Names::current();
    [("furniture", furniture), ("traits", traits)]
}

/// Returns the blocks of a page in page order, with the facts of the first stage. If `first` holds the first stage's
/// probability of each block, the facts of the second stage are included.
pub(crate) fn samples(context: &Context<'_>, first: Option<&[f32]>, advise: &Advise<'_>) -> Vec<Sample> {
    let document = context.document;
    let scores = first.map(|first| Scores::new(context, first.to_vec(), advise));
    let sample = |(at, block)| {
        let mut active = Active::default();
        features::first(context, at, &mut active);
        if let Some(scores) = &scores {
            features::second(context, scores, at, &mut active);
        }
        Sample {
            text: document.text_of(block).to_owned(),
            features: active.0,
            box_words: box_words::around(document, at),
        }
    };
    document.blocks.iter().enumerate().map(sample).collect()
}
