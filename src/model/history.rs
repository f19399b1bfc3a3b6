//! What is stored about a feed from one poll to the next.

use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{PublisherHints, Rhythm};

/// What the schedule knows about a feed between polls. The store keeps it as one JSON value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Number of consecutive failed polls.
    pub consecutive_failures: u32,
    /// The feed's last hints about when to poll it; kept because a 304 does not repeat them.
    pub hints: PublisherHints,
    /// When the feed was last read, or last answered that it is unchanged.
    pub read_at: Option<Timestamp>,
    /// When its entries usually arrive.
    pub rhythm: Option<Rhythm>,
    /// Seconds between new entries, as stored by versions before [`Rhythm`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rhythm_secs: Option<f64>,
    /// Smoothed seconds between new entries, from times when there were some: silence does not lengthen it.
    pub usual_gap_secs: Option<f64>,
    /// When the last new entry was seen.
    pub last_new_entry_at: Option<Timestamp>,
    /// Freshness lifetime of the last response, in seconds; kept because a 304 need not repeat it.
    pub fresh_for_secs: Option<u64>,
    /// Whether the last response had no validators for a conditional request.
    pub lacks_validators: bool,
    /// Number of consecutive 304s, including the last response.
    pub not_modified_in_a_row: u32,
    /// Number of entries in the feed when it was last read.
    pub window_entries: u32,
    /// Full responses without new entries since the last 304.
    pub vain_bodies: u32,
    /// Size of a full response on the wire.
    pub body_bytes: u64,
    /// Bytes of bodies received, with exponential decay over one day.
    pub spent_bytes: f64,
    /// Ages of the newest entries when first seen, in seconds since publication, the latest last.
    pub ages_secs: Vec<u32>,
    /// A permanent redirect that is not yet confirmed.
    pub move_sighted: Option<MoveSighting>,
}

/// How often a permanent redirect to one URL was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveSighting {
    /// The target of the redirect.
    pub to: Url,
    /// The number of days on which it was seen.
    pub days: u32,
    /// The last of these days, in UTC.
    pub last_day: civil::Date,
}
