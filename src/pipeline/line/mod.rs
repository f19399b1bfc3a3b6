//! The loop that drives one half of the pipeline.
//!
//! Work is streamed: a slow item occupies only its own permit, and there are no rounds in which everything waits for the
//! slowest. A transaction costs much more than one of its rows, so rows are read from and written to the store in batches:
//! the faster items finish, the more are claimed ahead, and finished items are recorded together. Items are processed while
//! the store works. The wake-up is armed before the first look at the store, so that work recorded in between is not
//! missed.

mod unsettled;
mod working;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::working::Working;
use crate::clock::Clock;
use crate::lifecycle::Progress;
use crate::model::PartyId;
use crate::store::StoreError;

/// How long the loop rests after the store failed.
const STORE_FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// The outcome of an item.
#[derive(Debug)]
pub enum Worked<C, D> {
    /// The item is finished, successfully or not, and is to be recorded.
    Done(D),
    /// The item is returned to the store before its work is done, without a failure.
    PutOff {
        /// The claim to return.
        claim: C,
        /// When it is due again.
        due: Timestamp,
        /// What the item waits for.
        until: Until,
    },
}

impl<C, D> Worked<C, D> {
    /// Returns when the item's turn at a busy host comes, if it was put off for that.
    fn host_turn(&self) -> Option<Timestamp> {
        match self {
            Self::PutOff { due, until: Until::HostTurn, .. } => Some(*due),
            Self::PutOff { .. } | Self::Done(_) => None,
        }
    }
}

/// What a put-off item waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Its turn at a busy host, which comes soon.
    HostTurn,
    /// The end of a pause that the host has asked for, which may be days away.
    HostReturn,
    /// The return of our own network, at an unknown time.
    NetworkReturn,
    /// The end of its feed's rest (see [`super::rests`]).
    FeedReturn,
    /// The next start of the process, which is stopping.
    NextStart,
}

/// One half of the pipeline, as the loop sees it.
pub trait Stage: Clone + Send + Sync + 'static {
    /// A claimed row.
    type Item: Send + 'static;
    /// What is needed to release the row.
    type Claim: Send + 'static;
    /// A row whose work is done but not yet recorded.
    type Done: Send + 'static;

    /// The half's name, for logs.
    const NAME: &'static str;
    /// Maximum number of ordinary items recorded in one transaction, and maximum number claimed ahead.
    const BATCH: u32;

    /// Items worked on at once.
    fn permits(&self) -> u32;
    /// Items in hand that need no permit at the moment, because they wait for a slow response.
    fn aside(&self) -> u32 {
        0
    }
    /// Claims up to `limit` due items.
    fn claim(&self, limit: u32) -> impl Future<Output = Result<Vec<Self::Item>, StoreError>> + Send;
    /// Returns what is needed to release `item`.
    fn claim_of(item: &Self::Item) -> Self::Claim;
    /// Returns the party that answers for finished work: the parties take turns in being recorded.
    fn party_of(done: &Self::Done) -> PartyId;
    /// Returns how many ordinary items cost the store as much as this one, at least 1.
    fn weight_of(done: &Self::Done) -> u32;
    /// Releases unfinished items, each with the time at which it is due again.
    fn release(
        &self,
        claims: &[(Self::Claim, Timestamp)],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Processes one item. Failures are results.
    fn process(&self, item: Self::Item) -> impl Future<Output = Worked<Self::Claim, Self::Done>> + Send;
    /// Records finished work in one transaction.
    fn record(&self, done: &[Self::Done]) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Returns what to record instead of an item that the store refuses: its failure, with the reason.
    fn refused(done: Self::Done, reason: &StoreError) -> Self::Done;
    /// Returns when the next item is due.
    fn next_due(&self) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;
}

/// Runs one round: claims due items, up to the number of permits, processes and records them. Returns how many were
/// recorded.
pub async fn step<S: Stage>(stage: &S) -> Result<usize, StoreError> {
    let mut working = Working::<S>::new(CancellationToken::new());
    working.claim(stage, stage.permits()).await?;
    let mut recorded = 0;
    while !working.is_idle() {
        working.progress(stage, false).await;
        if working.is_ripe() {
            recorded += working.record(stage).await?;
        }
    }
    Ok(recorded)
}

/// Works until `upstream` has ended and nothing is due, in hand or waiting for its turn at a host; or until `soft` is
/// cancelled and the items in hand are finished. The upstream notifies `wake` when it has recorded something. Returns how
/// many items were recorded, or the first error of the store.
pub async fn drain<S: Stage>(
    stage: &S,
    wake: &Notify,
    clock: &Clock,
    upstream: &CancellationToken,
    soft: &CancellationToken,
) -> Result<usize, StoreError> {
    let mut working = Working::<S>::new(soft.clone());
    let mut recorded = 0;
    loop {
        let woken = wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // Checked before the look at the store, so that the look sees the upstream's last items and those whose turn has
        // come.
        let upstream_ended = upstream.is_cancelled();
        let stopping = soft.is_cancelled();
        let more_to_come = !upstream_ended || clock.now() < working.last_turn;
        if working.is_ripe() {
            recorded += working.record(stage).await?;
        }
        let looked = working.look(stage, clock, stopping).await?;
        if working.is_idle() && (stopping || (looked && !more_to_come)) {
            return Ok(recorded);
        }
        tokio::select! {
            () = working.progress(stage, !stopping) => {}
            () = soft.cancelled(), if !stopping => {}
            () = upstream.cancelled(), if !upstream_ended => working.look_now(),
            () = woken => working.look_now(),
        }
    }
}

/// Works until `soft` is cancelled, then finishes the items in hand. While nothing is due it sleeps until the next item is
/// due, until `wake` is notified, or for a few seconds at most. If the store is unavailable it rests and tries again, and
/// claims nothing meanwhile. When `hard` is cancelled, the items in hand are aborted and released. `progress` observes how
/// long the store takes.
pub async fn run<S: Stage>(
    stage: &S,
    wake: &Notify,
    clock: &Clock,
    soft: &CancellationToken,
    hard: &CancellationToken,
    progress: &Progress,
) {
    let mut working = Working::<S>::new(soft.clone());
    loop {
        let woken = wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let stopping = soft.is_cancelled();
        while working.is_ripe()
            && let Err(error) = progress.watch(working.record(stage)).await
        {
            tokio::select! {
                () = hard.cancelled() => return working.give_back(stage, clock.now()).await,
                () = tokio::time::sleep(rest_after::<S>(&error)) => {}
            }
        }
        if let Err(error) = progress.watch(working.look(stage, clock, stopping)).await {
            working.look_after(rest_after::<S>(&error));
        }
        if stopping && working.is_idle() {
            return;
        }
        tokio::select! {
            () = hard.cancelled() => return working.give_back(stage, clock.now()).await,
            () = working.progress(stage, !stopping) => {}
            () = soft.cancelled(), if !stopping => {}
            () = woken => working.look_now(),
        }
    }
}

fn rest_after<S: Stage>(error: &StoreError) -> Duration {
    tracing::error!(stage = S::NAME, error = %error, "the store failed; trying again");
    STORE_FAILURE_PAUSE
}
