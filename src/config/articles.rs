//! `[articles]`: what is kept of articles, by default and per feed; `[output]`: where their pages are archived.

use std::path::Path;
use std::time::Duration;

use super::check::{Checker, DAY_SECS, output_dir, time};
use super::raw;
use crate::pipeline::{Keeping, LONGEST_RECHECK};
use crate::publish::warc;

/// Bounds on the ages at which a page is rechecked, and on their number.
const RECHECK_SECS: std::ops::RangeInclusive<u64> = 60..=LONGEST_RECHECK.as_secs();
const MAX_RECHECKS: usize = 10;

/// Bounds on retention in days; 0 means forever.
const KEEP_DAYS: std::ops::RangeInclusive<u64> = 0..=36_500;

/// Bounds on the maximum size of a WARC file.
const WARC_BYTES: std::ops::RangeInclusive<u64> = 1_048_576..=107_374_182_400;

impl Checker<'_> {
    /// Checks `[output]`. Returns `None` if pages are not archived.
    pub(super) fn warc(&mut self, raw: &raw::Output, state_dir: &Path) -> Option<warc::Settings> {
        let max_file_bytes = self.number("output.warc_max_file_bytes", raw.warc_max_file_bytes, WARC_BYTES);
        output_dir(&raw.warc_dir, state_dir).map(|dir| warc::Settings { dir, max_file_bytes })
    }

    /// Checks `[articles]`: the defaults for feeds without settings of their own.
    pub(super) fn articles(&mut self, raw: &raw::Articles) -> Keeping {
        Keeping {
            recheck: self.ages("articles.recheck", &raw.recheck),
            raw: raw.raw,
            keep: self.days("articles.keep_days", raw.keep_days),
            keep_raw: self.days("articles.keep_raw_days", raw.keep_raw_days),
        }
    }

    /// Checks one feed's settings for its articles; `path` is the path of its table.
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

    /// Checks a number of days; returns `None` for 0, which means forever.
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
                    self.refuse(&path, Some(&format!("{text:?}")), "ages must be in ascending order");
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

/// Parses an age: `1h`, `24h`, `7d`, `1d 12h`.
fn age(text: &str) -> Result<Duration, String> {
    let Some(age) = time(text) else { return Err("must be a time such as 1h, 24h or 7d".to_owned()) };
    if !RECHECK_SECS.contains(&age.as_secs()) {
        return Err("must be 1m to 365d".to_owned());
    }
    Ok(age)
}
