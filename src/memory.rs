//! A memory budget: memory that grows with what remote parties send is counted in bytes against one limit, from the first byte of a
//! body until its results are recorded or sent.
//!
//! Each holder of a share reports its size as it grows and shrinks. Shares of at most 256 KiB are not counted, since the number of
//! concurrent requests is limited. A share that needs more waits until others have released enough; a smaller request that fits
//! passes larger ones that do not.
//!
//! Shares that wait while holding memory could deadlock, and small ones could starve large ones. So there is one lane beside the
//! pool: the first share that finds too little in the pool takes as much as it needs uncounted and never waits. It finishes and
//! passes the lane to the next in order. The maximum held is the pool plus one item of maximum size.
//!
//! Holders that must never wait for one another divide a budget into equal parts instead: see [`memory::Parts`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::Instant;

/// Shares of at most this many bytes are not counted.
pub(crate) const SMALL_BYTES: u64 = 256 << 10;

/// Memory that a record takes on its way out, as a multiple of its text: the row, the record, and the serialized record.
pub(crate) const RECORD_COST: usize = 3;

const HELD: &str = "no holder of this lock can panic";

/// The budget. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    free: Mutex<u64>,
    /// Notified when bytes are released.
    returned: Notify,
    lane: Arc<tokio::sync::Mutex<()>>,
}

impl Memory {
    /// A budget of this many bytes.
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Pool { free: Mutex::new(bytes), returned: Notify::new(), lane: Arc::default() }))
    }

    /// A budget that is never exhausted.
    pub fn unbounded() -> Self {
        Self::new(u64::MAX)
    }

    /// Creates an empty share.
    pub fn share(&self) -> Share {
        Share { pool: Arc::clone(&self.0), state: Mutex::default() }
    }
}

impl Pool {
    fn try_take(&self, bytes: u64) -> bool {
        let mut free = self.free.lock().expect(HELD);
        match free.checked_sub(bytes) {
            Some(left) => {
                *free = left;
                true
            }
            None => false,
        }
    }

    async fn take(&self, bytes: u64) {
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            if self.try_take(bytes) {
                return;
            }
            returned.await;
        }
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            *self.free.lock().expect(HELD) += bytes;
            self.returned.notify_waiters();
        }
    }
}

/// The memory held by one piece of work; released when dropped.
#[derive(Debug)]
pub struct Share {
    pool: Arc<Pool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counted: u64,
    lane: Option<OwnedMutexGuard<()>>,
    waited: Duration,
    waits_since: Option<Instant>,
}

impl Share {
    /// Sets the bytes held, which may be more or fewer than before. Waits if more are needed than are free.
    pub async fn hold(&self, bytes: usize) {
        let Some(more) = self.try_hold(bytes as u64) else { return };
        let _waiting = Waiting::begin(self);
        tokio::select! {
            biased;
            () = self.pool.take(more) => self.state().counted += more,
            lane = Arc::clone(&self.pool.lane).lock_owned() => self.state().lane = Some(lane),
        }
    }

    /// Takes over all that `other` holds.
    pub fn absorb(&self, other: &Self) {
        let State { counted, lane, .. } = std::mem::take(&mut *other.state());
        let mut state = self.state();
        state.counted += counted;
        state.lane = state.lane.take().or(lane);
    }

    /// Returns whether the share holds the lane, beyond the pool.
    pub fn is_uncounted(&self) -> bool {
        self.state().lane.is_some()
    }

    /// Returns how long the share has waited so far; callers do not charge this time to the remote server.
    pub fn waited(&self) -> Duration {
        let state = self.state();
        state.waited + state.waits_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Sets the bytes held if that needs no wait; otherwise returns how many more are needed.
    fn try_hold(&self, bytes: u64) -> Option<u64> {
        let wanted = if bytes <= SMALL_BYTES { 0 } else { bytes };
        let mut state = self.state();
        if wanted <= state.counted {
            self.pool.give_back(state.counted - wanted);
        } else if !self.pool.try_take(wanted - state.counted) {
            // The holder of the lane never waits.
            return state.lane.is_none().then_some(wanted - state.counted);
        }
        // All bytes are counted in the pool now, so the lane is released.
        state.counted = wanted;
        state.lane = None;
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(HELD)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.pool.give_back(self.state().counted);
    }
}

/// A wait in progress; on drop, also of a cancelled wait, its duration is added.
struct Waiting<'s>(&'s Share);

impl<'s> Waiting<'s> {
    fn begin(share: &'s Share) -> Self {
        share.state().waits_since = Some(Instant::now());
        Self(share)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let waited = state.waits_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        state.waited += waited;
    }
}

/// A budget divided equally among its holders, each of which limits itself to its part: whatever one holds, and for however
/// long, the others can go on. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Parts(Arc<Divided>);

#[derive(Debug)]
struct Divided {
    bytes: u64,
    holders: AtomicUsize,
}

impl Parts {
    /// A budget of this many bytes.
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Divided { bytes, holders: AtomicUsize::new(0) }))
    }

    /// A budget that limits nobody.
    pub fn unbounded() -> Self {
        Self::new(u64::MAX)
    }

    /// Adds a holder. The parts of the others become smaller.
    pub fn part(&self) -> Part {
        self.0.holders.fetch_add(1, Ordering::Relaxed);
        Part(Arc::clone(&self.0))
    }
}

/// A holder's part of a budget; returned when dropped.
#[derive(Debug)]
pub struct Part(Arc<Divided>);

impl Part {
    /// Returns how many bytes may be held now.
    pub fn bytes(&self) -> usize {
        let holders = self.0.holders.load(Ordering::Relaxed).max(1);
        usize::try_from(self.0.bytes).unwrap_or(usize::MAX) / holders
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.holders.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::task::JoinSet;

    use super::*;

    const MIB: usize = 1 << 20;

    fn free(memory: &Memory) -> usize {
        usize::try_from(*memory.0.free.lock().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn much_waits_and_little_passes() {
        let memory = Memory::new(10 << 20);
        let (one, two, three) = (memory.share(), memory.share(), memory.share());
        one.hold(8 * MIB).await;
        // The first share that finds too little in the pool takes the lane.
        two.hold(4 * MIB).await;
        assert_eq!(free(&memory), 2 * MIB);
        let mut waits = Box::pin(three.hold(4 * MIB));
        assert!((&mut waits).now_or_never().is_none());
        memory.share().hold(200 << 10).now_or_never().expect("little passes");
        one.hold(5 * MIB).await;
        memory.share().hold(MIB).now_or_never().expect("what fits passes");
        waits.await;
        assert_eq!(free(&memory), MIB);
        drop((one, two, three));
        assert_eq!(free(&memory), 10 * MIB);
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_goes_alone() {
        let memory = Memory::new(MIB as u64);
        let (one, two) = (memory.share(), memory.share());
        one.hold(50 * MIB).await;
        let mut waits = Box::pin(two.hold(50 * MIB));
        assert!((&mut waits).now_or_never().is_none());
        one.hold(MIB / 2).await;
        waits.await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_grows_waits_for_nobody_for_ever() {
        let memory = Memory::new(10 << 20);
        let most = Arc::new(Mutex::new((0, 0)));
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let (memory, most) = (memory.clone(), Arc::clone(&most));
            tasks.spawn(async move {
                let share = memory.share();
                for step in 1..=9 {
                    share.hold(step * MIB).await;
                    {
                        let mut most = most.lock().unwrap();
                        most.0 += MIB;
                        most.1 = most.1.max(most.0);
                    }
                    tokio::time::sleep(Duration::from_millis(number)).await;
                }
                most.lock().unwrap().0 -= 9 * MIB;
                share.waited()
            });
        }
        let waited = tasks.join_all().await;
        assert!(waited.iter().any(|waited| !waited.is_zero()));
        assert_eq!(free(&memory), 10 * MIB);
        let most = most.lock().unwrap().1;
        assert!(most <= 20 * MIB, "the pool and one more, not {most}");
    }

    #[tokio::test]
    async fn what_one_share_held_another_may_hold_on() {
        let memory = Memory::new(10 << 20);
        let whole = memory.share();
        for _ in 0..2 {
            let part = memory.share();
            part.hold(3 * MIB).await;
            whole.absorb(&part);
        }
        assert_eq!(free(&memory), 4 * MIB);
        whole.hold(MIB).await;
        assert_eq!(free(&memory), 9 * MIB);
    }

    #[tokio::test]
    async fn no_budget_is_never_used_up() {
        let memory = Memory::unbounded();
        let share = memory.share();
        share.hold(usize::MAX).now_or_never().expect("nobody waits");
    }

    #[test]
    fn parts_are_equal_and_grow_when_holders_go() {
        let parts = Parts::new(12);
        let one = parts.part();
        assert_eq!(one.bytes(), 12);
        let more = [parts.part(), parts.part()];
        assert_eq!((one.bytes(), more[1].bytes()), (4, 4));
        drop(more);
        assert_eq!(one.bytes(), 12);
    }
}
