//! The service surface, on loopback unless the operator says otherwise: health for the service manager, metrics for
//! Prometheus, the records by cursor, and the operator's site; metrics on a listener of their own if wanted. Where there are tokens, all but health asks for one.

/// What programs read.
mod api;
/// Who may.
pub mod auth;
/// How much there is, counted now and then.
pub mod counts;
/// Connections, and what one client may take of them.
pub mod listener;
/// What people look at.
mod pages;
/// Refusals.
pub mod problem;
/// How a browser shows who sits before it.
mod session;
/// How pages change the configuration.
pub mod steering;
/// Where hubs call.
pub mod websub;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::auth::Tokens;
use self::counts::Counts;
use self::steering::Steering;
use crate::clock::Clock;
use crate::health::Health;
use crate::memory::Memory;
use crate::pipeline::Plan;
use crate::pipeline::selectors::SelectorWatch;
use crate::pipeline::workers::Workers;
use crate::report::sinks::Sink;
use crate::store::Store;
use crate::telemetry::metrics::{self, Metrics};

/// Where the surface is, and who may use it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Its address; nowhere where `None`.
    pub listen: Option<SocketAddr>,
    /// Where metrics are, and health as well, if not there.
    pub metrics_listen: Option<SocketAddr>,
    /// Who may read.
    pub tokens: Tokens,
}

/// What the handlers see of the daemon.
#[derive(Clone, Debug)]
pub struct Surface {
    /// The store.
    pub store: Store,
    /// Wall time.
    pub clock: Clock,
    /// The CPU workers.
    pub workers: Workers,
    /// What is on its way to readers, in bytes.
    pub memory: Memory,
    /// The recorder whose state `/metrics` prints.
    pub metrics: Metrics,
    /// Cancelled while the daemon stops.
    pub soft: CancellationToken,
    /// Rung when articles are stored.
    pub stored: Arc<Notify>,
    /// Who may read.
    pub tokens: Tokens,
    /// Whether the store can store.
    pub health: Health,
    /// The plan in force, whose rules say what a kept page gives now.
    pub plan: watch::Receiver<Arc<Plan>>,
    /// The configured sinks.
    pub sinks: Arc<[Sink]>,
    /// Which of the operator's selectors match.
    pub selectors: Arc<SelectorWatch>,
    /// How the configuration is changed; not at all where `None`.
    pub steering: Option<Steering>,
}

/// The surface and what it remembers from call to call.
struct Serving {
    surface: Surface,
    counts: Counts,
}

/// All routes.
pub fn router(surface: Surface) -> Router {
    let serving = Serving::of(surface);
    for_readers(&serving).merge(metrics(&serving)).merge(health()).with_state(serving)
}

/// The routes of two listeners: all but metrics, and metrics. Health is at both: whoever asks for it may reach one only.
pub fn routers_apart(surface: Surface) -> (Router, Router) {
    let serving = Serving::of(surface);
    let main = for_readers(&serving).merge(health()).with_state(Arc::clone(&serving));
    (main, metrics(&serving).merge(health()).with_state(serving))
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
        Arc::new(Self { surface, counts })
    }
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

/// Whether work is being done, and if not why.
async fn readyz(State(serving): State<Arc<Serving>>) -> Response {
    let surface = &serving.surface;
    let mut reasons = Vec::new();
    if surface.soft.is_cancelled() {
        reasons.push("stopping".to_owned());
    }
    if surface.workers.is_overrun() {
        reasons.push(
            "extraction has run away on every core; hint: restart, then look at the quarantined entries"
                .to_owned(),
        );
    }
    reasons.extend(surface.health.problems());
    if !surface.store.shards().is_alive() {
        reasons
            .push("the other processes on this store hear nothing of this one: it asks no host".to_owned());
    }
    match surface.store.feeds_any_active().await {
        Ok(true) => {}
        Ok(false) => reasons.push("no feed is configured; hint: add a [[feed]] and reload".to_owned()),
        Err(error) => reasons.push(format!("store: {error}")),
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(Readiness { ready, reasons })).into_response()
}

async fn exposition(State(serving): State<Arc<Serving>>) -> impl IntoResponse {
    match serving.counts.recent().await {
        Ok(totals) => metrics::store_totals(&totals),
        Err(error) => {
            tracing::error!(error = %error, "the store's totals cannot be read: the gauges stand still");
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], serving.surface.metrics.render())
}
