//! The work on one entry: what its steps share, and how it may end without an article.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::line::Until;
use super::suspects::guarded;
use super::workers::WorkError;
use super::{FeedOptions, Plan, Shared};
use crate::model::{Entry, FailureKind};
use crate::store::EntryOutcome;

/// First wait after a failed attempt at a page; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(5);

/// Longest wait between two attempts at a page.
pub(super) const LONGEST_RETRY: Duration = Duration::from_hours(24);

/// One entry in work. The plan is that of its beginning: a reload does not reach into work under way.
pub(super) struct Task<'t> {
    pub(super) shared: &'t Shared,
    pub(super) plan: &'t Plan,
    pub(super) options: &'t FeedOptions,
    pub(super) entry: &'t Entry,
}

/// How the work on an entry ends without an article.
pub(super) enum Ending {
    /// This is recorded of it.
    Settled(EntryOutcome),
    /// Its time has not come and nobody is to blame: it is given back, due again then.
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

    /// Does `work` on a CPU worker; alone and between two marks where the entry is a suspect.
    pub(super) async fn on_worker<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let Self { shared, entry, .. } = self;
        guarded(
            entry.suspect,
            &shared.alone,
            shared.store.entry_attempt_begin(entry.id, entry.lease),
            shared.workers.run(work),
            shared.store.entry_attempt_end(entry.id, entry.lease),
        )
        .await
    }

    /// Another attempt, no sooner than the server asked for.
    pub(super) fn postponed(
        &self,
        asked: Option<Duration>,
        kind: FailureKind,
        reason: String,
    ) -> EntryOutcome {
        EntryOutcome::Postponed { until: self.now() + retry_wait(self.entry.failures, asked), kind, reason }
    }

    /// What becomes of the entry where a worker broke off.
    pub(super) fn broken_off(&self, error: &WorkError) -> EntryOutcome {
        let (kind, reason) = (error.kind(), format!("the extractor {error}"));
        match error {
            // The machine may have been busy: once more before the page is held to be at fault.
            WorkError::OutOfTime(_) if self.entry.failures == 0 => self.postponed(None, kind, reason),
            WorkError::OutOfTime(_) | WorkError::Panicked(_) => {
                EntryOutcome::Failed { kind, reason, quarantined: true }
            }
        }
    }
}

/// How long to wait after one more failure: ever longer, and no less than the server asked for, within a day.
fn retry_wait(failures: u32, asked: Option<Duration>) -> SignedDuration {
    let backoff = FIRST_RETRY.saturating_mul(1 << failures.min(16));
    let wait = backoff.max(asked.unwrap_or_default()).min(LONGEST_RETRY);
    SignedDuration::try_from(wait).expect("a day fits")
}
