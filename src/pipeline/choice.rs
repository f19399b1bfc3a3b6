//! The operator's rules for which of a feed's entries become articles.

use std::fmt;

use regex::Regex;
use url::Url;

use crate::model::EntryEvidence;
use crate::patterns;

/// Rules that leave entries out. Without any, every entry is taken.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// If there are any, an entry must match one of them.
    pub keep: Vec<EntryRule>,
    /// An entry that matches one of them is left out, whatever `keep` says.
    pub drop: Vec<EntryRule>,
}

/// A rule; an entry matches it if it matches all of its patterns.
#[derive(Clone, Debug, Default)]
pub struct EntryRule(Vec<(Field, Regex)>);

/// The field of an entry that a pattern applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Its headline.
    Title,
    /// One of its categories.
    Category,
    /// One of its authors.
    Author,
    /// Its link.
    Url,
}

impl Field {
    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Category => "category",
            Self::Author => "author",
            Self::Url => "url",
        }
    }
}

impl EntryRule {
    /// Adds a pattern. The error says why it is invalid.
    pub fn add(&mut self, field: Field, pattern: &str) -> Result<(), String> {
        self.0.push((field, patterns::compile(pattern)?));
        Ok(())
    }

    fn fits(&self, entry: &EntryEvidence, link: Option<&Url>) -> bool {
        self.0.iter().all(|(field, pattern)| match field {
            Field::Title => entry.title.as_deref().is_some_and(|title| pattern.is_match(title)),
            Field::Category => entry.tags.iter().any(|tag| pattern.is_match(tag)),
            Field::Author => entry.authors.iter().any(|author| pattern.is_match(author)),
            Field::Url => link.is_some_and(|link| pattern.is_match(link.as_str())),
        })
    }
}

/// Formats the rule as in the configuration.
impl fmt::Display for EntryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ ")?;
        for (i, (field, pattern)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {:?}", field.as_str(), pattern.as_str())?;
        }
        f.write_str(" }")
    }
}

impl Choice {
    /// Returns why an entry is left out; `None` if it is taken.
    pub fn refusal(&self, entry: &EntryEvidence, link: Option<&Url>) -> Option<String> {
        if let Some(rule) = self.drop.iter().find(|rule| rule.fits(entry, link)) {
            return Some(format!("left out by drop = {rule}"));
        }
        let is_kept = self.keep.is_empty() || self.keep.iter().any(|rule| rule.fits(entry, link));
        (!is_kept).then(|| "left out: it matches none of the feed's keep rules".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(patterns: &[(Field, &str)]) -> EntryRule {
        let mut rule = EntryRule::default();
        for (field, pattern) in patterns {
            rule.add(*field, pattern).unwrap();
        }
        rule
    }

    #[test]
    fn drop_goes_before_keep_and_all_patterns_of_a_rule_must_fit() {
        let choice = Choice {
            keep: vec![rule(&[(Field::Url, "/news/")]), rule(&[(Field::Category, "^Sport$")])],
            drop: vec![rule(&[(Field::Title, "(?i)^advert"), (Field::Author, "Staff")])],
        };
        let entry = |title: &str, tags: &[&str], authors: &[&str]| EntryEvidence {
            title: Some(title.to_owned()),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            authors: authors.iter().map(|&author| author.to_owned()).collect(),
            ..EntryEvidence::default()
        };
        let news: Url = "https://x.example/news/1".parse().unwrap();
        let other: Url = "https://x.example/other/1".parse().unwrap();
        assert_eq!(choice.refusal(&entry("A", &[], &[]), Some(&news)), None);
        assert_eq!(choice.refusal(&entry("A", &["Sport"], &[]), Some(&other)), None);
        assert!(choice.refusal(&entry("A", &["Sports"], &[]), Some(&other)).unwrap().contains("keep rules"));
        assert_eq!(choice.refusal(&entry("Advertorial", &[], &["Ada"]), Some(&news)), None);
        assert_eq!(
            choice.refusal(&entry("Advertorial", &[], &["Ada", "Staff"]), Some(&news)).unwrap(),
            r#"left out by drop = { title = "(?i)^advert", author = "Staff" }"#
        );
        assert_eq!(Choice::default().refusal(&entry("A", &[], &[]), None), None);
    }
}
