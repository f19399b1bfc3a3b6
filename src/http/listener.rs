//! A listener that idle or slow clients cannot exhaust, even a thousand of them: the number of connections is limited, the head
//! of a request must be small and arrive soon, an idle keep-alive connection is closed after the same timeout, and a client that
//! does not read its response is disconnected. Clients that wait for records may do so for as long as they like, but on half of
//! the connections only.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::socket::Socket;
use crate::lifecycle::STOP_GRACE;

/// The delay after a failure to accept a connection, for instance because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Limits of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of concurrent connections; further ones wait.
    pub connections: usize,
    /// Timeout for the head of a request, and for the next request on the same connection.
    pub head_timeout: Duration,
    /// Maximum size of a request's head.
    pub head_bytes: usize,
    /// Maximum number of header lines.
    pub headers: usize,
    /// How long a client may read nothing of a response that is ready to be sent.
    pub write_timeout: Duration,
}

impl Limits {
    /// Returns the default limits for a process that may open `descriptors` files: connections get at most a quarter of them on
    /// each listener. The store, polls and sinks need the others.
    pub fn within(descriptors: usize) -> Self {
        let limits = Self::default();
        Self { connections: limits.connections.min(descriptors / 4).max(1), ..limits }
    }

    /// Returns how many clients may wait for records at a time: half of the connections, so that other requests find a place
    /// however many clients wait, and for however long.
    pub const fn waiters(&self) -> usize {
        self.connections.div_ceil(2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            head_timeout: Duration::from_secs(10),
            head_bytes: 16 << 10,
            headers: 64,
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// Serves `router` until the soft stop, then lets responses in progress continue for [`STOP_GRACE`]: the reader of a long
/// response can resume from its cursor.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, soft: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    while let Some((stream, place)) = soft.run_until_cancelled(next(&listener, &places)).await {
        connections.spawn(answer(stream, router.clone(), limits, soft.clone(), place));
        // Removes the connections that have ended.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let answered = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, answered).await.is_err() {
        tracing::info!(answers = connections.len(), "responses cut off: the process is stopping");
    }
}

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes the semaphore");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    soft: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let socket = Socket::new(stream, limits.write_timeout);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = soft.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "connection lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_other_work() {
        for (descriptors, connections) in [(usize::MAX, 1_024), (4_096, 1_024), (1_024, 256), (3, 1)] {
            assert_eq!(Limits::within(descriptors).connections, connections, "{descriptors}");
        }
    }

    #[test]
    fn waiters_leave_connections_for_other_requests() {
        for (descriptors, waiters) in [(usize::MAX, 512), (1_024, 128), (3, 1)] {
            assert_eq!(Limits::within(descriptors).waiters(), waiters, "{descriptors}");
        }
    }
}
