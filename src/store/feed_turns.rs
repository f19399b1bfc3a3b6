//! Which feeds are polled next: from each party in turn, the longest overdue of each first.
//!
//! Ordered by age alone, one party with thousands of feeds that fall due together would go before all others. A query takes a
//! number of the longest overdue feeds, which are then shared out among their parties. Only if a few parties fill that result,
//! a wider query is made, which returns the first feeds of all parties before the second of any; its cost is bounded, and
//! less than that of the polls it finds. An index by party, as for entries (`store/turns.rs`), would have to pass a
//! million feeds that are not due.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};

use super::StoreError;
use super::claim::{Claimant, is_ours};
use super::connection::{Dialect, DialectSql};
use super::turns::{CANDIDATES, Room, candidates};

/// Returns up to `limit` ids of feeds to lease next, without leasing them. A feed with an unfinished attempt goes last and alone.
pub(super) async fn next_feeds(
    tx: &mut AnyConnection,
    dialect: Dialect,
    now: Timestamp,
    (claimant, limit): (&Claimant, u32),
) -> Result<Vec<i64>, StoreError> {
    let window = limit.saturating_mul(CANDIDATES);
    let mut found = Vec::new();
    for sql in [OLDEST, IN_TURN] {
        let rows = sqlx::query(dialect.choose(sql))
            .bind(now.as_millisecond())
            .bind(i64::from(window))
            .bind(claimant.shards.clone())
            .fetch_all(&mut *tx)
            .await?;
        found = candidates(&rows)?;
        let parties: HashSet<_> = found.iter().map(|(_, party)| party).collect();
        let is_all = found.len() < window as usize;
        if is_all || parties.len() >= limit as usize {
            break;
        }
    }
    if found.is_empty() {
        let marked = sqlx::query(dialect.choose(MARKED));
        let marked = marked.bind(now.as_millisecond()).bind(claimant.shards.clone());
        let row = marked.fetch_optional(&mut *tx).await?;
        return row.iter().map(|row| Ok(row.try_get(0)?)).collect();
    }
    Ok(Room::of(limit).share_out(&found))
}

macro_rules! is_due {
    ($table:literal) => {
        concat!(
            $table,
            ".state = 'active' AND ",
            $table,
            ".next_poll_at <= $1 AND ",
            $table,
            ".lease_until <= $1 AND ",
            $table,
            ".unfinished_attempts "
        )
    };
}

macro_rules! oldest {
    ($dialect:ident, $lock:literal) => {
        concat!(
            "SELECT f.id, f.party FROM feeds f WHERE ",
            is_due!("f"),
            "= 0 AND ",
            is_ours!($dialect, "$3", "f.shard"),
            " ORDER BY f.next_poll_at, f.id LIMIT $2",
            $lock
        )
    };
}

/// SQLite has one writer at a time, so there are no locked rows to skip.
const OLDEST: DialectSql =
    DialectSql { sqlite: oldest!(sqlite, ""), postgres: oldest!(postgres, " FOR UPDATE OF f SKIP LOCKED") };

/// Of the ten thousand longest overdue feeds, each party's first before any party's second. Only as many as wanted are looked up
/// again for locking: for ten thousand PostgreSQL would read the whole table instead.
macro_rules! in_turn {
    ($dialect:ident, $lock:literal) => {
        concat!(
            "SELECT f.id, f.party FROM (SELECT id, turn FROM (\
                SELECT id, next_poll_at, row_number() OVER (PARTITION BY party ORDER BY next_poll_at, id) AS turn FROM (\
                    SELECT o.id, o.party, o.next_poll_at FROM feeds o WHERE ",
            is_due!("o"),
            "= 0 AND ",
            is_ours!($dialect, "$3", "o.shard"),
            " ORDER BY o.next_poll_at, o.id LIMIT 10000) AS oldest) AS turned \
                ORDER BY turn, next_poll_at, id LIMIT $2) AS turns \
            JOIN feeds f ON f.id = turns.id WHERE ",
            is_due!("f"),
            "= 0 ORDER BY turns.turn, f.next_poll_at, f.id",
            $lock
        )
    };
}

const IN_TURN: DialectSql =
    DialectSql { sqlite: in_turn!(sqlite, ""), postgres: in_turn!(postgres, " FOR UPDATE OF f SKIP LOCKED") };

macro_rules! marked {
    ($dialect:ident, $lock:literal) => {
        concat!(
            "SELECT f.id FROM feeds f WHERE ",
            is_due!("f"),
            "> 0 AND ",
            is_ours!($dialect, "$2", "f.shard"),
            " ORDER BY f.next_poll_at, f.id LIMIT 1",
            $lock
        )
    };
}

const MARKED: DialectSql =
    DialectSql { sqlite: marked!(sqlite, ""), postgres: marked!(postgres, " FOR UPDATE OF f SKIP LOCKED") };
