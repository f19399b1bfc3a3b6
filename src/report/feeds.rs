//! When a feed is polled next, and why.

use jiff::Timestamp;

use super::rough_time;
use crate::schedule::Decision;
use crate::store::{FeedState, FeedStatus};

/// Returns the reason for the time of the next poll, as the end of a sentence.
pub const fn why(decision: Decision) -> &'static str {
    match decision {
        Decision::FixedInterval => "interval_secs is configured for it",
        Decision::MinInterval => "min_interval_secs does not allow an earlier poll",
        Decision::MaxInterval => "max_interval_secs does not allow a later poll",
        Decision::EntryRhythm => "its entries appear at about this rate",
        Decision::FreshnessAim => "the configured freshness requires it",
        Decision::Window => "entries could drop out of the feed unseen if it were polled later",
        Decision::CacheFreshness => {
            "its server declared the last response fresh until then (Cache-Control, Expires)"
        }
        Decision::NoValidators => {
            "its server sends neither ETag nor Last-Modified, so that every poll transfers the whole feed"
        }
        Decision::Delivered => "a hub delivers it in the meantime",
        Decision::Ttl => "the feed requests this interval (ttl)",
        Decision::UpdatePeriod => "the feed requests this interval (updatePeriod)",
        Decision::SkipTimes => "the feed asks not to be polled earlier (skipHours, skipDays)",
        Decision::RetryAfter => "its server asked for a pause until then (Retry-After)",
        Decision::Backoff => "its last polls failed, and each failure makes the wait longer",
    }
}

/// Returns the time of the next poll and what decided it; "none" for a feed that is no longer polled.
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
