//! Coordinates this process with the others on its store: it sends heartbeats, acquires and releases its share of the
//! shards, borrows and lends hosts, and receives the other processes' signals.
//!
//! All of this is one short round, run every second and whenever there is news. Nothing here runs if one process has the
//! store to itself.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::lifecycle::process;
use crate::shards::{SHARDS, Shards, Standing, StoredLoans};
use crate::store::{DEAD_AFTER, HostLoan, Legacy, Pulse, Signal, Store, StoreError};
use crate::telemetry::metrics;

/// Interval between heartbeats.
const BEAT: Duration = Duration::from_secs(1);
/// How long the process makes requests after its last heartbeat: all of them end before the others consider it dead.
const SURE: Duration = Duration::from_secs(7);
const _: () = assert!(SURE.as_secs() < DEAD_AFTER.as_secs());

/// Takes part until `end` is cancelled, then leaves. Fails if this program must not run on the store any more.
pub async fn run(shared: &Shared, end: &CancellationToken) -> Result<(), StoreError> {
    let Some(shards) = shards_of(shared) else {
        end.cancelled().await;
        return Ok(());
    };
    let outcome = tokio::select! {
        outcome = beat(shared, shards, end) => outcome,
        () = listen(shared, shards) => Ok(()),
    };
    leave(shared).await;
    outcome
}

/// Starts to take part. What was left behind by processes that ran on this machine and no longer do is free at once.
///
/// This is checked only once, at the start: a machine that was cloned while running has the identity of the original, and
/// two processes that declare each other dead in every round would make no progress.
pub async fn begin(shared: &Shared) -> Result<(), StoreError> {
    if shards_of(shared).is_some()
        && let Some(place) = process::place()
    {
        shared.store.processes_lost(&place.machine, process::runs).await?;
    }
    round(shared).await
}

/// Runs one round.
pub async fn round(shared: &Shared) -> Result<(), StoreError> {
    match shards_of(shared) {
        Some(shards) => Round { shared, shards, store: &shared.store }.run().await,
        None => Ok(()),
    }
}

/// Takes part until this process has its share of the shards, which other processes may have to release first.
pub async fn settle(shared: &Shared, soft: &CancellationToken) -> Result<(), StoreError> {
    let Some(shards) = shards_of(shared) else { return Ok(()) };
    while !soft.is_cancelled() {
        round(shared).await?;
        if shards.has_share() {
            break;
        }
        soft.run_until_cancelled(tokio::time::sleep(BEAT)).await;
    }
    Ok(())
}

/// Releases everything. What cannot be released now becomes free when this process is considered dead.
pub async fn leave(shared: &Shared) {
    let Some(shards) = shards_of(shared).filter(|shards| shards.process() != 0) else { return };
    shared.keep_pauses().await;
    let process = shards.process();
    shards.end_life();
    if let Err(error) = shared.store.process_leave(process).await {
        tracing::warn!(%error, "cannot release the work of this process; it is free when the process is considered dead");
    }
}

fn shards_of(shared: &Shared) -> Option<&Shards> {
    Some(shared.store.shards()).filter(|shards| shards.is_shared())
}

/// Runs rounds until `end` is cancelled, or fails if this program must not run any more. A round is never cancelled midway:
/// one that has registered this process but not learned its number would leave a process behind that cannot be removed.
async fn beat(shared: &Shared, shards: &Shards, end: &CancellationToken) -> Result<(), StoreError> {
    loop {
        match round(shared).await {
            Ok(()) => {}
            Err(error @ StoreError::SchemaNewer { .. }) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "cannot coordinate with the other processes; trying again");
            }
        }
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            () = tokio::time::sleep(BEAT) => {}
            () = shards.wanted() => {}
        }
    }
}

/// Wakes the tasks that wait for what other processes have done.
async fn listen(shared: &Shared, shards: &Shards) {
    let mut signals = shared.store.signals();
    loop {
        match signals.next().await {
            Some(Signal::Feeds) => shared.feeds_due.notify_one(),
            Some(Signal::Entries) => shared.entries_recorded.notify_one(),
            Some(Signal::Outbox) => shared.articles_stored.notify_waiters(),
            Some(Signal::Shards) => shards.look_now(),
            None => {
                ring(shared);
                shards.look_now();
            }
        }
    }
}

fn ring(shared: &Shared) {
    shared.feeds_due.notify_one();
    shared.entries_recorded.notify_one();
    shared.articles_stored.notify_waiters();
}

struct Round<'r> {
    shared: &'r Shared,
    shards: &'r Shards,
    store: &'r Store,
}

impl Round<'_> {
    async fn run(&self) -> Result<(), StoreError> {
        if self.shards.process() == 0 {
            let process = self.store.process_register(&process::name(), process::place().as_ref()).await?;
            self.shards.begin_life(process);
        }
        let process = self.shards.process();
        // Taken before the heartbeat, which may take long.
        let sure_until = Instant::now() + SURE;
        let Some(pulse) = self.store.process_beat(process).await? else {
            tracing::error!("this process was considered dead, its heartbeat was overdue; registering again");
            self.shards.end_life();
            return Ok(());
        };
        self.store.schema_check(pulse.needed)?;
        let standing = Standing { is_first: pulse.is_first, is_alone: pulse.alive <= 1 };
        self.shards.note_alive(sure_until, standing);
        let legacy = if pulse.any_dead { self.store.processes_bury().await? } else { Legacy::default() };
        if !legacy.names.is_empty() {
            take_over(self.shared, &legacy);
        }
        self.balance(process, &pulse, !legacy.names.is_empty()).await?;
        self.lend_and_borrow(process).await?;
        metrics::shards_owned(self.shards.count());
        Ok(())
    }

    /// Acquires free shards up to a fair share, and releases the surplus.
    async fn balance(&self, process: i64, pulse: &Pulse, any_buried: bool) -> Result<(), StoreError> {
        let fair = SHARDS.div_ceil(pulse.alive.max(1));
        let owned = self.shards.count();
        self.shards.keep_at_most(fair);
        if owned < fair && (pulse.free > 0 || any_buried) {
            let acquired = self.store.shards_acquire(process, fair - owned).await?;
            if !acquired.shards.is_empty() {
                // Before any of their hosts gets a request.
                self.recall_pauses().await?;
                let now = Instant::now();
                let shards: Vec<_> =
                    acquired.shards.iter().map(|(shard, free)| (*shard, now.checked_sub(*free))).collect();
                self.shards.acquire(&shards, &acquired.lent);
                tracing::info!(shards = shards.len(), "acquired shards of hosts");
                ring(self.shared);
            }
        }
        let leaving = self.shards.ready_to_leave();
        if !leaving.is_empty() {
            self.shared.keep_pauses().await;
            self.store.shards_release(process, &leaving).await?;
            self.shards.gone(&leaving);
            tracing::info!(shards = leaving.len(), "released shards of hosts");
        }
        self.shards.note_share(fair, pulse.alive);
        Ok(())
    }

    async fn lend_and_borrow(&self, process: i64) -> Result<(), StoreError> {
        let back = self.shards.to_return();
        if !back.is_empty() {
            self.shared.keep_pauses().await;
            self.store.host_loans_return(process, &back).await?;
        }
        let wanted = self.shards.to_borrow();
        if !wanted.is_empty() {
            self.store.host_loans_ask(process, &wanted).await?;
        }
        let loans = self.store.host_loans().await?;
        let named = |is_meant: &dyn Fn(&HostLoan) -> bool| -> Vec<String> {
            loans.iter().filter(|loan| is_meant(loan)).map(|loan| loan.party.clone()).collect()
        };
        let all = named(&|_| true);
        let ours = named(&|loan| loan.borrower == process && loan.granted);
        let granted = named(&|loan| loan.granted);
        let stored = StoredLoans { all: &all, granted: &granted, ours: &ours };
        if self.shards.changes_with(stored) {
            // A borrowed or returned host may have asked the other process for a pause.
            self.recall_pauses().await?;
            self.shards.settle_loans(stored);
        }
        let asked = named(&|loan| loan.borrower != process && !loan.granted);
        let granted = self.shards.lend(&asked);
        if !granted.is_empty() {
            self.shared.keep_pauses().await;
            self.store.host_loans_grant(process, &granted).await?;
            self.shards.granted(&granted);
        }
        // Loans that this process requested and no longer needs: it has acquired the shard.
        let idle = named(&|loan| loan.borrower == process && !self.shards.is_borrowing(&loan.party));
        if !idle.is_empty() {
            self.store.host_loans_return(process, &idle).await?;
        }
        Ok(())
    }

    async fn recall_pauses(&self) -> Result<(), StoreError> {
        self.shared.plan().fetcher.recall_pauses(self.store.host_pauses().await?);
        Ok(())
    }
}

fn take_over(shared: &Shared, legacy: &Legacy) {
    let Legacy { names, feeds, entries, sinks } = legacy;
    let names = names.join(", ");
    tracing::warn!(
        processes = names,
        feeds,
        entries,
        sinks,
        "processes are dead; their claims have been released"
    );
    metrics::taken_over(*feeds, *entries);
    ring(shared);
}
