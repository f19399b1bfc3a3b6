//! What processes on one server tell each other, so that nobody has to look in vain: `NOTIFY`, on PostgreSQL. It is a hint and no
//! more: what was not heard is found by the next look.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::postgres::PgListener;

use super::connection::{Dialect, Location};
use super::{Store, StoreError};

/// What there is news of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Feeds that are due.
    Feeds,
    /// Entries that wait.
    Entries,
    /// Events in the outbox, or a sink that nobody drives.
    Outbox,
    /// Shards, or hosts to be lent.
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

/// Hears what other processes tell.
#[derive(Debug)]
pub struct Signals {
    store: Store,
    listener: Option<PgListener>,
}

const CHANNEL: &str = "feedmill";

/// How long it rests where it cannot connect.
const REST: Duration = Duration::from_secs(5);

impl Store {
    /// Tells the other processes when the transaction is committed. Costs nothing where there are none.
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

    /// What others than this process tell from now on.
    pub fn signals(&self) -> Signals {
        Signals { store: self.clone(), listener: None }
    }
}

impl Signals {
    /// Waits for the next; on SQLite for ever. `None` where some may have been missed, since the connection is new or was lost: all is
    /// worth a look.
    pub async fn next(&mut self) -> Option<Signal> {
        match self.heard().await {
            Ok(signal) => signal,
            Err(error) => {
                tracing::warn!(%error, "news from other processes cannot be heard; looking for it from time to time");
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
