//! The age of entries when first seen, and the cost of polling: our schedule compared with other readers' rules.
//!
//! `cargo bench --bench freshness` simulates half a year of generated feeds; `FEEDMILL_FEEDS=/some/folder` adds the dates of the
//! feeds in a folder. Nothing is fetched: the schedule is a pure function, and time is simulated. Each timeline is run eight times,
//! started at eight moments of an hour. "As many, evenly" is a fixed interval with as many polls of each feed as the schedule makes
//! with validators; the last column is the schedule's median divided by that of the fixed interval.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::path::Path;
use std::time::Duration;

#[path = "freshness/readers.rs"]
mod readers;
#[path = "freshness/timelines.rs"]
mod timelines;

use readers::{Outcome, Reader, play};
use timelines::{DAY, HOUR, MINUTE, Timeline};

const SCHEDULE: Reader = Reader::Schedule { freshness: None, has_validators: true };
const WITHOUT_VALIDATORS: Reader = Reader::Schedule { freshness: None, has_validators: false };
const AIMED: Reader = Reader::Schedule { freshness: Some(Duration::from_mins(15)), has_validators: true };
const STARTS: i64 = 8;
/// Size of a large feed, compared with what a day may cost.
const LARGE_BODY_BYTES: usize = 300_000;

fn main() {
    println!(
        "{:26} {:>9} {:>9} {:>9} {:>9} {:>6} {:>6}",
        "", "median", "95 in 100", "polls/day", "kB/day", "lost", "ratio"
    );
    for (name, timeline) in timelines::generated() {
        compare(name, &[timeline]);
    }
    if let Some(folder) = std::env::var_os("FEEDMILL_FEEDS") {
        let real = timelines::real(Path::new(&folder));
        compare(&format!("{} feeds of the folder", real.len()), &real);
    }
}

fn compare(name: &str, timelines: &[Timeline]) {
    let schedule = all(timelines, |_| SCHEDULE);
    println!("{name}: {:.1} entries a day", schedule.entries_per_day());
    let even = all(timelines, |timeline| Reader::Fixed(play(timeline, SCHEDULE, 0).average_interval()));
    report("schedule", &schedule, Some(&even));
    report("as many, evenly", &even, None);
    report("schedule, no validators", &all(timelines, |_| WITHOUT_VALIDATORS), None);
    let large: Vec<Timeline> = timelines.iter().map(|timeline| timeline.weighing(LARGE_BODY_BYTES)).collect();
    report("no validators, 300 kB", &all(&large, |_| WITHOUT_VALIDATORS), None);
    report("schedule, freshness = 15m", &all(timelines, |_| AIMED), None);
    report("every 15 minutes", &all(timelines, |_| Reader::Fixed(15 * MINUTE)), None);
    report("every hour", &all(timelines, |_| Reader::Fixed(HOUR)), None);
    report("every day", &all(timelines, |_| Reader::Fixed(DAY)), None);
    report("by entry frequency", &all(timelines, |_| Reader::EntryFrequency), None);
}

/// Simulates polling all timelines by a rule.
fn all(timelines: &[Timeline], reader: impl Fn(&Timeline) -> Reader) -> Outcome {
    let mut outcome = Outcome::default();
    for timeline in timelines {
        for start in 0..STARTS {
            outcome.add(play(timeline, reader(timeline), start * HOUR / STARTS));
        }
    }
    outcome
}

fn report(name: &str, outcome: &Outcome, even: Option<&Outcome>) {
    let median = outcome.quantile(0.5);
    let ratio = even.map_or_else(String::new, |even| format!("{:.2}", median / even.quantile(0.5)));
    println!(
        "  {name:24} {:>7.0} m {:>7.0} m {:>9.1} {:>9.0} {:>6} {ratio:>6}",
        median / 60.0,
        outcome.quantile(0.95) / 60.0,
        outcome.polls_per_day(),
        outcome.kilobytes_per_day(),
        outcome.lost,
    );
}
