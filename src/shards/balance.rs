//! Which shards this process owns, and which it gives up.

use tokio::time::Instant;

use super::{Loan, SHARDS, Shard, Shards, State, of_party};
use crate::model::ShardId;

impl Shards {
    /// Takes ownership of `shards`; `lent` are the hosts in them that another process has borrowed.
    pub fn acquire(&self, shards: &[(ShardId, Option<Instant>)], lent: &[String]) {
        let inner = self.inner();
        {
            let mut state = inner.lock();
            for (ShardId(shard), last_asked) in shards {
                state.shards[usize::from(*shard)] = Shard::Ours(*last_asked);
            }
            for party in lent {
                if state.shard(party) != Shard::Away {
                    state.parties.entry(party.clone()).or_default().loan = Loan::Lent(true);
                }
            }
        }
        inner.changed.notify_waiters();
    }

    /// Returns the number of owned shards, including those that are leaving.
    pub fn count(&self) -> u16 {
        let state = self.inner().lock();
        let ours = state.shards.iter().filter(|shard| **shard != Shard::Away).count();
        u16::try_from(ours).expect("there are no more shards than that")
    }

    /// Marks shards as leaving until at most `fair` would stay: those already leaving first, then those without open
    /// passes. Shards that may stay after all are kept.
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
                // No other process has owned it meanwhile.
                (Shard::Leaving, false) => *now = Shard::Ours(None),
                _ => {}
            }
        }
    }

    /// Records how many processes are alive and that a fair share is `fair` shards.
    pub fn note_share(&self, fair: u16, alive: u16) {
        // The fair share is rounded up, so the last process may get less: at most one shard fewer for each of the others.
        let has_share = self.count() + alive.max(1) > fair;
        self.inner().lock().has_share = has_share;
    }

    /// Returns whether this process has its share of all shards.
    pub fn has_share(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.lock().has_share)
    }

    /// Returns the leaving shards that have no open passes.
    pub fn ready_to_leave(&self) -> Vec<ShardId> {
        let state = self.inner().lock();
        let busy = state.busy();
        let is_ready = |shard: &u16| {
            let place = usize::from(*shard);
            state.shards[place] == Shard::Leaving && !busy[place]
        };
        (0..SHARDS).filter(is_ready).map(ShardId).collect()
    }

    /// Removes shards that were returned to the store.
    pub fn gone(&self, shards: &[ShardId]) {
        let mut state = self.inner().lock();
        for ShardId(shard) in shards {
            state.shards[usize::from(*shard)] = Shard::Away;
        }
        let State { shards, parties, .. } = &mut *state;
        parties.retain(|party, known| {
            if matches!(known.loan, Loan::Lent(_)) && shards[usize::from(of_party(party).0)] == Shard::Away {
                known.loan = Loan::None;
            }
            known.is_in_use()
        });
    }
}
