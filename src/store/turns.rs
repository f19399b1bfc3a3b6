//! Which entries are claimed next: from each party in turn, the oldest of each first.
//!
//! Ordered by age alone, one feed with 1,500 dead links would occupy every permit for minutes. If all due entries fit into one
//! query, they are read by age and shared out here. If there is a backlog, the query goes from party to party along an index,
//! starting where the last claim ended: its cost grows with what is claimed, not with what waits.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};

use super::claim::{Claimant, is_ours, lend};
use super::connection::DialectSql;
use super::entries::TAKE_ENTRIES;
use super::{Store, StoreError};
use crate::model::PartyId;

/// Candidates that are read per entry that may be claimed.
pub(super) const CANDIDATES: u32 = 4;
/// Entries of one party in a query along the parties, doubled with each further query of the same claim.
const FIRST_QUOTA: u32 = 8;

/// How many entries may be claimed, and how many of each party are in progress already.
#[derive(Clone, Debug)]
pub struct Room {
    pub(super) left: u32,
    in_hand: Option<HashMap<PartyId, u32>>,
}

impl Room {
    /// Returns room for this many entries, of any party.
    pub fn of(entries: u32) -> Self {
        Self { left: entries, in_hand: None }
    }

    /// Returns room for this many entries beside those in progress. No party may have more than twice as many in progress as
    /// there is room left for others, so that newcomers find a place: a single party gets two thirds, two get two fifths each.
    pub fn beside(entries: u32, in_hand: HashMap<PartyId, u32>) -> Self {
        Self { left: entries, in_hand: Some(in_hand) }
    }

    /// Takes a place for an entry of the party. Returns `false` if there is none for it.
    fn take(&mut self, party: PartyId) -> bool {
        if self.left == 0 {
            return false;
        }
        if let Some(in_hand) = &mut self.in_hand {
            let own = in_hand.entry(party).or_default();
            if *own >= self.left.saturating_mul(2) {
                return false;
            }
            *own += 1;
        }
        self.left -= 1;
        true
    }

    /// Returns the candidates that there is room for, taken from each party in turn.
    pub(super) fn share_out(&mut self, candidates: &[(i64, PartyId)]) -> Vec<i64> {
        let mut ranks: HashMap<PartyId, u32> = HashMap::new();
        let mut in_turn: Vec<(u32, i64, PartyId)> = candidates
            .iter()
            .map(|(id, party)| {
                let rank = ranks.entry(*party).or_default();
                *rank += 1;
                (*rank, *id, *party)
            })
            .collect();
        // The sort is stable: candidates of a rank stay in the order in which they were found.
        in_turn.sort_by_key(|(rank, ..)| *rank);
        in_turn.into_iter().filter(|(_, _, party)| self.take(*party)).map(|(_, id, _)| id).collect()
    }
}

impl Store {
    /// Leases entries until `until`, as many as there is room for.
    pub(super) async fn entries_in_turn(
        &self,
        tx: &mut AnyConnection,
        now: Timestamp,
        until: Timestamp,
        (claimant, mut room): (&Claimant, Room),
    ) -> Result<Vec<i64>, StoreError> {
        let window = room.left.saturating_mul(CANDIDATES);
        let sql = self.database.dialect.choose(OLDEST);
        let rows = sqlx::query(sql)
            .bind(now.as_millisecond())
            .bind(i64::from(window))
            .bind(claimant.shards.clone())
            .fetch_all(&mut *tx)
            .await?;
        let candidates = candidates(&rows)?;
        if candidates.len() < window as usize {
            let taken = room.share_out(&candidates);
            lend(tx, &TAKE_ENTRIES, &taken, until, claimant.process).await?;
            return Ok(taken);
        }
        let mut all = Vec::new();
        let mut quota = FIRST_QUOTA;
        while room.left > 0 {
            let candidates = self.next_in_turn(tx, now, (claimant, window, quota)).await?;
            let taken = room.share_out(&candidates);
            let Some((_, last)) = candidates.iter().rfind(|(id, _)| taken.contains(id)) else { break };
            self.last_turn.store(last.0, Ordering::Relaxed);
            lend(tx, &TAKE_ENTRIES, &taken, until, claimant.process).await?;
            all.extend(taken);
            quota = quota.saturating_mul(2);
        }
        Ok(all)
    }

    /// Returns up to `limit` candidates, at most `quota` of each party, going once around from the party after the last claim's.
    async fn next_in_turn(
        &self,
        tx: &mut AnyConnection,
        now: Timestamp,
        (claimant, limit, quota): (&Claimant, u32, u32),
    ) -> Result<Vec<(i64, PartyId)>, StoreError> {
        let behind = self.last_turn.load(Ordering::Relaxed);
        let sql = self.database.dialect.choose(IN_TURN);
        let mut found = Vec::new();
        for (after, through) in [(behind, i64::MAX), (i64::MIN, behind)] {
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            let rows = sqlx::query(sql)
                .bind(now.as_millisecond())
                .bind(i64::from(left))
                .bind(i64::from(quota))
                .bind(after)
                .bind(through)
                .bind(claimant.shards.clone())
                .fetch_all(&mut *tx)
                .await?;
            found.extend(candidates(&rows)?);
            if found.len() >= limit as usize {
                break;
            }
        }
        Ok(found)
    }
}

pub(super) fn candidates(rows: &[sqlx::any::AnyRow]) -> Result<Vec<(i64, PartyId)>, StoreError> {
    rows.iter().map(|row| Ok((row.try_get(0)?, PartyId(row.try_get(1)?)))).collect()
}

/// Condition for entries that may be leased: not leased, without an unfinished attempt, and the earliest of its article.
macro_rules! is_free {
    () => {
        concat!(
            "e.state = 'pending' AND e.next_attempt_at <= $1 AND e.lease_until <= $1 AND e.unfinished_attempts = 0 AND ",
            super::entries::of_an_article_nobody_works_on!()
        )
    };
}

macro_rules! oldest {
    ($dialect:ident, $lock:literal) => {
        concat!(
            "SELECT e.id, e.party FROM entries e WHERE ",
            is_free!(),
            " AND ",
            is_ours!($dialect, "$3", "e.shard"),
            " ORDER BY e.next_attempt_at, e.id LIMIT $2",
            $lock
        )
    };
}

/// SQLite has one writer at a time, so there are no locked rows to skip.
const OLDEST: DialectSql =
    DialectSql { sqlite: oldest!(sqlite, ""), postgres: oldest!(postgres, " FOR UPDATE OF e SKIP LOCKED") };

/// The parties after $4, up to $5, in order; each is found by one index lookup.
macro_rules! turns {
    () => {
        "WITH RECURSIVE turns (party) AS (\
            SELECT (SELECT min(p.party) FROM entries p WHERE p.state = 'pending' AND p.party > $4) \
            UNION ALL SELECT (SELECT min(p.party) FROM entries p WHERE p.state = 'pending' AND p.party > turns.party) \
            FROM turns WHERE turns.party < $5) "
    };
}

macro_rules! oldest_of_a_party {
    ($dialect:ident) => {
        concat!(
            is_free!(),
            " AND ",
            is_ours!($dialect, "$6", "e.shard"),
            " AND e.party = turns.party AND e.party <= $5 ORDER BY e.next_attempt_at, e.id LIMIT $3"
        )
    };
}

const IN_TURN: DialectSql = DialectSql {
    sqlite: concat!(
        turns!(),
        "SELECT f.id, f.party FROM turns CROSS JOIN entries f WHERE f.id IN (SELECT e.id FROM entries e WHERE ",
        oldest_of_a_party!(sqlite),
        ") LIMIT $2"
    ),
    postgres: concat!(
        turns!(),
        "SELECT f.id, f.party FROM turns CROSS JOIN LATERAL (SELECT e.id, e.party FROM entries e WHERE ",
        oldest_of_a_party!(postgres),
        " FOR UPDATE OF e SKIP LOCKED) f LIMIT $2"
    ),
};

#[cfg(test)]
mod tests {
    use super::*;

    fn entries_of(parties: &[i64]) -> Vec<(i64, PartyId)> {
        parties.iter().zip(0..).map(|(party, id)| (id, PartyId(*party))).collect()
    }

    #[test]
    fn each_party_comes_before_anyone_comes_again() {
        let candidates = entries_of(&[1, 1, 1, 1, 2, 3, 2, 1]);
        assert_eq!(Room::of(4).share_out(&candidates), [0, 4, 5, 1]);
        assert_eq!(Room::of(100).share_out(&candidates), [0, 4, 5, 1, 6, 2, 3, 7]);
    }

    #[test]
    fn no_party_takes_the_last_places() {
        let alone = entries_of(&[1; 100]);
        assert_eq!(Room::beside(64, HashMap::new()).share_out(&alone).len(), 43);
        let held = HashMap::from([(PartyId(1), 43)]);
        assert_eq!(Room::beside(21, held.clone()).share_out(&alone).len(), 0);
        let newcomer = entries_of(&[1, 1, 2, 2]);
        assert_eq!(Room::beside(21, held).share_out(&newcomer), [2, 3]);
        assert_eq!(Room::beside(1, HashMap::new()).share_out(&alone), [0], "one place is for anybody");
        let many: Vec<i64> = (0..100).cycle().take(1000).collect();
        assert_eq!(Room::beside(64, HashMap::new()).share_out(&entries_of(&many)).len(), 64);
    }
}
