//! What an operator is told, in the terminal and on the page alike: sentences and numbers, without markup.

/// Two texts against each other, by word.
pub mod diff;
/// When a feed is polled next, and why then.
pub mod feeds;
/// Which processes share the store.
pub mod processes;
/// Why a block of a page was kept or dropped.
pub mod rules;
/// How far each sink is.
pub mod sinks;

use jiff::{SpanRound, Timestamp, Unit};

/// The time between two moments, to the minute, or to the second where it is short.
pub fn rough_time(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs();
    let smallest = if seconds < 120 { Unit::Second } else { Unit::Minute };
    let rounding = SpanRound::new().largest(Unit::Hour).smallest(smallest);
    let span = to.since(from).and_then(|span| span.round(rounding)).unwrap_or_default();
    format!("{span:#}")
}
