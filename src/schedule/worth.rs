//! The poll interval that suits a feed's rhythm.
//!
//! A waiting entry costs its waiting time, and a poll has its price. The best moment for the next poll is where the sum of
//! both is lowest *per entry that it brings*. At a constant rate this is the well-known square root (of twice the price
//! over the rate); where entries arrive in bursts it is right after the burst, and where nothing arrives at night it is the
//! morning. A fixed number of expected entries per poll would leave rare entries waiting for days, and a fixed sum of
//! expected waiting would not know that a burst is over.

use std::time::Duration;

use jiff::Timestamp;

use super::rhythm::{DAY, Forecast};
use crate::model::History;

/// The default price of a poll: ten minutes of one entry's waiting.
const POLL_WORTH_SECS: f64 = 600.0;
/// Resolution of the search: the shortest step, and the maximum number of steps.
const STEP_SECS: i64 = 150;
const MAX_STEPS: i64 = 1024;
/// In a feed with fewer entries than this, news do not push older entries out.
const WINDOW_ENTRIES: u32 = 10;
/// A sudden flood brings this many entries a day, times the square root of the usual daily number.
const FLOOD: f64 = 200.0;
/// Number of measured ages from which on they correct the price that the forecast gives.
const TELLING_AGES: usize = 12;

/// Returns the interval by rhythm alone, for a poll price in entry-seconds, at most `longest`.
pub(super) fn best_interval(forecast: &Forecast, price: f64, now: Timestamp, longest: Duration) -> Duration {
    let (step, steps) = steps(longest);
    let (mut came, mut waited) = (0.0, 0.0);
    let (mut best, mut best_cost) = (longest, f64::INFINITY);
    let step_length = Duration::from_secs(step.unsigned_abs());
    let mut wait = Duration::ZERO;
    for (expected, _) in forecast.steps(now, step).zip(0..steps) {
        waited += (came + expected / 2.0) * step_length.as_secs_f64();
        came += expected;
        wait += step_length;
        let cost = (waited + price) / came;
        if cost < best_cost {
            (best, best_cost) = (wait, cost);
        }
    }
    best
}

/// Returns the price of a poll in entry-seconds: the one that meets the operator's aim, else the default.
pub(super) fn price(forecast: &Forecast, aim: Option<Duration>, history: &History) -> f64 {
    let Some(aim) = aim else { return POLL_WORTH_SECS };
    let aim = aim.as_secs_f64();
    // At a constant rate the median age is half the interval.
    let price = 2.0 * aim * aim * forecast.busy_rate();
    let reached = history.median_age().filter(|_| history.ages_secs.len() >= TELLING_AGES);
    let correction = reached.map_or(1.0, |reached| aim / reached.as_secs_f64().max(1.0));
    price * (correction * correction).clamp(0.02, 2.0)
}

/// Returns the price at which polls that transfer the whole feed each time stay within `bytes_per_day`. It falls while fewer
/// bytes were sent, as after a quiet night: they are left for the hours in which entries arrive.
pub(super) fn price_within(forecast: &Forecast, history: &History, bytes_per_day: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes of feeds")]
    let (budget, body) = (bytes_per_day.max(1) as f64, history.body_bytes.max(1) as f64);
    let polls_per_day = (budget / body).max(0.1);
    let root_price = DAY * forecast.root_rate() / polls_per_day;
    let spent = (history.spent_bytes / budget).min(1.0);
    (root_price * spent).powi(2) / 2.0
}

/// Returns how long to wait until the bytes sent within a day, including the next poll, stay within `bytes_per_day`.
pub(super) fn wait_within(history: &History, bytes_per_day: u64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "sizes of feeds")]
    let (budget, body) = (bytes_per_day.max(1) as f64, history.body_bytes as f64);
    let days = if body < budget { (history.spent_bytes / (budget - body)).ln() } else { body / budget };
    Duration::try_from_secs_f64(days.max(0.0) * DAY).unwrap_or(Duration::MAX)
}

/// Returns the longest interval in which at most half of the feed's entries are expected to be replaced.
pub(super) fn window_interval(
    forecast: &Forecast,
    history: &History,
    now: Timestamp,
    longest: Duration,
) -> Duration {
    let half = f64::from(history.window_entries) / 2.0;
    let mut came = 0.0;
    // Two standard deviations of a count above its mean.
    interval_until(forecast, history, now, longest, |expected, _| {
        came += expected;
        came + 2.0 * f64::sqrt(came) >= half
    })
}

/// Returns the longest interval in which even a sudden flood would not replace all of the feed's entries.
pub(super) fn flood_interval(
    forecast: &Forecast,
    history: &History,
    now: Timestamp,
    longest: Duration,
) -> Duration {
    let all = f64::from(history.window_entries);
    let mut flood = 0.0;
    interval_until(forecast, history, now, longest, |expected, step_days| {
        flood += FLOOD * f64::sqrt(expected * step_days);
        flood >= all
    })
}

/// Returns the time until `is_over`, which is given the expected entries of each step and its length in days.
fn interval_until(
    forecast: &Forecast,
    history: &History,
    now: Timestamp,
    longest: Duration,
    mut is_over: impl FnMut(f64, f64) -> bool,
) -> Duration {
    if history.window_entries < WINDOW_ENTRIES {
        return longest;
    }
    let (step, steps) = steps(longest);
    let step_days = f64::from(u32::try_from(step).unwrap_or(u32::MAX)) / DAY;
    let over = forecast.steps(now, step).zip(1..=steps).find(|(expected, _)| is_over(*expected, step_days));
    over.map_or(longest, |(_, number)| Duration::from_secs((step * number).unsigned_abs()))
}

/// Returns the resolution for moments up to `longest`: the step length in seconds and the number of steps.
fn steps(longest: Duration) -> (i64, i64) {
    let longest = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX);
    let step = STEP_SECS.max(longest / MAX_STEPS + 1);
    (step, longest / step)
}
