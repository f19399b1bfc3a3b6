//! What no guard can catch (an abort, the kernel's out-of-memory killer) takes the process down, and the same input would
//! do so again after every restart.
//!
//! Whatever was lent out when a process died is a *suspect*, be it in work or only claimed ahead: its lease was never given
//! back. A suspect is parsed alone, and marked in the store just before and unmarked just after, so that hardly anything but
//! the culprit gathers marks; the store lends what is marked out last, and quarantines what has too many. Where nothing
//! died, nothing is marked, and this costs nothing.
//!
//! Parsing suspects in a process of their own would tell a culprit from a bystander for certain. It was left out: a
//! service manager that sees the kernel kill any process of a service for its memory ends the service with it.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::store::StoreError;

/// Does `work` on an item; alone and between two marks where it is a suspect.
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
        tracing::error!(error = %error, "a suspect cannot be marked");
    }
    let done = work.await;
    if let Err(error) = unmark.await {
        tracing::error!(error = %error, "a suspect cannot be unmarked");
    }
    done
}
