//! The loop that drives a half of the mill.
//!
//! Work streams: a slow item keeps its own permit and nobody else's, so there are no rounds in which everything waits for
//! the slowest. What has finished meanwhile is recorded together, one commit for many items. The first look at the
//! store comes after the wake-up is armed, so that work recorded in between is not slept through.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::StoreError;

/// Most items recorded in one transaction: past this a commit costs no less per item.
const RECORD_BATCH: usize = 100;

/// Longest sleep between two looks at the store: the fallback where a wake-up came from another process.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Shortest sleep after a look that found nothing: the store may name a moment at which nothing can be claimed yet.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

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
            Self::PutOff { until: Until::NetworkReturn | Until::HostReturn, .. } | Self::Done(_) => None,
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

    /// Items worked on at once.
    fn permits(&self) -> u32;
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

/// One round: claims what is due, at most the permits, does it and records it. Returns how many items it was.
pub async fn step<S: Stage>(stage: &S) -> Result<usize, StoreError> {
    let mut working = Working::<S>::new();
    working.claim(stage).await?;
    let count = working.tasks.len();
    while !working.tasks.is_empty() {
        let mut unsettled = Unsettled::of(working.finished().await);
        unsettled.settle(stage).await?;
    }
    Ok(count)
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
    let mut working = Working::<S>::new();
    let mut recorded = 0;
    let mut last_turn = Timestamp::MIN;
    loop {
        let woken = wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // Asked before the look: what the upstream brings last, and whose turn has come, is seen by it.
        let upstream_ended = upstream.is_cancelled();
        let stopping = soft.is_cancelled();
        let more_to_come = !upstream_ended || clock.now() < last_turn;
        let mut rest = LONGEST_SLEEP;
        if working.has_room(stage) && !stopping {
            rest = working.look(stage, clock).await?;
        }
        if working.tasks.is_empty() && (stopping || !more_to_come) {
            return Ok(recorded);
        }
        tokio::select! {
            worked = working.finished(), if !working.tasks.is_empty() => {
                let turns = worked.iter().filter_map(Worked::host_turn);
                last_turn = turns.fold(last_turn, Timestamp::max);
                recorded += Unsettled::of(worked).settle(stage).await?;
            }
            () = soft.cancelled(), if !stopping => {}
            () = upstream.cancelled(), if !upstream_ended => {}
            () = woken => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Works until `soft` is cancelled, then finishes what is in hand. While nothing is due it sleeps until the next item is,
/// until `wake` is rung, or for a few seconds at most. Where the store is away it rests and tries again, and takes nothing
/// new meanwhile. When `hard` is cancelled what is in hand is broken off and given back.
pub async fn run<S: Stage>(
    stage: &S,
    wake: &Notify,
    clock: &Clock,
    soft: &CancellationToken,
    hard: &CancellationToken,
) {
    let mut working = Working::<S>::new();
    loop {
        let woken = wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let stopping = soft.is_cancelled();
        if stopping && working.tasks.is_empty() {
            return;
        }
        let looked = if stopping || !working.has_room(stage) {
            Ok(LONGEST_SLEEP)
        } else {
            working.look(stage, clock).await
        };
        let sleep = looked.unwrap_or_else(|error| rest_after::<S>(&error));
        tokio::select! {
            () = hard.cancelled() => return working.give_back(stage, clock.now()).await,
            worked = working.finished(), if !working.tasks.is_empty() => {
                let mut unsettled = Unsettled::of(worked);
                while let Err(error) = unsettled.settle(stage).await {
                    tokio::select! {
                        () = hard.cancelled() => return working.give_back(stage, clock.now()).await,
                        () = tokio::time::sleep(rest_after::<S>(&error)) => {}
                    }
                }
            }
            () = soft.cancelled(), if !stopping => {}
            () = woken => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// What became of items and is not yet written down. It is kept until it is: while the store is away, work already done
/// must not be lost and asked of its publishers again.
struct Unsettled<S: Stage> {
    done: Vec<S::Done>,
    put_off: Vec<(S::Claim, Timestamp)>,
}

impl<S: Stage> Unsettled<S> {
    fn of(worked: Vec<Worked<S::Claim, S::Done>>) -> Self {
        let mut unsettled = Self { done: Vec::with_capacity(worked.len()), put_off: Vec::new() };
        for item in worked {
            match item {
                Worked::Done(item) => unsettled.done.push(item),
                Worked::PutOff { claim, due, .. } => unsettled.put_off.push((claim, due)),
            }
        }
        unsettled
    }

    /// Writes it down and returns how many items are done. An error means that the store is away: to be called again.
    async fn settle(&mut self, stage: &S) -> Result<usize, StoreError> {
        let count = self.done.len();
        if count > 0 {
            match stage.record(&self.done).await {
                Ok(()) => self.done.clear(),
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => self.settle_one_by_one(stage, &error).await?,
            }
        }
        if !self.put_off.is_empty() {
            let put_off = std::mem::take(&mut self.put_off);
            if let Err(error) = stage.release(put_off).await {
                tracing::error!(stage = S::NAME, error = %error, "cannot give work back: its leases will run out");
            }
        }
        Ok(count)
    }

    /// One item that the store refuses must not take those with it that share its transaction.
    async fn settle_one_by_one(&mut self, stage: &S, error: &StoreError) -> Result<(), StoreError> {
        tracing::warn!(stage = S::NAME, error = %error, "the store refuses a batch: recording it one by one");
        while let Some(item) = self.done.pop() {
            let item = [item];
            match stage.record(&item).await {
                Ok(()) => {}
                Err(error) if error.is_passing() => {
                    self.done.extend(item);
                    return Err(error);
                }
                Err(error) => {
                    let [item] = item;
                    tracing::error!(stage = S::NAME, error = %error, "the store refuses an item");
                    stage.record(&[S::refused(item, &error)]).await?;
                }
            }
        }
        Ok(())
    }
}

fn rest_after<S: Stage>(error: &StoreError) -> Duration {
    tracing::error!(stage = S::NAME, error = %error, "the store failed; trying again");
    STORE_FAILURE_PAUSE
}

fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(due) = due else { return LONGEST_SLEEP };
    Duration::try_from(due.duration_since(now)).unwrap_or_default().clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
}

/// Items being worked on, each in a task of its own so that all cores are used.
struct Working<S: Stage> {
    tasks: JoinSet<Worked<S::Claim, S::Done>>,
    claims: HashMap<tokio::task::Id, S::Claim>,
}

impl<S: Stage> Working<S> {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), claims: HashMap::new() }
    }

    /// Whether a claim is worth its query: a good part of the permits is free, so that rows are claimed in batches.
    fn has_room(&self, stage: &S) -> bool {
        self.free(stage) >= stage.permits().div_ceil(4)
    }

    fn free(&self, stage: &S) -> u32 {
        stage.permits().saturating_sub(u32::try_from(self.tasks.len()).unwrap_or(u32::MAX))
    }

    /// Claims what is due, at most the free permits, and starts on it. Returns whether all free permits were taken.
    async fn claim(&mut self, stage: &S) -> Result<bool, StoreError> {
        let free = self.free(stage);
        let items = stage.claim(free).await?;
        let all_taken = items.len() >= free as usize;
        for item in items {
            let claim = S::claim_of(&item);
            let stage = stage.clone();
            let task = self.tasks.spawn(async move { stage.process(item).await });
            self.claims.insert(task.id(), claim);
        }
        Ok(all_taken)
    }

    /// Claims, and says for how long there is no need to look again.
    async fn look(&mut self, stage: &S, clock: &Clock) -> Result<Duration, StoreError> {
        if self.claim(stage).await? {
            return Ok(LONGEST_SLEEP);
        }
        Ok(until(stage.next_due().await?, clock.now()))
    }

    /// Waits for one item to finish and takes along all that have finished by then.
    async fn finished(&mut self) -> Vec<Worked<S::Claim, S::Done>> {
        let mut done = Vec::new();
        let mut next = self.tasks.join_next_with_id().await;
        while let Some(result) = next {
            match result {
                Ok((id, item)) => {
                    self.claims.remove(&id);
                    done.push(item);
                }
                // A bug in our own async code: the item's lease runs out and it is tried again.
                Err(error) => {
                    self.claims.remove(&error.id());
                    tracing::error!(error = %error, "a worker broke off");
                }
            }
            next = if done.len() < RECORD_BATCH { self.tasks.try_join_next_with_id() } else { None };
        }
        done
    }

    async fn give_back(mut self, stage: &S, now: Timestamp) {
        self.tasks.abort_all();
        let claims: Vec<_> = self.claims.into_values().map(|claim| (claim, now)).collect();
        if claims.is_empty() {
            return;
        }
        tracing::warn!(stage = S::NAME, items = claims.len(), "broken off");
        if let Err(error) = stage.release(claims).await {
            tracing::error!(stage = S::NAME, error = %error, "cannot give work back: its leases will run out");
        }
    }
}
