//! How the schedule learns a feed's history.

use std::time::Duration;

use jiff::Timestamp;

use super::rhythm::{Arrivals, DAY, count, seconds_between};
use super::{Freshness, PollOutcome, PublishedEntry};
use crate::model::{History, Rhythm};

/// Weight of the gap seen in one poll when it is averaged into the usual gap between entries.
const LEARNING_RATE: f64 = 0.3;
/// Confidence, in entries, in a rhythm that an earlier version stored as a single number.
const OLD_RHYTHM_ENTRIES: f64 = 5.0;
/// After this many full responses without news, and no 304 between them, the validators are considered useless.
const DISBELIEVED_BODIES: u32 = 3;
/// Number of ages kept to measure how soon entries are seen.
const REMEMBERED_AGES: usize = 32;

impl History {
    /// Records what a hub delivered.
    pub fn note_delivery(&mut self, entries: &[PublishedEntry], now: Timestamp) {
        if entries.iter().any(|entry| entry.is_new) {
            self.learn_rhythm(entries, now);
        }
    }

    /// Returns whether the next poll requests the whole feed although it could be conditional. Some servers answer 304
    /// forever, whatever has changed: a cache that is never refreshed, a validator that no file has any more. So one poll
    /// is unconditional after several 304s in a row, and after fewer of them the longer a feed that used to have news has
    /// been silent.
    pub fn doubts_not_modified(&self, now: Timestamp) -> bool {
        let silence = self.last_new_entry_at.map_or(0.0, |last_new| seconds_between(last_new, now));
        let overdue = if silence < DAY { 0.0 } else { silence / self.usual_gap_secs.unwrap_or(silence) };
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
        if *outcome != PollOutcome::Failed {
            self.note_bytes(freshness.body_bytes, now);
        }
        match outcome {
            // The learned history stays: a failing feed is polled no sooner than one that answers.
            PollOutcome::Failed => self.consecutive_failures = self.consecutive_failures.saturating_add(1),
            PollOutcome::NotModified | PollOutcome::SameBody => {
                self.consecutive_failures = 0;
                self.note_answer(*outcome == PollOutcome::NotModified);
                self.fresh_for_secs = fresh_for_secs.or(self.fresh_for_secs);
                self.lacks_validators = freshness.lacks_validators;
                self.note_body(*outcome != PollOutcome::NotModified, false);
                self.learn_rhythm(&[], now);
            }
            PollOutcome::Parsed { hints, entries } => {
                self.consecutive_failures = 0;
                self.note_answer(false);
                self.hints = hints.clone();
                self.fresh_for_secs = fresh_for_secs;
                self.lacks_validators = freshness.lacks_validators;
                self.note_body(true, entries.iter().any(|entry| entry.is_new));
                self.window_entries = u32::try_from(entries.len()).unwrap_or(u32::MAX);
                self.learn_rhythm(entries, now);
            }
        }
    }

    /// Returns the median age of the newest entries when they were first seen.
    pub fn median_age(&self) -> Option<Duration> {
        let mut ages = self.ages_secs.clone();
        ages.sort_unstable();
        ages.get(ages.len() / 2).map(|secs| Duration::from_secs((*secs).into()))
    }

    /// Returns whether each poll transfers the whole feed: the server sends no validators, or does not recognise them.
    pub(super) fn is_sent_whole(&self) -> bool {
        self.lacks_validators || self.vain_bodies >= DISBELIEVED_BODIES
    }

    fn note_body(&mut self, came: bool, brought_news: bool) {
        self.vain_bodies = match (came, brought_news) {
            (false, _) => 0,
            (true, true) => self.vain_bodies,
            (true, false) => self.vain_bodies.saturating_add(1),
        };
    }

    fn note_bytes(&mut self, body_bytes: u64, now: Timestamp) {
        let waited = self.read_at.map_or(0.0, |read_at| seconds_between(read_at, now));
        if body_bytes > 0 {
            self.body_bytes = body_bytes;
        }
        #[expect(clippy::cast_precision_loss, reason = "sizes of feeds")]
        let spent = self.spent_bytes * (-waited / DAY).exp() + body_bytes as f64;
        self.spent_bytes = spent.round();
    }

    /// Learns the rhythm of a feed: from its entries' dates at the first read, afterwards only from entries that are new to
    /// us, since dates are unreliable and arrivals are not.
    fn learn_rhythm(&mut self, entries: &[PublishedEntry], now: Timestamp) {
        let is_any_new = entries.iter().any(|entry| entry.is_new);
        let known =
            self.rhythm.take().or_else(|| Some(Rhythm::of_gap(self.rhythm_secs.take()?, OLD_RHYTHM_ENTRIES)));
        let mut rhythm = known.unwrap_or_else(|| {
            self.read_at = None;
            let times = entries.iter().filter_map(|entry| entry.published_at.filter(|at| *at <= now));
            self.last_new_entry_at = Some(times.max().unwrap_or(now));
            let rhythm = Rhythm::of_dates(entries, now);
            self.usual_gap_secs =
                entries.iter().any(|entry| entry.published_at.is_some()).then(|| rhythm.gap_secs());
            rhythm
        });
        if let Some(read_at) = self.read_at.filter(|read_at| *read_at < now) {
            rhythm.learn(&Arrivals::read(entries, read_at, now), read_at, now);
            self.note_gap(entries, now);
            self.note_ages(entries, read_at, now);
        }
        if is_any_new {
            self.last_new_entry_at.get_or_insert(now);
        }
        self.read_at = Some(now);
        self.rhythm = Some(rhythm);
    }

    fn note_gap(&mut self, entries: &[PublishedEntry], now: Timestamp) {
        let new_entries = entries.iter().filter(|entry| entry.is_new).count();
        let Some(last_new) = self.last_new_entry_at.filter(|_| new_entries > 0) else { return };
        let gap = seconds_between(last_new, now) / count(new_entries);
        let usual = self.usual_gap_secs.unwrap_or(gap);
        self.usual_gap_secs = Some(usual + LEARNING_RATE * (gap - usual));
        self.last_new_entry_at = Some(now);
    }

    /// Records how late entries are seen. An entry dated before the previous read was not in the feed then, so only the
    /// time since that read counts as our delay.
    fn note_ages(&mut self, entries: &[PublishedEntry], read_at: Timestamp, now: Timestamp) {
        let ages = entries.iter().filter(|entry| entry.is_new).filter_map(|entry| {
            let published_at = entry.published_at.filter(|at| *at <= now)?;
            u32::try_from(now.duration_since(published_at.max(read_at)).as_secs()).ok()
        });
        self.ages_secs.extend(ages);
        let excess = self.ages_secs.len().saturating_sub(REMEMBERED_AGES);
        self.ages_secs.drain(..excess);
    }
}
