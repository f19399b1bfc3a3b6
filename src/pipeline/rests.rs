//! Feeds whose pages repeatedly exceed their budget of steps or time are slowed down, like failing feeds: each such page
//! costs as much as a thousand others, and the next ones will too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{FeedId, after};

/// Number of pages in a row that may exceed their budget before the feed rests.
const PATIENCE: u32 = 3;
const FIRST_REST: Duration = Duration::from_mins(5);
const LONGEST_REST: Duration = Duration::from_hours(6);

/// The feeds that rest. Kept in memory only: a restart learns it anew.
#[derive(Debug, Default)]
pub struct Rests(Mutex<HashMap<FeedId, Record>>);

#[derive(Clone, Copy, Debug)]
struct Record {
    /// Pages that exceeded their budget since the last that did not.
    in_a_row: u32,
    until: Timestamp,
}

impl Rests {
    /// Records a page that ended within its budget.
    pub(super) fn note_success(&self, feed: FeedId) {
        self.lock().remove(&feed);
    }

    /// Records a page that exceeded its budget. Returns the end of the rest if one begins.
    pub(super) fn note_overrun(&self, feed: FeedId, now: Timestamp) -> Option<Timestamp> {
        let mut records = self.lock();
        let record = records.entry(feed).or_insert(Record { in_a_row: 0, until: now });
        // A page that was in progress when the rest began adds no information.
        if now < record.until {
            return None;
        }
        record.in_a_row += 1;
        let rests = record.in_a_row.checked_sub(PATIENCE)?;
        record.until = after(now, FIRST_REST.saturating_mul(1 << rests.min(16)).min(LONGEST_REST));
        Some(record.until)
    }

    /// Returns the end of the feed's rest, if it rests. A rest that ends later than the longest possible was begun while
    /// the clock was ahead, and is ignored.
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
