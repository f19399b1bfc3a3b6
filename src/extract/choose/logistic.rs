//! A logistic model: which facts about a block speak for the article and how loudly.
//!
//! Every feature is a yes or no; a number is cut into steps, each step a feature of its own. The coefficients were
//! fitted offline on labelled pages of many sites and stand in `config/model.toml`, readable and by name, so that the
//! weight of every fact can be looked up.

use std::collections::BTreeMap;

/// A group of features that exclude each other, or a set of flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    /// Index of its first feature among all of them.
    pub(crate) offset: usize,
    /// Whether several of its features can hold at once.
    pub(crate) is_set: bool,
}

/// Coefficients of one stage, by index of the feature.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    bias: f32,
    weights: Vec<f32>,
}

impl Model {
    /// Builds the model from coefficients by group; a group that is absent has none.
    pub(crate) fn new(groups: &[Group], stage: &BTreeMap<String, Vec<f32>>) -> Result<Self, String> {
        let size = groups.last().map_or(0, |group| group.offset + group.size);
        let mut weights = vec![0.0; size];
        for (name, coefficients) in stage.iter().filter(|(name, _)| *name != "bias") {
            let group = groups
                .iter()
                .find(|group| group.name == name)
                .ok_or_else(|| format!("{name}: no such group"))?;
            if coefficients.len() != group.size {
                return Err(format!("{name}: {} coefficients, not {}", coefficients.len(), group.size));
            }
            weights[group.offset..][..group.size].copy_from_slice(coefficients);
        }
        let bias = stage.get("bias").and_then(|bias| bias.first()).copied().unwrap_or_default();
        Ok(Self { bias, weights })
    }

    /// The probability that a block with these features belongs to the article.
    pub(crate) fn probability(&self, features: &[u16]) -> f32 {
        let sum: f32 = features.iter().map(|&feature| self.weights[usize::from(feature)]).sum();
        1.0 / (1.0 + (-(sum + self.bias)).exp())
    }
}
