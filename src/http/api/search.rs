//! Articles by their words.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::route::{Parameter, Route};
use crate::http::Serving;
use crate::http::problem::Problem;
use crate::search::Question;
use crate::store::ArticleStatus;

/// Most articles in one answer.
const MAX_LIMIT: u32 = 100;
const DEFAULT_LIMIT: u32 = 20;

const HINT: &str = "hint: /v1/search?q=WORDS&limit=N&before=NEXT";

const IS_OFF: &str =
    "articles cannot be looked for: there is no index of their words; hint: database.search_index = true";

/// What finds.
pub(super) fn routes() -> Vec<Route> {
    let words = "Words that the title or the text holds: `\"two together\"`, `begin*`, `-without`.";
    let search = Route::get("/v1/search", "Articles by their words, newest first", search)
        .takes([
            Parameter::query("q", words, json!({ "type": "string" }), "harbour \"night ferry\"").required(),
            Parameter::query(
                "limit",
                "Most articles in the answer.",
                json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
                "5",
            ),
            Parameter::query(
                "before",
                "`next` of an answer, to go on from it.",
                json!({ "type": "integer" }),
                "77",
            ),
        ])
        .answers::<Answer>();
    vec![search]
}

/// What is looked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    question: Question,
    limit: u32,
    before: Option<i64>,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, String> {
        let (mut words, mut limit, mut before) = (String::new(), DEFAULT_LIMIT, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = |what: &str| format!("{name} = {value:?}: {what}; {HINT}");
            match &*name {
                "q" => words = value.into_owned(),
                "limit" => {
                    let given = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    limit = given.ok_or_else(|| wrong("must be 1 to 100"))?;
                }
                "before" => {
                    before = Some(value.parse().map_err(|_| wrong("must be the next of an answer"))?);
                }
                _ => return Err(wrong("unknown parameter")),
            }
        }
        let question = Question::parse(&words).map_err(|error| format!("q: {error}"))?;
        Ok(Self { question, limit, before })
    }
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Articles")]
struct Answer {
    articles: Vec<Found>,
    /// For `before`, where there may be more.
    next: Option<i64>,
    /// Where the search took too long and stopped: it has looked at what was stored from here on, and `next` takes it up.
    stopped_at: Option<Timestamp>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "FoundArticle")]
struct Found {
    #[serde(flatten)]
    status: ArticleStatus,
    language: Option<String>,
    /// The part of the text around what was found.
    excerpt: String,
}

/// `GET /v1/search`: what holds the words, newest first.
async fn search(
    State(serving): State<Arc<Serving>>,
    RawQuery(query): RawQuery,
) -> Result<Json<impl Serialize>, Problem> {
    let asked = Asked::parse(&query.unwrap_or_default()).map_err(Problem::bad_request)?;
    if serving.surface.store.search_backlog().await?.is_none() {
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, IS_OFF));
    }
    let found = serving.surface.store.articles_search(&asked.question, asked.before, asked.limit).await?;
    let articles = found
        .articles
        .into_iter()
        .map(|found| Found {
            excerpt: asked.question.excerpt(&found.text).into_iter().map(|piece| piece.text).collect(),
            status: found.status,
            language: found.language,
        })
        .collect();
    Ok(Json(Answer { articles, next: found.next, stopped_at: found.stopped_at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_or_refused_with_the_way_out() {
        let asked = Asked::parse("q=night+ferry&limit=5&before=77").unwrap();
        assert_eq!((asked.limit, asked.before, asked.question.wanted().len()), (5, Some(77), 2));
        for (query, expected) in [
            ("", "no word to look for"),
            ("q=-fog", "no word to look for"),
            ("q=fog&limit=0", "must be 1 to 100"),
            ("q=fog&before=x", "must be the next of an answer"),
            ("qq=fog", "unknown parameter"),
        ] {
            let error = Asked::parse(query).unwrap_err();
            assert!(error.contains(expected) && error.contains("hint: "), "{query}: {error}");
        }
    }
}
