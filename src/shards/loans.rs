//! Hosts that are asked by another process than their owner.

use tokio::time::Instant;

use super::{LONGEST_LOAN, Loan, Party, Shard, Shards, State, of_party};
use crate::model::ShardId;

/// What the store says of loans, by registrable domain.
#[derive(Clone, Copy, Debug)]
pub struct StoredLoans<'l> {
    /// Asked for or granted.
    pub all: &'l [String],
    /// Granted, to whomever.
    pub granted: &'l [String],
    /// Granted to this process.
    pub ours: &'l [String],
}

impl Shards {
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
            known.loan = Loan::Lent(false);
            if known.passes == 0 {
                granted.push(party.clone());
            }
        }
        granted
    }

    /// Whether what the store says of loans now is news.
    pub fn changes_with(&self, stored: StoredLoans<'_>) -> bool {
        let state = self.inner().lock();
        state.parties.iter().any(|(party, known)| {
            known.loan_by(party, state.shard(party) == Shard::Away, stored) != known.loan
        })
    }

    /// Takes what the store says of loans now. Whoever waits may find a host open.
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

    /// The store says so of these, too.
    pub fn granted(&self, parties: &[String]) {
        let mut state = self.inner().lock();
        for party in parties {
            if let Some(known) = state.parties.get_mut(party).filter(|known| known.loan == Loan::Lent(false))
            {
                known.loan = Loan::Lent(true);
            }
        }
    }

    /// Whether a host is asked for or borrowed by us.
    pub fn is_borrowing(&self, party: &str) -> bool {
        let state = self.inner().lock();
        let loan = state.parties.get(party).map(|known| known.loan);
        matches!(loan, Some(Loan::Asked | Loan::Borrowed(_)))
    }
}

impl Party {
    /// What the loan comes to by what the store says.
    fn loan_by(
        &self,
        party: &String,
        is_away: bool,
        StoredLoans { all, granted, ours }: StoredLoans<'_>,
    ) -> Loan {
        match self.loan {
            Loan::Lent(false) if !all.contains(party) => Loan::None,
            // It is back, also where it is asked for again: whoever of us has waited comes first.
            Loan::Lent(true) if !granted.contains(party) => Loan::None,
            Loan::Asked if is_away && ours.contains(party) => Loan::Borrowed(Instant::now()),
            // The shard has come to us, or the row is gone: whoever still waits begins anew.
            Loan::Asked if !is_away || !all.contains(party) => Loan::None,
            loan => loan,
        }
    }
}
