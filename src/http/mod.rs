//! The HTTP interface, on loopback unless the operator configures otherwise: health for the service manager, metrics for
//! Prometheus, records by cursor, and the operator's site. Metrics can have a listener of their own. If tokens are configured,
//! everything but health and the login page requires one; if not, requests must be for one of our names.

/// The API for programs.
mod api;
/// Authorization by token.
pub mod auth;
/// The blocks of an article's page.
mod blocks;
/// Bodies of requests.
mod body;
/// Totals of the store, counted from time to time.
pub mod counts;
/// The names by which clients may address the interface.
pub mod hosts;
/// Accepting connections, and the limits on what one client may use.
pub mod listener;
/// The HTML pages for people.
mod pages;
/// Error responses.
pub mod problem;
/// Browser sessions.
mod session;
/// Connections whose writes have a time limit.
mod socket;
/// Changes of the configuration made through pages.
pub mod steering;
/// The endpoint that WebSub hubs call.
pub mod websub;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use self::auth::{InForce, Tokens};
use self::counts::Counts;
use self::hosts::Hosts;
use self::listener::Limits;
use self::steering::Steering;
use crate::clock::Clock;
use crate::health::Health;
use crate::lifecycle::process;
use crate::memory::Memory;
use crate::pipeline::Plan;
use crate::pipeline::selectors::SelectorWatch;
use crate::pipeline::workers::Workers;
use crate::publish::Configured;
use crate::store::Store;
use crate::telemetry::metrics::{self, Metrics};

/// How long readiness waits for the store: less than probes wait for the answer.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// Where the interface listens, and who may use it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The address; the interface is off if `None`.
    pub listen: Option<SocketAddr>,
    /// A separate address for metrics, which serves health as well; if `None`, metrics are served at `listen`.
    pub metrics_listen: Option<SocketAddr>,
    /// The tokens that grant access.
    pub tokens: Tokens,
    /// The names by which clients reach the interface.
    pub hosts: Hosts,
    /// Whether everybody may read without a token beyond loopback.
    pub allow_anonymous: bool,
}

/// The reason that new tokens cannot be put in force.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "http.tokens cannot become empty while {setting} is {address}, which is reachable from other machines; hint: configure a \
     loopback address and restart, or set http.allow_anonymous"
)]
pub struct Unguarded {
    setting: &'static str,
    address: SocketAddr,
}

impl Settings {
    /// Checks that the tokens of `next` can be put in force where this interface listens: beyond loopback, there must be one, unless
    /// `next` allows readers without.
    pub fn check_tokens(&self, next: &Self) -> Result<(), Unguarded> {
        let listeners = [("http.listen", self.listen), ("http.metrics_listen", self.metrics_listen)];
        let mut reachable = listeners.into_iter().filter_map(|(setting, address)| {
            Some((setting, address.filter(|address| !address.ip().is_loopback())?))
        });
        match reachable.next() {
            Some((setting, address)) if next.tokens.is_empty() && !next.allow_anonymous => {
                Err(Unguarded { setting, address })
            }
            _ => Ok(()),
        }
    }
}

/// What the handlers use of the daemon.
#[derive(Clone, Debug)]
pub struct Surface {
    /// The store.
    pub store: Store,
    /// Wall time.
    pub clock: Clock,
    /// The CPU workers.
    pub workers: Workers,
    /// The memory budget for responses to readers, in bytes.
    pub memory: Memory,
    /// The recorder whose state `/metrics` renders.
    pub metrics: Metrics,
    /// Cancelled when the daemon begins to stop.
    pub soft: CancellationToken,
    /// Notified when articles are stored.
    pub stored: Arc<Notify>,
    /// The tokens that grant access.
    pub tokens: InForce,
    /// The names by which clients reach the interface.
    pub hosts: Hosts,
    /// Whether the store can be written to.
    pub health: Health,
    /// The current plan, whose rules determine what would be extracted from a kept page now.
    pub plan: watch::Receiver<Arc<Plan>>,
    /// The configured sinks.
    pub sinks: watch::Receiver<Arc<[Configured]>>,
    /// Which of the operator's selectors match.
    pub selectors: Arc<SelectorWatch>,
    /// Changes the configuration; `None` if that is not possible.
    pub steering: Option<Steering>,
}

/// The interface and its state between requests.
struct Serving {
    surface: Surface,
    counts: Counts,
    /// Places for clients that wait for records.
    waiters: Arc<Semaphore>,
}

/// Returns a router with all routes.
pub fn router(surface: Surface) -> Router {
    let serving = Serving::of(surface);
    let routes = for_readers(&serving).merge(metrics(&serving));
    complete(routes, serving)
}

/// Returns the routers of two listeners: everything but metrics, and metrics. Health is on both, since a client may be able to
/// reach only one of them.
pub fn routers_apart(surface: Surface) -> (Router, Router) {
    let serving = Serving::of(surface);
    (complete(for_readers(&serving), Arc::clone(&serving)), complete(metrics(&serving), serving))
}

/// Adds what every listener has: the check of the host, and health, which is answered for any host.
fn complete(routes: Router<Arc<Serving>>, serving: Arc<Serving>) -> Router {
    let only_ours = from_fn_with_state(Arc::clone(&serving), hosts::only_ours);
    routes.layer(only_ours).merge(health()).with_state(serving)
}

fn for_readers(serving: &Arc<Serving>) -> Router<Arc<Serving>> {
    let readers = from_fn_with_state(serving.surface.tokens.clone(), auth::readers);
    Router::new().merge(pages::router(serving)).merge(api::router().layer(readers))
}

fn metrics(serving: &Arc<Serving>) -> Router<Arc<Serving>> {
    let operators = from_fn_with_state(serving.surface.tokens.clone(), auth::operators);
    Router::new().route("/metrics", get(exposition)).layer(operators)
}

fn health() -> Router<Arc<Serving>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

impl Serving {
    fn of(surface: Surface) -> Arc<Self> {
        let counts = Counts::new(surface.store.clone(), surface.clock.clone());
        let waiters = Arc::new(Semaphore::new(Limits::within(process::descriptors()).waiters()));
        Arc::new(Self { surface, counts, waiters })
    }
}

/// Responds as long as the process does.
async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

/// Reports whether the daemon does its work, and if not, why.
async fn readyz(State(serving): State<Arc<Serving>>) -> Response {
    let surface = &serving.surface;
    let mut reasons = Vec::new();
    if surface.soft.is_cancelled() {
        reasons.push("stopping".to_owned());
    }
    if surface.workers.is_overrun() {
        reasons.push(
            "runaway extractions occupy every core; hint: restart, then look at the quarantined entries"
                .to_owned(),
        );
    }
    reasons.extend(surface.health.problems());
    if !surface.store.shards().is_alive() {
        reasons.push(
            "this process has not renewed its registration in the store: it sends no requests".to_owned(),
        );
    }
    // A store that does not answer must not keep the reasons back.
    match tokio::time::timeout(STORE_PATIENCE, surface.store.feeds_any_active()).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => reasons.push("no feed is configured; hint: add a [[feed]] and reload".to_owned()),
        Ok(Err(error)) => reasons.push(format!("store: {error}")),
        Err(_) => reasons.push(format!("store: no answer for {} s", STORE_PATIENCE.as_secs())),
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(Readiness { ready, reasons })).into_response()
}

async fn exposition(State(serving): State<Arc<Serving>>) -> impl IntoResponse {
    match serving.counts.recent().await {
        Ok(totals) => metrics::store_totals(&totals),
        Err(error) => {
            tracing::error!(error = %error, "cannot read the store's totals: the gauges are stale");
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], serving.surface.metrics.render())
}
