//! The work on one entry: the state that its steps share, and how it may end without an article.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::line::Until;
use super::suspects::guarded;
use super::workers::{Stopped, WorkError};
use super::{FeedOptions, Plan, Shared, party_of};
use crate::memory::Share;
use crate::model::{Entry, FailureKind};
use crate::store::EntryOutcome;
use crate::telemetry::metrics;

/// Wait after the first failed attempt at a page; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(5);

/// Maximum wait between two attempts at a page.
pub(super) const LONGEST_RETRY: Duration = Duration::from_hours(24);

/// An entry in progress. It keeps the plan that it began with: a reload does not affect work in progress.
pub(super) struct Task<'t> {
    pub(super) shared: &'t Shared,
    pub(super) plan: &'t Plan,
    pub(super) options: &'t FeedOptions,
    pub(super) entry: &'t Entry,
    /// The memory in use for the entry, until its outcome is recorded.
    pub(super) held: &'t Share,
}

/// How the work on an entry ends without an article.
pub(super) enum Ending {
    /// The outcome to record.
    Settled(EntryOutcome),
    /// The entry is released before its work is done, without a failure, and is due again at `due`.
    PutOff { due: Timestamp, until: Until },
}

impl From<EntryOutcome> for Ending {
    fn from(outcome: EntryOutcome) -> Self {
        Self::Settled(outcome)
    }
}

impl Task<'_> {
    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Runs `work` on a CPU worker when it is the turn of the feed's party; a suspect runs alone and between two marks.
    pub(super) async fn on_worker<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, WorkError>, Ending> {
        let Self { shared, entry, .. } = self;
        let party = party_of(&entry.feed_url);
        let work = async {
            let turn = shared.workers.turn(&party).await.map_err(|stopped| self.stopped(stopped))?;
            // Work that was queued when the rest began is not done either.
            self.check_rest()?;
            turn.run(work).await.map_err(|stopped| self.stopped(stopped))
        };
        let done = guarded(
            entry.suspect,
            &shared.alone,
            shared.store.entry_attempt_begin(entry.id, entry.lease),
            work,
            shared.store.entry_attempt_end(entry.id, entry.lease),
        )
        .await?;
        if let Err(WorkError::OutOfTime(_)) = &done {
            self.note_overrun();
        }
        Ok(done)
    }

    /// Returns an error while the feed rests because its pages exceed their budget.
    pub(super) fn check_rest(&self) -> Result<(), Ending> {
        match self.shared.rests.until(self.entry.feed_id, self.now()) {
            Some(due) => Err(Ending::PutOff { due, until: Until::FeedReturn }),
            None => Ok(()),
        }
    }

    /// Records that the page took more steps or more time than any page may.
    pub(super) fn note_overrun(&self) {
        if let Some(until) = self.shared.rests.note_overrun(self.entry.feed_id, self.now()) {
            metrics::feed_rests();
            tracing::warn!(%until, "the feed's pages repeatedly exceed the extraction limit; its next pages wait");
        }
    }

    /// Returns the ending of work that a stop interrupted.
    pub(super) fn stopped(&self, _: Stopped) -> Ending {
        Ending::PutOff { due: self.now(), until: Until::NextStart }
    }

    /// Returns the outcome that asks for another attempt, no sooner than the server asked for.
    pub(super) fn postponed(
        &self,
        asked: Option<Duration>,
        kind: FailureKind,
        reason: String,
    ) -> EntryOutcome {
        EntryOutcome::Postponed { until: self.now() + retry_wait(self.entry.failures, asked), kind, reason }
    }

    /// Returns the outcome of an entry whose work panicked or ran out of time.
    pub(super) fn broken_off(&self, error: &WorkError) -> EntryOutcome {
        let (kind, reason) = (error.kind(), format!("the extractor {error}"));
        match error {
            // The machine may have been busy: one more attempt before the page is blamed.
            WorkError::OutOfTime(_) if self.entry.failures == 0 => self.postponed(None, kind, reason),
            WorkError::OutOfTime(_) | WorkError::Panicked(_) => {
                EntryOutcome::Failed { kind, reason, quarantined: true }
            }
        }
    }
}

/// Returns the wait after one more failure: it grows exponentially, is no less than the server asked for, and at most a
/// day.
fn retry_wait(failures: u32, asked: Option<Duration>) -> SignedDuration {
    let backoff = FIRST_RETRY.saturating_mul(1 << failures.min(16));
    let wait = backoff.max(asked.unwrap_or_default()).min(LONGEST_RETRY);
    SignedDuration::try_from(wait).expect("a day fits")
}
