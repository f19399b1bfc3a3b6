//! The operator's selectors and patterns, as configured and as compiled.

use regex::Regex;
use scraper::Selector;
use scraper::error::SelectorErrorKind;

use crate::patterns;

/// The operator's rules for one site's pages. Selectors are CSS, patterns regular expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteRules {
    /// The host; its subdomains are included.
    pub host: String,
    /// Where the article's body is.
    pub body: Vec<String>,
    /// What is dropped, anywhere on the page.
    pub drop: Vec<String>,
    /// Where the headline is.
    pub title: Vec<String>,
    /// Where the authors are.
    pub author: Vec<String>,
    /// Where the date is.
    pub date: Vec<String>,
    /// Patterns of paragraphs that are kept, overriding all other rules.
    pub keep_text: Vec<String>,
    /// Patterns of paragraphs that are dropped.
    pub drop_text: Vec<String>,
}

impl SiteRules {
    /// Checks that all selectors and patterns compile.
    pub fn check(&self) -> Result<(), RulesError> {
        CompiledSite::new(self).map(|_| ())
    }
}

/// The compiled selectors and patterns of one site.
#[derive(Clone, Debug)]
pub(crate) struct CompiledSite {
    host: String,
    pub(crate) body: Vec<Compiled>,
    pub(crate) drop: Vec<Compiled>,
    pub(crate) title: Vec<Compiled>,
    pub(crate) author: Vec<Compiled>,
    pub(crate) date: Vec<Compiled>,
    pub(crate) keep_text: Vec<Pattern>,
    pub(crate) drop_text: Vec<Pattern>,
}

/// A selector, with its name for messages and accounts.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) name: String,
    pub(crate) selector: Selector,
}

/// A pattern, with its name for messages and accounts.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) name: String,
    pub(crate) regex: Regex,
}

/// The error for a rule that does not compile.
#[derive(Debug, thiserror::Error)]
#[error("site {host}: {key} = {value:?}: {message}")]
pub struct RulesError {
    /// The site.
    pub host: String,
    /// The key of the rule.
    pub key: &'static str,
    /// The configured value.
    pub value: String,
    /// What is wrong with it.
    pub message: String,
}

impl CompiledSite {
    pub(crate) fn new(site: &SiteRules) -> Result<Self, RulesError> {
        let name = |key: &'static str, text: &str| format!("site {}: {key}: {text:?}", site.host);
        let refused = |key: &'static str, text: &str, message: String| RulesError {
            host: site.host.clone(),
            key,
            value: text.to_owned(),
            message,
        };
        let compile = |key: &'static str, selectors: &[String]| {
            let parse = |text: &String| match Selector::parse(text) {
                Ok(selector) => Ok(Compiled { name: name(key, text), selector }),
                Err(error) => Err(refused(key, text, format!("not a CSS selector: {}", reason(&error)))),
            };
            selectors.iter().map(parse).collect::<Result<Vec<_>, _>>()
        };
        let compile_patterns = |key: &'static str, patterns: &[String]| {
            let parse = |text: &String| match patterns::compile(text) {
                Ok(regex) => Ok(Pattern { name: name(key, text), regex }),
                Err(message) => Err(refused(key, text, format!("not a pattern: {message}"))),
            };
            patterns.iter().map(parse).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            host: site.host.to_ascii_lowercase(),
            body: compile("body", &site.body)?,
            drop: compile("drop", &site.drop)?,
            title: compile("title", &site.title)?,
            author: compile("author", &site.author)?,
            date: compile("date", &site.date)?,
            keep_text: compile_patterns("keep_text", &site.keep_text)?,
            drop_text: compile_patterns("drop_text", &site.drop_text)?,
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Compiled> {
        [&self.body, &self.drop, &self.title, &self.author, &self.date].into_iter().flatten()
    }

    /// Returns how specifically the site covers `host`, or `None` if it does not.
    pub(crate) fn covers(&self, host: &str) -> Option<usize> {
        let sub = host.strip_suffix(&*self.host)?;
        (sub.is_empty() || sub.ends_with('.')).then_some(self.host.len())
    }
}

/// Describes a selector error in our own words: the library's messages ask operators to report their typing errors to it.
fn reason(error: &SelectorErrorKind) -> String {
    let reason = match error {
        SelectorErrorKind::EndOfLine => "it ends too early",
        SelectorErrorKind::InvalidAtRule
        | SelectorErrorKind::InvalidAtRuleBody
        | SelectorErrorKind::QualRuleInvalid => "it is a rule, not a selector",
        SelectorErrorKind::TooManyNestedBlocks => "it is nested too deeply",
        SelectorErrorKind::ExpectedColonOnPseudoElement
        | SelectorErrorKind::ExpectedIdentityOnPseudoElement => "pseudo-elements are not supported",
        SelectorErrorKind::UnexpectedToken | SelectorErrorKind::UnexpectedSelectorParseError(_) => {
            "its syntax is invalid or not supported"
        }
    };
    format!("{reason}; hint: such as \".teaser\", \"#story > p\" or \"div[role=note]\"")
}
