//! Single articles, clusters and feeds in their current state, by the ids in records.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::json_schema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer_json;
use super::route::{Parameter, Route};
use crate::http::Serving;
use crate::http::blocks::{self, PageBlocks};
use crate::http::problem::Problem;
use crate::model::{ArticleId, FeedId, Record};
use crate::store::{ArticleStatus, FeedStatus, Store};

/// Returns the routes of this module.
pub(super) fn routes() -> Vec<Route> {
    const NONE: &[(u16, &str)] = &[(404, "No such article, revision, cluster or feed.")];
    let revision = Parameter::query(
        "revision",
        "Number of the revision; default: the current one.",
        json!({ "type": "integer", "minimum": 1 }),
        "1",
    );
    let with_text = "The article's id; with the suffix `.txt`, only its headline and text are returned.";
    let article_or_text = Parameter::path(
        "id",
        with_text,
        json!({ "type": "string", "pattern": "^[0-9a-f]{64}(\\.txt)?$" }),
        ID,
    );
    let feed = Parameter::path("id", "The feed's `id`.", json!({ "type": "integer" }), "1");
    vec![
        Route::get("/v1/articles/{id}", "The record of an article's revision", article)
            .takes([article_or_text, revision])
            .answers::<Record>()
            .answers_in("text/plain", |_| json_schema!({ "type": "string" }))
            .refuses(NONE),
        Route::get(
            "/v1/articles/{id}/account",
            "The blocks of an article's page in order, each kept or dropped by a rule",
            account,
        )
        .takes([id("The article's id.")])
        .answers::<PageBlocks>()
        .refuses(NONE),
        Route::get("/v1/clusters/{id}", "An original and its copies, the oldest first", cluster)
            .takes([id("The cluster's id: `cluster_id` of a record.")])
            .answers::<Cluster>()
            .refuses(NONE),
        Route::get("/v1/feeds", "All feeds and their status", feeds).answers::<Feeds>(),
        Route::get("/v1/feeds/{id}", "A feed and its status", self::feed)
            .takes([feed])
            .answers::<FeedStatus>()
            .refuses(NONE),
    ]
}

/// An example of an article's id.
const ID: &str = "9d1152d29f00fa6d0a5f46e1a6cb9d2a6a7dc0d4d9c1f7f7a9a8b4c60e5b3a21";

/// Returns the path parameter `id`.
pub(super) fn id(meaning: &str) -> Parameter {
    Parameter::path("id", meaning, json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }), ID)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    revision: Option<u32>,
}

/// `GET /v1/articles/{id}`: a record, or only headline and text if the id ends in `.txt`.
async fn article(
    State(serving): State<Arc<Serving>>,
    Path(name): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(which) =
        which.map_err(|error| Problem::bad_request(format!("{error}; hint: /v1/articles/ID?revision=N")))?;
    let (id, as_text) = match name.strip_suffix(".txt") {
        Some(id) => (id, true),
        None => (name.as_str(), false),
    };
    let record = serving.surface.store.article_record(article_id(id)?, which.revision).await?;
    let record = record.ok_or_else(|| match which.revision {
        Some(revision) => Problem::not_found(format!("there is no revision {revision} of article {id}")),
        None => Problem::not_found(format!("there is no article {id}")),
    })?;
    if as_text {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((headers, text(&record)).into_response());
    }
    Ok(answer_json(record).await)
}

fn text(record: &Record) -> String {
    let title = record.metadata.title.as_ref().map_or_else(String::new, |title| format!("{title}\n\n"));
    format!("{title}{}\n", record.text)
}

/// `GET /v1/articles/{id}/account`: the blocks of the article's page in order, each with the rule that kept or dropped it.
async fn account(State(serving): State<Arc<Serving>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let surface = &serving.surface;
    let none = || Problem::not_found(format!("there is no article {id}"));
    let record = surface.store.article_record(article_id(&id)?, None).await?.ok_or_else(none)?;
    let blocks = blocks::of_page(surface, &record).await?.ok_or_else(none)?;
    Ok(answer_json(blocks).await)
}

#[derive(Serialize, schemars::JsonSchema)]
struct Cluster {
    id: ArticleId,
    articles: Vec<ArticleStatus>,
}

/// `GET /v1/clusters/{id}`: an original and its copies, the oldest first.
async fn cluster(State(serving): State<Arc<Serving>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let cluster_id = article_id(&id)?;
    let articles = serving.surface.store.articles_of_cluster(cluster_id).await?;
    if articles.is_empty() {
        return Err(Problem::not_found(format!("there is no cluster {id}")));
    }
    Ok(answer_json(Cluster { id: cluster_id, articles }).await)
}

#[derive(Serialize, schemars::JsonSchema)]
struct Feeds {
    feeds: Vec<FeedStatus>,
}

/// `GET /v1/feeds`.
async fn feeds(State(serving): State<Arc<Serving>>) -> Result<Response, Problem> {
    let feeds = serving.surface.store.feeds_list().await?;
    Ok(answer_json(Feeds { feeds }).await)
}

/// `GET /v1/feeds/{id}`.
async fn feed(State(serving): State<Arc<Serving>>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(answer_json(known_feed(&serving.surface.store, &id).await?).await)
}

/// Returns the feed with the id given in the path.
pub(in crate::http) async fn known_feed(store: &Store, id: &str) -> Result<FeedStatus, Problem> {
    let feed = match id.parse() {
        Ok(id) => store.feed_status(FeedId(id)).await?,
        Err(_) => None,
    };
    feed.ok_or_else(|| Problem::not_found(format!("there is no feed {id}")))
}

pub(in crate::http) fn article_id(text: &str) -> Result<ArticleId, Problem> {
    let id = text.parse().map_err(|error| Problem::bad_request(format!("{error}")))?;
    Ok(ArticleId(id))
}
