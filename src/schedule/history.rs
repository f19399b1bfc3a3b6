//! How the schedule learns what it remembers of a feed.

use jiff::Timestamp;

use super::{Freshness, HOUR, PollOutcome};
use crate::model::History;

/// Weight of what one poll showed against all that was known.
const LEARNING_RATE: f64 = 0.3;
/// The newest entries tell the rhythm; older ones tell what it once was.
const RHYTHM_ENTRIES: usize = 20;
/// Silence shorter than a day is a night.
const DAY_SECS: f64 = 86_400.0;

impl History {
    /// Notes that a hub brought so many new entries.
    pub fn note_delivery(&mut self, new_entries: u32, now: Timestamp) {
        if new_entries > 0 {
            self.learn_rhythm(&[], new_entries, now);
        }
    }

    /// Whether the next poll asks for the whole feed although it could ask conditionally. Some servers answer 304 for ever,
    /// whatever has changed: a cache that forgot to look, a validator that no file has any more. So every few of them
    /// in a row are checked, and the sooner the longer nothing came from a feed that used to have news.
    pub fn doubts_not_modified(&self, now: Timestamp) -> bool {
        let silence = self.last_new_entry_at.map_or(0.0, |last_new| seconds_between(last_new, now));
        let overdue = if silence < DAY_SECS { 0.0 } else { silence / self.usual_gap_secs.unwrap_or(silence) };
        let believed = match overdue {
            ..4.0 => 8,
            4.0..16.0 => 4,
            _ => 2,
        };
        self.not_modified_in_a_row >= believed
    }

    fn note_answer(&mut self, not_modified: bool) {
        self.not_modified_in_a_row =
            if not_modified { self.not_modified_in_a_row.saturating_add(1) } else { 0 };
    }

    pub(super) fn learn(&mut self, outcome: &PollOutcome, freshness: &Freshness, now: Timestamp) {
        let fresh_for_secs = freshness.fresh_for.map(|fresh_for| fresh_for.as_secs());
        match outcome {
            // What was learned stays: a feed that failed is asked no sooner than one that answered.
            PollOutcome::Failed => self.consecutive_failures = self.consecutive_failures.saturating_add(1),
            PollOutcome::NotModified | PollOutcome::SameBody => {
                self.consecutive_failures = 0;
                self.note_answer(*outcome == PollOutcome::NotModified);
                self.fresh_for_secs = fresh_for_secs.or(self.fresh_for_secs);
                self.lacks_validators = freshness.lacks_validators;
                self.learn_rhythm(&[], 0, now);
            }
            PollOutcome::Parsed { hints, entry_times, new_entries } => {
                self.consecutive_failures = 0;
                self.note_answer(false);
                self.hints = hints.clone();
                self.fresh_for_secs = fresh_for_secs;
                self.lacks_validators = freshness.lacks_validators;
                self.window_entries = u32::try_from(entry_times.len()).unwrap_or(u32::MAX);
                self.learn_rhythm(entry_times, *new_entries, now);
            }
        }
    }

    /// The entries' dates tell the rhythm of a feed not seen before. From then on only what is new to us counts: dates
    /// lie, arrivals do not.
    fn learn_rhythm(&mut self, entry_times: &[Timestamp], new_entries: u32, now: Timestamp) {
        let (Some(rhythm), Some(last_new)) = (self.rhythm_secs, self.last_new_entry_at) else {
            let mut past: Vec<Timestamp> = entry_times.iter().copied().filter(|time| *time <= now).collect();
            past.sort_unstable_by(|a, b| b.cmp(a));
            past.truncate(RHYTHM_ENTRIES);
            self.last_new_entry_at = Some(past.first().copied().unwrap_or(now));
            let dated = past.last().map(|oldest| seconds_between(*oldest, now) / count(past.len()));
            self.rhythm_secs = Some(dated.unwrap_or(HOUR.as_secs_f64()));
            self.usual_gap_secs = dated;
            return;
        };
        let silence = seconds_between(last_new, now);
        let seen = if new_entries > 0 {
            self.last_new_entry_at = Some(now);
            let gap = silence / f64::from(new_entries);
            let usual = self.usual_gap_secs.unwrap_or(gap);
            self.usual_gap_secs = Some(usual + LEARNING_RATE * (gap - usual));
            gap
        } else {
            // Silence shorter than the rhythm is no news.
            silence.max(rhythm)
        };
        self.rhythm_secs = Some(rhythm + LEARNING_RATE * (seen - rhythm));
    }
}

fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

fn count(entries: usize) -> f64 {
    f64::from(u32::try_from(entries).unwrap_or(u32::MAX))
}
