//! Permits for CPU work, issued in turn by party: the party that has used the least time goes next.
//!
//! A queue in order of arrival would let one feed with 300 slow pages delay all others for minutes. Here each party has its
//! own queue, and time counts, not the number of pieces: while a slow page of one party is processed, the quick ones of all
//! others together use no more time than it does. Unused time is not saved up.
//!
//! Work cannot be preempted, so this alone would still let slow pages take every core when the others pause for a moment. A
//! party with slow pieces gets at most half of the permits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Pieces of work that last longer delay others.
const SLOW: Duration = Duration::from_millis(250);
/// Number of remembered parties above which those are forgotten that have used no more than others.
const SWEEP_ABOVE: usize = 1024;

/// The permits and the queues of tasks that wait for one. Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    total: u32,
    free: u32,
    parties: HashMap<Arc<str>, Party>,
    /// The time that the party with the last turn had used by then; never decreases. Parties that come anew start there.
    level: Duration,
    tickets: u64,
}

#[derive(Debug, Default)]
struct Party {
    /// Time used, including the expected time of work in progress.
    used: Duration,
    /// The smoothed duration of one piece of its work; unknown until the first has ended.
    lasts: Option<Duration>,
    at_work: u32,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    permit: oneshot::Sender<Permit>,
}

/// A permit for one piece of work; dropping it returns the permit.
#[derive(Debug)]
pub(super) struct Permit {
    turns: Turns,
    party: Arc<str>,
    began: Instant,
    expected: Duration,
    is_replaced: bool,
}

impl Turns {
    pub(super) fn new(permits: u32) -> Self {
        Self(Arc::new(Mutex::new(State {
            total: permits,
            free: permits,
            parties: HashMap::new(),
            level: Duration::ZERO,
            tickets: 0,
        })))
    }

    /// Waits for the party's turn and returns its permit.
    pub(super) async fn take(&self, party: &str) -> Permit {
        let (sender, permit) = oneshot::channel();
        self.lock().enqueue(party, sender);
        self.hand_out();
        permit.await.expect("who waits is kept until there is a permit")
    }

    /// Adds a permit.
    pub(super) fn add(&self) {
        self.lock().free += 1;
        self.hand_out();
    }

    /// Returns the number of free permits.
    #[cfg(test)]
    pub(super) fn free(&self) -> u32 {
        self.lock().free
    }

    fn hand_out(&self) {
        loop {
            let Some((party, expected, waiting)) = self.lock().next() else { return };
            let permit =
                Permit { turns: self.clone(), party, began: Instant::now(), expected, is_replaced: false };
            // If the receiver is gone, the permit is dropped and so returned.
            drop(waiting.permit.send(permit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl State {
    fn enqueue(&mut self, name: &str, permit: oneshot::Sender<Permit>) {
        if self.parties.len() >= SWEEP_ABOVE {
            let level = self.level;
            self.parties.retain(|_, party| party.is_busy() || party.used > level);
        }
        self.tickets += 1;
        let waiting = Waiting { ticket: self.tickets, permit };
        let party = self.parties.entry(Arc::from(name)).or_default();
        if party.waiting.is_empty() {
            party.used = party.used.max(self.level);
        }
        party.waiting.push_back(waiting);
    }

    /// Returns the party that goes next, the expected duration of its work, and its waiting task.
    fn next(&mut self) -> Option<(Arc<str>, Duration, Waiting)> {
        if self.free == 0 {
            return None;
        }
        let most_of_slow = (self.total / 2).max(1);
        let mut first: Option<(Duration, u64, &Arc<str>)> = None;
        for (name, party) in &mut self.parties {
            party.waiting.retain(|waiting| !waiting.permit.is_closed());
            let Some(front) = party.waiting.front() else { continue };
            let turn = (party.used, front.ticket, name);
            let may_begin = !party.is_slow() || party.at_work < most_of_slow;
            if may_begin && first.is_none_or(|first| (turn.0, turn.1) < (first.0, first.1)) {
                first = Some(turn);
            }
        }
        let name = Arc::clone(first?.2);
        let party = self.parties.get_mut(&name)?;
        let waiting = party.waiting.pop_front()?;
        let expected = party.lasts.unwrap_or_default();
        self.level = self.level.max(party.used);
        party.used += expected;
        party.at_work += 1;
        self.free -= 1;
        Some((name, expected, waiting))
    }

    fn end(&mut self, permit: &Permit) {
        let lasted = permit.began.elapsed();
        if !permit.is_replaced {
            self.free += 1;
        }
        let Some(party) = self.parties.get_mut(&permit.party) else { return };
        party.at_work -= 1;
        party.used = party.used.saturating_sub(permit.expected) + lasted;
        party.lasts = Some(party.lasts.map_or(lasted, |before| (before * 3 + lasted) / 4));
        // A party that works alone takes nothing from others.
        let used = party.used;
        if self.free >= self.total && self.parties.values().all(|party| !party.is_busy()) {
            self.level = self.level.max(used);
        }
    }
}

impl Party {
    fn is_slow(&self) -> bool {
        self.lasts.is_none_or(|lasts| lasts > SLOW)
    }

    fn is_busy(&self) -> bool {
        self.at_work > 0 || !self.waiting.is_empty()
    }
}

impl Permit {
    /// Drops the permit without returning it: another was added in its place.
    pub(super) fn forget(mut self) {
        self.is_replaced = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.turns.lock().end(self);
        self.turns.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::task::JoinSet;

    use super::*;

    /// Returns the parties in the order in which they get permits; each piece of work lasts as long as given for its party.
    async fn order(permits: u32, wanted: &'static [(&'static str, usize, u64)]) -> Vec<&'static str> {
        let turns = Turns::new(permits);
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for (party, pieces, millis) in wanted {
            for _ in 0..*pieces {
                let (turns, done) = (turns.clone(), Arc::clone(&done));
                tasks.spawn(async move {
                    let _permit = turns.take(party).await;
                    done.lock().unwrap().push(*party);
                    tokio::time::sleep(Duration::from_millis(*millis)).await;
                });
            }
        }
        tasks.join_all().await;
        assert_eq!(turns.free(), permits, "all permits come back");
        done.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_with_many_does_not_go_before_all_others() {
        let order = order(1, &[("many", 300, 10), ("one", 1, 10), ("two", 2, 10)]).await;
        let last = order.iter().rposition(|party| *party != "many").unwrap();
        assert!(last < 8, "{:?}", &order[..10]);
    }

    #[tokio::test(start_paused = true)]
    async fn time_counts_and_not_pieces() {
        let order = order(1, &[("slow", 20, 1000), ("quick", 200, 10)]).await;
        let before = order.iter().take_while(|party| **party != "quick").count();
        assert!(before <= 1, "{order:?}");
        let at = |piece: usize| order.iter().enumerate().filter(|(_, party)| **party == "slow").nth(piece);
        let (second, _) = at(1).unwrap();
        assert!(second >= 90, "a hundred quick pieces take as long as one slow one: {second}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_work_leaves_half_of_the_permits_to_others() {
        let turns = Turns::new(4);
        // Until its first piece has ended, its duration is unknown and it counts as slow.
        let one = turns.take("slow").await;
        let two = turns.take("slow").await;
        assert!(turns.take("slow").now_or_never().is_none());
        tokio::time::sleep(SLOW * 2).await;
        drop(one);
        let three = turns.take("slow").await;
        assert!(turns.take("slow").now_or_never().is_none());
        let others = [turns.take("other").await, turns.take("another").await];
        assert_eq!(turns.free(), 0);
        drop((two, three, others));
        assert_eq!(turns.free(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn one_party_alone_gets_all_for_quick_work() {
        let turns = Turns::new(4);
        drop(turns.take("quick").await);
        let all = [
            turns.take("quick").await,
            turns.take("quick").await,
            turns.take("quick").await,
            turns.take("quick").await,
        ];
        assert_eq!(turns.free(), 0);
        drop(all);
    }

    #[tokio::test]
    async fn who_gives_up_the_wait_takes_no_permit_along() {
        let turns = Turns::new(1);
        let held = turns.take("a").await;
        let mut given_up = Box::pin(turns.take("b"));
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        let mut late = Box::pin(turns.take("c"));
        assert!((&mut late).now_or_never().is_none());
        drop(held);
        // It was given the permit but never polled again.
        drop(late);
        assert_eq!(turns.free(), 1);
    }

    #[tokio::test]
    async fn parties_that_used_no_more_than_others_are_forgotten() {
        let turns = Turns::new(1);
        for number in 0..2 * SWEEP_ABOVE {
            drop(turns.take(&number.to_string()).await);
        }
        assert!(turns.lock().parties.len() <= SWEEP_ABOVE + 1);
    }
}
