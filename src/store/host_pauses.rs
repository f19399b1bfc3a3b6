//! Pauses that hosts asked for, for feeds and pages alike. They are stored so that they outlast the process.

use jiff::Timestamp;

use super::sql::{Row, RowsSql, models};
use super::{Store, StoreError};
use crate::model::HostPause;

impl Store {
    /// Stores until when hosts are paused, keeping the later time if one is stored already, and deletes pauses that are over.
    pub async fn host_pauses_keep(&self, pauses: &[HostPause]) -> Result<(), StoreError> {
        let now = self.clock.now().as_millisecond();
        let mut tx = self.database.write().await?;
        sqlx::query(FORGET).bind(now).execute(&mut *tx).await?;
        UPSERT
            .execute(&mut tx, pauses, |query, pause| {
                query.bind(pause.host.clone()).bind(pause.until.as_millisecond())
            })
            .await?;
        tx.commit().await
    }

    /// Returns the pauses that are not over.
    pub async fn host_pauses(&self) -> Result<Vec<HostPause>, StoreError> {
        let now = self.clock.now().as_millisecond();
        let rows = sqlx::query(LASTING).bind(now).fetch_all(&self.database.readers).await?;
        models("host_pauses", &rows)
    }
}

impl TryFrom<Row<'_>> for HostPause {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let until: Timestamp = row.time("paused_until")?;
        Ok(Self { host: row.get("host")?, until })
    }
}

const FORGET: &str = "DELETE FROM host_pauses WHERE paused_until <= $1";

const UPSERT: RowsSql = RowsSql {
    before: "INSERT INTO host_pauses (host, paused_until) VALUES ",
    columns: 2,
    after: " ON CONFLICT (host) DO UPDATE SET paused_until = excluded.paused_until \
        WHERE excluded.paused_until > host_pauses.paused_until",
};

const LASTING: &str = "SELECT host, paused_until FROM host_pauses WHERE paused_until > $1";
