//! Whether records can be stored: the state behind `/readyz`, the metrics and the service manager's status line.
//!
//! The store is checked in the background, so that reading the state is cheap and immediate even if the store hangs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::service;
use crate::store::Store;
use crate::telemetry::metrics;

/// Time between two checks of the store.
const INTERVAL: Duration = Duration::from_secs(4);
/// A check that takes longer counts as a problem.
const PATIENCE: Duration = Duration::from_secs(4);
/// An integrity check reads the whole database file. It is followed by a pause of 20 times its duration, so it takes 1/21 of the
/// time.
const INTEGRITY_REST_SHARE: u32 = 20;

/// The result of the last checks. Cheap to clone; all clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    store: Option<String>,
    integrity: Option<String>,
}

impl Health {
    /// Returns the problems that keep articles from being stored, as sentences; empty if there are none.
    pub fn problems(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.store.iter().chain(&seen.integrity).cloned().collect()
    }

    /// Checks the store periodically until the soft stop.
    pub async fn watch(&self, store: &Store, soft: &CancellationToken) {
        let watching = async {
            tokio::join!(self.watch_store(store), self.watch_integrity(store));
        };
        soft.run_until_cancelled(watching).await;
    }

    /// Checks once, with a time limit, that the store can be written.
    pub async fn check_store(&self, store: &Store) {
        let problem = match tokio::time::timeout(PATIENCE, store.check_health()).await {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem.to_string()),
            Err(_) => Some(format!("the store has not answered for {} s", PATIENCE.as_secs())),
        };
        self.note(|seen| &mut seen.store, problem);
    }

    /// Checks the integrity of the store once.
    pub async fn check_integrity(&self, store: &Store) {
        let problem = store.check_integrity().await.err().map(|problem| problem.to_string());
        self.note(|seen| &mut seen.integrity, problem);
    }

    async fn watch_store(&self, store: &Store) {
        loop {
            self.check_store(store).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn watch_integrity(&self, store: &Store) {
        loop {
            let began = Instant::now();
            self.check_integrity(store).await;
            tokio::time::sleep(began.elapsed().saturating_mul(INTEGRITY_REST_SHARE).max(INTERVAL)).await;
        }
    }

    /// Stores the result, and logs it if it changed.
    fn note(&self, place: impl FnOnce(&mut Seen) -> &mut Option<String>, problem: Option<String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = place(&mut seen);
        if *known != problem {
            if let Some(problem) = &problem {
                tracing::error!(problem, "the store is not writable");
            } else {
                tracing::info!("the store is writable again");
            }
            service::status(problem.as_deref().unwrap_or("storing"));
            *known = problem;
        }
        metrics::store_writable(seen.store.is_none() && seen.integrity.is_none());
    }
}
