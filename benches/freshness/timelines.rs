//! Publication times of entries: the dates of real feeds, and generated ones.

use std::io::Write as _;
use std::path::Path;

use feedmill::parse::parse;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Monday, 5 January 2026.
const MONDAY: i64 = 1_767_571_200;
/// The time of generated feeds before the first poll; `WEEKS` is the time from then on.
const BEFORE: i64 = 14 * DAY;
const WEEKS: i64 = 26;
/// Entries that a generated feed shows, and its bytes on the wire.
const WINDOW: usize = 25;
const BODY_BYTES: usize = 40_000;

/// The entries of a feed over time.
pub(crate) struct Timeline {
    /// Publication times in seconds, sorted.
    pub(crate) entries: Vec<i64>,
    /// Time of the first poll.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Number of entries that the feed shows.
    pub(crate) window: usize,
    pub(crate) body_bytes: usize,
}

impl Timeline {
    /// Returns the same entries in a feed of another size.
    pub(crate) fn weighing(&self, body_bytes: usize) -> Self {
        Self { entries: self.entries.clone(), body_bytes, ..*self }
    }
}

/// Returns every generated timeline with its name.
pub(crate) fn generated() -> Vec<(&'static str, Timeline)> {
    let mut random = SmallRng::seed_from_u64(7);
    let mut make = |rate: fn(i64) -> f64| made(poisson(rate, &mut random));
    let even = make(|_| 24.0);
    let dead_at_night =
        make(|moment| if is_weekday(moment) && (7..23).contains(&hour(moment)) { 60.0 } else { 0.0 });
    let day_and_night = make(|moment| if (6..22).contains(&hour(moment)) { 45.0 } else { 9.0 });
    let dying = make(|moment| {
        let days = f64::from(u32::try_from(moment - MONDAY).unwrap_or(0)) / 86_400.0;
        30.0 * 0.5_f64.powf(days / 30.0)
    });
    let flood = make(|moment| if (moment - MONDAY).rem_euclid(28 * DAY) > 26 * DAY { 250.0 } else { 6.0 });
    vec![
        ("even, at random", even),
        ("by the clock, every 40 minutes", made(by_the_clock(40 * MINUTE, MINUTE, &mut random))),
        ("bursts in working hours", made(bursts(&mut random))),
        ("dead at night and on weekends", dead_at_night),
        ("a fifth at night", day_and_night),
        ("ten at once, each morning", made(digest(&mut random))),
        ("weekly", made(by_the_clock(7 * DAY, 20 * MINUTE, &mut random))),
        ("dying", dying),
        ("a flood every four weeks", flood),
    ]
}

fn made(entries: Vec<i64>) -> Timeline {
    Timeline { entries, start: MONDAY, end: MONDAY + WEEKS * 7 * DAY, window: WINDOW, body_bytes: BODY_BYTES }
}

/// Random entries at a rate in entries per day.
fn poisson(rate: fn(i64) -> f64, random: &mut SmallRng) -> Vec<i64> {
    (MONDAY - BEFORE..MONDAY + WEEKS * 7 * DAY)
        .step_by(60)
        .filter(|moment| random.random_bool((rate(*moment) / 1440.0).min(1.0)))
        .map(|moment| moment + 13)
        .collect()
}

fn by_the_clock(period: i64, spread: i64, random: &mut SmallRng) -> Vec<i64> {
    // Weekly feeds publish on Thursdays at ten.
    let first = MONDAY - BEFORE + if period > DAY { 3 * DAY + 10 * HOUR } else { 0 };
    let ends = MONDAY + WEEKS * 7 * DAY;
    let periods = (first..ends).step_by(usize::try_from(period).expect("not negative"));
    periods.map(|moment| moment + random.random_range(0..=spread)).collect()
}

/// Four times a working day, at random times, one to six entries within ten minutes.
fn bursts(random: &mut SmallRng) -> Vec<i64> {
    let bursts = poisson(
        |moment| if is_weekday(moment) && (8..17).contains(&hour(moment)) { 4.0 * 24.0 / 9.0 } else { 0.0 },
        random,
    );
    let mut entries = Vec::new();
    for burst in bursts {
        for _ in 0..random.random_range(1..=6) {
            entries.push(burst + random.random_range(0..10 * MINUTE));
        }
    }
    entries.sort_unstable();
    entries
}

fn digest(random: &mut SmallRng) -> Vec<i64> {
    let mut entries = Vec::new();
    for day in (MONDAY - BEFORE..MONDAY + WEEKS * 7 * DAY).step_by(86_400) {
        let moment = day + 6 * HOUR + random.random_range(0..20 * MINUTE);
        entries.extend((0..10).map(|number| moment + number));
    }
    entries
}

fn hour(moment: i64) -> i64 {
    moment.rem_euclid(DAY) / HOUR
}

fn is_weekday(moment: i64) -> bool {
    (moment - MONDAY).rem_euclid(7 * DAY) < 5 * DAY
}

/// The timelines of the feeds in a folder and its subfolders: the older half of the dates exists at the first poll, the newer half
/// follows. Feeds with few dates, or whose newer half spans less than a day, are skipped.
pub(crate) fn real(folder: &Path) -> Vec<Timeline> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the folder of feeds can be read").flatten().collect();
    paths.sort_by_key(std::fs::DirEntry::path);
    let mut timelines = Vec::new();
    for entry in paths {
        let path = entry.path();
        if path.is_dir() {
            timelines.extend(real(&path));
        } else if let Ok(body) = std::fs::read(&path) {
            timelines.extend(timeline(&body));
        }
    }
    timelines
}

fn timeline(body: &[u8]) -> Option<Timeline> {
    const LEAST_ENTRIES: usize = 10;
    const LONGEST: i64 = 90 * DAY;
    let feed = parse(body, None, None).ok()?;
    let mut entries: Vec<i64> =
        feed.entries.iter().filter_map(|entry| Some(entry.evidence.published_at?.as_second())).collect();
    entries.sort_unstable();
    let end = *entries.last()?;
    entries.retain(|moment| *moment > end - LONGEST);
    let start = *entries.get(entries.len() / 2)?;
    let mut distinct = entries.clone();
    distinct.dedup_by_key(|moment| moment.div_euclid(60));
    if distinct.len() < LEAST_ENTRIES || end - start < DAY {
        return None;
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body).ok()?;
    let body_bytes = gzip.finish().ok()?.len();
    Some(Timeline { entries, start, end, window: feed.entries.len(), body_bytes })
}
