//! What decides besides the page: the shipped word lists and coefficients, and the operator's selectors.

use scraper::Selector;

use crate::extract::choose::Models;
use crate::extract::words::phrases::Phrases;

/// The shipped word lists.
const BOILERPLATE: &str = include_str!("../../config/words/boilerplate.toml");
/// The coefficients of the model that weighs the blocks of a page.
const MODEL: &str = include_str!("../../config/model.toml");

/// What the operator says about one site's pages. Selectors are CSS.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteRules {
    /// The host; its subdomains are included.
    pub host: String,
    /// Where the article's body is.
    pub body: Vec<String>,
    /// What is dropped, wherever it stands.
    pub drop: Vec<String>,
    /// Where the headline is.
    pub title: Vec<String>,
    /// Where the authors are.
    pub author: Vec<String>,
    /// Where the date is.
    pub date: Vec<String>,
}

/// The shipped word lists and the operator's selectors, compiled.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) phrases: Phrases,
    pub(super) models: Models,
    sites: Vec<CompiledSite>,
}

/// One site's selectors.
#[derive(Clone, Debug)]
pub(super) struct CompiledSite {
    host: String,
    pub(super) body: Vec<Selector>,
    pub(super) drop: Vec<Selector>,
    pub(super) title: Vec<Selector>,
    pub(super) author: Vec<Selector>,
    pub(super) date: Vec<Selector>,
}

/// A rule that cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[error("site {host}: {key}: invalid selector {selector:?}: {message}")]
pub struct RulesError {
    /// The site.
    pub host: String,
    /// The key of the rule.
    pub key: &'static str,
    /// What was written.
    pub selector: String,
    /// What is wrong with it.
    pub message: String,
}

/// Coefficients that do not fit the facts.
#[derive(Debug, thiserror::Error)]
#[error("model: {0}")]
pub struct ModelError(String);

impl Rules {
    /// The shipped rules and the operator's.
    pub fn new(sites: &[SiteRules]) -> Result<Self, RulesError> {
        let phrases = Phrases::parse(BOILERPLATE).expect("the shipped word lists are tested");
        let models = Models::parse(MODEL).expect("the shipped coefficients are tested");
        Ok(Self { phrases, models, sites: sites.iter().map(CompiledSite::new).collect::<Result<_, _>>()? })
    }

    /// The same with other coefficients, in the form of `config/model.toml`: for the program that fits them.
    pub fn with_model(self, model: &str) -> Result<Self, ModelError> {
        Ok(Self { models: Models::parse(model).map_err(ModelError)?, ..self })
    }

    /// The rules of the site that `host` belongs to, the most exact first.
    pub(super) fn site(&self, host: &str) -> Option<&CompiledSite> {
        let covers = |site: &&CompiledSite| {
            host.strip_suffix(&*site.host).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
        };
        self.sites.iter().filter(covers).max_by_key(|site| site.host.len())
    }
}

impl CompiledSite {
    fn new(site: &SiteRules) -> Result<Self, RulesError> {
        let compile = |key: &'static str, selectors: &[String]| {
            let parse = |selector: &String| {
                Selector::parse(selector).map_err(|error| RulesError {
                    host: site.host.clone(),
                    key,
                    selector: selector.clone(),
                    message: error.to_string(),
                })
            };
            selectors.iter().map(parse).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            host: site.host.to_ascii_lowercase(),
            body: compile("body", &site.body)?,
            drop: compile("drop", &site.drop)?,
            title: compile("title", &site.title)?,
            author: compile("author", &site.author)?,
            date: compile("date", &site.date)?,
        })
    }
}
