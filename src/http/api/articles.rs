//! One article, one cluster, the feeds: what the records name, as it is now.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::json;
use crate::http::Serving;
use crate::http::problem::Problem;
use crate::model::{ArticleId, FeedId, Record};
use crate::store::{ArticleStatus, FeedStatus, Store};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    revision: Option<u32>,
}

/// `GET /v1/articles/{id}`, with `.txt` behind the id for the text alone.
pub(super) async fn article(
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
    Ok(json(record).await)
}

fn text(record: &Record) -> String {
    let title = record.metadata.title.as_ref().map_or_else(String::new, |title| format!("{title}\n\n"));
    format!("{title}{}\n", record.text)
}

/// `GET /v1/articles/{id}/account`: what was kept of its page, and each dropped block with the rule that dropped it.
pub(super) async fn account(
    State(serving): State<Arc<Serving>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let account = serving.surface.store.article_account(article_id(&id)?).await?;
    let account = account.ok_or_else(|| Problem::not_found(format!("there is no article {id}")))?;
    Ok(json(account).await)
}

#[derive(Serialize)]
struct Cluster {
    id: ArticleId,
    articles: Vec<ArticleStatus>,
}

/// `GET /v1/clusters/{id}`: an original and its copies, the oldest first.
pub(super) async fn cluster(
    State(serving): State<Arc<Serving>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let cluster_id = article_id(&id)?;
    let articles = serving.surface.store.articles_of_cluster(cluster_id).await?;
    if articles.is_empty() {
        return Err(Problem::not_found(format!("there is no cluster {id}")));
    }
    Ok(json(Cluster { id: cluster_id, articles }).await)
}

#[derive(Serialize)]
struct Feeds {
    feeds: Vec<FeedStatus>,
}

/// `GET /v1/feeds`.
pub(super) async fn feeds(State(serving): State<Arc<Serving>>) -> Result<Response, Problem> {
    let feeds = serving.surface.store.feeds_list().await?;
    Ok(json(Feeds { feeds }).await)
}

/// `GET /v1/feeds/{id}`.
pub(super) async fn feed(
    State(serving): State<Arc<Serving>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(json(known_feed(&serving.surface.store, &id).await?).await)
}

/// The feed with the id that stands in an address.
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
