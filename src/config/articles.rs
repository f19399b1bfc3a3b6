//! `[articles]`: what is kept of articles, for all feeds and for one.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

use super::check::Checker;
use super::raw;
use crate::model::RawPages;
use crate::pipeline::Keeping;

/// Ages at which a page may be looked at again: from and to, and how many of them.
const RECHECK_SECS: std::ops::RangeInclusive<i64> = 60..=365 * 86_400;
const MAX_RECHECKS: usize = 10;

/// The section as the file says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Articles {
    pub(super) recheck: Vec<String>,
    pub(super) raw: RawPages,
}

impl Checker<'_> {
    /// What is kept of the articles of a feed that says nothing else.
    pub(super) fn articles(&mut self, raw: &Articles) -> Keeping {
        Keeping { recheck: self.ages("articles.recheck", &raw.recheck), raw: raw.raw }
    }

    /// What is kept of one feed's articles; `path` is that of its table.
    pub(super) fn feed_articles(&mut self, feed: &raw::Feed, path: &str, defaults: &Keeping) -> Keeping {
        let recheck = feed.recheck.as_ref().map(|ages| self.ages(&format!("{path}.recheck"), ages));
        Keeping {
            recheck: recheck.unwrap_or_else(|| defaults.recheck.clone()),
            raw: feed.raw.unwrap_or(defaults.raw),
        }
    }

    fn ages(&mut self, path: &str, raw: &[String]) -> Vec<Duration> {
        let mut ages: Vec<Duration> = Vec::new();
        for (i, text) in raw.iter().enumerate() {
            let path = format!("{path}[{i}]");
            match age(text) {
                Err(message) => self.refuse(&path, Some(&format!("{text:?}")), message),
                Ok(age) if ages.last().is_some_and(|before| *before >= age) => {
                    self.refuse(&path, Some(&format!("{text:?}")), "ages must rise");
                }
                Ok(age) => ages.push(age),
            }
        }
        if raw.len() > MAX_RECHECKS {
            self.refuse(path, None, format!("{} ages; must be at most {MAX_RECHECKS}", raw.len()));
        }
        ages
    }
}

/// `1h`, `24h`, `7d`, `1d 12h`.
fn age(text: &str) -> Result<Duration, String> {
    let in_seconds = || {
        let span: Span = text.parse().ok()?;
        let age = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        Some(age.as_secs())
    };
    let Some(seconds) = in_seconds() else { return Err("must be a time such as 1h, 24h or 7d".to_owned()) };
    if !RECHECK_SECS.contains(&seconds) {
        return Err("must be 1m to 365d".to_owned());
    }
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}
