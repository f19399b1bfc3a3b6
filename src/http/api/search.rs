//! Full-text search for articles.

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

/// The maximum number of articles in one response.
const MAX_LIMIT: u32 = 100;
const DEFAULT_LIMIT: u32 = 20;

const HINT: &str = "hint: /v1/search?q=WORDS&limit=N&before=NEXT";

const IS_OFF: &str = "search is off: there is no search index; hint: set database.search_index = true";

/// Returns the route of this module.
pub(super) fn routes() -> Vec<Route> {
    let words = "Words in the title or text; `\"two words\"` is a phrase, `begin*` a prefix, `-word` excludes a word.";
    let search = Route::get("/v1/search", "Full-text search for articles, newest first", search)
        .takes([
            Parameter::query("q", words, json!({ "type": "string" }), "harbour \"night ferry\"").required(),
            Parameter::query(
                "limit",
                "Maximum number of articles.",
                json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
                "5",
            ),
            Parameter::query(
                "before",
                "`next` of a response, to get the articles after it.",
                json!({ "type": "integer" }),
                "77",
            ),
        ])
        .answers::<Answer>()
        .refuses(&[(501, "There is no search index.")]);
    vec![search]
}

/// A parsed query.
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
                    before = Some(value.parse().map_err(|_| wrong("must be the next of a response"))?);
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
    /// Value of `before` for the next page, if there may be more.
    next: Option<i64>,
    /// Set if the search took too long and stopped: it has searched articles stored since then, and continues from `next`.
    stopped_at: Option<Timestamp>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "FoundArticle")]
struct Found {
    #[serde(flatten)]
    status: ArticleStatus,
    language: Option<String>,
    /// Part of the text around the matches.
    excerpt: String,
}

/// `GET /v1/search`: articles that contain the words, newest first.
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
            ("q=fog&before=x", "must be the next of a response"),
            ("qq=fog", "unknown parameter"),
        ] {
            let error = Asked::parse(query).unwrap_err();
            assert!(error.contains(expected) && error.contains("hint: "), "{query}: {error}");
        }
    }
}
