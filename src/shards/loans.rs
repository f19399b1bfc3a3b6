//! Hosts that a process other than their owner makes requests to.

use tokio::time::Instant;

use super::{LONGEST_LOAN, Loan, Party, Shard, Shards, State, of_party};
use crate::model::ShardId;

/// The loans in the store, by registrable domain.
#[derive(Clone, Copy, Debug)]
pub struct StoredLoans<'l> {
    /// Requested or granted.
    pub all: &'l [String],
    /// Granted, to any process.
    pub granted: &'l [String],
    /// Granted to this process.
    pub ours: &'l [String],
}

impl Shards {
    /// Returns the hosts of other processes that a task waits for and that were not requested yet, and marks them as
    /// requested.
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

    /// Ends loans and returns the borrowed hosts to give back: no task waits for them any more, or their time is over. No
    /// further passes are issued for them.
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

    /// Marks those of `wanted` that this process owns as lent, so that it issues no further passes for them. Returns those
    /// without open passes, which can be granted.
    pub fn lend(&self, wanted: &[String]) -> Vec<String> {
        let mut state = self.inner().lock();
        let mut granted = Vec::new();
        for party in wanted {
            if state.shard(party) == Shard::Away {
                continue;
            }
            let known = state.parties.entry(party.clone()).or_default();
            known.loan = Loan::Lent(false);
            if known.passes == 0 {
                granted.push(party.clone());
            }
        }
        granted
    }

    /// Returns whether the loans in the store differ from what is known here.
    pub fn changes_with(&self, stored: StoredLoans<'_>) -> bool {
        let state = self.inner().lock();
        state.parties.iter().any(|(party, known)| {
            known.loan_by(party, state.shard(party) == Shard::Away, stored) != known.loan
        })
    }

    /// Applies the loans in the store, and wakes waiting tasks, since their host may have become available.
    pub fn settle_loans(&self, stored: StoredLoans<'_>) {
        let inner = self.inner();
        {
            let mut state = inner.lock();
            let State { shards, parties, .. } = &mut *state;
            parties.retain(|party, known| {
                let is_away = shards[usize::from(of_party(party).0)] == Shard::Away;
                let loan = known.loan_by(party, is_away, stored);
                if matches!(known.loan, Loan::Lent(_)) && loan == Loan::None {
                    known.returned = Some(Instant::now());
                }
                known.loan = loan;
                known.is_in_use()
            });
        }
        inner.changed.notify_waiters();
    }

    /// Marks these hosts as granted in the store, too.
    pub fn granted(&self, parties: &[String]) {
        let mut state = self.inner().lock();
        for party in parties {
            if let Some(known) = state.parties.get_mut(party).filter(|known| known.loan == Loan::Lent(false))
            {
                known.loan = Loan::Lent(true);
            }
        }
    }

    /// Returns whether this process has requested or borrowed a host.
    pub fn is_borrowing(&self, party: &str) -> bool {
        let state = self.inner().lock();
        let loan = state.parties.get(party).map(|known| known.loan);
        matches!(loan, Some(Loan::Asked | Loan::Borrowed(_)))
    }
}

impl Party {
    /// Returns the new state of the loan, given the loans in the store.
    fn loan_by(
        &self,
        party: &String,
        is_away: bool,
        StoredLoans { all, granted, ours }: StoredLoans<'_>,
    ) -> Loan {
        match self.loan {
            Loan::Lent(false) if !all.contains(party) => Loan::None,
            // The host was returned, and perhaps requested again already: tasks that waited in this process go first.
            Loan::Lent(true) if !granted.contains(party) => Loan::None,
            Loan::Asked if is_away && ours.contains(party) => Loan::Borrowed(Instant::now()),
            // The shard has come to this process, or the row is gone: tasks that still wait start over.
            Loan::Asked if !is_away || !all.contains(party) => Loan::None,
            loan => loan,
        }
    }
}
