//! Record filters, with the same criteria in a `[[sink]]` table, in a query and on the command line.

use std::fmt::Display;

use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{Event, QualityFlag, Record};

/// A property by which records are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The configured URL of a feed that announced the article.
    Feed,
    /// One of the operator's tags on such a feed.
    Tag,
    /// The article's host, or a parent domain of it.
    Host,
    /// The article's language: `pt` also matches `pt-BR`.
    Language,
    /// The event.
    Event,
    /// A quality flag.
    Flags,
}

impl Criterion {
    /// Every criterion.
    pub const ALL: [Self; 6] = [Self::Feed, Self::Tag, Self::Host, Self::Language, Self::Event, Self::Flags];

    /// Returns the criterion with this name in queries.
    pub fn named(name: &str) -> Option<Self> {
        word(name).ok()
    }
}

/// Selects the records that a consumer wants. For each criterion, a record must match one of the values without `!`, if there
/// are any, and none of the values that begin with `!`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    feeds: Choice<Url>,
    tags: Choice<String>,
    hosts: Choice<String>,
    languages: Choice<String>,
    events: Choice<Event>,
    flags: Choice<QualityFlag>,
}

impl Filter {
    /// Adds a value of a criterion; the error says what is wrong with it.
    pub fn add(&mut self, criterion: Criterion, value: &str) -> Result<(), String> {
        let (wanted, value) = match value.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, value),
        };
        if value.is_empty() {
            return Err("is empty".to_owned());
        }
        match criterion {
            Criterion::Feed => {
                let url = Url::parse(value).map_err(|error| format!("not a URL: {error}"))?;
                self.feeds.add(wanted, url);
            }
            Criterion::Tag => self.tags.add(wanted, value.to_owned()),
            Criterion::Host => self.hosts.add(wanted, value.to_ascii_lowercase()),
            Criterion::Language => self.languages.add(wanted, value.to_ascii_lowercase()),
            Criterion::Event => self.events.add(wanted, word(value).map_err(said)?),
            Criterion::Flags => self.flags.add(wanted, word(value).map_err(said)?),
        }
        Ok(())
    }

    /// Returns whether the filter selects this record.
    pub fn admits(&self, record: &Record) -> bool {
        let mentioned = |url: &Url| record.feeds.iter().any(|mention| mention.feed_url == *url);
        let tagged = |tag: &String| record.feeds.iter().any(|mention| mention.tags.contains(tag));
        let on_host = |domain: &String| is_below(&record.hostname, domain);
        let in_language = |wanted: &String| {
            record.metadata.language.as_deref().is_some_and(|language| is_of_language(language, wanted))
        };
        self.events.admits(|event| record.event == *event)
            && self.flags.admits(|flag| record.quality_flags.contains(flag))
            && self.hosts.admits(on_host)
            && self.languages.admits(in_language)
            && self.feeds.admits(mentioned)
            && self.tags.admits(tagged)
    }
}

/// The values of one criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice<T> {
    any: Vec<T>,
    none: Vec<T>,
}

impl<T> Default for Choice<T> {
    fn default() -> Self {
        Self { any: Vec::new(), none: Vec::new() }
    }
}

impl<T> Choice<T> {
    fn add(&mut self, wanted: bool, value: T) {
        if wanted { self.any.push(value) } else { self.none.push(value) }
    }

    fn admits(&self, fits: impl Fn(&T) -> bool) -> bool {
        !self.none.iter().any(&fits) && (self.any.is_empty() || self.any.iter().any(fits))
    }
}

/// Returns whether `host` is `domain` or a subdomain of it.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_of_language(language: &str, wanted: &str) -> bool {
    let (Some(head), rest) = (language.get(..wanted.len()), language.get(wanted.len()..)) else {
        return false;
    };
    head.eq_ignore_ascii_case(wanted) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Parses a value of an enum, as serde spells it.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, WordError> {
    let deserializer: StrDeserializer<'_, WordError> = text.into_deserializer();
    T::deserialize(deserializer)
}

fn said(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(values: &[(Criterion, &str)]) -> Filter {
        let mut filter = Filter::default();
        for (criterion, value) in values {
            filter.add(*criterion, value).unwrap();
        }
        filter
    }

    #[test]
    fn one_of_the_values_must_fit_and_none_of_the_negated() {
        let languages = filter(&[(Criterion::Language, "pt"), (Criterion::Language, "!pt-BR")]).languages;
        for (language, admitted) in [("pt", true), ("PT-pt", true), ("pt-BR", false), ("ptx", false)] {
            assert_eq!(languages.admits(|wanted| is_of_language(language, wanted)), admitted, "{language}");
        }
        let hosts = filter(&[(Criterion::Host, "!Ads.example.org")]).hosts;
        for (host, admitted) in
            [("example.org", true), ("ads.example.org", false), ("x.ads.example.org", false)]
        {
            assert_eq!(hosts.admits(|domain| is_below(host, domain)), admitted, "{host}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_what_can() {
        let mut filter = Filter::default();
        let error = filter.add(Criterion::Event, "deleted").unwrap_err();
        assert!(error.contains("created") && error.contains("withdrawn"), "{error}");
        assert!(filter.add(Criterion::Feed, "news").unwrap_err().contains("not a URL"));
        assert!(filter.add(Criterion::Tag, "!").is_err());
        assert!(Criterion::ALL.iter().all(|criterion| {
            let name = serde_json::to_string(criterion).unwrap();
            Criterion::named(name.trim_matches('"')) == Some(*criterion)
        }));
    }
}
