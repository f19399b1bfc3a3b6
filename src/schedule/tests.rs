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
    use PollOutcome::{Failed, NotModified};
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
        ("an entry a minute", bounds(), known(MINUTE), NotModified, quiet(), 15 * MINUTE, MinInterval),
        ("an entry every half hour", bounds(), known(30 * MINUTE), NotModified, quiet(), 30 * MINUTE, EntryRhythm),
        ("at most one request an hour where news are rarer", bounds(), known(90 * MINUTE), NotModified, quiet(),
            HOURS, EntryRhythm),
        ("the operator's interval", fixed(5 * MINUTE), known(DAY), ttl(600), fresh(DAY), 5 * MINUTE, FixedInterval),
        ("max-age", bounds(), known(HOURS), NotModified, fresh(3 * HOURS), 3 * HOURS, CacheFreshness),
        ("max-age shorter than the rhythm", bounds(), known(4 * HOURS), NotModified, fresh(60), 2 * HOURS, EntryRhythm),
        ("max-age of a year", bounds(), known(HOURS), NotModified, fresh(365 * DAY), DAY, MaxInterval),
        ("max-age of the answer that a 304 confirms", bounds(), late(), NotModified, quiet(), 6 * HOURS, CacheFreshness),
        ("max-age gone with a new answer", bounds(), late(), ttl(0), quiet(), HOURS, EntryRhythm),
        ("no validators", bounds(), known(2 * HOURS), NotModified, bare(), DAY, NoValidators),
        ("no validators, and news that would be lost within the day", bounds(), window(12, HOURS), NotModified, bare(),
            6 * HOURS, NoValidators),
        ("no validators, and few entries", bounds(), window(9, HOURS), NotModified, bare(), DAY, NoValidators),
        ("no validators at the operator's interval", fixed(5 * MINUTE), known(HOURS), NotModified, bare(),
            5 * MINUTE, FixedInterval),
        ("a failure of a feed without validators", bounds(), History { lacks_validators: true, ..known(HOURS) }, Failed,
            quiet(), DAY, Backoff),
        ("a hub delivers", delivered(12 * HOURS), known(HOURS), NotModified, quiet(), 12 * HOURS, Delivered),
        ("a hub delivers, within the bounds", delivered(9 * DAY), known(HOURS), NotModified, quiet(), DAY, MaxInterval),
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
fn a_server_that_says_304_for_ever_is_asked_for_the_whole_feed_now_and_then() {
    /// 304s that are believed, of a feed with an entry every `gap` that has been silent for `silence`.
    fn believed(gap: u64, silence: u64) -> u32 {
        let mut history = History { usual_gap_secs: known(gap).rhythm_secs, ..known(gap) };
        history.last_new_entry_at = Some(ago(silence));
        while !history.doubts_not_modified(now()) {
            history =
                next_poll(&bounds(), &history, &PollOutcome::NotModified, &Freshness::default(), now(), 0.0)
                    .history;
        }
        history.not_modified_in_a_row
    }
    assert_eq!(believed(HOURS, 8 * HOURS), 8, "a night is no silence");
    assert_eq!(believed(30 * DAY, 60 * DAY), 8, "nor are two months of a monthly feed");
    assert_eq!(believed(DAY, 5 * DAY), 4);
    assert_eq!(believed(HOURS, 5 * DAY), 2);
    let doubtful = History { not_modified_in_a_row: 9, ..known(HOURS) };
    for outcome in [PollOutcome::SameBody, first_seen(&[60])] {
        let next = next_poll(&bounds(), &doubtful, &outcome, &Freshness::default(), now(), 0.0);
        assert!(!next.history.doubts_not_modified(now()), "a body is an answer");
    }
}

#[test]
fn success_forgives_all_failures() {
    let history = History { consecutive_failures: 9, ..known(HOURS) };
    let next = next_poll(&bounds(), &history, &PollOutcome::NotModified, &Freshness::default(), now(), 0.0);
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
        let (failed, unchanged) = (at(PollOutcome::Failed), at(PollOutcome::NotModified));
        prop_assert!(failed >= unchanged);
        prop_assert!(unchanged >= after(now(), bounds().min_interval));
        prop_assert!(failed <= after(now(), bounds().max_interval.max(bounds().max_retry_after)));
    }
}

#[test]
fn a_move_is_confirmed_by_the_same_word_on_three_days() {
    let (a, b): (Url, Url) = ("https://a.example/".parse().unwrap(), "https://b.example/".parse().unwrap());
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
