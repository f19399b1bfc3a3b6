//! How often a feed's entries arrive, and at what times of the week.

use serde::{Deserialize, Serialize};

/// What was learned about when a feed's entries arrive. Times are in UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rhythm {
    /// Number of arrivals, with older ones weighted less.
    pub entries: f64,
    /// Seconds in which they arrived, with older ones weighted less.
    pub secs: f64,
    /// The part of `secs` in which the feed was polled; the rest is inferred from the dates of its first entries.
    pub watched_secs: f64,
    /// Number of recent arrivals.
    pub lately: f64,
    /// Number of recent arrivals that were expected.
    pub expected_lately: f64,
    /// What an arrival adds to the counts below. It grows with time, so that older arrivals weigh less in them.
    pub weight: f64,
    /// Arrivals by hour of the day.
    pub hours: [f32; 24],
    /// Arrivals by day of the week, Monday first.
    pub days: [f32; 7],
    /// Arrivals by twelfth of the hour: many publishers publish at fixed minutes.
    pub twelfths: [f32; 12],
}
