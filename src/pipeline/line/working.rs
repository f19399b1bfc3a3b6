//! The items that a stage has in hand: when more are claimed, and when finished ones are recorded.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::unsettled::{Unsettled, give_back, log_kept};
use super::{Stage, Worked};
use crate::clock::Clock;
use crate::store::StoreError;

/// Maximum time that finished work waits for more to be recorded with it.
const LINGER: Duration = Duration::from_millis(20);

/// As many items are claimed ahead as were finished within this time.
const AHEAD: Duration = Duration::from_millis(100);

/// Items claimed ahead and not begun within this time are released: the pace was misjudged, and leases are meant for the
/// work, not for a wait before it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Maximum sleep between two looks at the store: the fallback for work recorded by another process.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How long until free capacity is checked again, if nothing finishes meanwhile.
const CROWDED_LOOK: Duration = Duration::from_millis(500);

/// Minimum sleep after a look that found nothing: the store may report a due time at which nothing can be claimed yet.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// The result of a finished task.
type Ended<S> = Result<(Id, Worked<<S as Stage>::Claim, <S as Stage>::Done>), JoinError>;

/// Items in hand: claimed and not begun, being worked on, and finished but not recorded.
pub(super) struct Working<S: Stage> {
    waiting: VecDeque<S::Item>,
    /// When the last of the waiting items were claimed.
    claimed_at: Instant,
    /// Each item has a task of its own, so that all cores are used.
    tasks: JoinSet<Worked<S::Claim, S::Done>>,
    claims: HashMap<Id, S::Claim>,
    unsettled: Unsettled<S>,
    /// When the oldest unsettled item was finished.
    unsettled_since: Instant,
    /// Number of items finished since the last claim.
    finished: u32,
    /// When to look at the store next.
    next_look: Instant,
    /// The latest turn at a busy host that an item was put off for.
    pub(super) last_turn: Timestamp,
    /// Once cancelled, no item is begun, not even while waiting for the store.
    soft: CancellationToken,
}

impl<S: Stage> Working<S> {
    pub(super) fn new(soft: CancellationToken) -> Self {
        let now = Instant::now();
        Self {
            waiting: VecDeque::new(),
            claimed_at: now,
            tasks: JoinSet::new(),
            claims: HashMap::new(),
            unsettled: Unsettled::default(),
            unsettled_since: now,
            finished: 0,
            next_look: now,
            last_turn: Timestamp::MIN,
            soft,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.tasks.is_empty() && self.unsettled.is_empty()
    }

    pub(super) fn look_now(&mut self) {
        self.look_after(Duration::ZERO);
    }

    pub(super) fn look_after(&mut self, rest: Duration) {
        self.next_look = Instant::now() + rest;
    }

    /// Returns whether finished items are to be recorded now: they fill a batch, have waited long enough, or no others are
    /// being worked on.
    pub(super) fn is_ripe(&self) -> bool {
        let unsettled = self.unsettled.len();
        let has_company = unsettled >= S::BATCH as usize || self.unsettled_since.elapsed() >= LINGER;
        unsettled > 0 && (has_company || self.tasks.is_empty())
    }

    /// Records a batch of finished items. After an error they are kept.
    pub(super) async fn record(&mut self, stage: &S) -> Result<usize, StoreError> {
        let mut batch = self.unsettled.batch();
        let settled = self.meanwhile(stage, batch.settle(stage)).await;
        // Items that finished meanwhile go behind.
        batch.append(&mut self.unsettled);
        self.unsettled = batch;
        // Other rows may have waited for these.
        self.look_now();
        settled
    }

    /// Claims due items, if it is time to look and there is enough room for a batch. Returns whether the store was asked.
    pub(super) async fn look(
        &mut self,
        stage: &S,
        clock: &Clock,
        stopping: bool,
    ) -> Result<bool, StoreError> {
        if stopping || self.claimed_at.elapsed() >= LONGEST_WAIT {
            self.give_back_waiting(stage, clock.now()).await;
        }
        self.begin(stage);
        let ahead = self.ahead();
        let Some(room) = self.room(stage, ahead).filter(|_| !stopping && self.next_look <= Instant::now())
        else {
            return Ok(false);
        };
        let rest = if self.claim(stage, room).await? {
            Duration::ZERO
        } else {
            until(self.meanwhile(stage, stage.next_due()).await?, clock.now())
        };
        self.look_after(rest);
        Ok(true)
    }

    /// Returns how many items to claim ahead, by the pace since the last claim.
    fn ahead(&self) -> u32 {
        let elapsed = self.claimed_at.elapsed().max(Duration::from_millis(1));
        let ahead = u128::from(self.finished) * AHEAD.as_micros() / elapsed.as_micros();
        u32::try_from(ahead).unwrap_or(u32::MAX).min(S::BATCH)
    }

    /// Returns how many items can be taken, if they are enough to be worth a query.
    fn room(&self, stage: &S, ahead: u32) -> Option<u32> {
        // One batch is about to be recorded and does not count. More than that has piled up: the store is slower than the
        // work.
        let piled_up = self.unsettled.len().saturating_sub(S::BATCH as usize);
        let in_hand = self.tasks.len() + self.waiting.len() + piled_up;
        let in_hand = u32::try_from(in_hand).unwrap_or(u32::MAX);
        let room = (stage.permits() + stage.aside() + ahead).saturating_sub(in_hand);
        (room >= stage.permits().div_ceil(4).max(ahead / 2)).then_some(room)
    }

    /// Claims at most `limit` items and begins with them. Returns whether it got that many.
    pub(super) async fn claim(&mut self, stage: &S, limit: u32) -> Result<bool, StoreError> {
        let items = self.meanwhile(stage, stage.claim(limit)).await?;
        let all_taken = items.len() >= limit as usize;
        self.waiting.extend(items);
        (self.claimed_at, self.finished) = (Instant::now(), 0);
        self.begin(stage);
        Ok(all_taken)
    }

    fn begin(&mut self, stage: &S) {
        while !self.soft.is_cancelled()
            && self.tasks.len() < (stage.permits() + stage.aside()) as usize
            && let Some(item) = self.waiting.pop_front()
        {
            let claim = S::claim_of(&item);
            let stage = stage.clone();
            let task = self.tasks.spawn(async move { stage.process(item).await });
            self.claims.insert(task.id(), claim);
        }
    }

    /// Waits for the store, and handles finished items meanwhile.
    async fn meanwhile<T>(&mut self, stage: &S, store: impl Future<Output = T>) -> T {
        tokio::pin!(store);
        loop {
            tokio::select! {
                biased;
                done = &mut store => return done,
                Some(result) = self.tasks.join_next_with_id() => self.finish(stage, result),
            }
        }
    }

    /// Waits until an item finishes, until finished or waiting items have waited long enough, or, if more items are taken,
    /// until it is time to look at the store.
    pub(super) async fn progress(&mut self, stage: &S, takes_more: bool) {
        let has_room = takes_more && self.room(stage, self.ahead()).is_some();
        let wakes = [
            // Some items may step aside and free permits.
            (takes_more && !has_room).then(|| Instant::now() + CROWDED_LOOK),
            (!self.unsettled.is_empty()).then_some(self.unsettled_since + LINGER),
            (!self.waiting.is_empty()).then_some(self.claimed_at + LONGEST_WAIT),
            has_room.then_some(self.next_look),
        ];
        let wake = wakes.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + LONGEST_SLEEP);
        tokio::select! {
            Some(result) = self.tasks.join_next_with_id() => self.finish(stage, result),
            () = tokio::time::sleep_until(wake) => {}
        }
    }

    /// Takes all finished items, and begins as many of the waiting ones.
    fn finish(&mut self, stage: &S, result: Ended<S>) {
        if self.unsettled.is_empty() {
            self.unsettled_since = Instant::now();
        }
        let mut next = Some(result);
        while let Some(result) = next {
            match result {
                Ok((id, worked)) => {
                    self.claims.remove(&id);
                    self.last_turn = self.last_turn.max(worked.host_turn().unwrap_or(Timestamp::MIN));
                    self.finished += u32::from(matches!(worked, Worked::Done(_)));
                    self.unsettled.push(worked);
                }
                // A bug in our own async code: the item's lease expires and it is tried again.
                Err(error) => {
                    self.claims.remove(&error.id());
                    tracing::error!(error = %error, "a worker task failed");
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        self.begin(stage);
    }

    async fn give_back_waiting(&mut self, stage: &S, now: Timestamp) {
        let waiting = std::mem::take(&mut self.waiting);
        let claims: Vec<_> = waiting.iter().map(|item| (S::claim_of(item), now)).collect();
        if let Err(error) = give_back(stage, &claims).await {
            log_kept::<S>(&error);
        }
    }

    /// Aborts: finished items are recorded if the store accepts them at once, all others are released.
    pub(super) async fn give_back(mut self, stage: &S, now: Timestamp) {
        self.tasks.abort_all();
        if let Err(error) = self.unsettled.settle(stage).await {
            tracing::error!(stage = S::NAME, error = %error, "cannot record finished items; they will be processed again");
        }
        if !self.claims.is_empty() {
            tracing::warn!(stage = S::NAME, items = self.claims.len(), "aborted unfinished items");
        }
        let waiting = self.waiting.iter().map(S::claim_of);
        let claims: Vec<_> = self.claims.into_values().chain(waiting).map(|claim| (claim, now)).collect();
        if let Err(error) = give_back(stage, &claims).await {
            log_kept::<S>(&error);
        }
    }
}

fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(due) = due else { return LONGEST_SLEEP };
    Duration::try_from(due.duration_since(now)).unwrap_or_default().clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
}
