//! When is a feed next due? One pure function of the configured bounds, what the publisher asked and what we saw.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{PublisherHints, after};

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
    /// For how many seconds the last answer was said to stay fresh: a 304 need not repeat it.
    pub fresh_for_secs: Option<u64>,
    /// The last answer gave nothing to ask conditionally with.
    pub lacks_validators: bool,
    /// How many dated entries the feed held when it was last read.
    pub window_entries: u32,
    /// A permanent redirect that is not confirmed yet.
    pub move_sighted: Option<MoveSighting>,
}

/// How often a permanent redirect to one place was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveSighting {
    /// Where it leads.
    pub to: Url,
    /// On how many days it was seen.
    pub days: u32,
    /// The last of them, in UTC.
    pub last_day: civil::Date,
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
/// Weight of what one poll showed against all that was known.
const LEARNING_RATE: f64 = 0.3;
/// A feed with fewer entries than this is no window that news move through.
const WINDOW_ENTRIES: u32 = 10;
/// The newest entries tell the rhythm; older ones tell what it once was.
const RHYTHM_ENTRIES: usize = 20;

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

impl History {
    /// Notes that a hub brought so many new entries.
    pub fn note_delivery(&mut self, new_entries: u32, now: Timestamp) {
        if new_entries > 0 {
            self.learn_rhythm(&[], new_entries, now);
        }
    }

    fn learn(&mut self, outcome: &PollOutcome, freshness: &Freshness, now: Timestamp) {
        let fresh_for_secs = freshness.fresh_for.map(|fresh_for| fresh_for.as_secs());
        match outcome {
            // What was learned stays: a feed that failed is asked no sooner than one that answered.
            PollOutcome::Failed => self.consecutive_failures = self.consecutive_failures.saturating_add(1),
            PollOutcome::Unchanged => {
                self.consecutive_failures = 0;
                self.fresh_for_secs = fresh_for_secs.or(self.fresh_for_secs);
                self.lacks_validators = freshness.lacks_validators;
                self.learn_rhythm(&[], 0, now);
            }
            PollOutcome::Parsed { hints, entry_times, new_entries } => {
                self.consecutive_failures = 0;
                self.hints = hints.clone();
                self.fresh_for_secs = fresh_for_secs;
                self.lacks_validators = freshness.lacks_validators;
                self.window_entries = u32::try_from(entry_times.len()).unwrap_or(u32::MAX);
                self.learn_rhythm(entry_times, *new_entries, now);
            }
        }
    }

    /// The entries' dates tell the rhythm of a feed not seen before. From then on only what is new to us counts: dates
    /// lie, arrivals do not.
    fn learn_rhythm(&mut self, entry_times: &[Timestamp], new_entries: u32, now: Timestamp) {
        let (Some(rhythm), Some(last_new)) = (self.rhythm_secs, self.last_new_entry_at) else {
            let mut past: Vec<Timestamp> = entry_times.iter().copied().filter(|time| *time <= now).collect();
            past.sort_unstable_by(|a, b| b.cmp(a));
            past.truncate(RHYTHM_ENTRIES);
            self.last_new_entry_at = Some(past.first().copied().unwrap_or(now));
            let dated = past.last().map(|oldest| seconds_between(*oldest, now) / count(past.len()));
            self.rhythm_secs = Some(dated.unwrap_or(HOUR.as_secs_f64()));
            return;
        };
        let silence = seconds_between(last_new, now);
        let seen = if new_entries > 0 {
            self.last_new_entry_at = Some(now);
            silence / f64::from(new_entries)
        } else {
            // Silence shorter than the rhythm is no news.
            silence.max(rhythm)
        };
        self.rhythm_secs = Some(rhythm + LEARNING_RATE * (seen - rhythm));
    }
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

fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

fn count(entries: usize) -> f64 {
    f64::from(u32::try_from(entries).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60;
    const HOURS: u64 = 3600;
    const DAY: u64 = 24 * HOURS;

    /// A Saturday, ten past eight in the evening.
    fn now() -> Timestamp {
        "2026-11-21T20:10:00Z".parse().unwrap()
    }

    fn ago(seconds: u64) -> Timestamp {
        now().checked_sub(Duration::from_secs(seconds)).unwrap()
    }

    fn bounds() -> Bounds {
        Bounds {
            min_interval: Duration::from_secs(15 * MINUTE),
            max_interval: Duration::from_secs(DAY),
            fixed_interval: None,
            max_retry_after: Duration::from_secs(2 * DAY),
            unconditional_interval: Duration::from_secs(DAY),
            delivered_interval: None,
        }
    }

    fn delivered(seconds: u64) -> Bounds {
        Bounds { delivered_interval: Some(Duration::from_secs(seconds)), ..bounds() }
    }

    fn fixed(seconds: u64) -> Bounds {
        Bounds { fixed_interval: Some(Duration::from_secs(seconds)), ..bounds() }
    }

    /// A feed known to have news every `rhythm` seconds, the last of them just now.
    fn known(rhythm: u64) -> History {
        let rhythm_secs = Some(f64::from(u32::try_from(rhythm).unwrap()));
        History { rhythm_secs, last_new_entry_at: Some(now()), ..History::default() }
    }

    fn failing(times: u32) -> History {
        History { consecutive_failures: times - 1, ..known(HOURS) }
    }

    fn fresh(seconds: u64) -> Freshness {
        Freshness { fresh_for: Some(Duration::from_secs(seconds)), ..Freshness::default() }
    }

    /// Of an answer without validators.
    fn bare() -> Freshness {
        Freshness { lacks_validators: true, ..Freshness::default() }
    }

    fn window(entries: u32, rhythm: u64) -> History {
        History { window_entries: entries, ..known(rhythm) }
    }

    fn retry_after(seconds: u64) -> Freshness {
        Freshness { retry_after: Some(Duration::from_secs(seconds)), ..Freshness::default() }
    }

    fn hints(hints: PublisherHints) -> PollOutcome {
        PollOutcome::Parsed { hints, entry_times: vec![ago(DAY)], new_entries: 0 }
    }

    fn ttl(minutes: u32) -> PollOutcome {
        hints(PublisherHints { ttl_minutes: Some(minutes), ..PublisherHints::default() })
    }

    fn period(seconds: u32) -> PollOutcome {
        hints(PublisherHints { update_period_secs: Some(seconds), ..PublisherHints::default() })
    }

    fn skip(skip_hours: impl Into<Vec<u8>>, skip_days: impl Into<Vec<u8>>) -> PollOutcome {
        hints(PublisherHints {
            skip_hours: skip_hours.into(),
            skip_days: skip_days.into(),
            ..PublisherHints::default()
        })
    }

    fn first_seen(ages: &[u64]) -> PollOutcome {
        PollOutcome::Parsed {
            hints: PublisherHints::default(),
            entry_times: ages.iter().copied().map(ago).collect(),
            new_entries: u32::try_from(ages.len()).unwrap(),
        }
    }

    #[test]
    #[rustfmt::skip]
    fn every_signal_has_its_say() {
        use Decision::*;
        use PollOutcome::{Failed, Unchanged};
        let new = History::default;
        let quiet = Freshness::default;
        let late = || History { fresh_for_secs: Some(6 * HOURS), ..known(2 * HOURS) };
        let table: Vec<(&str, Bounds, History, PollOutcome, Freshness, u64, Decision)> = vec![
            ("a feed about which nothing is known", bounds(), new(), first_seen(&[]), quiet(), HOURS, EntryRhythm),
            ("an entry every 20 minutes by their dates", bounds(), new(),
                first_seen(&[20 * MINUTE, 40 * MINUTE, 60 * MINUTE]), quiet(), 20 * MINUTE, EntryRhythm),
            ("an entry a day by their dates", bounds(), new(),
                first_seen(&[DAY, 2 * DAY, 3 * DAY]), quiet(), DAY / 2, EntryRhythm),
            ("entries that are too old for a rhythm", bounds(), new(), first_seen(&[400 * DAY]), quiet(), DAY, MaxInterval),
            ("an entry a minute", bounds(), known(MINUTE), Unchanged, quiet(), 15 * MINUTE, MinInterval),
            ("an entry every half hour", bounds(), known(30 * MINUTE), Unchanged, quiet(), 30 * MINUTE, EntryRhythm),
            ("at most one request an hour where news are rarer", bounds(), known(90 * MINUTE), Unchanged, quiet(),
                HOURS, EntryRhythm),
            ("the operator's interval", fixed(5 * MINUTE), known(DAY), ttl(600), fresh(DAY), 5 * MINUTE, FixedInterval),
            ("max-age", bounds(), known(HOURS), Unchanged, fresh(3 * HOURS), 3 * HOURS, CacheFreshness),
            ("max-age shorter than the rhythm", bounds(), known(4 * HOURS), Unchanged, fresh(60), 2 * HOURS, EntryRhythm),
            ("max-age of a year", bounds(), known(HOURS), Unchanged, fresh(365 * DAY), DAY, MaxInterval),
            ("max-age of the answer that a 304 confirms", bounds(), late(), Unchanged, quiet(), 6 * HOURS, CacheFreshness),
            ("max-age gone with a new answer", bounds(), late(), ttl(0), quiet(), HOURS, EntryRhythm),
            ("no validators", bounds(), known(2 * HOURS), Unchanged, bare(), DAY, NoValidators),
            ("no validators, and news that would be lost within the day", bounds(), window(12, HOURS), Unchanged, bare(),
                6 * HOURS, NoValidators),
            ("no validators, and few entries", bounds(), window(9, HOURS), Unchanged, bare(), DAY, NoValidators),
            ("no validators at the operator's interval", fixed(5 * MINUTE), known(HOURS), Unchanged, bare(),
                5 * MINUTE, FixedInterval),
            ("a failure of a feed without validators", bounds(), History { lacks_validators: true, ..known(HOURS) }, Failed,
                quiet(), DAY, Backoff),
            ("a hub delivers", delivered(12 * HOURS), known(HOURS), Unchanged, quiet(), 12 * HOURS, Delivered),
            ("a hub delivers, within the bounds", delivered(9 * DAY), known(HOURS), Unchanged, quiet(), DAY, MaxInterval),
            ("ttl", bounds(), known(HOURS), ttl(180), quiet(), 3 * HOURS, Ttl),
            ("sy:updatePeriod", bounds(), known(HOURS), period(7200), quiet(), 2 * HOURS, UpdatePeriod),
            ("the longest of several", bounds(), known(HOURS), ttl(120), fresh(5 * HOURS), 5 * HOURS, CacheFreshness),
            ("the next hour is skipped", bounds(), known(HOURS), skip([21, 22], []), quiet(), 170 * MINUTE, SkipTimes),
            ("an hour that is not in the way", bounds(), known(HOURS), skip([3], []), quiet(), HOURS, EntryRhythm),
            ("Sunday is skipped", bounds(), known(8 * HOURS), skip([], [7]), quiet(), DAY, MaxInterval),
            ("every hour is skipped", bounds(), known(HOURS), skip((0..24).collect::<Vec<u8>>(), []), quiet(),
                HOURS, EntryRhythm),
            ("the first failure", bounds(), failing(1), Failed, quiet(), HOURS, Backoff),
            ("the second failure", bounds(), failing(2), Failed, quiet(), 2 * HOURS, Backoff),
            ("the fifth failure", bounds(), failing(5), Failed, quiet(), 16 * HOURS, Backoff),
            ("the thousandth failure", bounds(), failing(1000), Failed, quiet(), DAY, Backoff),
            ("a failure of a feed that asked for patience", bounds(), late(), Failed, quiet(), 6 * HOURS, Backoff),
            ("a failure at the operator's interval", fixed(5 * MINUTE), failing(3), Failed, quiet(), 20 * MINUTE, Backoff),
            ("Retry-After", bounds(), failing(1), Failed, retry_after(7 * HOURS), 7 * HOURS, RetryAfter),
            ("Retry-After beats the operator's interval", fixed(5 * MINUTE), failing(1), Failed, retry_after(HOURS),
                HOURS, RetryAfter),
            ("Retry-After shorter than the backoff", bounds(), failing(4), Failed, retry_after(60), 8 * HOURS, Backoff),
            ("Retry-After beyond its cap", bounds(), failing(1), Failed, retry_after(30 * DAY), 2 * DAY, RetryAfter),
            ("max-age on a 429", bounds(), failing(1), Failed, fresh(5 * HOURS), 5 * HOURS, Backoff),
        ];
        for (name, bounds, history, outcome, freshness, seconds, decision) in table {
            let next = next_poll(&bounds, &history, &outcome, &freshness, now(), 0.0);
            let waited = next.at.duration_since(now()).as_secs();
            assert_eq!((waited, next.decided_by), (i64::try_from(seconds).unwrap(), decision), "{name}");
        }
    }

    #[test]
    fn success_forgives_all_failures() {
        let history = History { consecutive_failures: 9, ..known(HOURS) };
        let next = next_poll(&bounds(), &history, &PollOutcome::Unchanged, &Freshness::default(), now(), 0.0);
        assert_eq!((next.history.consecutive_failures, next.decided_by), (0, Decision::EntryRhythm));
    }

    /// Plays a feed with an entry every `period` (or none at all) and returns the interval in the end.
    fn settled(mut history: History, period: Option<Duration>) -> Duration {
        let mut time = now();
        let mut shown = now();
        let mut interval = Duration::ZERO;
        for _ in 0..200 {
            let mut new_entries = 0;
            while let Some(next) = period.map(|period| after(shown, period)).filter(|next| *next <= time) {
                shown = next;
                new_entries += 1;
            }
            let outcome = PollOutcome::Parsed {
                hints: PublisherHints::default(),
                entry_times: vec![time; 30],
                new_entries,
            };
            let next = next_poll(&bounds(), &history, &outcome, &Freshness::default(), time, 0.5);
            interval = Duration::try_from(next.at.duration_since(time)).unwrap();
            (time, history) = (next.at, next.history);
        }
        interval
    }

    #[test]
    fn the_interval_settles_at_the_rhythm_whatever_the_dates_say() {
        let slow = settled(known(MINUTE), Some(Duration::from_hours(10)));
        assert!((4..=7).contains(&(slow.as_secs() / HOURS)), "{slow:?}");
        let fast = settled(known(DAY), Some(Duration::from_mins(30)));
        assert!((25..=40).contains(&(fast.as_secs() / MINUTE)), "{fast:?}");
        assert_eq!(settled(History::default(), None), Duration::from_secs(DAY), "a silent feed");
    }

    proptest! {
        #[test]
        fn every_poll_lies_within_the_bounds_and_no_error_hurries(
            rhythm in 0.0..1e9_f64,
            failures in 0..100_u32,
            fresh_for in proptest::option::of(0..u64::from(u32::MAX)),
            retry_after in proptest::option::of(0..u64::from(u32::MAX)),
            skip_hours in proptest::collection::vec(0..24_u8, 0..30),
            skip_days in proptest::collection::vec(1..8_u8, 0..8),
            lacks_validators: bool,
            jitter in 0.0..1.0_f64,
        ) {
            let history = History {
                consecutive_failures: failures,
                rhythm_secs: Some(rhythm),
                last_new_entry_at: Some(now()),
                lacks_validators,
                hints: PublisherHints { skip_hours, skip_days, ..PublisherHints::default() },
                ..History::default()
            };
            let freshness = Freshness {
                fresh_for: fresh_for.map(Duration::from_secs),
                retry_after: retry_after.map(Duration::from_secs),
                lacks_validators,
            };
            let at = |outcome| next_poll(&bounds(), &history, &outcome, &freshness, now(), jitter).at;
            let (failed, unchanged) = (at(PollOutcome::Failed), at(PollOutcome::Unchanged));
            prop_assert!(failed >= unchanged);
            prop_assert!(unchanged >= after(now(), bounds().min_interval));
            prop_assert!(failed <= after(now(), bounds().max_interval.max(bounds().max_retry_after)));
        }
    }

    #[test]
    fn a_move_is_confirmed_by_the_same_word_on_three_days() {
        let (a, b): (Url, Url) =
            ("https://a.example/".parse().unwrap(), "https://b.example/".parse().unwrap());
        let mut history = History::default();
        let mut sight = |target: Option<&Url>, day: u64| {
            confirm_move(&mut history, target, 3, after(now(), Duration::from_secs(day * DAY)))
        };
        assert_eq!(sight(Some(&a), 0), None);
        assert_eq!(sight(Some(&a), 0), None, "the same day does not count twice");
        assert_eq!(sight(Some(&a), 1), None);
        assert_eq!(sight(Some(&b), 2), None, "another target starts anew");
        assert_eq!(sight(Some(&b), 3), None);
        assert_eq!(sight(None, 4), None, "and so does an answer without a redirect");
        assert_eq!(sight(Some(&b), 5), None);
        assert_eq!(sight(Some(&b), 6), None);
        assert_eq!(sight(Some(&b), 9), Some(b.clone()));
    }
}
