//! Feeds whose pages run out of their steps or of their time again and again are slowed down, like feeds that err: each such
//! page costs as much as a thousand others, and the next will too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{FeedId, after};

/// So many pages in a row may run out before the feed rests.
const PATIENCE: u32 = 3;
const FIRST_REST: Duration = Duration::from_mins(5);
const LONGEST_REST: Duration = Duration::from_hours(6);

/// Which feeds rest. A restart forgets it, and finds out anew.
#[derive(Debug, Default)]
pub struct Rests(Mutex<HashMap<FeedId, Record>>);

#[derive(Clone, Copy, Debug)]
struct Record {
    /// Pages that ran out, since the last that did not.
    in_a_row: u32,
    until: Timestamp,
}

impl Rests {
    /// A page ended within its steps and its time.
    pub(super) fn note_success(&self, feed: FeedId) {
        self.lock().remove(&feed);
    }

    /// A page ran out of its steps or its time. Returns until when the feed rests, where a rest begins.
    pub(super) fn note_overrun(&self, feed: FeedId, now: Timestamp) -> Option<Timestamp> {
        let mut records = self.lock();
        let record = records.entry(feed).or_insert(Record { in_a_row: 0, until: now });
        // One that was under way when the rest began says nothing new.
        if now < record.until {
            return None;
        }
        record.in_a_row += 1;
        let rests = record.in_a_row.checked_sub(PATIENCE)?;
        record.until = after(now, FIRST_REST.saturating_mul(1 << rests.min(16)).min(LONGEST_REST));
        Some(record.until)
    }

    /// Until when the feed rests, if it does. A rest that lies further ahead than any was begun by a clock that was ahead.
    pub(super) fn until(&self, feed: FeedId, now: Timestamp) -> Option<Timestamp> {
        let until = self.lock().get(&feed)?.until;
        (now < until && until <= after(now, LONGEST_REST)).then_some(until)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FeedId, Record>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: FeedId = FeedId(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_feed_rests_longer_and_longer_until_a_page_ends_in_time() {
        let rests = Rests::default();
        assert_eq!([0, 1].map(|second| rests.note_overrun(FEED, at(second))), [None, None]);
        assert_eq!(rests.until(FEED, at(1)), None);
        assert_eq!(rests.note_overrun(FEED, at(2)), Some(at(302)));
        assert_eq!(rests.note_overrun(FEED, at(3)), None, "it was under way");
        assert_eq!(rests.until(FEED, at(301)), Some(at(302)));
        assert_eq!(rests.until(FeedId(2), at(301)), None);
        assert_eq!(rests.until(FEED, at(302)), None, "its next page may try");
        assert_eq!(rests.note_overrun(FEED, at(310)), Some(at(910)));
        rests.note_success(FEED);
        assert_eq!(rests.until(FEED, at(311)), None);
        assert_eq!(rests.note_overrun(FEED, at(311)), None);
    }

    #[test]
    fn no_rest_is_longer_than_the_longest() {
        let rests = Rests::default();
        let mut now = at(0);
        for _ in 0..40 {
            if let Some(until) = rests.note_overrun(FEED, now) {
                assert!(until <= after(now, LONGEST_REST));
                now = until;
            }
        }
        assert_eq!(rests.until(FEED, at(-1_000_000)), None, "the clock was ahead");
    }
}
