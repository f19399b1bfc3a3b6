//! `/v1`: what programs read.

pub(super) mod articles;
pub(super) mod diff;
mod query;
mod records;
mod search;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tower_http::compression::CompressionLayer;

use super::Serving;
use super::problem::Problem;
use crate::blocking;
use crate::model::schema;

/// All routes below `/v1`. Answers are compressed where the reader says that it takes that; a stream of events is not.
pub(super) fn router() -> Router<Arc<Serving>> {
    Router::new()
        .route("/v1/articles", get(records::articles))
        .route("/v1/articles/{id}", get(articles::article))
        .route("/v1/articles/{id}/account", get(articles::account))
        .route("/v1/articles/{id}/diff", get(diff::diff))
        .route("/v1/clusters/{id}", get(articles::cluster))
        .route("/v1/feeds", get(articles::feeds))
        .route("/v1/feeds/{id}", get(articles::feed))
        .route("/v1/search", get(search::search))
        .route("/v1/schema", get(schema))
        .route("/v1/{*rest}", get(unknown))
        .layer(CompressionLayer::new())
}

/// A value as JSON, which may be as long as an article or a list of all feeds.
async fn json(value: impl Serialize + Send + 'static) -> Response {
    blocking::run(usize::MAX, move || Json(value).into_response()).await
}

/// `GET /v1/schema`: what a record is.
async fn schema() -> Json<serde_json::Value> {
    Json(schema::json_schema())
}

async fn unknown() -> Problem {
    Problem::not_found(
        "there is no such resource; hint: /v1/articles, /v1/search, /v1/feeds, /v1/clusters/ID, /v1/schema",
    )
}
