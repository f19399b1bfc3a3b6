//! A logistic model over yes-or-no facts about a block.
//!
//! Every feature is binary; a number is cut into steps, each step a feature of its own. The coefficients were fitted offline
//! on labelled pages of many sites and are stored by name in `config/model.toml`, so that the weight of every fact can be
//! looked up.

use std::collections::BTreeMap;

use super::groups::{FACTS, Names, groups};

/// Coefficients of one stage, by index of the feature.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    bias: f32,
    weights: Vec<f32>,
}

impl Model {
    /// Builds the model from coefficients by group, in the order of the names that it was fitted with. Facts that the model
    /// does not know have weight 0.
    pub(crate) fn new(names: &Names, stage: &BTreeMap<String, Vec<f32>>) -> Result<Self, String> {
        let groups = groups();
        let mut weights = vec![0.0; FACTS];
        for (name, coefficients) in stage.iter().filter(|(name, _)| *name != "bias") {
            let group = groups
                .iter()
                .find(|group| group.name == name)
                .ok_or_else(|| format!("{name}: no such group"))?;
            let known = names.count(group.facts);
            if coefficients.len() != known {
                return Err(format!("{name}: {} coefficients, not {known}", coefficients.len()));
            }
            for fact in 0..group.facts.len() {
                if let Some(number) = names.number(group.facts, fact) {
                    weights[group.offset + fact] = coefficients[number];
                }
            }
        }
        let bias = stage.get("bias").and_then(|bias| bias.first()).copied().unwrap_or_default();
        Ok(Self { bias, weights })
    }

    /// Returns the probability that a block with these features belongs to the article. `box_words` is the total weight of the
    /// words in the names of its boxes.
    pub(crate) fn probability(&self, features: &[u16], box_words: f32) -> f32 {
        let sum: f32 = features.iter().map(|&feature| self.weights[usize::from(feature)]).sum();
        1.0 / (1.0 + (-(sum + box_words + self.bias)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::choose::groups::{Active, G};
    use crate::extract::words::furniture::Furniture;

    fn model(furniture: &[&str], coefficients: &[f32]) -> Result<Model, String> {
        let furniture = furniture.iter().map(|name| (*name).to_owned()).collect();
        let stage = BTreeMap::from([("next_phrase".to_owned(), coefficients.to_vec())]);
        Model::new(&Names { furniture, ..Names::default() }, &stage)
    }

    #[test]
    fn furniture_that_a_model_was_not_fitted_with_weighs_nothing() {
        let model = model(&["share", "comments"], &[1.0, -2.0]).unwrap();
        let log_odds = |furniture: Furniture| {
            let mut active = Active::default();
            active.furniture(G::next_phrase, furniture, 0);
            let probability = model.probability(&active.0, 0.0);
            (probability / (1.0 - probability)).ln().round()
        };
        for (furniture, expected) in
            [(Furniture::Share, 1.0), (Furniture::Comments, -2.0), (Furniture::Related, 0.0)]
        {
            assert!((log_odds(furniture) - expected).abs() < 0.1, "{furniture:?}");
        }
    }

    #[test]
    fn coefficients_fit_their_group() {
        assert_eq!(model(&["share"], &[1.0, 2.0]).unwrap_err(), "next_phrase: 2 coefficients, not 1");
    }
}
