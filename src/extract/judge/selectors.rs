//! The operator's selectors, as they are written and as they are compiled.

use scraper::Selector;

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

/// One site's selectors.
#[derive(Clone, Debug)]
pub(crate) struct CompiledSite {
    host: String,
    pub(crate) body: Vec<Selector>,
    pub(crate) drop: Vec<Selector>,
    pub(crate) title: Vec<Selector>,
    pub(crate) author: Vec<Selector>,
    pub(crate) date: Vec<Selector>,
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

impl CompiledSite {
    pub(crate) fn new(site: &SiteRules) -> Result<Self, RulesError> {
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

    /// Whether the host is the site's, and how exactly.
    pub(crate) fn covers(&self, host: &str) -> Option<usize> {
        let sub = host.strip_suffix(&*self.host)?;
        (sub.is_empty() || sub.ends_with('.')).then_some(self.host.len())
    }
}
