//! How rows are lent out, and what happens to those whose worker never came back.
//!
//! A row with an unfinished attempt may be what killed the process, or may just have been in hand when somebody else
//! did. Both look the same, so such rows go last, one at a time and only when nothing else is due: a true culprit
//! gathers its marks all the same, while a bystander would have to be hit again and again in the few milliseconds that
//! it is parsed. It also means that poison holds up nothing but itself.

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::sql::RowsSql;
use super::{Store, StoreError};
use crate::model::Lease;

/// A row that its workers began and never finished this many times is quarantined instead of lent out again.
pub(super) const MAX_UNFINISHED_ATTEMPTS: i64 = 3;

/// Why a row is quarantined, for the operator.
pub(super) const CRASHED_REASON: &str = "the process died each time while this was being parsed";

/// Who claims: its shards, as [`crate::shards::Shards::claimed`] lists them, and its number.
pub(super) struct Claimant {
    pub(super) shards: String,
    pub(super) process: i64,
}

/// Whether a row is of the claimant's shards, which the placeholder lists. On SQLite all are.
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

/// Takes rows of a table of which the look has found the ids.
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

/// Lends out rows that were found, by a table's [`take_rows`].
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
    /// Who claims through this store.
    pub(super) fn claimant(&self) -> Claimant {
        Claimant { shards: self.shards.claimed(), process: self.shards.process() }
    }

    /// Marks or unmarks a row that may kill the process. Without effect where the lease has passed to another worker.
    pub(super) async fn attempt(&self, sql: &'static str, id: i64, lease: Lease) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(sql).bind(id).bind(lease.epoch).execute(&mut *tx).await?;
        tx.commit().await
    }
}
