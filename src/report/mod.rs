//! Reports for operators, shared by the terminal and the web pages: sentences and numbers, without markup.

/// Word diff of two texts.
pub mod diff;
/// When a feed is polled next, and why.
pub mod feeds;
/// Which processes share the store.
pub mod processes;
/// Why a block of a page was kept or dropped.
pub mod rules;
/// State and lag of each sink.
pub mod sinks;

use jiff::{SpanRound, Timestamp, Unit};

/// Formats the time between two timestamps, to the minute, or to the second below two minutes.
pub fn rough_time(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs();
    let smallest = if seconds < 120 { Unit::Second } else { Unit::Minute };
    let rounding = SpanRound::new().largest(Unit::Hour).smallest(smallest);
    let span = to.since(from).and_then(|span| span.round(rounding)).unwrap_or_default();
    format!("{span:#}")
}
