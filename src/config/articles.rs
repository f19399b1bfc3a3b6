//! `[articles]`: what is kept of articles, for all feeds and for one; and where their pages are archived.

use std::path::Path;
use std::time::Duration;

use super::check::{Checker, DAY_SECS, output_dir, time};
use super::raw;
use crate::pipeline::Keeping;
use crate::publish::warc;

/// Ages at which a page may be looked at again: from and to, and how many of them.
const RECHECK_SECS: std::ops::RangeInclusive<u64> = 60..=365 * DAY_SECS;
const MAX_RECHECKS: usize = 10;

/// How long something may be kept; 0 is for ever.
const KEEP_DAYS: std::ops::RangeInclusive<u64> = 0..=36_500;

/// How large a WARC file may grow.
const WARC_BYTES: std::ops::RangeInclusive<u64> = 1_048_576..=107_374_182_400;

impl Checker<'_> {
    /// Where pages are archived, if anywhere.
    pub(super) fn warc(&mut self, raw: &raw::Output, state_dir: &Path) -> Option<warc::Settings> {
        let max_file_bytes = self.number("output.warc_max_file_bytes", raw.warc_max_file_bytes, WARC_BYTES);
        output_dir(&raw.warc_dir, state_dir).map(|dir| warc::Settings { dir, max_file_bytes })
    }

    /// What is kept of the articles of a feed that says nothing else.
    pub(super) fn articles(&mut self, raw: &raw::Articles) -> Keeping {
        Keeping {
            recheck: self.ages("articles.recheck", &raw.recheck),
            raw: raw.raw,
            keep: self.days("articles.keep_days", raw.keep_days),
            keep_raw: self.days("articles.keep_raw_days", raw.keep_raw_days),
        }
    }

    /// What is kept of one feed's articles; `path` is that of its table.
    pub(super) fn feed_articles(&mut self, feed: &raw::Feed, path: &str, defaults: &Keeping) -> Keeping {
        let recheck = feed.recheck.as_ref().map(|ages| self.ages(&format!("{path}.recheck"), ages));
        Keeping {
            recheck: recheck.unwrap_or_else(|| defaults.recheck.clone()),
            raw: feed.raw.unwrap_or(defaults.raw),
            keep: match feed.keep_days {
                Some(days) => self.days(&format!("{path}.keep_days"), days),
                None => defaults.keep,
            },
            keep_raw: match feed.keep_raw_days {
                Some(days) => self.days(&format!("{path}.keep_raw_days"), days),
                None => defaults.keep_raw,
            },
        }
    }

    /// A number of days; 0 stands for ever.
    fn days(&mut self, path: &str, days: u64) -> Option<Duration> {
        let days: u64 = self.number(path, days, KEEP_DAYS);
        (days > 0).then(|| Duration::from_secs(days * DAY_SECS))
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
    let Some(age) = time(text) else { return Err("must be a time such as 1h, 24h or 7d".to_owned()) };
    if !RECHECK_SECS.contains(&age.as_secs()) {
        return Err("must be 1m to 365d".to_owned());
    }
    Ok(age)
}
