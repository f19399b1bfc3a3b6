//! How far each sink has come, and which records it skips.
//!
//! A lease lets one process at a time run a sink. Its epoch fences off a process that lost the lease. A replay raises the
//! epoch too, so that a delivery under way cannot move the cursor past what is to be delivered again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::sql::{Row, models};
use super::{Store, StoreError};
use crate::model::after;

/// Where a new sink begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beginning {
    /// At the first record in the outbox.
    #[default]
    Start,
    /// At the first record stored from now on.
    Now,
}

/// A lease on a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkLease {
    /// Position up to which everything is delivered.
    pub seq: i64,
    /// The fencing token.
    pub epoch: i64,
    /// Failed attempts in a row to deliver the next records.
    pub failures: u32,
    /// Earliest time of the next attempt.
    pub retry_at: Timestamp,
    /// Whether the receiver asked to get no more.
    pub disabled: bool,
}

/// The state of a sink.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SinkStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Position up to which everything is delivered.
    pub seq: i64,
    /// Whether the receiver asked to get no more.
    pub disabled: bool,
    /// Failed attempts in a row to deliver the next records.
    pub failures: u32,
    /// Earliest time of the next attempt, if the last one failed.
    pub retry_at: Option<Timestamp>,
    /// The error of the last attempt, if it failed.
    pub error: Option<String>,
    /// When its cursor last moved.
    pub moved_at: Timestamp,
    /// Number of records that it skips.
    pub set_aside: u64,
}

/// A record that is skipped.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SetAside {
    /// The sink that skips it; empty if every reader does, because the row cannot be read.
    pub sink: String,
    /// Position of the record.
    pub seq: i64,
    /// Why it is skipped.
    pub reason: String,
    /// Since when it is skipped.
    pub set_aside_at: Timestamp,
}

/// The range of positions in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkRange {
    /// The first position.
    pub first: i64,
    /// The last position.
    pub last: i64,
    /// When the first event was stored.
    pub began_at: Timestamp,
}

/// A failed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkFailure {
    /// Failures in a row, this one included.
    pub failures: u32,
    /// Earliest time of the next attempt.
    pub retry_at: Timestamp,
    /// Whether the receiver asked to get no more.
    pub disabled: bool,
    /// The error, for the operator.
    pub error: String,
}

impl Store {
    /// Adds a sink if it is new. Where it begins is decided once, here.
    pub async fn sink_register(&self, name: &str, from: Beginning) -> Result<(), StoreError> {
        let sql = match from {
            Beginning::Start => REGISTER_FROM_START,
            Beginning::Now => REGISTER_FROM_NOW,
        };
        let mut tx = self.database.write().await?;
        sqlx::query(sql).bind(name).bind(self.clock.now().as_millisecond()).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Leases the sink to this process. `None` if another process has it.
    pub async fn sink_claim(&self, name: &str, lease: Duration) -> Result<Option<SinkLease>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write_lightly().await?;
        let row = sqlx::query(CLAIM)
            .bind(name)
            .bind(now.as_millisecond())
            .bind(after(now, lease).as_millisecond())
            .bind(self.shards.process())
            .fetch_optional(&mut *tx)
            .await?;
        let claimed = row.map(|row| SinkLease::try_from(Row { table: "sinks", row: &row })).transpose()?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Extends a lease and returns the sink's state. `None` if the lease was lost to another process or a replay.
    pub async fn sink_renew(
        &self,
        name: &str,
        epoch: i64,
        lease: Duration,
    ) -> Result<Option<SinkLease>, StoreError> {
        let mut tx = self.database.write_lightly().await?;
        let row = sqlx::query(RENEW)
            .bind(name)
            .bind(epoch)
            .bind(after(self.clock.now(), lease).as_millisecond())
            .fetch_optional(&mut *tx)
            .await?;
        let renewed = row.map(|row| SinkLease::try_from(Row { table: "sinks", row: &row })).transpose()?;
        tx.commit().await?;
        Ok(renewed)
    }

    /// Releases a lease before its end.
    pub async fn sink_release(&self, name: &str, epoch: i64) -> Result<(), StoreError> {
        let mut tx = self.database.write_lightly().await?;
        sqlx::query("UPDATE sinks SET lease_until = 0 WHERE name = $1 AND lease_epoch = $2")
            .bind(name)
            .bind(epoch)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Records that everything up to `seq` is delivered. `false` if the lease was lost: then nothing was changed.
    pub async fn sink_advance(&self, name: &str, epoch: i64, seq: i64) -> Result<bool, StoreError> {
        let mut tx = self.database.write().await?;
        let moved = sqlx::query(ADVANCE)
            .bind(name)
            .bind(epoch)
            .bind(seq)
            .bind(self.clock.now().as_millisecond())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(moved > 0)
    }

    /// Records a failed delivery. `false` if the lease was lost.
    pub async fn sink_fail(&self, name: &str, epoch: i64, failure: &SinkFailure) -> Result<bool, StoreError> {
        let mut tx = self.database.write().await?;
        let noted = sqlx::query(FAIL)
            .bind(name)
            .bind(epoch)
            .bind(i64::from(failure.failures))
            .bind(failure.retry_at.as_millisecond())
            .bind(i64::from(failure.disabled))
            .bind(failure.error.clone())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(noted > 0)
    }

    /// Clears the failures of a sink that has nothing to deliver. `false` if the lease was lost.
    pub async fn sink_recover(&self, name: &str, epoch: i64) -> Result<bool, StoreError> {
        let mut tx = self.database.write().await?;
        let cleared = sqlx::query(RECOVER).bind(name).bind(epoch).execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(cleared > 0)
    }

    /// Lets the next attempt be made at once: the settings have changed. `false` if the lease was lost.
    pub async fn sink_hurry(&self, name: &str, epoch: i64) -> Result<bool, StoreError> {
        let mut tx = self.database.write().await?;
        let hurried = sqlx::query(HURRY).bind(name).bind(epoch).execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(hurried > 0)
    }

    /// Makes a sink continue after `seq`, whatever was delivered or failed. Records after `seq` that it skips are tried again.
    /// `false` if there is no such sink.
    pub async fn sink_replay(&self, name: &str, seq: i64) -> Result<bool, StoreError> {
        let mut tx = self.database.write().await?;
        let moved = sqlx::query(REPLAY)
            .bind(name)
            .bind(seq)
            .bind(self.clock.now().as_millisecond())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        sqlx::query("DELETE FROM set_aside WHERE sink = $1 AND seq > $2")
            .bind(name)
            .bind(seq)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(moved > 0)
    }

    /// Returns every sink that was ever configured, by name.
    pub async fn sinks_list(&self) -> Result<Vec<SinkStatus>, StoreError> {
        let rows = sqlx::query(LIST).fetch_all(&self.database.readers).await?;
        models("sinks", &rows)
    }

    /// Returns the position up to which everything is delivered to a sink, whoever has its lease. `None` if there is no such sink.
    pub async fn sink_cursor_get(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query("SELECT seq FROM sinks WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.database.readers)
            .await?;
        row.map(|row| Row { table: "sinks", row: &row }.get("seq")).transpose()
    }

    /// Returns the first recorded file range that holds a position after `seq`.
    pub async fn sink_range_after(&self, name: &str, seq: i64) -> Result<Option<SinkRange>, StoreError> {
        let row =
            sqlx::query(RANGE_AFTER).bind(name).bind(seq).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row { table: "sink_ranges", row: &row };
        Ok(Some(SinkRange {
            first: row.get("first_seq")?,
            last: row.get("last_seq")?,
            began_at: row.time("began_at")?,
        }))
    }

    /// Records which positions the next file holds, and deletes the ranges of files that cannot be written again because their
    /// records were removed.
    pub async fn sink_range_add(&self, name: &str, range: SinkRange) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(FORGET_RANGES).bind(name).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO sink_ranges (sink, first_seq, last_seq, began_at) VALUES ($1, $2, $3, $4)")
            .bind(name)
            .bind(range.first)
            .bind(range.last)
            .bind(range.began_at.as_millisecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Makes a sink skip a record.
    pub async fn set_aside(&self, sink: &str, seq: i64, reason: &str) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(SET_ASIDE)
            .bind(sink)
            .bind(seq)
            .bind(reason)
            .bind(self.clock.now().as_millisecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Returns the positions after `seq` that a sink skips.
    pub async fn set_aside_after(&self, sink: &str, seq: i64) -> Result<BTreeSet<i64>, StoreError> {
        let rows = sqlx::query("SELECT seq FROM set_aside WHERE sink = $1 AND seq > $2")
            .bind(sink)
            .bind(seq)
            .fetch_all(&self.database.readers)
            .await?;
        rows.iter().map(|row| Row { table: "set_aside", row }.get("seq")).collect()
    }

    /// Returns every skipped record, by position.
    pub async fn set_aside_list(&self) -> Result<Vec<SetAside>, StoreError> {
        let rows = sqlx::query("SELECT seq, sink, reason, set_aside_at FROM set_aside ORDER BY seq, sink")
            .fetch_all(&self.database.readers)
            .await?;
        models("set_aside", &rows)
    }

    /// Returns the number of skipped records, each counted once per sink.
    pub async fn set_aside_count(&self) -> Result<u64, StoreError> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM set_aside").fetch_one(&self.database.readers).await?;
        Ok(count.unsigned_abs())
    }

    /// Returns the first event after `seq` that can be read: its position, and when it was stored.
    pub async fn outbox_next(&self, seq: i64) -> Result<Option<(i64, Timestamp)>, StoreError> {
        let row = sqlx::query(NEXT).bind(seq).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row { table: "outbox", row: &row };
        Ok(Some((row.get("seq")?, row.time("created_at")?)))
    }

    /// Returns the last position before the first event that was stored at `moment` or later.
    pub async fn outbox_before(&self, moment: Timestamp) -> Result<i64, StoreError> {
        let row = sqlx::query(BEFORE).bind(moment.as_millisecond()).fetch_one(&self.database.readers).await?;
        Row { table: "outbox", row: &row }.get("seq")
    }
}

const REGISTER_FROM_START: &str = "INSERT INTO sinks (name, seq, moved_at) VALUES ($1, 0, $2) \
    ON CONFLICT (name) DO NOTHING";

const REGISTER_FROM_NOW: &str = "INSERT INTO sinks (name, seq, moved_at) \
    SELECT $1, value, $2 FROM counters WHERE name = 'outbox' ON CONFLICT (name) DO NOTHING";

const CLAIM: &str = "UPDATE sinks SET lease_until = $3, lease_epoch = lease_epoch + 1, holder = $4 \
    WHERE name = $1 AND lease_until <= $2 RETURNING seq, lease_epoch, failures, retry_at, disabled";

const RENEW: &str = "UPDATE sinks SET lease_until = $3 WHERE name = $1 AND lease_epoch = $2 \
    RETURNING seq, lease_epoch, failures, retry_at, disabled";

const ADVANCE: &str = "UPDATE sinks SET seq = $3, moved_at = $4, failures = 0, retry_at = 0, error = NULL \
    WHERE name = $1 AND lease_epoch = $2";

const FAIL: &str = "UPDATE sinks SET failures = $3, retry_at = $4, disabled = $5, error = $6 \
    WHERE name = $1 AND lease_epoch = $2";

const RECOVER: &str =
    "UPDATE sinks SET failures = 0, retry_at = 0, error = NULL WHERE name = $1 AND lease_epoch = $2";

const HURRY: &str = "UPDATE sinks SET retry_at = 0 WHERE name = $1 AND lease_epoch = $2";

const REPLAY: &str = "UPDATE sinks SET seq = $2, moved_at = $3, lease_until = 0, lease_epoch = lease_epoch + 1, \
    disabled = 0, failures = 0, retry_at = 0, error = NULL WHERE name = $1";

const LIST: &str = "SELECT name, seq, disabled, failures, retry_at, error, moved_at, \
    (SELECT count(*) FROM set_aside a WHERE a.sink = s.name) AS set_aside FROM sinks s ORDER BY name";

const RANGE_AFTER: &str = "SELECT first_seq, last_seq, began_at FROM sink_ranges WHERE sink = $1 AND last_seq > $2 \
    ORDER BY first_seq LIMIT 1";

const FORGET_RANGES: &str = "DELETE FROM sink_ranges WHERE sink = $1 \
    AND last_seq <= (SELECT value FROM counters WHERE name = 'outbox_removed')";

const SET_ASIDE: &str = "INSERT INTO set_aside (sink, seq, reason, set_aside_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (sink, seq) DO NOTHING";

const NEXT: &str = "SELECT seq, created_at FROM outbox o WHERE seq > $1 \
    AND NOT EXISTS (SELECT 1 FROM set_aside s WHERE s.sink = '' AND s.seq = o.seq) ORDER BY seq LIMIT 1";

const BEFORE: &str = "SELECT coalesce(min(seq) - 1, (SELECT value FROM counters WHERE name = 'outbox')) AS seq \
    FROM outbox WHERE created_at >= $1";

impl TryFrom<Row<'_>> for SinkLease {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.get("seq")?,
            epoch: row.get("lease_epoch")?,
            failures: row.number("failures")?,
            retry_at: row.time("retry_at")?,
            disabled: row.flag("disabled")?,
        })
    }
}

impl TryFrom<Row<'_>> for SinkStatus {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let failures = row.number("failures")?;
        let retry_at = row.time("retry_at")?;
        Ok(Self {
            name: row.get("name")?,
            seq: row.get("seq")?,
            disabled: row.flag("disabled")?,
            failures,
            retry_at: (failures > 0).then_some(retry_at),
            error: row.get("error")?,
            moved_at: row.time("moved_at")?,
            set_aside: row.number("set_aside")?,
        })
    }
}

impl TryFrom<Row<'_>> for SetAside {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            sink: row.get("sink")?,
            seq: row.get("seq")?,
            reason: row.get("reason")?,
            set_aside_at: row.time("set_aside_at")?,
        })
    }
}
