use proptest::prelude::*;

use super::*;
use crate::model::Rhythm;

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
        freshness: None,
        unconditional_bytes_per_day: 1_000_000,
        delivered_interval: None,
    }
}

fn delivered(seconds: u64) -> Bounds {
    Bounds { delivered_interval: Some(Duration::from_secs(seconds)), ..bounds() }
}

fn fixed(seconds: u64) -> Bounds {
    Bounds { fixed_interval: Some(Duration::from_secs(seconds)), ..bounds() }
}

/// Returns a feed with new entries every `rhythm` seconds, the last of them just now.
fn known(rhythm: u64) -> History {
    let rhythm = Rhythm { watched_secs: 1.0, lately: 5.0, expected_lately: 5.0, ..of_gap(rhythm) };
    History { rhythm: Some(rhythm), last_new_entry_at: Some(now()), ..History::default() }
}

fn of_gap(secs: u64) -> Rhythm {
    Rhythm::of_gap(f64::from(u32::try_from(secs).unwrap()), 30.0)
}

/// Returns a feed with an entry every three hours, and `lately` recent entries where five were expected.
fn lively(lately: f64) -> History {
    let mut history = known(3 * HOURS);
    history.rhythm = history.rhythm.map(|rhythm| Rhythm { lately, ..rhythm });
    history
}

fn failing(times: u32) -> History {
    History { consecutive_failures: times - 1, ..known(HOURS) }
}

fn fresh(seconds: u64) -> Freshness {
    Freshness { fresh_for: Some(Duration::from_secs(seconds)), ..Freshness::default() }
}

/// Returns the freshness of a response without validators.
fn bare() -> Freshness {
    Freshness { lacks_validators: true, ..Freshness::default() }
}

/// Sets the size of each response body, and a day in which the allowed bytes were used.
fn weighing(body_bytes: u32, history: History) -> History {
    let spent_bytes = (1e6 - f64::from(body_bytes)).max(0.0);
    History { body_bytes: body_bytes.into(), spent_bytes, ..history }
}

fn window(entries: u32, rhythm: u64) -> History {
    History { window_entries: entries, ..known(rhythm) }
}

fn retry_after(seconds: u64) -> Freshness {
    Freshness { retry_after: Some(Duration::from_secs(seconds)), ..Freshness::default() }
}

fn hints(hints: PublisherHints) -> PollOutcome {
    PollOutcome::Parsed { hints, entries: Vec::new() }
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
    parsed(ages.iter().map(|age| entry(ago(*age))))
}

fn parsed(entries: impl IntoIterator<Item = PublishedEntry>) -> PollOutcome {
    PollOutcome::Parsed { hints: PublisherHints::default(), entries: entries.into_iter().collect() }
}

fn entry(published_at: Timestamp) -> PublishedEntry {
    PublishedEntry { published_at: Some(published_at), is_new: true }
}

/// The time after a poll without jitter is the one that the same bounds give later, from the history alone.
#[test]
fn other_bounds_apply_to_the_last_poll() {
    let after_poll = |bounds: &Bounds, history: &History, freshness: &Freshness| {
        next_poll(bounds, history, &PollOutcome::NotModified, freshness, now(), 0.0)
    };
    for history in [History::default(), known(HOURS), lively(9.0), failing(3)] {
        for freshness in [Freshness::default(), fresh(5 * HOURS)] {
            let polled = after_poll(&bounds(), &history, &freshness);
            let again = due_within(&bounds(), &polled.history, polled.decided_by, now());
            assert_eq!(again, Some((polled.at, polled.decided_by)), "{history:?} {freshness:?}");
            let shorter = due_within(&fixed(10 * MINUTE), &polled.history, polled.decided_by, now());
            let ten_minutes = after(now(), Duration::from_secs(10 * MINUTE));
            assert_eq!(shorter, Some((ten_minutes, Decision::FixedInterval)));
        }
    }
    // A server that may have asked for patience gets it.
    for (outcome, freshness, decision) in [
        (PollOutcome::NotModified, retry_after(5 * HOURS), Decision::RetryAfter),
        (PollOutcome::Failed, retry_after(5 * HOURS), Decision::RetryAfter),
        (PollOutcome::Failed, fresh(5 * HOURS), Decision::Backoff),
    ] {
        let refused = next_poll(&bounds(), &known(HOURS), &outcome, &freshness, now(), 0.0);
        assert_eq!(refused.decided_by, decision);
        for bounds in [bounds(), fixed(MINUTE)] {
            let within = due_within(&bounds, &refused.history, decision, now());
            assert_eq!(within, None, "{outcome:?} {bounds:?}");
        }
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
    let aimed = |minutes| Bounds { freshness: Some(Duration::from_mins(minutes)), ..bounds() };
    let for_show = || History { vain_bodies: 2, ..weighing(500_000, known(HOURS)) };
    let table: Vec<(&str, Bounds, History, PollOutcome, Freshness, u64, Decision)> = vec![
        ("a feed about which nothing is known", bounds(), new(), first_seen(&[]), quiet(), HOURS, EntryRhythm),
        ("no more than once an hour by dates alone", bounds(), new(),
            first_seen(&[20 * MINUTE, 40 * MINUTE, 60 * MINUTE]), quiet(), HOURS, EntryRhythm),
        ("an entry a day by their dates", bounds(), new(),
            first_seen(&[DAY, 2 * DAY, 3 * DAY]), quiet(), HOURS, EntryRhythm),
        ("entries that are too old for a rhythm", bounds(), new(), first_seen(&[90_000 * DAY]), quiet(), DAY, MaxInterval),
        ("an entry a minute", bounds(), known(MINUTE), NotModified, quiet(), 15 * MINUTE, MinInterval),
        ("an entry every half hour", bounds(), known(30 * MINUTE), NotModified, quiet(), 25 * MINUTE, EntryRhythm),
        ("an entry a day", bounds(), known(DAY), NotModified, quiet(), 10_200, EntryRhythm),
        ("a lively day", bounds(), lively(10.0), NotModified, quiet(), 2850, EntryRhythm),
        ("a quiet one", bounds(), lively(0.0), NotModified, quiet(), 6000, EntryRhythm),
        ("an aim", aimed(15), known(3 * HOURS), NotModified, quiet(), 30 * MINUTE, Decision::FreshnessAim),
        ("an aim beyond what the publisher allows", aimed(15), known(3 * HOURS), ttl(60), quiet(), HOURS, Ttl),
        ("an aim below the operator's bound", aimed(1), known(3 * HOURS), NotModified, quiet(), 15 * MINUTE, MinInterval),
        ("the operator's interval", fixed(5 * MINUTE), known(DAY), ttl(600), fresh(DAY), 5 * MINUTE, FixedInterval),
        ("max-age", bounds(), known(HOURS), NotModified, fresh(3 * HOURS), 3 * HOURS, CacheFreshness),
        ("max-age shorter than the rhythm", bounds(), known(DAY), NotModified, fresh(60), 10_200, EntryRhythm),
        ("max-age of a year", bounds(), known(HOURS), NotModified, fresh(365 * DAY), DAY, MaxInterval),
        ("max-age of the answer that a 304 confirms", bounds(), late(), NotModified, quiet(), 6 * HOURS, CacheFreshness),
        ("max-age gone with a new answer", bounds(), late(), ttl(0), quiet(), 3000, EntryRhythm),
        ("no validators, and a small feed", bounds(), weighing(1_000, known(HOURS)), NotModified, bare(), 2100, EntryRhythm),
        ("no validators, and a large one", bounds(), weighing(100_000, known(HOURS)), NotModified, bare(), 7800, NoValidators),
        ("no validators, and one that takes the day's bytes at once", bounds(), weighing(2_000_000, known(HOURS)),
            NotModified, bare(), DAY, MaxInterval),
        ("validators that the server does not know again", bounds(), for_show(), PollOutcome::SameBody, quiet(), 21_600, NoValidators),
        ("news that would be lost", bounds(), window(12, HOURS), NotModified, quiet(), 1200, Window),
        ("news that would be lost without validators", bounds(), weighing(500_000, window(12, HOURS)), NotModified, bare(), 9900, Window),
        ("no bytes for a flood that may never come", bounds(), weighing(500_000, window(30, HOURS)), NotModified, bare(), 21_600, NoValidators),
        ("few entries are no window", bounds(), weighing(500_000, window(9, HOURS)), NotModified, bare(), 21_600, NoValidators),
        ("no validators at the operator's interval", fixed(5 * MINUTE), known(HOURS), NotModified, bare(),
            5 * MINUTE, FixedInterval),
        ("a hub delivers", delivered(12 * HOURS), known(HOURS), NotModified, quiet(), 12 * HOURS, Delivered),
        ("a hub delivers, within the bounds", delivered(9 * DAY), known(HOURS), NotModified, quiet(), DAY, MaxInterval),
        ("ttl", bounds(), known(HOURS), ttl(180), quiet(), 3 * HOURS, Ttl),
        ("sy:updatePeriod", bounds(), known(HOURS), period(7200), quiet(), 2 * HOURS, UpdatePeriod),
        ("the longest of several", bounds(), known(HOURS), ttl(120), fresh(5 * HOURS), 5 * HOURS, CacheFreshness),
        ("the next hours are skipped", bounds(), known(4 * HOURS), skip([20, 21, 22], []), quiet(), 170 * MINUTE, SkipTimes),
        ("an hour that is not in the way", bounds(), known(HOURS), skip([3], []), quiet(), 2100, EntryRhythm),
        ("Sunday is skipped", bounds(), known(30 * DAY), skip([], [7]), quiet(), DAY, MaxInterval),
        ("every hour is skipped", bounds(), known(HOURS), skip((0..24).collect::<Vec<u8>>(), []), quiet(),
            2100, EntryRhythm),
        ("the first failure", bounds(), failing(1), Failed, quiet(), 2100, Backoff),
        ("the second failure", bounds(), failing(2), Failed, quiet(), 4200, Backoff),
        ("the fifth failure", bounds(), failing(5), Failed, quiet(), 33_600, Backoff),
        ("the thousandth failure", bounds(), failing(1000), Failed, quiet(), DAY, Backoff),
        ("a failure of a feed that asked for patience", bounds(), late(), Failed, quiet(), 6 * HOURS, Backoff),
        ("a failure at the operator's interval", fixed(5 * MINUTE), failing(3), Failed, quiet(), 20 * MINUTE, Backoff),
        ("Retry-After", bounds(), failing(1), Failed, retry_after(7 * HOURS), 7 * HOURS, RetryAfter),
        ("Retry-After beats the operator's interval", fixed(5 * MINUTE), failing(1), Failed, retry_after(HOURS),
            HOURS, RetryAfter),
        ("Retry-After beats an aim", aimed(15), failing(1), Failed, retry_after(7 * HOURS), 7 * HOURS, RetryAfter),
        ("Retry-After shorter than the backoff", bounds(), failing(4), Failed, retry_after(60), 16_800, Backoff),
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
    /// Returns how many 304s are believed, for a feed with an entry every `gap` that has been silent for `silence`.
    fn believed(gap: u64, silence: u64) -> u32 {
        let mut history = History { usual_gap_secs: Some(of_gap(gap).gap_secs()), ..known(gap) };
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

/// Polls a feed whose entries arrive at the given moments, until the last has arrived. Returns the times of the polls and
/// the final history.
fn play(bounds: &Bounds, entries: &[Timestamp], headers: &Freshness) -> (Vec<Timestamp>, History) {
    play_window(100, bounds, entries, headers)
}

/// The same with a feed that shows so many entries.
fn play_window(
    window: usize,
    bounds: &Bounds,
    entries: &[Timestamp],
    headers: &Freshness,
) -> (Vec<Timestamp>, History) {
    let (mut polls, mut history, mut time, mut seen) = (Vec::new(), History::default(), entries[0], 0);
    while time <= entries[entries.len() - 1] {
        polls.push(time);
        let there = entries.partition_point(|entry| *entry <= time);
        let outcome =
            if there == seen && headers.lacks_validators {
                PollOutcome::SameBody
            } else if there == seen {
                PollOutcome::NotModified
            } else {
                parsed((there.saturating_sub(window)..there).map(|index| PublishedEntry {
                    published_at: Some(entries[index]),
                    is_new: index >= seen,
                }))
            };
        let next = next_poll(bounds, &history, &outcome, headers, time, 0.5);
        (time, history, seen) = (next.at, next.history, there);
    }
    (polls, history)
}

/// Returns moments from a Monday on, `apart` seconds from each other, over `weeks` weeks, filtered by `is_wanted`.
fn moments(apart: u64, weeks: u64, is_wanted: impl Fn(u64) -> bool) -> Vec<Timestamp> {
    let monday: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    let seconds = (0..weeks * 7 * DAY).step_by(usize::try_from(apart).unwrap());
    seconds
        .filter(|second| is_wanted(*second))
        .map(|second| after(monday, Duration::from_secs(second)))
        .collect()
}

fn in_working_hours(second: u64) -> bool {
    (second / DAY) % 7 < 5 && (9..17).contains(&(second / HOURS % 24))
}

#[test]
fn polls_are_made_when_entries_come() {
    // An odd number of seconds, so that the minute carries no information.
    let entries = moments(2_417, 8, in_working_hours);
    let (polls, _) = play(&bounds(), &entries, &Freshness::default());
    let monday =
        after(entries[0], Duration::ZERO).as_second().div_euclid(7 * 86_400) * 7 * 86_400 + 4 * 86_400;
    let late: Vec<u64> = polls
        .iter()
        .filter(|poll| **poll > entries[entries.len() / 2])
        .map(|poll| u64::try_from(poll.as_second() - monday).unwrap())
        .collect();
    let during = late.iter().filter(|second| in_working_hours(**second)).count();
    let in_all = late.len();
    assert!(during * 10 > in_all * 6, "{during} of {in_all} polls in a quarter of the week");
}

#[test]
fn an_aim_is_reached_without_polling_for_more() {
    let entries = moments(4_111, 8, |_| true);
    for minutes in [8, 15, 60] {
        let aim = Duration::from_mins(minutes);
        let (polls, history) =
            play(&Bounds { freshness: Some(aim), ..bounds() }, &entries, &Freshness::default());
        let reached = history.median_age().unwrap();
        assert!(reached <= aim.mul_f64(1.25), "{reached:?} instead of {aim:?}");
        let polls_a_day = polls.len() / 56;
        assert!(polls_a_day as u64 * minutes <= 24 * 60, "{polls_a_day} polls a day for {aim:?}");
    }
}

#[test]
fn what_is_sent_whole_stays_within_the_days_bytes() {
    let entries = moments(1_801, 4, in_working_hours);
    let headers = Freshness { body_bytes: 60_000, ..bare() };
    let bounds = Bounds { unconditional_bytes_per_day: 2_000_000, ..bounds() };
    let (polls, _) = play(&bounds, &entries, &headers);
    for (index, poll) in polls.iter().enumerate() {
        let day =
            polls[index..].iter().take_while(|other| other.duration_since(*poll).as_secs() < 86_400).count();
        // The bytes sent decay gradually instead of being counted per calendar day.
        assert!(day * 60_000 < 3_400_000, "{day} polls from {poll} on");
    }
    assert!(polls.len() > 28 * 15, "the bytes are spent: {} polls", polls.len());
}

/// Returns the entries expected in each of the next 24 hours of a feed with such counts of arrivals by hour.
fn expected_by_hour(hours: [f32; 24]) -> Vec<f64> {
    let entries: f32 = hours.iter().sum();
    let rhythm =
        Rhythm { hours, entries: entries.into(), secs: 28.0 * 86_400.0, weight: 1.0, ..Rhythm::default() };
    rhythm.forecast().steps(now(), 3600).take(24).collect()
}

#[test]
fn chance_is_no_rhythm() {
    let ratio = |hours| {
        let expected = expected_by_hour(hours);
        let (least, most) =
            expected.iter().fold((f64::MAX, 0.0_f64), |(least, most), n| (least.min(*n), most.max(*n)));
        most / least
    };
    let chance = [28.0, 34.0, 22.0, 33.0, 23.0, 28.0_f32];
    let random = ratio(std::array::from_fn(|hour| chance[hour % chance.len()]));
    assert!(random < 1.001, "counts that vary as those of random arrivals do: {random}");
    let nightly = ratio(std::array::from_fn(|hour| if hour < 8 { 8.0 } else { 38.0 }));
    assert!((4.0..5.0).contains(&nightly), "fewer entries at night are no chance: {nightly}");
    let few = ratio(std::array::from_fn(|hour| if (9..12).contains(&hour) { 1.0 } else { 0.0 }));
    assert!(few > 2.0, "three entries disprove no rhythm: {few}");
}

#[test]
fn a_feed_that_falls_silent_was_seen_nevertheless() {
    let bounds = Bounds { freshness: Some(Duration::from_secs(15 * MINUTE)), ..bounds() };
    let (_, mut history) = play(&bounds, &moments(1_801, 4, |_| true), &Freshness::default());
    let mut time = history.read_at.unwrap();
    for _ in 0..400 {
        time = after(time, Duration::from_secs(DAY));
        let next = next_poll(&bounds, &history, &PollOutcome::NotModified, &Freshness::default(), time, 0.0);
        history = next.history;
    }
    assert!(history.rhythm.as_ref().unwrap().was_seen(), "{:?}", history.rhythm);
    // The minimum of an hour is for feeds whose entries were never seen arriving.
    let next = next_poll(&bounds, &history, &PollOutcome::NotModified, &Freshness::default(), time, 0.0);
    assert_eq!(next.at.duration_since(time).as_mins(), 30);
}

#[test]
fn a_flood_that_may_come_is_worth_no_more_than_the_days_bytes() {
    let entries = moments(3_541, 4, |_| true);
    let headers = Freshness { body_bytes: 300_000, ..bare() };
    let bounds = Bounds { unconditional_bytes_per_day: 4_000_000, ..bounds() };
    let (polls, history) = play_window(25, &bounds, &entries, &headers);
    let bytes_a_day = polls.len() * 300_000 / 28;
    assert!((3_500_000..4_200_000).contains(&bytes_a_day), "{bytes_a_day} bytes a day");
    // Entries that do come are not lost, whatever that costs.
    let busier = moments(181, 1, |_| true);
    let (polls, _) = play_window(25, &bounds, &busier, &headers);
    let longest =
        polls.windows(2).skip(polls.len() / 2).map(|pair| pair[1].duration_since(pair[0]).as_secs());
    assert!(longest.max().unwrap() < 25 * 181, "{history:?}");
}

#[test]
fn a_backlog_an_archive_and_wrong_dates_are_no_rhythm() {
    let first = next_poll(
        &bounds(),
        &History::default(),
        &parsed((1..=200).map(|minute| entry(ago(30 * DAY + minute))).chain([entry(after(now(), HOUR))])),
        &Freshness::default(),
        now(),
        0.0,
    );
    let learned = first.history.rhythm.clone().unwrap();
    assert!(learned.gap_secs() > 30_000.0 && !learned.was_seen(), "{learned:?}");
    assert_eq!((first.history.median_age(), first.history.read_at), (None, Some(now())));

    let later = after(now(), Duration::from_hours(2));
    for (name, published_at, most) in [
        ("an archive", Some(ago(400 * DAY)), 12.0),
        ("one date for all", Some(after(now(), Duration::from_mins(7))), 12.0),
        ("the future", Some(after(later, HOUR)), 200.0),
    ] {
        let entries = (0..200).map(|_| PublishedEntry { published_at, is_new: true });
        let next = next_poll(&bounds(), &first.history, &parsed(entries), &Freshness::default(), later, 0.0);
        let came = next.history.rhythm.unwrap().lately;
        assert!(came <= most, "{name}: {came}");
    }
}

#[test]
fn ages_are_ours_to_answer_for() {
    let known = History { read_at: Some(ago(HOURS)), ..known(HOURS) };
    let entries = [ago(600), ago(30 * DAY), after(now(), HOUR)].map(entry);
    let next = next_poll(&bounds(), &known, &parsed(entries), &Freshness::default(), now(), 0.0);
    assert_eq!(next.history.ages_secs, [600, 3600], "no longer than since the feed was last read");
}

#[test]
fn histories_of_earlier_versions_are_read() {
    let stored = r#"{"consecutive_failures":0,"hints":{"ttl_minutes":null,"update_period_secs":null,"skip_hours":[],
        "skip_days":[]},"rhythm_secs":3600.0,"usual_gap_secs":3600.0,"last_new_entry_at":"2026-11-21T20:00:00Z",
        "fresh_for_secs":null,"lacks_validators":false,"not_modified_in_a_row":0,"window_entries":20,"move_sighted":null}"#;
    let history: History = serde_json::from_str(stored).unwrap();
    let next = next_poll(&bounds(), &history, &PollOutcome::NotModified, &Freshness::default(), now(), 0.0);
    let learned = next.history.rhythm.as_ref().unwrap();
    assert!((learned.gap_secs() - 3600.0).abs() < 1.0, "{learned:?}");
    assert_eq!(next.history.rhythm_secs, None, "it was taken over");
    let again: History = serde_json::from_str(&serde_json::to_string(&next.history).unwrap()).unwrap();
    assert_eq!(again, next.history);
}

#[test]
fn a_silent_feed_is_asked_once_a_day() {
    let (mut history, mut time) = (History::default(), now());
    for _ in 0..60 {
        let next =
            next_poll(&bounds(), &history, &PollOutcome::NotModified, &Freshness::default(), time, 0.0);
        (time, history) = (next.at, next.history);
    }
    let last = next_poll(&bounds(), &history, &PollOutcome::NotModified, &Freshness::default(), time, 0.0);
    assert!(last.at.duration_since(time).as_hours() >= 22, "{:?}", last.history);
}

proptest! {
    #[test]
    fn every_poll_lies_within_the_bounds_and_no_error_hurries(
        numbers in proptest::array::uniform5(prop_oneof![Just(0.0), 0.0..1.0_f64, 0.0..1e12_f64]),
        sums in proptest::array::uniform7(prop_oneof![Just(0.0), 0.0..1e6_f32]),
        entries in proptest::collection::vec((-100_000..100_000_i64, any::<bool>()), 0..40),
        read_before in proptest::option::of(0..10_000_000_u64),
        aim in proptest::option::of(60..604_800_u64),
        body_bytes in 0..20_000_000_u64,
        window_entries in 0..1_000_u32,
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
            rhythm: Some(Rhythm {
                entries: numbers[0],
                secs: numbers[1],
                watched_secs: numbers[2],
                lately: numbers[3],
                expected_lately: numbers[4],
                days: sums,
                weight: 1.0,
                ..Rhythm::default()
            }),
            last_new_entry_at: Some(now()),
            read_at: read_before.map(ago),
            spent_bytes: numbers[0],
            body_bytes,
            window_entries,
            lacks_validators,
            hints: PublisherHints { skip_hours, skip_days, ..PublisherHints::default() },
            ..History::default()
        };
        let freshness = Freshness {
            fresh_for: fresh_for.map(Duration::from_secs),
            retry_after: retry_after.map(Duration::from_secs),
            lacks_validators,
            body_bytes,
        };
        let bounds = Bounds { freshness: aim.map(Duration::from_secs), ..bounds() };
        let entries = parsed(entries.into_iter().map(|(age, is_new)| PublishedEntry {
            published_at: Some(now() - jiff::SignedDuration::from_secs(age)),
            is_new,
        }));
        for outcome in [PollOutcome::Failed, PollOutcome::NotModified, PollOutcome::SameBody, entries] {
            let next = next_poll(&bounds, &history, &outcome, &freshness, now(), jitter);
            let asked = freshness.fresh_for.unwrap_or_default().max(bounds.min_interval).min(bounds.max_interval);
            prop_assert!(next.at >= after(now(), asked));
            let pause = freshness.retry_after.unwrap_or_default().min(bounds.max_retry_after);
            prop_assert!(next.at >= after(now(), pause));
            prop_assert!(next.at <= after(now(), bounds.max_interval.max(bounds.max_retry_after)));
            if outcome == PollOutcome::Failed {
                let unhurried = History { consecutive_failures: 0, ..history.clone() };
                let first = next_poll(&bounds, &unhurried, &outcome, &freshness, now(), jitter);
                prop_assert!(next.at >= first.at);
            }
            // The stored form must be readable.
            let stored = serde_json::to_string(&next.history).unwrap();
            prop_assert!(serde_json::from_str::<History>(&stored).is_ok(), "{}", stored);
        }
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
