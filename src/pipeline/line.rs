//! The loop that drives a half of the mill.
//!
//! Work streams: a slow item keeps its own permit and nobody else's, so there are no rounds in which everything waits for
//! the slowest. A transaction costs much more than a row in it, so rows cross to the store and back in batches: the more
//! are claimed ahead the faster they are worked off, and what has finished is recorded together. While the store works,
//! so do the items. The first look at the store comes after the wake-up is armed, so that work recorded in between is
//! not slept through.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::StoreError;

/// How long finished work waits at most for more that can be recorded with it.
const LINGER: Duration = Duration::from_millis(20);

/// As many items are claimed ahead as were finished within this time.
const AHEAD: Duration = Duration::from_millis(100);

/// What was claimed ahead and is not begun after this time is given back: the pace was misjudged, and leases are cut for the
/// work, not for a wait before it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

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
    let mut working = Working::<S>::new();
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
    let mut working = Working::<S>::new();
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
/// meanwhile. When `hard` is cancelled what is in hand is broken off and given back.
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
        while working.is_ripe()
            && let Err(error) = working.record(stage).await
        {
            tokio::select! {
                () = hard.cancelled() => return working.give_back(stage, clock.now()).await,
                () = tokio::time::sleep(rest_after::<S>(&error)) => {}
            }
        }
        if let Err(error) = working.look(stage, clock, stopping).await {
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

/// What became of items and is not yet written down. It is kept until it is: while the store is away, work already done
/// must not be lost and asked of its publishers again.
struct Unsettled<S: Stage> {
    done: Vec<S::Done>,
    put_off: Vec<(S::Claim, Timestamp)>,
}

impl<S: Stage> Default for Unsettled<S> {
    fn default() -> Self {
        Self { done: Vec::new(), put_off: Vec::new() }
    }
}

impl<S: Stage> Unsettled<S> {
    fn len(&self) -> usize {
        self.done.len() + self.put_off.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, worked: Worked<S::Claim, S::Done>) {
        match worked {
            Worked::Done(item) => self.done.push(item),
            Worked::PutOff { claim, due, .. } => self.put_off.push((claim, due)),
        }
    }

    /// Takes as many out as are recorded in one transaction.
    fn batch(&mut self) -> Self {
        let done = self.done.drain(..self.done.len().min(S::BATCH as usize)).collect();
        Self { done, put_off: std::mem::take(&mut self.put_off) }
    }

    fn append(&mut self, other: &mut Self) {
        self.done.append(&mut other.done);
        self.put_off.append(&mut other.put_off);
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
        give_back(stage, std::mem::take(&mut self.put_off)).await;
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

/// How a task ended.
type Ended<S> = Result<(Id, Worked<<S as Stage>::Claim, <S as Stage>::Done>), JoinError>;

/// Items in hand: claimed and not begun, being worked on, and finished but not recorded.
struct Working<S: Stage> {
    waiting: VecDeque<S::Item>,
    /// When the last of the waiting were claimed.
    claimed_at: Instant,
    /// Each item in a task of its own, so that all cores are used.
    tasks: JoinSet<Worked<S::Claim, S::Done>>,
    claims: HashMap<Id, S::Claim>,
    unsettled: Unsettled<S>,
    /// When the oldest of the unsettled was finished.
    unsettled_since: Instant,
    /// Finished since the last claim.
    finished: u32,
    /// When the store is next worth a look.
    next_look: Instant,
    /// The latest turn at a busy host that an item was put off for.
    last_turn: Timestamp,
}

impl<S: Stage> Working<S> {
    fn new() -> Self {
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
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.tasks.is_empty() && self.unsettled.is_empty()
    }

    fn look_now(&mut self) {
        self.look_after(Duration::ZERO);
    }

    fn look_after(&mut self, rest: Duration) {
        self.next_look = Instant::now() + rest;
    }

    /// Whether what is finished is to be recorded now: it is many, has waited, or there is nothing to wait for.
    fn is_ripe(&self) -> bool {
        let unsettled = self.unsettled.len();
        let has_company = unsettled >= S::BATCH as usize || self.unsettled_since.elapsed() >= LINGER;
        unsettled > 0 && (has_company || self.tasks.is_empty())
    }

    /// Records what is finished. After an error it is still there.
    async fn record(&mut self, stage: &S) -> Result<usize, StoreError> {
        let mut batch = self.unsettled.batch();
        let settled = self.meanwhile(stage, batch.settle(stage)).await;
        // What finished meanwhile comes behind.
        batch.append(&mut self.unsettled);
        self.unsettled = batch;
        // Rows may have waited for these.
        self.look_now();
        settled
    }

    /// Claims what is due, where it is time to look and enough room for a batch. Returns whether the store was asked.
    async fn look(&mut self, stage: &S, clock: &Clock, stopping: bool) -> Result<bool, StoreError> {
        if stopping || self.claimed_at.elapsed() >= LONGEST_WAIT {
            self.give_back_waiting(stage, clock.now()).await;
        }
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

    /// How many items are to be claimed ahead, by the pace since the last claim.
    fn ahead(&self) -> u32 {
        let elapsed = self.claimed_at.elapsed().max(Duration::from_millis(1));
        let ahead = u128::from(self.finished) * AHEAD.as_micros() / elapsed.as_micros();
        u32::try_from(ahead).unwrap_or(u32::MAX).min(S::BATCH)
    }

    /// How many items can be taken, where a claim is worth its query.
    fn room(&self, stage: &S, ahead: u32) -> Option<u32> {
        // What one transaction takes is on its way out. More than that has piled up: the store is slower than the work.
        let piled_up = self.unsettled.len().saturating_sub(S::BATCH as usize);
        let in_hand = self.tasks.len() + self.waiting.len() + piled_up;
        let in_hand = u32::try_from(in_hand).unwrap_or(u32::MAX);
        let room = (stage.permits() + ahead).saturating_sub(in_hand);
        (room >= stage.permits().div_ceil(4).max(ahead / 2)).then_some(room)
    }

    /// Claims at most `limit` items and begins with them. Returns whether it got as many.
    async fn claim(&mut self, stage: &S, limit: u32) -> Result<bool, StoreError> {
        let items = self.meanwhile(stage, stage.claim(limit)).await?;
        let all_taken = items.len() >= limit as usize;
        self.waiting.extend(items);
        (self.claimed_at, self.finished) = (Instant::now(), 0);
        self.begin(stage);
        Ok(all_taken)
    }

    fn begin(&mut self, stage: &S) {
        while self.tasks.len() < stage.permits() as usize
            && let Some(item) = self.waiting.pop_front()
        {
            let claim = S::claim_of(&item);
            let stage = stage.clone();
            let task = self.tasks.spawn(async move { stage.process(item).await });
            self.claims.insert(task.id(), claim);
        }
    }

    /// Waits for the store, and works on meanwhile.
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

    /// Waits until an item is finished, until those that are or those that are not begun have waited long enough, or, where
    /// more is taken, until it is time to look.
    async fn progress(&mut self, stage: &S, takes_more: bool) {
        let has_room = takes_more && self.room(stage, self.ahead()).is_some();
        let wakes = [
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

    /// Takes an item that is finished with all others that are, and begins with as many of the waiting.
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
                // A bug in our own async code: the item's lease runs out and it is tried again.
                Err(error) => {
                    self.claims.remove(&error.id());
                    tracing::error!(error = %error, "a worker broke off");
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        self.begin(stage);
    }

    async fn give_back_waiting(&mut self, stage: &S, now: Timestamp) {
        let waiting = std::mem::take(&mut self.waiting);
        give_back(stage, waiting.iter().map(|item| (S::claim_of(item), now)).collect()).await;
    }

    /// Breaks off: what is finished is recorded, if the store takes it at once, and all else is given back.
    async fn give_back(mut self, stage: &S, now: Timestamp) {
        self.tasks.abort_all();
        if let Err(error) = self.unsettled.settle(stage).await {
            tracing::error!(stage = S::NAME, error = %error, "cannot record what is finished: it will be done again");
        }
        if !self.claims.is_empty() {
            tracing::warn!(stage = S::NAME, items = self.claims.len(), "broken off");
        }
        let waiting = self.waiting.iter().map(S::claim_of);
        give_back(stage, self.claims.into_values().chain(waiting).map(|claim| (claim, now)).collect()).await;
    }
}

async fn give_back<S: Stage>(stage: &S, claims: Vec<(S::Claim, Timestamp)>) {
    if claims.is_empty() {
        return;
    }
    if let Err(error) = stage.release(claims).await {
        tracing::error!(stage = S::NAME, error = %error, "cannot give work back: its leases will run out");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use super::super::HOST_PATIENCE;
    use super::*;
    use crate::model::after;

    const HOSTS: usize = 50;
    const PAGES: usize = 20;
    const GAP: Duration = Duration::from_secs(1);
    /// How long a page takes.
    const TAKES: Duration = Duration::from_millis(200);

    /// Entries in memory, those of one host after those of another, and hosts that are asked once in a gap.
    #[derive(Clone)]
    struct Paced {
        clock: Clock,
        table: Arc<Mutex<Table>>,
    }

    struct Table {
        waiting: BTreeSet<(Timestamp, usize)>,
        hosts: Vec<Host>,
        done: usize,
        looks: usize,
    }

    #[derive(Clone)]
    struct Host {
        next_start: Timestamp,
        next_return: Timestamp,
    }

    impl Stage for Paced {
        type Item = usize;
        type Claim = usize;
        type Done = usize;

        const NAME: &'static str = "paced";
        const BATCH: u32 = 100;

        fn permits(&self) -> u32 {
            64
        }

        async fn claim(&self, limit: u32) -> Result<Vec<usize>, StoreError> {
            let now = self.clock.now();
            let mut table = self.table.lock().unwrap();
            table.looks += 1;
            let due = table.waiting.iter().take_while(|(due, _)| *due <= now).take(limit as usize);
            let due: Vec<_> = due.copied().collect();
            table.waiting.retain(|entry| !due.contains(entry));
            Ok(due.into_iter().map(|(_, entry)| entry).collect())
        }

        fn claim_of(item: &usize) -> usize {
            *item
        }

        async fn release(&self, claims: Vec<(usize, Timestamp)>) -> Result<(), StoreError> {
            let claims = claims.into_iter().map(|(entry, due)| (due, entry));
            self.table.lock().unwrap().waiting.extend(claims);
            Ok(())
        }

        async fn process(&self, entry: usize) -> Worked<usize, usize> {
            let now = self.clock.now();
            let start = {
                let host = &mut self.table.lock().unwrap().hosts[entry / PAGES];
                let start = host.next_start.max(now);
                if after(now, HOST_PATIENCE) < start {
                    let due = host.next_return.max(start);
                    host.next_return = after(due, GAP);
                    return Worked::PutOff { claim: entry, due, until: Until::HostTurn };
                }
                host.next_start = after(start, GAP);
                start
            };
            tokio::time::sleep(Duration::try_from(start.duration_since(now)).unwrap() + TAKES).await;
            Worked::Done(entry)
        }

        async fn record(&self, done: &[usize]) -> Result<(), StoreError> {
            self.table.lock().unwrap().done += done.len();
            Ok(())
        }

        fn refused(done: usize, _: &StoreError) -> usize {
            done
        }

        async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
            Ok(self.table.lock().unwrap().waiting.first().map(|(due, _)| *due))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hosts_turn_comes_when_its_gap_is_over() {
        let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let clock = Clock::ticking(start);
        let table = Table {
            waiting: (0..HOSTS * PAGES).map(|entry| (start, entry)).collect(),
            hosts: vec![Host { next_start: start, next_return: start }; HOSTS],
            done: 0,
            looks: 0,
        };
        let stage = Paced { clock: clock.clone(), table: Arc::new(Mutex::new(table)) };
        let nothing_before = CancellationToken::new();
        nothing_before.cancel();

        let (wake, soft) = (Notify::new(), CancellationToken::new());
        let recorded = drain(&stage, &wake, &clock, &nothing_before, &soft).await.unwrap();
        assert_eq!(recorded, HOSTS * PAGES);

        // The runtime's own time, which passes only where everybody waits: no machine is too slow for this.
        let took = Duration::try_from(clock.now().duration_since(start)).unwrap();
        let gaps = GAP * u32::try_from(PAGES - 1).unwrap();
        assert!(took <= gaps + Duration::from_secs(2), "{took:?}");
        let table = stage.table.lock().unwrap();
        assert_eq!(table.done, HOSTS * PAGES);
        assert!(table.looks <= HOSTS * PAGES, "{} looks at the store", table.looks);
    }
}
