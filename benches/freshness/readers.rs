//! Polling rules and the simulation of a timeline.

use std::time::Duration;

use feedmill::model::{History, PublisherHints};
use feedmill::schedule::{Bounds, Freshness, PollOutcome, PublishedEntry, next_poll};
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::timelines::{DAY, MINUTE, Timeline};

/// Bytes of the status line and headers of an answer.
const HEADER_BYTES: usize = 400;

/// The rule that sets the next poll.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    /// Our schedule with the default settings except the freshness target.
    Schedule { freshness: Option<Duration>, has_validators: bool },
    /// A fixed interval in seconds.
    Fixed(i64),
    /// Miniflux's `POLLING_SCHEDULER=entry_frequency` with its defaults: a week divided by the number of entries of the last week,
    /// between five minutes and a day.
    EntryFrequency,
}

/// The result of polling.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Ages of entries when first seen, in seconds.
    ages: Vec<i64>,
    polls: usize,
    bytes: usize,
    /// Entries that had left the feed before the next poll.
    pub(crate) lost: usize,
    secs: i64,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.ages.extend(other.ages);
        self.polls += other.polls;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.secs += other.secs;
    }

    /// The age that this share of the entries does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut ages = self.ages.clone();
        ages.sort_unstable();
        let index = number(ages.len().saturating_sub(1)) * share;
        let ages = ages.iter().zip(0_u32..).find(|(_, place)| f64::from(*place) >= index.floor());
        ages.map_or(f64::NAN, |(age, _)| seconds(*age))
    }

    pub(crate) fn average_interval(&self) -> i64 {
        self.secs / i64::try_from(self.polls).expect("a number of polls").max(1)
    }

    pub(crate) fn entries_per_day(&self) -> f64 {
        number(self.ages.len() + self.lost) / self.days()
    }

    pub(crate) fn polls_per_day(&self) -> f64 {
        number(self.polls) / self.days()
    }

    pub(crate) fn kilobytes_per_day(&self) -> f64 {
        number(self.bytes / 1000) / self.days()
    }

    fn days(&self) -> f64 {
        seconds(self.secs) / seconds(DAY)
    }
}

/// Polls the timeline from `before` seconds before its start until its last entry is seen.
pub(crate) fn play(timeline: &Timeline, reader: Reader, before: i64) -> Outcome {
    let mut outcome = Outcome { secs: timeline.end - timeline.start, ..Outcome::default() };
    let mut random = SmallRng::seed_from_u64(before.unsigned_abs());
    let mut history = History::default();
    let mut now = timeline.start - before;
    let mut seen = 0;
    loop {
        let there = timeline.entries.partition_point(|entry| *entry <= now);
        let oldest = there.saturating_sub(timeline.window);
        let is_first = outcome.polls == 0;
        let has_news = is_first || there > seen;
        let has_validators = !matches!(reader, Reader::Schedule { has_validators: false, .. });
        let body_bytes = if has_news || !has_validators { timeline.body_bytes } else { 0 };
        outcome.polls += 1;
        outcome.bytes += HEADER_BYTES + body_bytes;
        if !is_first {
            outcome.lost += oldest.saturating_sub(seen);
            outcome.ages.extend(timeline.entries[seen.max(oldest)..there].iter().map(|entry| now - entry));
        }
        if now > timeline.end {
            return outcome;
        }
        now = match reader {
            Reader::Fixed(interval) => now + interval,
            Reader::EntryFrequency => now + entry_frequency(&timeline.entries[..there], now),
            Reader::Schedule { freshness, .. } => {
                let entries = oldest..there;
                let answer = match (has_news, has_validators) {
                    (true, _) => PollOutcome::Parsed {
                        hints: PublisherHints::default(),
                        entries: entries
                            .map(|index| published(timeline.entries[index], index >= seen))
                            .collect(),
                    },
                    (false, true) => PollOutcome::NotModified,
                    (false, false) => PollOutcome::SameBody,
                };
                let headers = Freshness {
                    lacks_validators: !has_validators,
                    body_bytes: u64::try_from(body_bytes).expect("the size of a feed"),
                    ..Freshness::default()
                };
                let jitter = random.random_range(0.0..1.0);
                let next = next_poll(&bounds(freshness), &history, &answer, &headers, moment(now), jitter);
                history = next.history;
                next.at.as_second()
            }
        };
        seen = there;
    }
}

fn published(entry: i64, is_new: bool) -> PublishedEntry {
    PublishedEntry { published_at: Some(moment(entry)), is_new }
}

/// The default settings with this freshness target.
fn bounds(freshness: Option<Duration>) -> Bounds {
    Bounds {
        min_interval: Duration::from_mins(10),
        max_interval: Duration::from_hours(24),
        fixed_interval: None,
        max_retry_after: Duration::from_hours(48),
        freshness,
        unconditional_bytes_per_day: 4 << 20,
        delivered_interval: None,
    }
}

fn entry_frequency(entries: &[i64], now: i64) -> i64 {
    let week = entries.len() - entries.partition_point(|entry| *entry <= now - 7 * DAY);
    let interval = i64::try_from(week).ok().filter(|week| *week > 0).map_or(DAY, |week| 7 * DAY / week);
    interval.clamp(5 * MINUTE, DAY)
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("within our age")
}

fn seconds(seconds: i64) -> f64 {
    f64::from(u32::try_from(seconds).expect("within an age"))
}

fn number(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("fewer than four billion"))
}
