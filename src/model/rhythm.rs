//! How often entries come to a feed, and at what times of the week.

use serde::{Deserialize, Serialize};

/// What was learned of when a feed's entries come. Times are those of UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rhythm {
    /// Entries that came, older ones counting less.
    pub entries: f64,
    /// The seconds in which they came, older ones counting less.
    pub secs: f64,
    /// Of these seconds, those in which the feed was watched: the rest is what its first entries' dates tell.
    pub watched_secs: f64,
    /// Entries that came of late.
    pub lately: f64,
    /// How many of late were to be expected.
    pub expected_lately: f64,
    /// What an arrival adds to the sums below. It grows in time, so that older arrivals count less in them.
    pub weight: f64,
    /// Arrivals by hour of the day.
    pub hours: [f32; 24],
    /// Arrivals by day of the week, Monday first.
    pub days: [f32; 7],
    /// Arrivals by twelfth of the hour: many publishers work by the clock.
    pub twelfths: [f32; 12],
}
