//! What is remembered of a feed from poll to poll.

use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{PublisherHints, Rhythm};

/// What the schedule remembers of a feed between polls. The store keeps it as one JSON value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Polls in a row that failed.
    pub consecutive_failures: u32,
    /// What the feed last said about its own rhythm: a 304 does not repeat it.
    pub hints: PublisherHints,
    /// When the feed was last read, or last said to be unchanged.
    pub read_at: Option<Timestamp>,
    /// When its entries come.
    pub rhythm: Option<Rhythm>,
    /// Seconds between new entries, as versions without [`Rhythm`] kept them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rhythm_secs: Option<f64>,
    /// Smoothed seconds between new entries while there were some: silence does not stretch them.
    pub usual_gap_secs: Option<f64>,
    /// When the last new entry was seen.
    pub last_new_entry_at: Option<Timestamp>,
    /// For how many seconds the last answer was said to stay fresh: a 304 need not repeat it.
    pub fresh_for_secs: Option<u64>,
    /// The last answer gave nothing to ask conditionally with.
    pub lacks_validators: bool,
    /// 304s in a row, the last answer included.
    pub not_modified_in_a_row: u32,
    /// How many entries the feed held when it was last read.
    pub window_entries: u32,
    /// Whole answers without news since the last 304.
    pub vain_bodies: u32,
    /// What a whole answer weighs on the wire.
    pub body_bytes: u64,
    /// Bytes of bodies that were sent within about a day.
    pub spent_bytes: f64,
    /// For how many seconds the newest entries had been public when they were first seen, the latest last.
    pub ages_secs: Vec<u32>,
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
