//! When is a feed next due? One pure function of the configured bounds, what the publisher asked and what we saw.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{PublisherHints, after};

mod history;

pub use crate::model::{History, MoveSighting};

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
    /// Least time between two polls that cannot be conditional, since the server gives nothing to ask with: each costs it
    /// the whole feed. A feed whose entries would be lost by then is polled more often.
    pub unconditional_interval: Duration,
    /// Least time between two polls while a hub delivers the feed.
    pub delivered_interval: Option<Duration>,
}

/// Freshness as the response's headers state it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// For how long the response stays fresh: `max-age` less `Age`, else `Expires` less `Date`.
    pub fresh_for: Option<Duration>,
    /// `Retry-After`, from seconds or a date.
    pub retry_after: Option<Duration>,
    /// The answer names neither `ETag` nor `Last-Modified`, and confirms none.
    pub lacks_validators: bool,
}

/// What one poll brought, as far as the schedule cares.
#[derive(Clone, Debug, PartialEq)]
pub enum PollOutcome {
    /// 304: the server's word for it that nothing has changed.
    NotModified,
    /// The same bytes again.
    SameBody,
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
    /// The next poll cannot be conditional.
    NoValidators,
    /// A hub delivers the feed.
    Delivered,
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
    let mut history = history.clone();
    history.learn(outcome, freshness, now);
    // An interval of the operator's own choice needs no bound.
    let longest = bounds.fixed_interval.unwrap_or_default().max(bounds.max_interval);
    let mut choice = regular_interval(bounds, &history, freshness);
    if history.consecutive_failures > 0 {
        // The first failure changes nothing: most pass by themselves. From then on the interval doubles.
        let doublings = (history.consecutive_failures - 1).min(16);
        choice = Choice { interval: choice.interval.saturating_mul(1 << doublings), by: Decision::Backoff };
    }
    choice.interval = choice.interval.min(longest).mul_f64(1.0 + JITTER * jitter).min(longest);
    let mut at = after(now, choice.interval);
    if bounds.fixed_interval.is_none()
        && let Some(allowed) = next_allowed(&history.hints, at)
        && allowed > at
    {
        let spread = after(allowed, SKIP_SPREAD.mul_f64(jitter));
        let latest = after(now, bounds.max_interval);
        (at, choice.by) =
            if spread > latest { (latest, Decision::MaxInterval) } else { (spread, Decision::SkipTimes) };
    }
    if let Some(asked) = freshness.retry_after {
        let obeyed =
            asked.min(bounds.max_retry_after).mul_f64(1.0 + JITTER * jitter).min(bounds.max_retry_after);
        let obeyed = after(now, obeyed);
        if obeyed > at {
            (at, choice.by) = (obeyed, Decision::RetryAfter);
        }
    }
    NextPoll { at, decided_by: choice.by, history }
}

/// Notes where a successful poll was permanently redirected to (`None`: it was not), and says whether the feed has
/// moved: the same target was seen on `days_needed` different days.
pub fn confirm_move(
    history: &mut History,
    target: Option<&Url>,
    days_needed: u32,
    now: Timestamp,
) -> Option<Url> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let Some(target) = target else {
        history.move_sighted = None;
        return None;
    };
    let seen_before = history.move_sighted.take().filter(|sighting| sighting.to == *target);
    let days = match &seen_before {
        Some(sighting) if sighting.last_day == today => sighting.days,
        Some(sighting) => sighting.days + 1,
        None => 1,
    };
    if days >= days_needed {
        return Some(target.clone());
    }
    history.move_sighted = Some(MoveSighting { to: target.clone(), days, last_day: today });
    None
}

/// Whether a feed that has moved is given up at its new place and looked for at the old one again: it failed so often in a
/// row, however it failed.
pub const fn is_lost(history: &History) -> bool {
    history.consecutive_failures >= LOST_AFTER_FAILURES
}

/// An interval on its way to being chosen.
#[derive(Clone, Copy)]
struct Choice {
    interval: Duration,
    by: Decision,
}

/// What a feed is polled at when nobody says anything, and the shortest interval for one that has news less often than
/// that: most publishers regard more than one request an hour as rude unless there is something to fetch.
const HOUR: Duration = Duration::from_hours(1);
/// With the backoff between them, failures over most of a day.
const LOST_AFTER_FAILURES: u32 = 5;
/// How much of an interval the jitter may add.
const JITTER: f64 = 0.1;
/// Feeds that skip the same hours come back spread over this time.
const SKIP_SPREAD: Duration = Duration::from_mins(15);
/// A feed with fewer entries than this is no window that news move through.
const WINDOW_ENTRIES: u32 = 10;

/// The interval while nothing fails: the operator's, or the feed's rhythm stretched to what the publisher asks for.
fn regular_interval(bounds: &Bounds, history: &History, freshness: &Freshness) -> Choice {
    if let Some(interval) = bounds.fixed_interval {
        return Choice { interval, by: Decision::FixedInterval };
    }
    let rhythm = history.rhythm_secs.map_or(HOUR, |secs| {
        let rhythm = Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX);
        if rhythm < HOUR { rhythm } else { (rhythm / 2).max(HOUR) }
    });
    let hints = &history.hints;
    let fresh_for = freshness.fresh_for.max(history.fresh_for_secs.map(Duration::from_secs));
    let asked = [
        (fresh_for, Decision::CacheFreshness),
        (hints.ttl_minutes.map(|minutes| Duration::from_mins(minutes.into())), Decision::Ttl),
        (hints.update_period_secs.map(|secs| Duration::from_secs(secs.into())), Decision::UpdatePeriod),
        (history.lacks_validators.then(|| unconditional_interval(bounds, history)), Decision::NoValidators),
        (Some(bounds.min_interval), Decision::MinInterval),
        (bounds.delivered_interval, Decision::Delivered),
    ];
    let mut choice = Choice { interval: rhythm, by: Decision::EntryRhythm };
    for (interval, by) in asked {
        if let Some(interval) = interval.filter(|interval| *interval > choice.interval) {
            choice = Choice { interval, by };
        }
    }
    if choice.interval > bounds.max_interval {
        choice = Choice { interval: bounds.max_interval, by: Decision::MaxInterval };
    }
    choice
}

/// How rarely a feed is polled that is sent whole each time: half of its entries may be replaced in between, no more.
fn unconditional_interval(bounds: &Bounds, history: &History) -> Duration {
    let Some(rhythm) = history.rhythm_secs.filter(|_| history.window_entries >= WINDOW_ENTRIES) else {
        return bounds.unconditional_interval;
    };
    let half = Duration::try_from_secs_f64(rhythm * f64::from(history.window_entries) / 2.0);
    half.unwrap_or(Duration::MAX).min(bounds.unconditional_interval)
}

/// The first moment from `at` on that the publisher does not ask to skip; `None` where it asks to skip them all.
fn next_allowed(hints: &PublisherHints, at: Timestamp) -> Option<Timestamp> {
    const HOURS: i32 = 8 * 24;
    let start = at.to_zoned(TimeZone::UTC).datetime();
    let hour = start.with().minute(0).second(0).subsec_nanosecond(0).build().ok()?;
    (0..HOURS)
        .map_while(|hours| hour.checked_add(hours.hours()).ok())
        .find(|hour| {
            let day = u8::try_from(hour.weekday().to_monday_one_offset()).expect("weekdays are 1 to 7");
            let hour = u8::try_from(hour.hour()).expect("hours are 0 to 23");
            !hints.skip_hours.contains(&hour) && !hints.skip_days.contains(&day)
        })
        .and_then(|hour| hour.max(start).to_zoned(TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests;
