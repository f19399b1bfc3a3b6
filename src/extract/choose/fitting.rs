//! What a program that fits the model needs: a page's blocks, with the facts about them that the model weighs.

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
    /// Its text.
    pub text: String,
    /// The facts that hold: indices into all groups of [`feature_groups`], one behind the other.
    pub features: Vec<u16>,
    /// The words in the names of the boxes around it, each with its place: below [`BOX_PLACES`].
    pub box_words: Vec<(NameToken, usize)>,
}

/// Facts of one kind.
#[derive(Clone, Debug)]
pub struct FeatureGroup {
    /// Its name in `config/model.toml`.
    pub name: &'static str,
    /// What its facts are called there.
    pub facts: Vec<String>,
    /// Whether several can hold at once. Where not, they are the steps of a number or the values of a kind.
    pub is_set: bool,
}

/// The groups of facts, in the order of their indices.
pub fn feature_groups() -> Vec<FeatureGroup> {
    described(groups(), &Names::current())
}

/// Groups as a program that fits something sees them.
pub(crate) fn described(groups: Vec<Group>, names: &Names) -> Vec<FeatureGroup> {
    let public = |Group { name, facts, .. }| FeatureGroup {
        name,
        facts: (0..facts.len()).map(|fact| names.name(facts, fact)).collect(),
        is_set: facts.is_set(),
    };
    groups.into_iter().map(public).collect()
}

/// The names that groups of facts go by, in their order: a model is written with them, so that it knows its facts when there
/// are others.
pub fn feature_names() -> [(&'static str, Vec<String>); 2] {
    let Names { furniture, traits } = Names::current();
    [("furniture", furniture), ("traits", traits)]
}

/// The blocks of a page in its order, with the facts of the first stage; with `first`, the first stage's probability for
/// each block, those of the second as well.
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
