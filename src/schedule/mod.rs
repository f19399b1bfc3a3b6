//! When a feed is next due: one pure function of the configured bounds, the publisher's requests and what was observed.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{PublisherHints, after};

mod history;
mod rhythm;
mod worth;

pub use crate::model::{History, MoveSighting};

/// The operator's bounds on polling one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Minimum time between two polls.
    pub min_interval: Duration,
    /// Maximum time between two polls, whatever the publisher says.
    pub max_interval: Duration,
    /// A fixed interval that the operator set for the feed: the rhythm of its entries is ignored.
    pub fixed_interval: Option<Duration>,
    /// The longest `Retry-After` that is obeyed.
    pub max_retry_after: Duration,
    /// Target for the median age at which entries are first seen; without it, the waiting time of entries is weighed
    /// against polls.
    pub freshness: Option<Duration>,
    /// Maximum bytes a day to transfer for a feed whose server allows no conditional requests: each poll costs it the whole
    /// feed. A feed that would otherwise lose entries is polled more often.
    pub unconditional_bytes_per_day: u64,
    /// Minimum time between two polls while a hub delivers the feed.
    pub delivered_interval: Option<Duration>,
}

/// Freshness as stated by the response headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// For how long the response stays fresh: `max-age` less `Age`, else `Expires` less `Date`.
    pub fresh_for: Option<Duration>,
    /// `Retry-After`, from seconds or a date.
    pub retry_after: Option<Duration>,
    /// The response has neither `ETag` nor `Last-Modified`, and confirms none.
    pub lacks_validators: bool,
    /// Bytes of the response body on the wire; 0 for a 304.
    pub body_bytes: u64,
}

/// An entry of a parsed feed, as far as the schedule needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedEntry {
    /// The publication date that the entry states.
    pub published_at: Option<Timestamp>,
    /// Whether the feed did not show it before.
    pub is_new: bool,
}

/// The outcome of one poll, as far as the schedule needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum PollOutcome {
    /// 304: the server states that nothing has changed.
    NotModified,
    /// The body is identical to the previous one.
    SameBody,
    /// A feed was parsed.
    Parsed {
        /// The rhythm that the feed itself states.
        hints: PublisherHints,
        /// All its entries.
        entries: Vec<PublishedEntry>,
    },
    /// Any other outcome.
    Failed,
}

/// What determined the time of the next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// The operator's freshness target.
    FreshnessAim,
    /// A later poll would miss entries of the feed.
    Window,
    /// `Cache-Control` or `Expires`.
    CacheFreshness,
    /// The feed cannot be requested conditionally.
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
    /// The earliest time of the poll.
    pub at: Timestamp,
    /// The rule that determined it.
    pub decided_by: Decision,
    /// The history including this poll.
    pub history: History,
}

/// Returns when the feed is next due after a poll that ended at `now`. `jitter` in 0..1 spreads feeds that would otherwise
/// be due at the same moment; it only ever lengthens the interval.
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
    let (at, decided_by) = due(bounds, &history, freshness, now, jitter);
    NextPoll { at, decided_by, history }
}

/// Returns when a feed would be due, without jitter, if `bounds` had been in force at its last poll, which ended at `polled_at`, and
/// why. `decided_by` is what determined the time that was set then.
///
/// Returns `None` if the server may have asked for patience in a response that the history does not hold: if its `Retry-After`
/// determined that time, or if the poll failed, since the history keeps nothing of a failed response.
pub fn due_within(
    bounds: &Bounds,
    history: &History,
    decided_by: Decision,
    polled_at: Timestamp,
) -> Option<(Timestamp, Decision)> {
    if decided_by == Decision::RetryAfter || history.consecutive_failures > 0 {
        return None;
    }
    Some(due(bounds, history, &Freshness::default(), polled_at, 0.0))
}

/// Returns when a feed is due after a poll that ended at `now` and is already part of the history.
fn due(
    bounds: &Bounds,
    history: &History,
    freshness: &Freshness,
    now: Timestamp,
    jitter: f64,
) -> (Timestamp, Decision) {
    // An interval that the operator chose is not limited.
    let longest = bounds.fixed_interval.unwrap_or_default().max(bounds.max_interval);
    let mut choice = regular_interval(bounds, history, freshness, now);
    if history.consecutive_failures > 0 {
        // The first failure changes nothing: most are transient. From then on the interval doubles.
        let doublings = (history.consecutive_failures - 1).min(16);
        choice = Choice { interval: choice.interval.saturating_mul(1 << doublings), by: Decision::Backoff };
    }
    choice.interval = choice.interval.min(longest);
    choice.interval = (choice.interval + spread(choice).mul_f64(jitter)).min(longest);
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
    (at, choice.by)
}

/// Records the target of a successful poll's permanent redirect (`None` without one), and returns it as the feed's new URL
/// once it was seen on `days_needed` different days.
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

/// Returns whether a moved feed is given up at its new URL and looked for at the old one again: too many failures in a row,
/// of whatever kind.
pub const fn is_lost(history: &History) -> bool {
    history.consecutive_failures >= LOST_AFTER_FAILURES
}

/// A candidate interval while the schedule is computed.
#[derive(Clone, Copy)]
struct Choice {
    interval: Duration,
    by: Decision,
}

/// The interval where nothing is known about a feed, and the minimum for a feed whose entries were never seen arriving:
/// most publishers consider more than one request an hour rude unless there is something to fetch.
const HOUR: Duration = Duration::from_hours(1);
/// Together with the backoff, these failures span most of a day.
const LOST_AFTER_FAILURES: u32 = 5;
/// Maximum share of an interval that the jitter may add.
const JITTER: f64 = 0.1;
/// Maximum jitter of an interval that ends when entries are expected.
const LONGEST_AIMED_JITTER: Duration = Duration::from_mins(5);
/// Feeds that skip the same hours are spread over this time afterwards.
const SKIP_SPREAD: Duration = Duration::from_mins(15);

/// Returns how far the jitter may delay the poll.
fn spread(choice: Choice) -> Duration {
    let spread = choice.interval.mul_f64(JITTER);
    match choice.by {
        Decision::EntryRhythm | Decision::FreshnessAim => spread.min(LONGEST_AIMED_JITTER),
        _ => spread,
    }
}

/// Returns the interval without failures: the operator's, or the one by the feed's rhythm, extended to what the publisher
/// asks for.
fn regular_interval(bounds: &Bounds, history: &History, freshness: &Freshness, now: Timestamp) -> Choice {
    if let Some(interval) = bounds.fixed_interval {
        return Choice { interval, by: Decision::FixedInterval };
    }
    let hints = &history.hints;
    let fresh_for = freshness.fresh_for.max(history.fresh_for_secs.map(Duration::from_secs));
    let asked = [
        (fresh_for, Decision::CacheFreshness),
        (hints.ttl_minutes.map(|minutes| Duration::from_mins(minutes.into())), Decision::Ttl),
        (hints.update_period_secs.map(|secs| Duration::from_secs(secs.into())), Decision::UpdatePeriod),
        (Some(bounds.min_interval), Decision::MinInterval),
        (bounds.delivered_interval, Decision::Delivered),
    ];
    let mut choice = by_rhythm(bounds, history, now);
    for (interval, by) in asked {
        if let Some(interval) = interval.filter(|interval| *interval > choice.interval) {
            choice = Choice { interval, by };
        }
    }
    if choice.interval >= bounds.max_interval {
        choice = Choice { interval: bounds.max_interval, by: Decision::MaxInterval };
    }
    choice
}

/// Returns the interval by the rhythm of the feed's entries and the cost of following it.
fn by_rhythm(bounds: &Bounds, history: &History, now: Timestamp) -> Choice {
    let Some(rhythm) = &history.rhythm else {
        return Choice { interval: HOUR, by: Decision::EntryRhythm };
    };
    let forecast = rhythm.forecast();
    let mut price = worth::price(&forecast, bounds.freshness, history);
    let mut by = if bounds.freshness.is_some() { Decision::FreshnessAim } else { Decision::EntryRhythm };
    if history.is_sent_whole() {
        let least = worth::price_within(&forecast, history, bounds.unconditional_bytes_per_day);
        if least > price {
            (price, by) = (least, Decision::NoValidators);
        }
    }
    let mut choice =
        Choice { interval: worth::best_interval(&forecast, price, now, bounds.max_interval), by };
    if !rhythm.was_seen() {
        choice.interval = choice.interval.max(HOUR);
    }
    if history.is_sent_whole() {
        let interval = worth::wait_within(history, bounds.unconditional_bytes_per_day);
        if interval > choice.interval {
            choice = Choice { interval, by: Decision::NoValidators };
        }
    }
    let mut interval = worth::window_interval(&forecast, history, now, bounds.max_interval);
    // What may happen is worth polls, but not more bytes than the operator allows for what is expected.
    if choice.by != Decision::NoValidators {
        interval = interval.min(worth::flood_interval(&forecast, history, now, bounds.max_interval));
    }
    if interval < choice.interval.min(bounds.max_interval) {
        choice = Choice { interval, by: Decision::Window };
    }
    choice
}

/// Returns the first moment from `at` on that the publisher does not ask to skip; `None` if it asks to skip them all.
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
