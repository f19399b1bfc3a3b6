//! How far each sink has come, and which records it passes over.
//!
//! One process at a time runs a sink, by a lease: its epoch fences off whoever lost it, and a replay raises it too, so that
//! a delivery under way cannot move the cursor past what is to be delivered again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::sql::{Row, models};
use super::{Store, StoreError};
use crate::model::after;

/// Where a sink begins that has not read yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beginning {
    /// With the first record that there is.
    #[default]
    Start,
    /// With the first after now.
    Now,
}

/// A sink, lent to one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkLease {
    /// Everything up to here is delivered.
    pub seq: i64,
    /// The fencing token.
    pub epoch: i64,
    /// Attempts at the records that come next, all of which failed.
    pub failures: u32,
    /// No further attempt before this.
    pub retry_at: Timestamp,
    /// Whether the receiver has asked for no more.
    pub disabled: bool,
}

/// What is known of a sink.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SinkStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Everything up to here is delivered.
    pub seq: i64,
    /// Whether the receiver has asked for no more.
    pub disabled: bool,
    /// Attempts at the records that come next, all of which failed.
    pub failures: u32,
    /// No further attempt before this, where one failed.
    pub retry_at: Option<Timestamp>,
    /// What came of the last attempt, where it failed.
    pub error: Option<String>,
    /// When its cursor last moved.
    pub moved_at: Timestamp,
    /// Records that it passed over, each with its reason.
    pub set_aside: u64,
}

/// A record that is passed over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SetAside {
    /// The sink that passed it over; empty where every reader does, since the row cannot be read.
    pub sink: String,
    /// Its position.
    pub seq: i64,
    /// Why.
    pub reason: String,
    /// Since when.
    pub set_aside_at: Timestamp,
}

/// Which positions a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkRange {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// When the first event was stored.
    pub began_at: Timestamp,
}

/// What a failed delivery leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkFailure {
    /// Failures in a row, this one included.
    pub failures: u32,
    /// No further attempt before this.
    pub retry_at: Timestamp,
    /// Whether the receiver has asked for no more.
    pub disabled: bool,
    /// For the operator.
    pub error: String,
}

impl Store {
    /// Makes a sink known. Where it begins is decided here, once.
    pub async fn sink_register(&self, name: &str, from: Beginning) -> Result<(), StoreError> {
        let sql = match from {
            Beginning::Start => REGISTER_FROM_START,
            Beginning::Now => REGISTER_FROM_NOW,
        };
        let mut tx = self.database.write().await?;
        sqlx::query(sql).bind(name).bind(self.clock.now().as_millisecond()).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Lends the sink to this process for `lease`. `None` where another has it.
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

    /// Prolongs a lease and says how far the sink is. `None` where the lease is lost, to another process or a replay.
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

    /// Gives a lease back before its end.
    pub async fn sink_release(&self, name: &str, epoch: i64) -> Result<(), StoreError> {
        let mut tx = self.database.write_lightly().await?;
        sqlx::query("UPDATE sinks SET lease_until = 0 WHERE name = $1 AND lease_epoch = $2")
            .bind(name)
            .bind(epoch)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Everything up to `seq` is delivered. `false` where the lease was lost meanwhile: then nothing has moved.
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

    /// A delivery failed. `false` where the lease was lost meanwhile.
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

    /// Has a sink go on after `seq`, whatever it delivered and whatever failed: what it set aside after that is tried again.
    /// `false` where no such sink is known.
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

    /// Every sink that was ever configured, by name.
    pub async fn sinks_list(&self) -> Result<Vec<SinkStatus>, StoreError> {
        let rows = sqlx::query(LIST).fetch_all(&self.database.readers).await?;
        models("sinks", &rows)
    }

    /// The first file that holds a position after `seq`, of those that were decided on.
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

    /// Decides which positions the next file holds. Files whose records were removed can be written no more, and are
    /// forgotten.
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

    /// Has a sink pass one record over.
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

    /// The positions after `seq` that a sink passes over.
    pub async fn set_aside_after(&self, sink: &str, seq: i64) -> Result<BTreeSet<i64>, StoreError> {
        let rows = sqlx::query("SELECT seq FROM set_aside WHERE sink = $1 AND seq > $2")
            .bind(sink)
            .bind(seq)
            .fetch_all(&self.database.readers)
            .await?;
        rows.iter().map(|row| Row { table: "set_aside", row }.get("seq")).collect()
    }

    /// Every record that is passed over, by position.
    pub async fn set_aside_list(&self) -> Result<Vec<SetAside>, StoreError> {
        let rows = sqlx::query("SELECT seq, sink, reason, set_aside_at FROM set_aside ORDER BY seq, sink")
            .fetch_all(&self.database.readers)
            .await?;
        models("set_aside", &rows)
    }

    /// How many records are passed over, once for each sink.
    pub async fn set_aside_count(&self) -> Result<u64, StoreError> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM set_aside").fetch_one(&self.database.readers).await?;
        Ok(count.unsigned_abs())
    }

    /// The first event after `seq` that can be read: its position, and when it was stored.
    pub async fn outbox_next(&self, seq: i64) -> Result<Option<(i64, Timestamp)>, StoreError> {
        let row = sqlx::query(NEXT).bind(seq).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row { table: "outbox", row: &row };
        Ok(Some((row.get("seq")?, row.time("created_at")?)))
    }

    /// The last position before the first event that was stored at `moment` or later.
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
