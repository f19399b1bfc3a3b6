//! `/v1`: the API for programs.

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

/// Returns all routes, in the order of the OpenAPI document.
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

/// Returns a router for everything below `/v1`. Responses are compressed if the client accepts that; event streams are not.
pub(super) fn router() -> Router<Arc<Serving>> {
    let router = routes().into_iter().fold(Router::new(), |router, route| route.serve(router));
    router
        .method_not_allowed_fallback(only_read)
        .route("/v1/{*rest}", any(unknown))
        .layer(CompressionLayer::new())
}

/// Serialises a value as JSON off the async threads, since it may be as long as an article or a list of all feeds.
async fn answer_json(value: impl Serialize + Send + 'static) -> Response {
    blocking::run(Queue::Answers, usize::MAX, move || Json(value).into_response()).await
}

/// `GET /v1/schema`: the JSON Schema of a record.
async fn schema() -> Json<serde_json::Value> {
    Json(schema::json_schema())
}

/// `GET /v1/openapi.json`: the OpenAPI document.
async fn openapi() -> Json<serde_json::Value> {
    Json(openapi::document(&routes()))
}

async fn unknown() -> Problem {
    Problem::not_found("there is no such resource; hint: /v1/openapi.json lists all")
}

async fn only_read() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the API is read-only; hint: use GET")
}
