//! What keeps a process in step with the others on its store: it lets itself be heard of, takes and gives its share of the shards,
//! borrows and lends hosts, and hears what the others tell.
//!
//! All of it is one short round, made every second and whenever there is news. Nothing here runs where one process has the store to
//! itself.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::lifecycle::process;
use crate::shards::{SHARDS, Shards, Standing, StoredLoans};
use crate::store::{DEAD_AFTER, HostLoan, Legacy, Pulse, Signal, Store, StoreError};
use crate::telemetry::metrics;

/// How often a process lets itself be heard of.
const BEAT: Duration = Duration::from_secs(1);
/// How long it asks hosts after its last beat: all of it is over before the others take it for dead.
const SURE: Duration = Duration::from_secs(7);
const _: () = assert!(SURE.as_secs() < DEAD_AFTER.as_secs());

/// Takes part until `end` is cancelled, and leaves then. Fails where this program must not run on the store any more.
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

/// Begins to take part. What processes have left behind that ran beside this one and are no more is free at once.
///
/// Looked at once, at the start: a machine that was copied while it ran believes itself to be the other, and two that buried each
/// other with each round would come to nothing.
pub async fn begin(shared: &Shared) -> Result<(), StoreError> {
    if shards_of(shared).is_some()
        && let Some(place) = process::place()
    {
        shared.store.processes_lost(&place.machine, process::runs).await?;
    }
    round(shared).await
}

/// One round.
pub async fn round(shared: &Shared) -> Result<(), StoreError> {
    match shards_of(shared) {
        Some(shards) => Round { shared, shards, store: &shared.store }.run().await,
        None => Ok(()),
    }
}

/// Takes part until this process has its share of the shards, which others may have to give first.
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

/// Gives everything back. What cannot be given back now is free when this process is taken for dead.
pub async fn leave(shared: &Shared) {
    let Some(shards) = shards_of(shared).filter(|shards| shards.process() != 0) else { return };
    shared.keep_pauses().await;
    let process = shards.process();
    shards.end_life();
    if let Err(error) = shared.store.process_leave(process).await {
        tracing::warn!(%error, "this process's part of the work is free only when it is taken for dead");
    }
}

fn shards_of(shared: &Shared) -> Option<&Shards> {
    Some(shared.store.shards()).filter(|shards| shards.is_shared())
}

/// Makes rounds until `end` is cancelled, or fails where this program must not run any more. No round is broken off: one that has
/// made this process known and has not learned its number would leave a process behind that nobody can end.
async fn beat(shared: &Shared, shards: &Shards, end: &CancellationToken) -> Result<(), StoreError> {
    loop {
        match round(shared).await {
            Ok(()) => {}
            Err(error @ StoreError::SchemaNewer { .. }) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "the other processes hear nothing of this one; trying again");
            }
        }
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            () = tokio::time::sleep(BEAT) => {}
            () = shards.wanted() => {}
        }
    }
}

/// Wakes whoever waits for what other processes have done.
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
        // From before the beat: it may take long.
        let sure_until = Instant::now() + SURE;
        let Some(pulse) = self.store.process_beat(process).await? else {
            tracing::error!("this process was not heard of in time and was taken for dead: it begins anew");
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

    /// Takes what is free up to a fair share, and gives up what is more.
    async fn balance(&self, process: i64, pulse: &Pulse, any_buried: bool) -> Result<(), StoreError> {
        let fair = SHARDS.div_ceil(pulse.alive.max(1));
        let owned = self.shards.count();
        self.shards.keep_at_most(fair);
        if owned < fair && (pulse.free > 0 || any_buried) {
            let acquired = self.store.shards_acquire(process, fair - owned).await?;
            if !acquired.shards.is_empty() {
                // Before anything of it is asked.
                self.recall_pauses().await?;
                let now = Instant::now();
                let shards: Vec<_> =
                    acquired.shards.iter().map(|(shard, free)| (*shard, now.checked_sub(*free))).collect();
                self.shards.acquire(&shards, &acquired.lent);
                tracing::info!(shards = shards.len(), "hosts came to this process");
                ring(self.shared);
            }
        }
        let leaving = self.shards.ready_to_leave();
        if !leaving.is_empty() {
            self.shared.keep_pauses().await;
            self.store.shards_release(process, &leaving).await?;
            self.shards.gone(&leaving);
            tracing::info!(shards = leaving.len(), "hosts went to other processes");
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
            // A host that comes, or comes back, may have asked the other process for a pause.
            self.recall_pauses().await?;
            self.shards.settle_loans(stored);
        }
        let asked = named(&|loan| loan.borrower != process && !loan.granted);
        let granted = self.shards.lend(&asked);
        if !granted.is_empty() {
            self.shared.keep_pauses().await;
            self.store.host_loans_grant(&granted).await?;
            self.shards.granted(&granted);
        }
        // What this process asked for and has no use for: the shard has come to it.
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
        "processes are dead: what they had in hand is claimed anew"
    );
    metrics::taken_over(*feeds, *entries);
    ring(shared);
}
