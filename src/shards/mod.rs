//! Which hosts this process may ask, where several share one store.
//!
//! Hosts fall into 1,024 shards by a hash of their registrable domain, and each shard belongs to one process at a time. So
//! gaps, pauses and robots.txt, which a process knows of its own hosts, hold for all of them together, and no request costs a
//! query. Whoever asks a host holds a `Pass`; a shard is given up when none of its passes is out.
//!
//! A redirect, an AMP page or a hub may lead to a host of somebody else's. Such a host is lent: its owner lets nobody of its
//! own in, waits until it is asked nothing more, and grants the loan; the borrower asks and gives it back. Handing the entry over to
//! the owner was the alternative: the request would have to travel with its redirects and cookies, feeds, hubs and robots.txt
//! each in a way of their own, and back again. Borrowing is as rare as what leads elsewhere, and knows one way.
//!
//! Everything here is memory. What is agreed between processes stands in the store, and `pipeline/sharing.rs` carries it over.

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

/// How many shards there are: some for each of more processes than one database carries.
pub const SHARDS: u16 = 1024;

/// How long a request waits for a host that belongs to another process.
const PATIENCE: Duration = Duration::from_secs(3);
/// When to come back with a request that had to wait for longer.
const COME_BACK: Duration = Duration::from_secs(1);
/// The longest that a borrowed host is kept while its owner may want it.
const LONGEST_LOAN: Duration = Duration::from_secs(5);
/// How long it is remembered when a lent host was asked last: no gap between two requests is longer.
const REMEMBERED: Duration = Duration::from_mins(2);

const HELD: &str = "no holder of this lock can panic";

/// The shard of a host, by the party that answers for it.
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

/// The shards of this process. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Shards(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    /// The number of this process in the store; 0 while it has none.
    process: AtomicI64,
    state: Mutex<State>,
    /// Rung when somebody who waits may find things changed.
    changed: Notify,
    /// Rung when a host of another process is wanted.
    wanted: Notify,
    standing: watch::Sender<Standing>,
}

/// What this process is among those that live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it does what one process at a time does.
    pub is_first: bool,
    /// Whether no other lives.
    pub is_alone: bool,
}

#[derive(Debug)]
struct State {
    shards: Vec<Shard>,
    parties: HashMap<String, Party>,
    /// Nothing is asked after this: another process may take this one for dead.
    alive_until: Instant,
    /// Whether no more shards are to come.
    has_share: bool,
    /// Raised when this process was taken for dead: what it began before counts for nothing.
    life: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shard {
    Away,
    /// With when its hosts were asked last by whoever had it before.
    Ours(Option<Instant>),
    /// Given up when its last request is answered.
    Leaving,
}

/// A registrable domain that is asked, wanted, lent or borrowed.
#[derive(Debug, Default)]
struct Party {
    passes: u32,
    waiting: u32,
    loan: Loan,
    /// When it was asked last by whoever had borrowed it.
    returned: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Loan {
    #[default]
    None,
    /// It is ours, and another process has it (true) or is to have it.
    Lent(bool),
    /// It is another's, who is asked for it.
    Asked,
    /// It is another's, and we have it since then.
    Borrowed(Instant),
}

/// The right to ask a host, until it is dropped.
#[derive(Debug)]
pub struct Pass {
    held: Option<(Arc<Inner>, String, u64)>,
    last_asked: Option<Instant>,
}

/// The host belongs to another process, and is not lent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// When to come back.
    pub wait: Duration,
}

impl Pass {
    /// When another process may have asked the host last.
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

/// One who waits for a host, also when the wait is given up.
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
    /// All of them, for good: nobody shares the store.
    pub const fn all() -> Self {
        Self(None)
    }

    /// None yet.
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

    /// Whether others may share the store.
    pub const fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// The number of this process in the store; 0 where it has none.
    pub fn process(&self) -> i64 {
        self.0.as_ref().map_or(0, |inner| inner.process.load(Ordering::Relaxed))
    }

    /// What this process is among those that live; `None` where it has the store to itself.
    pub fn standing(&self) -> Option<watch::Receiver<Standing>> {
        self.0.as_ref().map(|inner| inner.standing.subscribe())
    }

    /// Whether another process may live on the same store.
    pub fn has_company(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| !inner.standing.borrow().is_alone)
    }

    /// Whether this process may ask hosts at all: the others know that it lives.
    pub fn is_alive(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.lock().is_alive())
    }

    /// Whether this process does what one at a time does.
    pub fn is_first(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.standing.borrow().is_first)
    }

    /// Waits until this process is the one that does what one at a time does.
    pub async fn first(&self) {
        let Some(mut standing) = self.standing() else { return };
        standing.wait_for(|standing| standing.is_first).await.expect("the sender lives in `self`");
    }

    /// Waits until it no longer is.
    pub async fn no_longer_first(&self) {
        let Some(mut standing) = self.standing() else { return std::future::pending().await };
        standing.wait_for(|standing| !standing.is_first).await.expect("the sender lives in `self`");
    }

    /// The shards from which work is claimed, as the store reads them: a list in braces, with -1 for rows whose shard nobody has
    /// worked out; empty where all are ours.
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

    /// The right to ask the host of `url`. Waits a moment where another process has it.
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

    /// Comes back when another process may have taken this one for dead: what is being asked must be broken off.
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

/// What `pipeline/sharing.rs` carries between this memory and the store.
impl Shards {
    fn inner(&self) -> &Inner {
        self.0.as_ref().expect("only a process among others has something to carry")
    }

    /// Waits until a host of another process is wanted, or one of ours that another waits for is free.
    pub async fn wanted(&self) {
        self.inner().wanted.notified().await;
    }

    /// The store knows this process by a number from now on.
    pub fn begin_life(&self, process: i64) {
        self.inner().process.store(process, Ordering::Relaxed);
    }

    /// The process is known to live until `until`, and stands so among the others.
    pub fn note_alive(&self, until: Instant, standing: Standing) {
        self.inner().lock().alive_until = until;
        self.inner().standing.send_if_modified(|known| std::mem::replace(known, standing) != standing);
    }

    /// It was taken for dead, or has left: nothing is its own any more.
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

    /// Has the store looked at now.
    pub fn look_now(&self) {
        self.inner().wanted.notify_one();
    }
}

impl Inner {
    /// A pass, where the host can be asked at once.
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

    /// Which shards have a pass out.
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
