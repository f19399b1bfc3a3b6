//! When entries arrive: learned from arrivals, expressed as a forecast.
//!
//! The forecast is a rate: the feed's level, times the shares of the hour, the weekday and the twelfth of the hour, times
//! how lively the feed has been lately. Each factor is an observed count over an expected one, with a few pseudo-counts
//! (`*_DOUBT`) added to both, so that little data keeps the factor near 1. Hours, days and twelfths count only as far as they
//! differ by more than chance: a feed without a rhythm would otherwise be polled by the accidents of the last weeks. One table
//! of the 168 hours of the week would hold more information but take four times as long to fill; a single smoothed gap, used
//! earlier, knows neither nights nor bursts.

use jiff::Timestamp;

use super::PublishedEntry;
use crate::model::Rhythm;

/// Memory of the level, in entries: older ones have exponentially less weight.
const LEVEL_ENTRIES: f64 = 30.0;
/// Number of expected entries that make up the recent past ("lately").
const LATELY_ENTRIES: f64 = 5.0;
/// Pseudo-count of the liveliness, in entries.
const LATELY_DOUBT: f64 = 3.0;
/// Minimum number of recent arrivals once something arrived: silence does not make a feed one that was never seen to publish.
const LEAST_LATELY: f64 = 0.001;
/// Memory of the times of the week: this many days, or this many entries where they span a longer time.
const WEEK_MEMORY_SECS: f64 = 28.0 * DAY;
const WEEK_MEMORY_ENTRIES: f64 = 60.0;
/// Pseudo-counts of each hour, weekday and twelfth of an hour, in arrivals.
const HOUR_DOUBT: f64 = 0.5;
const DAY_DOUBT: f64 = 1.0;
const TWELFTH_DOUBT: f64 = 3.0;
/// Pseudo-count, in arrivals per part, of the test whether parts differ by more than chance: too few arrivals disprove no
/// rhythm.
const CHANCE_DOUBT: f64 = 1.0;
/// Weekday shares are ignored until one week was watched, and have full weight after another one.
const DAYS_KNOWN_AFTER: f64 = 7.0 * DAY;
const DAYS_KNOWN_WITHIN: f64 = 7.0 * DAY;
/// Minimum share of any time of the week, so that no rate becomes zero.
const LEAST_SHARE: f64 = 0.02;
/// At the first read, the level comes from the newest entry dates: at most this many, each with this part of an arrival's
/// weight.
const DATED_ENTRIES: usize = 20;
const DATED_WORTH: f64 = 0.5;
/// An entry dated longer than this before the previous read comes from an archive.
const ARCHIVED_SECS: f64 = DAY;
/// Minimum weight of an arrival during a flood, for the shares of the week.
const LEAST_WORTH: f64 = 0.1;
/// Entries of one minute, or from an archive, count as at most this many.
const LARGEST_BATCH: f64 = 12.0;
/// Assumed gap of a feed about which nothing is known: three hours.
const UNKNOWN_GAP_SECS: f64 = 10_800.0;
/// Maximum weight of an arrival; above it the sums are scaled down.
const LARGEST_WEIGHT: f64 = 1024.0;

pub(super) const DAY: f64 = 86_400.0;
/// A twelfth of an hour.
const SLOT_SECS: i64 = 300;

/// New entries, by their time of arrival.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Those with a known time, in seconds since the epoch, grouped by minute.
    dated: Vec<(i64, f64)>,
    /// Those known only to have arrived since the feed was last read.
    undated: f64,
}

impl Arrivals {
    /// Classifies new entries by their dates. A date after the previous read is the time of arrival; with an earlier date
    /// the entry arrived late, and with a much earlier one it comes from an archive. Entries of one minute are a batch:
    /// they arrived together.
    pub(super) fn read(entries: &[PublishedEntry], read_at: Timestamp, now: Timestamp) -> Self {
        let mut arrivals = Self::default();
        let mut archived = 0.0_f64;
        let mut minutes = Vec::new();
        for entry in entries.iter().filter(|entry| entry.is_new) {
            match entry.published_at.filter(|at| *at <= now) {
                Some(at) if at > read_at => minutes.push(at.as_second().div_euclid(60)),
                Some(at) if seconds_between(at, read_at) > ARCHIVED_SECS => archived += 1.0,
                Some(_) | None => arrivals.undated += 1.0,
            }
        }
        arrivals.undated += batch(archived);
        minutes.sort_unstable();
        arrivals.dated =
            minutes.chunk_by(|a, b| a == b).map(|group| (group[0] * 60, batch(count(group.len())))).collect();
        arrivals
    }

    fn count(&self) -> f64 {
        self.undated + self.dated.iter().map(|(_, entries)| entries).sum::<f64>()
    }
}

impl Rhythm {
    /// Estimates the rhythm from the dates in a feed that is read for the first time. None of these arrivals was observed:
    /// they show how often entries arrive, as far as dates can be trusted.
    pub(super) fn of_dates(entries: &[PublishedEntry], now: Timestamp) -> Self {
        let mut minutes: Vec<i64> = entries
            .iter()
            .filter_map(|entry| entry.published_at.filter(|at| *at <= now))
            .map(|at| at.as_second().div_euclid(60))
            .collect();
        minutes.sort_unstable_by(|a, b| b.cmp(a));
        minutes.dedup();
        let Some(oldest) = minutes.iter().take(DATED_ENTRIES).next_back() else {
            return Self::of_gap(UNKNOWN_GAP_SECS, 1.0);
        };
        let known = count(minutes.len().min(DATED_ENTRIES));
        let span = seconds(now.as_second() - oldest * 60).max(60.0);
        let mut rhythm = Self::of_gap(span / known, known * DATED_WORTH);
        for minute in minutes {
            if seconds(now.as_second() - minute * 60) < WEEK_MEMORY_SECS {
                rhythm.note(minute * 60, DATED_WORTH);
            }
        }
        rhythm
    }

    /// Returns a rhythm known only by its gap, with the confidence of that many entries.
    pub(super) fn of_gap(gap_secs: f64, entries: f64) -> Self {
        Self { entries, secs: entries * gap_secs, weight: 1.0, ..Self::default() }
    }

    /// Returns whether anything arrived while the feed was watched.
    pub(super) fn was_seen(&self) -> bool {
        self.watched_secs > 0.0 && self.lately > 0.0
    }

    /// Learns from what arrived, or did not, between two reads of the feed.
    pub(super) fn learn(&mut self, arrivals: &Arrivals, read_at: Timestamp, now: Timestamp) {
        let waited = seconds_between(read_at, now);
        let expected = self.forecast().expected(read_at, now);
        let came = arrivals.count();

        let kept = (-expected.max(came) / LEVEL_ENTRIES).exp();
        self.entries = self.entries * kept + came;
        self.secs = self.secs * kept + waited;

        let kept = (-expected / LATELY_ENTRIES).exp();
        let least = if self.lately > 0.0 { LEAST_LATELY } else { 0.0 };
        self.lately = (self.lately * kept + came).max(least);
        self.expected_lately = self.expected_lately * kept + LATELY_ENTRIES * (1.0 - kept);

        self.watched_secs += waited;
        // Years of silence erase the past weights, but the cap keeps the number bounded.
        self.weight *= (waited / WEEK_MEMORY_SECS).min(expected / WEEK_MEMORY_ENTRIES).min(5.0).exp();
        let worth = self.arrivals_worth();
        for (moment, entries) in &arrivals.dated {
            self.note(*moment, worth * (1.0 + entries.ln()));
        }
        if arrivals.undated > 0.0 {
            self.note_between(read_at, now, worth * (1.0 + arrivals.undated.ln().max(0.0)));
        }
        self.tidy();
    }

    /// Returns how much an arrival says about the time of the week: less where many more arrive than usual, since the time
    /// of a flood is arbitrary.
    fn arrivals_worth(&self) -> f64 {
        let noted = f64::from(self.days.iter().sum::<f32>()) / self.weight.max(1.0);
        let used_to = noted / self.watched_secs.clamp(DAY, WEEK_MEMORY_SECS);
        (used_to * self.secs / self.entries).sqrt().clamp(LEAST_WORTH, 1.0)
    }

    /// Records arrivals at an unknown time between two moments, spread evenly.
    fn note_between(&mut self, from: Timestamp, to: Timestamp, arrivals: f64) {
        const PARTS: i64 = 12;
        let (from, to) = (from.as_second(), to.as_second());
        for part in 0..PARTS {
            let moment = from + (to - from) * (2 * part + 1) / (2 * PARTS);
            self.note(moment, arrivals / 12.0);
        }
    }

    fn note(&mut self, moment: i64, arrivals: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "a share of arrivals needs no precision")]
        let weight = (self.weight * arrivals) as f32;
        let slot = Slot::at(moment);
        self.hours[slot.hour] += weight;
        self.days[slot.day] += weight;
        self.twelfths[slot.twelfth] += weight;
    }

    /// Keeps numbers small, in magnitude and in digits.
    fn tidy(&mut self) {
        if self.weight > LARGEST_WEIGHT {
            #[expect(clippy::cast_possible_truncation, reason = "as above")]
            let weight = self.weight as f32;
            let sums = self.hours.iter_mut().chain(&mut self.days).chain(&mut self.twelfths);
            sums.for_each(|sum| *sum /= weight);
            self.weight = 1.0;
        }
        for sum in self.hours.iter_mut().chain(&mut self.days).chain(&mut self.twelfths) {
            *sum = (*sum * 100.0).round() / 100.0;
        }
        for number in [&mut self.entries, &mut self.lately, &mut self.expected_lately] {
            *number = (*number * 1e3).round() / 1e3;
        }
        self.weight = (self.weight * 1e6).round() / 1e6;
        self.secs = self.secs.round();
        self.watched_secs = self.watched_secs.round();
    }

    /// Returns the overall average of seconds between entries.
    pub(super) fn gap_secs(&self) -> f64 {
        self.secs / self.entries
    }

    pub(super) fn forecast(&self) -> Forecast {
        let weight = self.weight.max(1.0);
        let days_known = ((self.watched_secs - DAYS_KNOWN_AFTER) / DAYS_KNOWN_WITHIN).clamp(0.0, 1.0);
        let mut days = shares(&self.days, weight, DAY_DOUBT);
        for day in &mut days {
            *day = days_known * *day + 1.0 - days_known;
        }
        Forecast {
            level: if self.secs > 0.0 { self.entries / self.secs } else { 1.0 / UNKNOWN_GAP_SECS },
            liveliness: (self.lately + LATELY_DOUBT) / (self.expected_lately + LATELY_DOUBT),
            hours: shares(&self.hours, weight, HOUR_DOUBT),
            days,
            twelfths: shares(&self.twelfths, weight, TWELFTH_DOUBT),
        }
    }
}

/// Returns, for each part, its arrivals relative to those of the average part, as far as the parts differ by more than chance:
/// counts of random arrivals have a variance equal to their average, and a variance of twice that is no accident.
fn shares<const PARTS: usize>(sums: &[f32; PARTS], weight: f64, doubt: f64) -> [f64; PARTS] {
    let arrivals = sums.map(|sum| f64::from(sum) / weight);
    let average = arrivals.iter().sum::<f64>() / count(PARTS);
    let squares: f64 = arrivals.iter().map(|arrivals| (arrivals - average).powi(2)).sum();
    let excess = squares / count(PARTS - 1) - average;
    let proven = ((excess + CHANCE_DOUBT) / (average + CHANCE_DOUBT)).clamp(0.0, 1.0);
    arrivals.map(|arrivals| proven * (arrivals + doubt) / (average + doubt) + 1.0 - proven)
}

/// The expected rate of arrivals.
#[derive(Debug)]
pub(super) struct Forecast {
    /// Overall entries per second.
    level: f64,
    /// Current rate relative to the usual one.
    liveliness: f64,
    hours: [f64; 24],
    days: [f64; 7],
    twelfths: [f64; 12],
}

impl Forecast {
    /// Returns the usual entries per second at a moment.
    fn usual_rate(&self, moment: i64) -> f64 {
        let slot = Slot::at(moment);
        let share = self.hours[slot.hour] * self.days[slot.day] * self.twelfths[slot.twelfth];
        self.level * share.max(LEAST_SHARE)
    }

    /// Returns the usual number of entries between two moments.
    fn expected(&self, from: Timestamp, to: Timestamp) -> f64 {
        /// Beyond this span the shares average out.
        const LONG: f64 = 3.0 * DAY;
        let secs = seconds_between(from, to);
        if secs > LONG {
            return self.level * secs;
        }
        let (mut moment, end) = (from.as_second(), to.as_second());
        let mut expected = 0.0;
        while moment < end {
            let next = (moment.div_euclid(SLOT_SECS) + 1) * SLOT_SECS;
            expected += self.usual_rate(moment) * seconds(next.min(end) - moment);
            moment = next;
        }
        expected
    }

    /// Returns the expected entries of each step from `now` on: the current liveliness fades as entries arrive.
    pub(super) fn steps(&self, now: Timestamp, step_secs: i64) -> impl Iterator<Item = f64> + use<'_> {
        let mut moment = now.as_second() + step_secs / 2;
        let mut usual = 0.0;
        std::iter::repeat_with(move || {
            let expected = self.usual_rate(moment) * seconds(step_secs);
            let liveliness = 1.0 + (self.liveliness - 1.0) * f64::exp(-usual / LATELY_ENTRIES);
            usual += expected;
            moment += step_secs;
            expected * liveliness
        })
    }

    /// Returns the entries per second at the time of the median entry: an average over entries, not over hours.
    pub(super) fn busy_rate(&self) -> f64 {
        self.level * typical(&self.hours) * typical(&self.days) * typical(&self.twelfths)
    }

    /// Returns the average over time of the rate's square root: polls are best spread in proportion to it.
    pub(super) fn root_rate(&self) -> f64 {
        let rate = self.level * self.liveliness.max(1.0);
        rate.sqrt() * average_root(&self.hours) * average_root(&self.days) * average_root(&self.twelfths)
    }
}

/// Returns the geometric mean of shares, each weighted by itself.
fn typical(shares: &[f64]) -> f64 {
    let all: f64 = shares.iter().sum();
    (shares.iter().map(|share| share * share.ln()).sum::<f64>() / all).exp()
}

fn average_root(shares: &[f64]) -> f64 {
    shares.iter().map(|share| share.sqrt()).sum::<f64>() / count(shares.len())
}

/// A time slot of the week.
struct Slot {
    day: usize,
    hour: usize,
    twelfth: usize,
}

impl Slot {
    fn at(moment: i64) -> Self {
        /// The epoch was a Thursday.
        const EPOCH_DAY: i64 = 3;
        let part = |number: i64, parts: i64| {
            usize::try_from(number.rem_euclid(parts)).expect("a remainder is small and not negative")
        };
        let slots = moment.div_euclid(SLOT_SECS);
        Self {
            day: part(slots.div_euclid(288) + EPOCH_DAY, 7),
            hour: part(slots.div_euclid(12), 24),
            twelfth: part(slots, 12),
        }
    }
}

/// Returns how many entries a batch counts as: above some number they are one event, such as a move to another system.
fn batch(entries: f64) -> f64 {
    entries.min(LARGEST_BATCH)
}

pub(super) fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "seconds between moments of our age")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

pub(super) fn count(entries: usize) -> f64 {
    f64::from(u32::try_from(entries).unwrap_or(u32::MAX))
}
