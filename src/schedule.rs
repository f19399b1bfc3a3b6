//! When is a feed next due? One pure function of the configured bounds, what the publisher asked and what we saw.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::PublisherHints;

/// The operator's bounds on polling one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Never sooner than this after a poll.
    pub min_interval: Duration,
    /// Never later than this, whatever the publisher says.
    pub max_interval: Duration,
    /// A fixed interval that the operator set for the feed: the rhythm of its entries is not consulted.
    pub fixed_interval: Option<Duration>,
    /// The longest `Retry-After` that is obeyed.
    pub max_retry_after: Duration,
}

/// What the schedule remembers of a feed between polls. The store keeps it as one JSON value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Polls in a row that failed.
    pub consecutive_failures: u32,
    /// What the feed last said about its own rhythm: a 304 does not repeat it.
    pub hints: PublisherHints,
    /// Smoothed seconds between new entries.
    pub rhythm_secs: Option<f64>,
    /// When the last new entry was seen.
    pub last_new_entry_at: Option<Timestamp>,
}

/// Freshness as the response's headers state it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// For how long the response stays fresh: `max-age` less `Age`, else `Expires` less `Date`.
    pub fresh_for: Option<Duration>,
    /// `Retry-After`, from seconds or a date.
    pub retry_after: Option<Duration>,
}

/// What one poll brought, as far as the schedule cares.
#[derive(Clone, Debug, PartialEq)]
pub enum PollOutcome {
    /// 304, or the same bytes again.
    Unchanged,
    /// A feed was parsed.
    Parsed {
        /// What it says about its rhythm.
        hints: PublisherHints,
        /// Publication times of all its dated entries.
        entry_times: Vec<Timestamp>,
        /// How many entries are new to us.
        new_entries: u32,
    },
    /// Anything else.
    Failed,
}

/// What decided the next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The operator's fixed interval.
    FixedInterval,
    /// The operator's lower bound.
    MinInterval,
    /// The operator's upper bound.
    MaxInterval,
    /// The rhythm of the feed's entries.
    EntryRhythm,
    /// `Cache-Control` or `Expires`.
    CacheFreshness,
    /// RSS `ttl`.
    Ttl,
    /// `sy:updatePeriod`.
    UpdatePeriod,
    /// `skipHours` or `skipDays`.
    SkipTimes,
    /// `Retry-After`.
    RetryAfter,
    /// Backing off after failures.
    Backoff,
}

/// The next poll of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct NextPoll {
    /// Not before this.
    pub at: Timestamp,
    /// Why then.
    pub decided_by: Decision,
    /// The history with this poll in it.
    pub history: History,
}

/// When the feed is next due after a poll that ended at `now`. `jitter` in 0..1 spreads feeds that would otherwise
/// fall on one moment; the interval only ever grows by it.
pub fn next_poll(
    bounds: &Bounds,
    history: &History,
    outcome: &PollOutcome,
    freshness: &Freshness,
    now: Timestamp,
    jitter: f64,
) -> NextPoll {
    let _ = (bounds, history, outcome, freshness, now, jitter);
    unimplemented!()
}
