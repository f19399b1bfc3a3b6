//! `/v1`: what programs read.

pub(super) mod articles;
pub(super) mod diff;
mod query;
mod openapi;
mod records;
mod route;
mod search;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use schemars::json_schema;
use serde::Serialize;
use tower_http::compression::CompressionLayer;

use self::route::{JSON, Route};
use super::Serving;
use super::problem::Problem;
use crate::blocking::{self, Queue};
use crate::model::schema;

/// Every route, in the order of the document.
fn routes() -> Vec<Route> {
    let own = [
        Route::get("/v1/schema", "The JSON Schema of a record", schema)
            .answers_in(JSON, |_| json_schema!({ "type": "object" })),
        Route::get("/v1/openapi.json", "This document", openapi)
            .answers_in(JSON, |_| json_schema!({ "type": "object" })),
    ];
    [records::routes(), articles::routes(), diff::routes(), search::routes(), Vec::from(own)]
        .into_iter()
        .flatten()
        .collect()
}

/// All routes below `/v1`. Answers are compressed where the reader says that it takes that; a stream of events is not.
pub(super) fn router() -> Router<Arc<Serving>> {
    let router = routes().into_iter().fold(Router::new(), |router, route| route.serve(router));
    router
        .method_not_allowed_fallback(only_read)
        .route("/v1/{*rest}", any(unknown))
        .layer(CompressionLayer::new())
}

/// A value as JSON, which may be as long as an article or a list of all feeds.
async fn answer_json(value: impl Serialize + Send + 'static) -> Response {
    blocking::run(Queue::Answers, usize::MAX, move || Json(value).into_response()).await
}

/// `GET /v1/schema`: what a record is.
async fn schema() -> Json<serde_json::Value> {
    Json(schema::json_schema())
}

/// `GET /v1/openapi.json`: what there is to ask for.
async fn openapi() -> Json<serde_json::Value> {
    Json(openapi::document(&routes()))
}

async fn unknown() -> Problem {
    Problem::not_found("there is no such resource; hint: /v1/openapi.json has them all")
}

async fn only_read() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "resources here are only read; hint: GET")
}
