//! When a feed is polled next, and why then.

use jiff::Timestamp;

use super::rough_time;
use crate::store::{FeedState, FeedStatus};

/// When the next poll is and what decided it; a feed that is polled no more has none.
pub fn next_poll(feed: &FeedStatus, now: Timestamp) -> String {
    if feed.state != FeedState::Active {
        return "none".to_owned();
    }
    let when = if feed.next_poll_at <= now {
        "due".to_owned()
    } else {
        format!("in {}", rough_time(now, feed.next_poll_at))
    };
    if let Some(pause) = feed.host_pause.as_ref().filter(|pause| now < pause.until) {
        let wait = rough_time(now, pause.until.max(feed.next_poll_at));
        return format!(
            "in {wait} (the host {} asked for a pause until {:.0}: Retry-After)",
            pause.host, pause.until
        );
    }
    let decision = feed.next_poll_decided_by.and_then(|decision| serde_json::to_value(decision).ok());
    match decision.as_ref().and_then(serde_json::Value::as_str) {
        Some(decision) => format!("{when} ({})", decision.replace('_', " ")),
        None => when,
    }
}
