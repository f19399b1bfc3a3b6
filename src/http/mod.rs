//! The service surface, on loopback unless the operator says otherwise: health for the service manager, metrics for
//! Prometheus, and the records by cursor.

/// How much there is, counted now and then.
pub mod counts;
/// Where hubs call.
pub mod websub;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::counts::Counts;
use crate::clock::Clock;
use crate::health::Health;
use crate::pipeline::workers::Workers;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::{self, Metrics};

/// Most records in one answer.
const MAX_LIMIT: u32 = 1000;

/// Records read from the store at a time.
const STEP: u32 = 20;

/// An answer that has grown past this ends, short of its limit: the cursor goes on from there.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// What the handlers see of the daemon.
#[derive(Clone, Debug)]
pub struct Surface {
    /// The store.
    pub store: Store,
    /// Wall time.
    pub clock: Clock,
    /// The CPU workers.
    pub workers: Workers,
    /// The recorder whose state `/metrics` prints.
    pub metrics: Metrics,
    /// Cancelled while the daemon stops.
    pub soft: CancellationToken,
    /// Whether the store can store.
    pub health: Health,
}

/// The surface and what it remembers from call to call.
struct Serving {
    surface: Surface,
    counts: Counts,
}

/// All routes.
pub fn router(surface: Surface) -> Router {
    let counts = Counts::new(surface.store.clone(), surface.clock.clone());
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .route("/v1/articles", get(articles))
        .with_state(Arc::new(Serving { surface, counts }))
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: i64,
    #[serde(default = "default_limit")]
    limit: u32,
    #[serde(default)]
    removed: Removed,
}

/// What is answered where records after the position were removed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Removed {
    /// 410, so that no reader loses them unawares.
    #[default]
    Refuse,
    /// What is left.
    Skip,
}

const fn default_limit() -> u32 {
    100
}

/// Records after a position, one JSON object a line. An empty answer means: nothing newer yet, ask again with the same
/// position.
async fn articles(
    State(serving): State<Arc<Serving>>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let page = match page {
        Ok(Query(page)) => page,
        Err(rejection) => {
            return refused(&format!("{rejection}; hint: /v1/articles?after=SEQ&limit=N&removed=skip"));
        }
    };
    if page.after < 0 || !(1..=MAX_LIMIT).contains(&page.limit) {
        return refused(&format!(
            "after = {}, limit = {}: after must be 0 or more, limit 1 to {MAX_LIMIT}",
            page.after, page.limit
        ));
    }
    match lines_after(&serving.surface.store, page.after, page.limit).await {
        Ok((_, removed_through)) if page.after < removed_through && page.removed == Removed::Refuse => {
            let reason = format!(
                "records after {} were removed (keep_days), up to {removed_through}; hint: removed=skip gives what is left\n",
                page.after
            );
            (StatusCode::GONE, reason).into_response()
        }
        Ok((lines, _)) => {
            ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from(lines)).into_response()
        }
        Err(error) => {
            tracing::error!(error = %error, "cannot read records");
            (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read now\n").into_response()
        }
    }
}

/// The lines, and the highest position that was removed, asked for when they were read: what goes in between shows.
async fn lines_after(store: &Store, mut after: i64, limit: u32) -> Result<(Vec<u8>, i64), StoreError> {
    let mut lines = Vec::new();
    let mut left = limit;
    while left > 0 && lines.len() < MAX_ANSWER_BYTES {
        let records = store.records_after(after, left.min(STEP)).await?;
        let Some(last) = records.last() else { break };
        after = last.seq;
        for record in &records {
            serde_json::to_writer(&mut lines, record).expect("a record has string keys and plain values");
            lines.push(b'\n');
            left -= 1;
        }
    }
    Ok((lines, store.removed_through().await?))
}

fn refused(reason: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response()
}
