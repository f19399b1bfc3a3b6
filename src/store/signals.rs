//! Notifications between processes on one server, through PostgreSQL's `NOTIFY`, which spare polling. They are only a hint:
//! whatever a lost notification announced is found by the next poll of the database.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::postgres::PgListener;

use super::connection::{Dialect, Location};
use super::{Store, StoreError};

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Feeds became due.
    Feeds,
    /// Entries were queued.
    Entries,
    /// Events were added to the outbox, or a sink became free.
    Outbox,
    /// Shards became free, or host loans changed.
    Shards,
}

impl Signal {
    const ALL: [Self; 4] = [Self::Feeds, Self::Entries, Self::Outbox, Self::Shards];

    const fn word(self) -> &'static str {
        match self {
            Self::Feeds => "feeds",
            Self::Entries => "entries",
            Self::Outbox => "outbox",
            Self::Shards => "shards",
        }
    }
}

/// Receives the notifications of other processes.
#[derive(Debug)]
pub struct Signals {
    store: Store,
    listener: Option<PgListener>,
}

const CHANNEL: &str = "feedmill";

/// Wait before connecting again after a failure.
const REST: Duration = Duration::from_secs(5);

impl Store {
    /// Notifies the other processes once the transaction is committed. Costs nothing if there are none.
    pub(super) async fn signal(&self, tx: &mut AnyConnection, signal: Signal) -> Result<(), StoreError> {
        let is_visitor = self.shards.process() == 0;
        if self.database.dialect == Dialect::Postgres && (is_visitor || self.shards.has_company()) {
            sqlx::query("SELECT pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(format!("{} {}", signal.word(), self.shards.process()))
                .execute(tx)
                .await?;
        }
        Ok(())
    }

    /// Returns a receiver for what other processes signal from now on.
    pub fn signals(&self) -> Signals {
        Signals { store: self.clone(), listener: None }
    }
}

impl Signals {
    /// Waits for the next signal; on SQLite forever. `None` if signals may have been missed because the connection is new or was
    /// lost: the caller should check everything.
    pub async fn next(&mut self) -> Option<Signal> {
        match self.heard().await {
            Ok(signal) => signal,
            Err(error) => {
                tracing::warn!(%error, "cannot listen for signals from other processes; checking the store periodically");
                self.listener = None;
                tokio::time::sleep(REST).await;
                None
            }
        }
    }

    async fn heard(&mut self) -> Result<Option<Signal>, sqlx::Error> {
        let listener = match (&mut self.listener, &self.store.database.location) {
            (_, Location::File(_)) => std::future::pending().await,
            (Some(listener), Location::Server(_)) => listener,
            (unconnected @ None, Location::Server(url)) => {
                let listener = unconnected.insert(PgListener::connect(url.as_str()).await?);
                listener.listen(CHANNEL).await?;
                return Ok(None);
            }
        };
        loop {
            let Some(notification) = listener.try_recv().await? else { return Ok(None) };
            let Some((word, from)) = notification.payload().split_once(' ') else { continue };
            let own = self.store.shards.process();
            if own != 0 && from.parse() == Ok(own) {
                continue;
            }
            if let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.word() == word) {
                return Ok(Some(signal));
            }
        }
    }
}
