//! A listener that a thousand idle or trickling clients cannot take from the others: connections are counted, a request's
//! head must be small and come soon, and one that is kept open and asks for nothing is closed by the same clock.

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

use crate::lifecycle::STOP_GRACE;

/// How long to wait when no connection can be accepted, for instance since there is no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What one listener bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait.
    pub connections: usize,
    /// Time for the head of a request, and between two requests.
    pub head_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Header lines.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_024, head_timeout: Duration::from_secs(10), head_bytes: 16 << 10, headers: 64 }
    }
}

/// Serves `router` until the soft stop, and then what is in hand for [`STOP_GRACE`]: who reads a long answer goes on from its cursor.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, soft: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    while let Some((stream, place)) = soft.run_until_cancelled(next(&listener, &places)).await {
        connections.spawn(answer(stream, router.clone(), limits, soft.clone(), place));
        // Those that ended.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let answered = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, answered).await.is_err() {
        tracing::info!(answers = connections.len(), "broken off, since the process stops");
    }
}

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes the semaphore");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(error = %error, "a connection cannot be accepted");
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
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = soft.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off");
    }
}
