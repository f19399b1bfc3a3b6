//! Which hosts this process may ask, where several share one store.
//!
//! Hosts fall into [`SHARDS`] shards by a hash of their registrable domain, and each shard belongs to one process at a time. So
//! gaps, pauses and robots.txt, which a process knows of its own hosts, hold for all of them together, and no request costs a
//! query. Whoever asks a host holds a [`Pass`]; a shard is given up when none of its passes is out.
//!
//! A redirect, an AMP page or a hub may lead to a host of somebody else's. Such a host is lent: its owner lets nobody of its
//! own in, waits until it is asked nothing more, and grants the loan; the borrower asks and gives it back. Handing the entry over to
//! the owner was the alternative: the request would have to travel with its redirects and cookies, feeds, hubs and robots.txt
//! each in a way of their own, and back again. Borrowing is as rare as what leads elsewhere, and knows one way.
//!
//! Everything here is memory. What is agreed between processes stands in the store, and `pipeline/sharing.rs` carries it over.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use url::Url;

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
    /// It is ours, and another process has it or is to have it.
    Lent,
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

    /// These are ours from now on; `lent` are hosts in them that another process has.
    pub fn acquire(&self, shards: &[(ShardId, Option<Instant>)], lent: &[String]) {
        let inner = self.inner();
        {
            let mut state = inner.lock();
            for (ShardId(shard), last_asked) in shards {
                state.shards[usize::from(*shard)] = Shard::Ours(*last_asked);
            }
            for party in lent {
                if state.shard(party) != Shard::Away {
                    state.parties.entry(party.clone()).or_default().loan = Loan::Lent;
                }
            }
        }
        inner.changed.notify_waiters();
    }

    /// Ours, those that are leaving included.
    pub fn count(&self) -> u16 {
        let state = self.inner().lock();
        let ours = state.shards.iter().filter(|shard| **shard != Shard::Away).count();
        u16::try_from(ours).expect("there are no more shards than that")
    }

    /// Has as many leave that no more than `fair` stay, those first that nobody asks.
    pub fn keep_at_most(&self, fair: u16) {
        let mut state = self.inner().lock();
        let busy = state.busy();
        let mut ours: Vec<usize> =
            (0..usize::from(SHARDS)).filter(|shard| state.shards[*shard] != Shard::Away).collect();
        ours.sort_by_key(|shard| (state.shards[*shard] != Shard::Leaving, busy[*shard]));
        let surplus = ours.len().saturating_sub(usize::from(fair));
        for (place, shard) in ours.into_iter().enumerate() {
            let now = &mut state.shards[shard];
            match (*now, place < surplus) {
                (Shard::Ours(_), true) => *now = Shard::Leaving,
                // Nobody else has had it meanwhile.
                (Shard::Leaving, false) => *now = Shard::Ours(None),
                _ => {}
            }
        }
    }

    /// So many processes live, and a fair share is so many shards.
    pub fn note_share(&self, fair: u16, alive: u16) {
        // The last to come gets what the division leaves: one less for each of the others.
        let has_share = self.count() + alive.max(1) - 1 >= fair;
        self.inner().lock().has_share = has_share;
    }

    /// Whether this process has its share of all shards.
    pub fn has_share(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.lock().has_share)
    }

    /// Those that leave and are asked no more.
    pub fn ready_to_leave(&self) -> Vec<ShardId> {
        let state = self.inner().lock();
        let busy = state.busy();
        let is_ready = |shard: &u16| {
            let place = usize::from(*shard);
            state.shards[place] == Shard::Leaving && !busy[place]
        };
        (0..SHARDS).filter(is_ready).map(ShardId).collect()
    }

    /// The store has these back.
    pub fn gone(&self, shards: &[ShardId]) {
        let mut state = self.inner().lock();
        for ShardId(shard) in shards {
            state.shards[usize::from(*shard)] = Shard::Away;
        }
        let State { shards, parties, .. } = &mut *state;
        parties.retain(|party, known| {
            if known.loan == Loan::Lent && shards[usize::from(of_party(party).0)] == Shard::Away {
                known.loan = Loan::None;
            }
            known.is_in_use()
        });
    }

    /// Hosts of others that somebody waits for and nobody has asked for yet.
    pub fn to_borrow(&self) -> Vec<(String, ShardId)> {
        let mut state = self.inner().lock();
        let State { shards, parties, .. } = &mut *state;
        let mut wanted = Vec::new();
        for (party, known) in parties {
            let shard = of_party(party);
            if known.waiting > 0 && known.loan == Loan::None && shards[usize::from(shard.0)] == Shard::Away {
                known.loan = Loan::Asked;
                wanted.push((party.clone(), shard));
            }
        }
        wanted
    }

    /// Borrowed hosts that are to go back: nobody waits for them any more, or their time is over. Nobody is let in from now on.
    pub fn to_return(&self) -> Vec<String> {
        let mut state = self.inner().lock();
        let mut back = Vec::new();
        state.parties.retain(|party, known| {
            let Loan::Borrowed(since) = known.loan else { return true };
            if known.passes > 0 || (known.waiting > 0 && since.elapsed() < LONGEST_LOAN) {
                return true;
            }
            back.push(party.clone());
            known.loan = Loan::None;
            known.waiting > 0
        });
        back
    }

    /// Hosts that another process asks for, of those that are ours: nobody of our own is let in from now on. Returns those that
    /// are asked nothing more and can be granted.
    pub fn lend(&self, wanted: &[String]) -> Vec<String> {
        let mut state = self.inner().lock();
        let mut granted = Vec::new();
        for party in wanted {
            if state.shard(party) == Shard::Away {
                continue;
            }
            let known = state.parties.entry(party.clone()).or_default();
            known.loan = Loan::Lent;
            if known.passes == 0 {
                granted.push(party.clone());
            }
        }
        granted
    }

    /// Whether what the store says of loans now is news: `all` are asked for or granted, `ours` those that are granted to us.
    pub fn changes_with(&self, all: &[String], ours: &[String]) -> bool {
        let state = self.inner().lock();
        state.parties.iter().any(|(party, known)| {
            known.loan_by(party, state.shard(party) == Shard::Away, (all, ours)) != known.loan
        })
    }

    /// Takes what the store says of loans now. Whoever waits may find a host open.
    pub fn settle_loans(&self, all: &[String], ours: &[String]) {
        let inner = self.inner();
        {
            let mut state = inner.lock();
            let State { shards, parties, .. } = &mut *state;
            parties.retain(|party, known| {
                let is_away = shards[usize::from(of_party(party).0)] == Shard::Away;
                let loan = known.loan_by(party, is_away, (all, ours));
                if known.loan == Loan::Lent && loan == Loan::None {
                    known.returned = Some(Instant::now());
                }
                known.loan = loan;
                known.is_in_use()
            });
        }
        inner.changed.notify_waiters();
    }

    /// Whether a host is asked for or borrowed by us.
    pub fn is_borrowing(&self, party: &str) -> bool {
        let state = self.inner().lock();
        let loan = state.parties.get(party).map(|known| known.loan);
        matches!(loan, Some(Loan::Asked | Loan::Borrowed(_)))
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
    /// What the loan comes to by what the store says.
    fn loan_by(&self, party: &String, is_away: bool, (all, ours): (&[String], &[String])) -> Loan {
        match self.loan {
            Loan::Lent if !all.contains(party) => Loan::None,
            Loan::Asked if is_away && ours.contains(party) => Loan::Borrowed(Instant::now()),
            // The shard has come to us, or the row is gone: whoever still waits begins anew.
            Loan::Asked if !is_away || !all.contains(party) => Loan::None,
            loan => loan,
        }
    }

    fn is_in_use(&self) -> bool {
        let is_remembered = self.returned.is_some_and(|returned| returned.elapsed() < REMEMBERED);
        self.passes > 0 || self.waiting > 0 || self.loan != Loan::None || is_remembered
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn alive() -> Shards {
        let shards = Shards::shared();
        shards.begin_life(7);
        shards.note_alive(Instant::now() + Duration::from_mins(1), Standing::default());
        shards
    }

    fn every() -> Vec<(ShardId, Option<Instant>)> {
        (0..SHARDS).map(|shard| (ShardId(shard), None)).collect()
    }

    #[test]
    fn hosts_of_one_domain_are_of_one_shard() {
        assert_eq!(shard_of(&url("https://www.a.example/1")), shard_of(&url("http://feeds.a.example:81/2")));
        let many: std::collections::HashSet<_> =
            (0..1000).map(|n| shard_of(&url(&format!("https://{n}.example/")))).collect();
        assert!(many.len() > 500, "they spread");
    }

    #[tokio::test]
    async fn a_shard_leaves_when_its_last_request_is_answered() {
        let (shards, host) = (alive(), url("https://a.example/"));
        assert_eq!(shards.claimed(), "{-1}");
        shards.acquire(&every(), &[]);
        assert_eq!(shards.claimed(), "", "no list where all are ours");
        let pass = shards.enter(&host).await.unwrap();
        shards.keep_at_most(SHARDS - 1);
        let ready = shards.ready_to_leave();
        assert!(ready.len() == 1 && ready[0] != shard_of(&host), "an idle one goes first");
        shards.gone(&ready);
        shards.keep_at_most(0);
        assert_eq!(shards.ready_to_leave().len(), usize::from(SHARDS) - 2);
        assert_eq!(shards.enter(&host).await.unwrap_err(), Elsewhere { wait: COME_BACK });
        drop(pass);
        assert_eq!(shards.ready_to_leave().len(), usize::from(SHARDS) - 1);
        shards.keep_at_most(SHARDS);
        shards.enter(&host).await.unwrap();
    }

    #[tokio::test]
    async fn a_host_of_another_is_borrowed_and_given_back() {
        let (owner, borrower, host) = (alive(), alive(), url("https://a.example/page"));
        owner.acquire(&every(), &[]);
        let asked = owner.enter(&host).await.unwrap();
        let mut entering = Box::pin(borrower.enter(&host));
        assert!((&mut entering).now_or_never().is_none());
        let wanted: Vec<String> = borrower.to_borrow().into_iter().map(|(party, _)| party).collect();
        assert_eq!(wanted, ["a.example"]);
        assert!(borrower.to_borrow().is_empty(), "asked for once");

        assert!(owner.lend(&wanted).is_empty(), "it is being asked");
        assert!(owner.enter(&host).now_or_never().is_none(), "and nobody else is let in");
        drop(asked);
        assert_eq!(owner.lend(&wanted), wanted);
        assert!(borrower.changes_with(&wanted, &wanted));
        borrower.settle_loans(&wanted, &wanted);
        let pass = entering.await.unwrap();
        assert!(pass.last_asked().is_some(), "the gap counts from the loan");
        assert!(borrower.to_return().is_empty());
        drop(pass);
        assert_eq!(borrower.to_return(), wanted);

        assert!(!owner.changes_with(&wanted, &[]));
        assert!(owner.enter(&host).now_or_never().is_none(), "it is still lent");
        assert!(owner.changes_with(&[], &[]));
        owner.settle_loans(&[], &[]);
        assert!(owner.enter(&host).await.unwrap().last_asked().is_some());
    }

    #[tokio::test]
    async fn whoever_may_be_taken_for_dead_asks_nothing() {
        let (shards, host) = (alive(), url("https://a.example/"));
        shards.acquire(&every(), &[]);
        let pass = shards.enter(&host).await.unwrap();
        let mut lapsed = Box::pin(shards.lapsed());
        assert!((&mut lapsed).now_or_never().is_none());
        shards.end_life();
        lapsed.await;
        drop(pass);
        assert_eq!(shards.count(), 0);

        shards.note_alive(Instant::now(), Standing::default());
        shards.acquire(&every(), &[]);
        assert_eq!(shards.claimed(), "{}");
        assert!(shards.enter(&host).await.is_err());
        shards.lapsed().await;
    }
}
