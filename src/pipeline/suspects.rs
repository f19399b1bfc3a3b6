//! Isolates inputs that kill the process. A failure that cannot be caught (an abort, the kernel's out-of-memory killer)
//! ends the process, and the same input would do so again after every restart.
//!
//! Every item that was claimed when a process died is a *suspect*, whether in progress or only claimed ahead: its lease was
//! never released. A suspect is parsed alone, marked in the store just before and unmarked just after, so that hardly any
//! item but the culprit accumulates marks. The store claims marked items last, and quarantines those with too many marks.
//! If no process died nothing is marked, and this costs nothing.
//!
//! Parsing suspects in a separate process would tell a culprit from a bystander for certain. This was rejected: a service
//! manager that sees the kernel kill any process of a service for its memory stops the whole service.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::store::StoreError;

/// Runs `work` on an item; a suspect runs alone and between two marks.
pub(super) async fn guarded<T>(
    suspect: bool,
    alone: &Arc<Mutex<()>>,
    mark: impl Future<Output = Result<(), StoreError>>,
    work: impl Future<Output = T>,
    unmark: impl Future<Output = Result<(), StoreError>>,
) -> T {
    if !suspect {
        return work.await;
    }
    let _alone = alone.lock().await;
    if let Err(error) = mark.await {
        tracing::error!(error = %error, "cannot mark a suspect in the store");
    }
    let done = work.await;
    if let Err(error) = unmark.await {
        tracing::error!(error = %error, "cannot unmark a suspect in the store");
    }
    done
}
