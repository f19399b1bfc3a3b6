//! When a feed is polled next, and why then.

use jiff::Timestamp;

use super::rough_time;
use crate::schedule::Decision;
use crate::store::{FeedState, FeedStatus};

/// What a decision on the next poll means, in a sentence's end.
pub const fn why(decision: Decision) -> &'static str {
    match decision {
        Decision::FixedInterval => "its interval_secs in the configuration says so",
        Decision::MinInterval => "it is polled no more often than min_interval_secs allows",
        Decision::MaxInterval => "it is polled at least as often as max_interval_secs demands",
        Decision::EntryRhythm => "its entries come at about this rhythm",
        Decision::FreshnessAim => "the freshness in the configuration asks for it",
        Decision::Window => "entries would be pushed out of the feed unseen if it were polled later",
        Decision::CacheFreshness => {
            "its server said that the last answer is good until then (Cache-Control, Expires)"
        }
        Decision::NoValidators => {
            "its server gives neither ETag nor Last-Modified, so that every poll costs it the whole feed"
        }
        Decision::Delivered => "a hub delivers it in the meantime",
        Decision::Ttl => "it asks for that itself (ttl)",
        Decision::UpdatePeriod => "it asks for that itself (updatePeriod)",
        Decision::SkipTimes => "it asks not to be polled before (skipHours, skipDays)",
        Decision::RetryAfter => "its server asked to be left alone until then (Retry-After)",
        Decision::Backoff => "its last polls failed, and each failure makes the wait longer",
    }
}

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
