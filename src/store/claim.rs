//! How rows are leased to workers, and what happens to rows whose worker never came back.
//!
//! A row with an unfinished attempt may have killed the process, or may merely have been in progress when another row did. The
//! two cannot be told apart, so such rows are claimed last, one at a time, and only when nothing else is due. A row that
//! does kill the process still collects its marks, while an innocent one would have to be in progress at a crash again and
//! again, within the few milliseconds that parsing takes. This also means that a poisonous row delays nothing but itself.

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::sql::RowsSql;
use super::{Store, StoreError};
use crate::model::Lease;

/// A row whose attempts were left unfinished this many times is quarantined instead of leased again.
pub(super) const MAX_UNFINISHED_ATTEMPTS: i64 = 3;

/// Why a row is quarantined, as shown to the operator.
pub(super) const CRASHED_REASON: &str = "the process died each time while this was being parsed";

/// The claiming process: its shards, as [`crate::shards::Shards::claimed`] lists them, and its number.
pub(super) struct Claimant {
    pub(super) shards: String,
    pub(super) process: i64,
}

/// SQL condition: whether a row is in one of the claimant's shards, listed in the placeholder. Always true on SQLite.
macro_rules! is_ours {
    (sqlite, $placeholder:literal, $column:literal) => {
        concat!($placeholder, " = ''")
    };
    (postgres, $placeholder:literal, $column:literal) => {
        concat!(
            "(",
            $placeholder,
            " = '' OR ",
            $column,
            " = ANY (CAST(nullif(",
            $placeholder,
            ", '') AS BIGINT[])))"
        )
    };
}
pub(super) use is_ours;

/// Leases the rows with the given ids, found by an earlier query.
macro_rules! take_rows {
    ($table:literal) => {
        RowsSql {
            before: "WITH taken (row_id, until, process) AS (VALUES ",
            columns: 3,
            after: concat!(
                ") UPDATE ",
                $table,
                " SET suspect = CASE WHEN lease_until > 0 THEN 1 ELSE suspect END, lease_until = taken.until, \
                 lease_epoch = lease_epoch + 1, holder = taken.process, put_off = 0 FROM taken WHERE id = taken.row_id"
            ),
        }
    };
}
pub(super) use take_rows;

/// Leases rows, using their table's [`take_rows`].
pub(super) async fn lend(
    tx: &mut AnyConnection,
    take: &RowsSql,
    ids: &[i64],
    until: Timestamp,
    process: i64,
) -> Result<(), StoreError> {
    let until = until.as_millisecond();
    take.execute(tx, ids, |query, id| query.bind(*id).bind(until).bind(process)).await?;
    Ok(())
}

impl Store {
    /// Returns the claimant that this store acts for.
    pub(super) fn claimant(&self) -> Claimant {
        Claimant { shards: self.shards.claimed(), process: self.shards.process() }
    }

    /// Marks or unmarks a row that may kill the process. Has no effect if the lease has passed to another worker.
    pub(super) async fn attempt(&self, sql: &'static str, id: i64, lease: Lease) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(sql).bind(id).bind(lease.epoch).execute(&mut *tx).await?;
        tx.commit().await
    }
}
