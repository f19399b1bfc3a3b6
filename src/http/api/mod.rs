//! `/v1`: what programs read.

pub(super) mod articles;
pub(super) mod diff;
mod query;
mod records;
mod search;

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use tower_http::compression::CompressionLayer;

use super::Serving;
use super::problem::Problem;
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

/// `GET /v1/schema`: what a record is.
async fn schema() -> Json<serde_json::Value> {
    Json(schema::json_schema())
}

async fn unknown() -> Problem {
    Problem::not_found(
        "there is no such resource; hint: /v1/articles, /v1/search, /v1/feeds, /v1/clusters/ID, /v1/schema",
    )
}
