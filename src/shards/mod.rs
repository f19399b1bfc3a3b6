//! Which hosts this process may make requests to, where several processes share one store.
//!
//! Hosts are divided into 1,024 shards by a hash of their registrable domain, and each shard belongs to one process at a
//! time. Each process keeps gaps, pauses and robots.txt of its own hosts in memory; this is enough for all processes
//! together, and no request costs a query. A request to a host requires a `Pass`; a shard is given up once none of its
//! passes is open.
//!
//! A redirect, an AMP page or a hub may lead to a host of another process. Such a host is lent: its owner issues no further
//! passes, waits until its own requests have ended, and grants the loan; the borrower requests it and gives it back. The
//! alternative was to hand the entry over to the owner: the request would have to travel with its redirects and cookies,
//! differently for feeds, hubs and robots.txt, and back again. Borrowing is as rare as links to foreign hosts, and works
//! the same way for all of them.
//!
//! Everything here is kept in memory. What processes agree on is in the store, and `pipeline/sharing.rs` transfers it.

mod balance;
mod loans;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use url::Url;

pub use self::loans::StoredLoans;
use crate::model::{PartyId, ShardId};
use crate::trust;

/// Number of shards: several for each process, even with more processes than one database can serve.
pub const SHARDS: u16 = 1024;

/// How long a request waits for a host that belongs to another process.
const PATIENCE: Duration = Duration::from_secs(3);
/// When to retry a request that would have had to wait longer.
const COME_BACK: Duration = Duration::from_secs(1);
/// Maximum time that a borrowed host is kept while its owner may want it.
const LONGEST_LOAN: Duration = Duration::from_secs(5);
/// How long the time of the last request to a lent host is remembered: no gap between two requests is longer.
const REMEMBERED: Duration = Duration::from_mins(2);

const HELD: &str = "no holder of this lock can panic";

/// Returns the shard of a host, by the party that answers for it.
pub fn shard_of(url: &Url) -> ShardId {
    of_party(&party_of(url))
}

fn party_of(url: &Url) -> String {
    trust::party(url).unwrap_or_default()
}

fn of_party(party: &str) -> ShardId {
    let number = PartyId::of(party).0.rem_euclid(i64::from(SHARDS));
    ShardId(u16::try_from(number).expect("it is less than the number of shards"))
}

/// The shards of this process. Cheap to clone; all clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Shards(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    /// The number of this process in the store; 0 while it has none.
    process: AtomicI64,
    state: Mutex<State>,
    /// Notified when the state has changed for waiting tasks.
    changed: Notify,
    /// Notified when a host of another process is wanted, or a host with a loan has no open passes any more.
    wanted: Notify,
    standing: watch::Sender<Standing>,
}

/// The position of this process among the living ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it does the tasks that one process at a time does.
    pub is_first: bool,
    /// Whether no other process is alive.
    pub is_alone: bool,
}

#[derive(Debug)]
struct State {
    shards: Vec<Shard>,
    parties: HashMap<String, Party>,
    /// No requests are made after this moment: other processes may consider this one dead.
    alive_until: Instant,
    /// Whether this process has its share and expects no more shards.
    has_share: bool,
    /// Incremented when this process was considered dead: passes issued before are void.
    life: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shard {
    Away,
    /// Owned, with the time of the last request to its hosts by the previous owner.
    Ours(Option<Instant>),
    /// Given up once its last request is answered.
    Leaving,
}

/// A registrable domain that is requested, waited for, lent or borrowed.
#[derive(Debug, Default)]
struct Party {
    passes: u32,
    waiting: u32,
    loan: Loan,
    /// When its borrower gave it back, and so the latest time of the borrower's last request.
    returned: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Loan {
    #[default]
    None,
    /// We own it. Another process has it (`true`), or it is promised (`false`).
    Lent(bool),
    /// Another process owns it, and we have requested it.
    Asked,
    /// Another process owns it, and we have borrowed it at this moment.
    Borrowed(Instant),
}

/// A permit to make requests to a host; dropping it releases the host.
#[derive(Debug)]
pub struct Pass {
    held: Option<(Arc<Inner>, String, u64)>,
    last_asked: Option<Instant>,
}

/// The host belongs to another process and is not lent to this one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// When to try again.
    pub wait: Duration,
}

impl Pass {
    /// Returns when another process may have made its last request to the host.
    pub const fn last_asked(&self) -> Option<Instant> {
        self.last_asked
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some((inner, party, life)) = self.held.take() else { return };
        let mut state = inner.lock();
        if state.life != life {
            return;
        }
        let is_awaited = match state.parties.get_mut(&party) {
            Some(known) => {
                known.passes -= 1;
                known.passes == 0 && known.loan != Loan::None
            }
            None => false,
        };
        state.forget_idle(&party);
        drop(state);
        if is_awaited {
            inner.wanted.notify_one();
        }
    }
}

/// Counts a task that waits for a host; dropped also when the wait is cancelled.
struct Waiting<'i> {
    inner: &'i Inner,
    party: &'i str,
}

impl<'i> Waiting<'i> {
    fn begin(inner: &'i Inner, party: &'i str) -> Self {
        inner.lock().parties.entry(party.to_owned()).or_default().waiting += 1;
        Self { inner, party }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(known) = state.parties.get_mut(self.party) {
            known.waiting = known.waiting.saturating_sub(1);
        }
        state.forget_idle(self.party);
    }
}

impl Shards {
    /// Returns permanent ownership of all shards: no other process shares the store.
    pub const fn all() -> Self {
        Self(None)
    }

    /// Returns a state without shards, for a shared store.
    pub fn shared() -> Self {
        let state = State {
            shards: vec![Shard::Away; usize::from(SHARDS)],
            parties: HashMap::new(),
            alive_until: Instant::now(),
            has_share: false,
            life: 0,
        };
        Self(Some(Arc::new(Inner {
            process: AtomicI64::new(0),
            state: Mutex::new(state),
            changed: Notify::new(),
            wanted: Notify::new(),
            standing: watch::Sender::new(Standing::default()),
        })))
    }

    /// Returns whether other processes may share the store.
    pub const fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the number of this process in the store; 0 where it has none.
    pub fn process(&self) -> i64 {
        self.0.as_ref().map_or(0, |inner| inner.process.load(Ordering::Relaxed))
    }

    /// Returns a receiver for the position among the living processes; `None` where this process has the store to itself.
    pub fn standing(&self) -> Option<watch::Receiver<Standing>> {
        self.0.as_ref().map(|inner| inner.standing.subscribe())
    }

    /// Returns whether another process may be alive on the same store.
    pub fn has_company(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| !inner.standing.borrow().is_alone)
    }

    /// Returns whether this process may make requests at all: the others know that it is alive.
    pub fn is_alive(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.lock().is_alive())
    }

    /// Returns whether this process does the tasks that one process at a time does.
    pub fn is_first(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.standing.borrow().is_first)
    }

    /// Waits until this process is the one that does these tasks.
    pub async fn first(&self) {
        let Some(mut standing) = self.standing() else { return };
        standing.wait_for(|standing| standing.is_first).await.expect("the sender lives in `self`");
    }

    /// Waits until this process is no longer the one that does these tasks.
    pub async fn no_longer_first(&self) {
        let Some(mut standing) = self.standing() else { return std::future::pending().await };
        standing.wait_for(|standing| !standing.is_first).await.expect("the sender lives in `self`");
    }

    /// Returns the shards from which work is claimed, in the store's format: a list in braces, with -1 for rows whose shard
    /// is not computed yet; empty where this process owns all.
    pub fn claimed(&self) -> String {
        let Some(inner) = &self.0 else { return String::new() };
        let state = inner.lock();
        if !state.is_alive() {
            return "{}".to_owned();
        }
        let ours = (0..SHARDS).filter(|shard| matches!(state.shards[usize::from(*shard)], Shard::Ours(_)));
        if ours.clone().count() == usize::from(SHARDS) {
            return String::new();
        }
        let mut list = "{-1".to_owned();
        for shard in ours {
            write!(list, ",{shard}").expect("a String takes everything");
        }
        list + "}"
    }

    /// Returns a pass for the host of `url`. Waits a moment where another process has the host.
    pub async fn enter(&self, url: &Url) -> Result<Pass, Elsewhere> {
        let Some(inner) = &self.0 else { return Ok(Pass { held: None, last_asked: None }) };
        let party = party_of(url);
        if let Some(pass) = inner.try_enter(&party)? {
            return Ok(pass);
        }
        let deadline = Instant::now() + PATIENCE;
        let _waiting = Waiting::begin(inner, &party);
        loop {
            let changed = inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(pass) = inner.try_enter(&party)? {
                return Ok(pass);
            }
            inner.wanted.notify_one();
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => return Err(Elsewhere { wait: COME_BACK }),
            }
        }
    }

    /// Completes when other processes may consider this one dead: requests under way must be aborted.
    pub async fn lapsed(&self) {
        let Some(inner) = &self.0 else { return std::future::pending().await };
        let life = inner.lock().life;
        loop {
            let changed = inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let until = {
                let state = inner.lock();
                if state.life != life || !state.is_alive() {
                    return;
                }
                state.alive_until
            };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}

/// The interface of `pipeline/sharing.rs`, which transfers data between this memory and the store.
impl Shards {
    fn inner(&self) -> &Inner {
        self.0.as_ref().expect("only a process among others has something to carry")
    }

    /// Waits until a host of another process is wanted, or a host of this process that another waits for is free.
    pub async fn wanted(&self) {
        self.inner().wanted.notified().await;
    }

    /// Sets the number under which the store knows this process.
    pub fn begin_life(&self, process: i64) {
        self.inner().process.store(process, Ordering::Relaxed);
    }

    /// Records that this process counts as alive until `until`, and its position among the others.
    pub fn note_alive(&self, until: Instant, standing: Standing) {
        self.inner().lock().alive_until = until;
        self.inner().standing.send_if_modified(|known| std::mem::replace(known, standing) != standing);
    }

    /// Resets the state after this process was considered dead or has left: it owns nothing any more.
    pub fn end_life(&self) {
        let inner = self.inner();
        {
            let mut state = inner.lock();
            state.life += 1;
            state.shards.fill(Shard::Away);
            state.has_share = false;
            state.parties.retain(|_, party| {
                *party = Party { waiting: party.waiting, ..Party::default() };
                party.waiting > 0
            });
        }
        inner.process.store(0, Ordering::Relaxed);
        inner.standing.send_replace(Standing::default());
        inner.changed.notify_waiters();
    }

    /// Requests an immediate look at the store.
    pub fn look_now(&self) {
        self.inner().wanted.notify_one();
    }
}

impl Inner {
    /// Returns a pass if requests to the host are allowed at once.
    fn try_enter(self: &Arc<Self>, party: &str) -> Result<Option<Pass>, Elsewhere> {
        let mut state = self.lock();
        if !state.is_alive() {
            return Err(Elsewhere { wait: COME_BACK });
        }
        let shard = state.shard(party);
        let known = state.parties.get(party);
        let loan = known.map_or(Loan::None, |known| known.loan);
        let last_asked = match (shard, loan) {
            (Shard::Leaving, _) => return Err(Elsewhere { wait: COME_BACK }),
            (Shard::Ours(last_asked), Loan::None) => last_asked.max(known.and_then(|known| known.returned)),
            (Shard::Away, Loan::Borrowed(since)) if since.elapsed() < LONGEST_LOAN => Some(since),
            _ => return Ok(None),
        };
        state.parties.entry(party.to_owned()).or_default().passes += 1;
        let held = Some((Arc::clone(self), party.to_owned(), state.life));
        Ok(Some(Pass { held, last_asked }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(HELD)
    }
}

impl State {
    fn is_alive(&self) -> bool {
        Instant::now() < self.alive_until
    }

    fn shard(&self, party: &str) -> Shard {
        self.shards[usize::from(of_party(party).0)]
    }

    /// Returns which shards have open passes.
    fn busy(&self) -> Vec<bool> {
        let mut busy = vec![false; usize::from(SHARDS)];
        for (party, _) in self.parties.iter().filter(|(_, known)| known.passes > 0) {
            busy[usize::from(of_party(party).0)] = true;
        }
        busy
    }

    fn forget_idle(&mut self, party: &str) {
        if self.parties.get(party).is_some_and(|known| !known.is_in_use()) {
            self.parties.remove(party);
        }
    }
}

impl Party {
    fn is_in_use(&self) -> bool {
        let is_remembered = self.returned.is_some_and(|returned| returned.elapsed() < REMEMBERED);
        self.passes > 0 || self.waiting > 0 || self.loan != Loan::None || is_remembered
    }
}
