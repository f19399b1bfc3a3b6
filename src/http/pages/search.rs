//! `/search`: full-text search in titles and texts.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::Failure;
use super::frame::{
    Html, Place, article_address, count, marked, moment, moment_and_distance, page, query_of,
};
use crate::http::Serving;
use crate::http::session::Visitor;
use crate::search::Question;
use crate::store::FoundArticles;

const PER_PAGE: u32 = 20;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(super) struct Asked {
    q: String,
    before: Option<i64>,
}

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Html, Failure> {
    let Query(asked) = asked?;
    let surface = &serving.surface;
    let backlog = surface.store.search_backlog().await?;
    let answer = match (Question::parse(&asked.q), asked.q.trim()) {
        _ if backlog.is_none() => html! {
            p role="status" {
                "Search is off: there is no search index. Set "
                code { "database.search_index = true" } " and restart to build it."
            }
        },
        (_, "") => html! {},
        (Err(error), _) => html! { p.bad role="alert" { (error) } },
        (Ok(question), _) => {
            let found = surface.store.articles_search(&question, asked.before, PER_PAGE).await?;
            listed(&asked, &question, &found, surface.clock.now())
        }
    };
    let main = html! {
        h1 { "Search" }
        form.asks method="get" action="/search" role="search" {
            label.wide { "Words in titles and texts" input type="search" name="q" value=(asked.q) aria-describedby="how"; }
            button { "Search" }
        }
        p.faint id="how" {
            "Articles that contain all words. " code { "\"night ferry\"" } " is a phrase, " code { "storm*" } " a prefix, "
            code { "-fog" } " excludes a word."
        }
        @if let Some(backlog) = backlog.filter(|backlog| *backlog > 0) {
            p { "Up to " (count(backlog.unsigned_abs(), "older article is", "older articles are")) " not in the index yet." }
        }
        (answer)
    };
    Ok(page("Search", Place::Search, &visitor, &main))
}

fn listed(asked: &Asked, question: &Question, found: &FoundArticles, now: Timestamp) -> Markup {
    let next = found.next.map(|before| {
        let mut query = query_of("/search?");
        query.append_pair("q", &asked.q).append_pair("before", &before.to_string()).finish()
    });
    html! {
        @if found.articles.is_empty() && found.next.is_none() { p role="status" { "Nothing was found." } }
        ol.found {
            @for found in &found.articles {
                @let article = &found.status;
                @let title = article.title.as_deref().unwrap_or(article.url.as_str());
                li dir="auto" lang=[found.language.as_deref()] {
                    a href=(article_address(&article.id)) { (marked(&question.marked(title))) }
                    @if let Some(kind) = article.duplicate_kind { " " span.badge lang="en" { (kind.as_str()) " copy" } }
                    div { (marked(&question.excerpt(&found.text))) }
                    div.faint lang="en" {
                        (article.url.host_str().unwrap_or_default()) ", " (moment_and_distance(article.stored_at, now))
                    }
                }
            }
        }
        @if let Some(at) = found.stopped_at {
            p role="status" {
                "The search took too long and stopped. It covered the articles stored since " (moment(at)) "."
            }
        }
        @if let Some(next) = next { nav aria-label="Pages of results" { a rel="next" href=(next) { "Older articles" } } }
    }
}
