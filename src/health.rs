//! Whether what is fetched can be stored, for whoever asks: `/readyz`, the metrics, the service manager's status line.
//!
//! The store is asked in the background, so that an answer costs nothing and comes at once, also where the store hangs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::service;
use crate::store::Store;
use crate::telemetry::metrics;

/// Time between two looks at the store.
const INTERVAL: Duration = Duration::from_secs(4);
/// A look that takes longer is a problem of its own.
const PATIENCE: Duration = Duration::from_secs(4);
/// Looking for damage reads the whole file: one part in twenty-one of the time is spent on it.
const INTEGRITY_REST_SHARE: u32 = 20;

/// What was seen last. Cheap to clone; the clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    store: Option<String>,
    integrity: Option<String>,
}

impl Health {
    /// What keeps articles from being stored, in sentences; nothing where all is well.
    pub fn problems(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.store.iter().chain(&seen.integrity).cloned().collect()
    }

    /// Looks at the store again and again, until the soft stop.
    pub async fn watch(&self, store: &Store, soft: &CancellationToken) {
        let watching = async {
            tokio::join!(self.watch_store(store), self.watch_integrity(store));
        };
        soft.run_until_cancelled(watching).await;
    }

    /// One look at the store: whether it stores, and how long that took.
    pub async fn check_store(&self, store: &Store) {
        let problem = match tokio::time::timeout(PATIENCE, store.check_health()).await {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem.to_string()),
            Err(_) => Some(format!("the store has not answered for {} s", PATIENCE.as_secs())),
        };
        self.note(|seen| &mut seen.store, problem);
    }

    /// One look for damage.
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

    /// Says what changed, once, and keeps it.
    fn note(&self, place: impl FnOnce(&mut Seen) -> &mut Option<String>, problem: Option<String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = place(&mut seen);
        if *known != problem {
            if let Some(problem) = &problem {
                tracing::error!(problem, "nothing can be stored");
            } else {
                tracing::info!("what kept the store from storing is over");
            }
            service::status(problem.as_deref().unwrap_or("storing"));
            *known = problem;
        }
        metrics::store_writable(seen.store.is_none() && seen.integrity.is_none());
    }
}
