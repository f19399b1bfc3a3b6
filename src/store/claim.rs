//! How rows are lent out, and what happens to those whose worker never came back.
//!
//! A row with an unfinished attempt may be what killed the process, or may just have been in hand when somebody else
//! did. Both look the same, so such rows go last, one at a time and only when nothing else is due: a true culprit
//! gathers its marks all the same, while a bystander would have to be hit again and again in the few milliseconds that
//! it is parsed. It also means that poison holds up nothing but itself.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;

use super::connection::{Dialect, DialectSql};
use super::sql::milliseconds;
use super::{Store, StoreError};
use crate::model::Lease;

/// A row that its workers began and never finished this many times is quarantined instead of lent out again.
pub(super) const MAX_UNFINISHED_ATTEMPTS: i64 = 3;

/// Why a row is quarantined, for the operator.
pub(super) const CRASHED_REASON: &str = "the process died each time while this was being parsed";

/// Lends rows of one table out: $1 is now, $2 when the lease ends, $3 how many at most. Returns their ids.
pub(super) struct ClaimSql {
    /// Rows without an unfinished attempt.
    pub(super) unmarked: DialectSql,
    /// Rows with one.
    pub(super) marked: DialectSql,
}

impl ClaimSql {
    /// Claims up to `limit` rows and returns their ids.
    pub(super) async fn run(
        &self,
        tx: &mut AnyConnection,
        dialect: Dialect,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<i64>, StoreError> {
        let until = now.as_millisecond().saturating_add(milliseconds(lease));
        for (sql, limit) in [(self.unmarked, limit), (self.marked, limit.min(1))] {
            let claimed = sqlx::query(dialect.choose(sql))
                .bind(now.as_millisecond())
                .bind(until)
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await?;
            if !claimed.is_empty() {
                return Ok(claimed.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?);
            }
        }
        Ok(Vec::new())
    }
}

impl Store {
    /// Marks or unmarks a row that may kill the process. Without effect where the lease has passed to another worker.
    pub(super) async fn attempt(&self, sql: &'static str, id: i64, lease: Lease) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(sql).bind(id).bind(lease.epoch).execute(&mut *tx).await?;
        tx.commit().await
    }
}
