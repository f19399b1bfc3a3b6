//! The rules of extraction: the shipped word lists and coefficients, and the operator's selectors.

use super::candidates::judge::Judge;
use super::choose::Models;
use super::evidence::kinds::Kinds;
use super::judge::selectors::{CompiledSite, RulesError, SiteRules};
use super::words::phrases::Phrases;
use crate::languages::LANGUAGES;

/// How furniture lines are compared.
const FURNITURE: &str = include_str!("../../config/words/furniture.toml");
/// The words that tell kinds of pages apart.
const KINDS: &str = include_str!("../../config/words/kinds.toml");
/// The coefficients of the model that weighs the blocks of a page.
const MODEL: &str = include_str!("../../config/model.toml");

/// The trees of the judge that picks among readings of a whole page.
const JUDGE: &str = include_str!("../../config/judge.toml");

/// The shipped word lists and the operator's selectors, compiled.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) phrases: Phrases,
    pub(super) models: Models,
    pub(super) judge: Judge,
    pub(super) kinds: Kinds,
    sites: Vec<CompiledSite>,
}

/// The error for coefficients that do not match the known facts.
#[derive(Debug, thiserror::Error)]
#[error("model: {0}")]
pub struct ModelError(String);

impl Rules {
    /// Compiles the shipped rules and the operator's.
    pub fn new(sites: &[SiteRules]) -> Result<Self, RulesError> {
        let phrases = Phrases::new(FURNITURE, &LANGUAGES.furniture).expect("the shipped lines are tested");
        let models = Models::parse(MODEL).expect("the shipped coefficients are tested");
        let judge = Judge::parse(JUDGE).expect("the shipped judge is tested");
        let kinds = Kinds::parse(KINDS).expect("the shipped words are tested");
        Ok(Self {
            phrases,
            models,
            judge,
            kinds,
            sites: sites.iter().map(CompiledSite::new).collect::<Result<_, _>>()?,
        })
    }

    /// Replaces the model by one in the format of `config/model.toml`. For the program that fits the model.
    pub fn with_model(self, model: &str) -> Result<Self, ModelError> {
        Ok(Self { models: Models::parse(model).map_err(ModelError)?, ..self })
    }

    /// Replaces the judge by one in the format of `config/judge.toml`. For the program that fits the judge.
    pub fn with_judge(self, judge: &str) -> Result<Self, ModelError> {
        Ok(Self { judge: Judge::parse(judge).map_err(ModelError)?, ..self })
    }

    /// Returns the rules of the site that `host` belongs to; of several sites the most specific.
    pub(super) fn site(&self, host: &str) -> Option<&CompiledSite> {
        let covering = self.sites.iter().filter_map(|site| Some((site.covers(host)?, site)));
        covering.max_by_key(|(exactness, _)| *exactness).map(|(_, site)| site)
    }
}
