//! The operator's selectors, as they are written and as they are compiled.

use scraper::Selector;
use scraper::error::SelectorErrorKind;

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
    pub(crate) body: Vec<Compiled>,
    pub(crate) drop: Vec<Compiled>,
    pub(crate) title: Vec<Compiled>,
    pub(crate) author: Vec<Compiled>,
    pub(crate) date: Vec<Compiled>,
}

/// A selector, and what it is called where something is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) name: String,
    pub(crate) selector: Selector,
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
            let parse = |text: &String| match Selector::parse(text) {
                Ok(selector) => {
                    Ok(Compiled { name: format!("site {}: {key}: {text:?}", site.host), selector })
                }
                Err(error) => Err(RulesError {
                    host: site.host.clone(),
                    key,
                    selector: text.clone(),
                    message: reason(&error),
                }),
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

    pub(crate) fn all(&self) -> impl Iterator<Item = &Compiled> {
        [&self.body, &self.drop, &self.title, &self.author, &self.date].into_iter().flatten()
    }

    /// Whether the host is the site's, and how exactly.
    pub(crate) fn covers(&self, host: &str) -> Option<usize> {
        let sub = host.strip_suffix(&*self.host)?;
        (sub.is_empty() || sub.ends_with('.')).then_some(self.host.len())
    }
}

/// What is wrong with a selector, in our words: the library's ask to report to it what an operator has mistyped.
fn reason(error: &SelectorErrorKind) -> String {
    let reason = match error {
        SelectorErrorKind::EndOfLine => "it ends too early",
        SelectorErrorKind::InvalidAtRule
        | SelectorErrorKind::InvalidAtRuleBody
        | SelectorErrorKind::QualRuleInvalid => "it is a rule and no selector",
        SelectorErrorKind::TooManyNestedBlocks => "it is nested too deeply",
        SelectorErrorKind::ExpectedColonOnPseudoElement
        | SelectorErrorKind::ExpectedIdentityOnPseudoElement => "pseudo-elements are not known here",
        SelectorErrorKind::UnexpectedToken | SelectorErrorKind::UnexpectedSelectorParseError(_) => {
            "it is no CSS selector, or one that is not known here"
        }
    };
    format!("{reason}; hint: such as \".teaser\", \"#story > p\" or \"div[role=note]\"")
}
