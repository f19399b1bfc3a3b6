//! The loop that drives a half of the mill.
//!
//! Work streams: a slow item keeps its own permit and nobody else's, so there are no rounds in which everything waits for
//! the slowest. A transaction costs much more than a row in it, so rows cross to the store and back in batches: the more
//! are claimed ahead the faster they are worked off, and what has finished is recorded together. While the store works,
//! so do the items. The first look at the store comes after the wake-up is armed, so that work recorded in between is
//! not slept through.

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
use crate::store::StoreError;

/// How long the line rests after the store failed.
const STORE_FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// What became of an item in a worker's hands.
#[derive(Debug)]
pub enum Worked<C, D> {
    /// It is done, well or badly: to be recorded.
    Done(D),
    /// Its time has not come, and nobody is to blame: it is given back.
    PutOff {
        /// What is given back.
        claim: C,
        /// When it is due again.
        due: Timestamp,
        /// What it waits for.
        until: Until,
    },
}

impl<C, D> Worked<C, D> {
    /// When the item's turn at a busy host comes, where it was put off for that.
    fn host_turn(&self) -> Option<Timestamp> {
        match self {
            Self::PutOff { due, until: Until::HostTurn, .. } => Some(*due),
            Self::PutOff { .. } | Self::Done(_) => None,
        }
    }
}

/// What an item waits for that was put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Its turn at a busy host, which comes soon.
    HostTurn,
    /// The end of a pause that the host has asked for, which may be days away.
    HostReturn,
    /// The return of our own network, of which nobody knows when it comes.
    NetworkReturn,
    /// The end of its feed's rest (see [`super::rests`]).
    FeedReturn,
    /// The next start of the process, which is stopping.
    NextStart,
}

/// One half of the mill, as the loop sees it.
pub trait Stage: Clone + Send + Sync + 'static {
    /// A claimed row.
    type Item: Send + 'static;
    /// What it takes to give the row back.
    type Claim: Send + 'static;
    /// A row whose work is done but not yet recorded.
    type Done: Send + 'static;

    /// The half's name, for logs.
    const NAME: &'static str;
    /// Most items recorded in one transaction, and most that are claimed ahead.
    const BATCH: u32;

    /// Items worked on at once.
    fn permits(&self) -> u32;
    /// Items in hand that take none of the permits just now: they wait for somebody who is slow to answer.
    fn aside(&self) -> u32 {
        0
    }
    /// Lends out up to `limit` items that are due.
    fn claim(&self, limit: u32) -> impl Future<Output = Result<Vec<Self::Item>, StoreError>> + Send;
    /// What it takes to give `item` back.
    fn claim_of(item: &Self::Item) -> Self::Claim;
    /// Gives back items whose work is not done, each with the time at which it is due again.
    fn release(
        &self,
        claims: Vec<(Self::Claim, Timestamp)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Does the work for one item. Failures are results.
    fn process(&self, item: Self::Item) -> impl Future<Output = Worked<Self::Claim, Self::Done>> + Send;
    /// Records finished work in one transaction.
    fn record(&self, done: &[Self::Done]) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// What is recorded instead of an item that the store refuses by itself: its failure, with the reason.
    fn refused(done: Self::Done, reason: &StoreError) -> Self::Done;
    /// When the next item is due.
    fn next_due(&self) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;
}

/// One round: claims what is due, at most the permits, does it and records it. Returns how many items were recorded.
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

/// Works until `upstream` has ended and nothing is due, nothing is in hand and nothing waits for its turn at a host; or
/// until `soft` is cancelled and what is in hand is finished. `wake` is rung when the upstream has brought something.
/// Returns how many items were recorded; the first failure of the store ends it.
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
        // Asked before the look: what the upstream brings last, and whose turn has come, is seen by it.
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

/// Works until `soft` is cancelled, then finishes what is in hand. While nothing is due it sleeps until the next item is,
/// until `wake` is rung, or for a few seconds at most. Where the store is away it rests and tries again, and claims nothing
/// meanwhile. When `hard` is cancelled what is in hand is broken off and given back. `progress` sees how long the store takes.
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
