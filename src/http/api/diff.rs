//! Compares two texts: revisions of an article, or an article and the one it is a copy of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::articles::{article_id, id};
use super::route::{Parameter, Route};
use crate::http::problem::Problem;
use crate::http::{Serving, Surface};
use crate::model::ArticleId;
use crate::report::diff::{Paragraph, by_words};
use crate::store::Revision;

/// How long to search for the shortest edit scripts of title and text together. No page should take 200 ms; two unrelated texts
/// of 40,000 words take 250 to 370 ms without a limit.
const PATIENCE: Duration = Duration::from_millis(60);
/// The party under which comparisons are queued for the CPU workers: all API clients share one, so that any number of them does
/// not take the workers from the feeds.
const READERS: &str = "readers of the API";

/// Returns the route of this module.
pub(super) fn routes() -> Vec<Route> {
    let revision =
        |name, meaning| Parameter::query(name, meaning, json!({ "type": "integer", "minimum": 1 }), "2");
    let diff = Route::get("/v1/articles/{id}/diff", "Word diff of two texts", diff)
        .takes([
            id("Id of the article with the later text."),
            revision("from", "The earlier revision; default: the one before `to`."),
            revision("to", "The later revision; default: the current one."),
            Parameter::query(
                "with",
                "Id of another article, whose current text is taken as the earlier one; excludes `from`.",
                json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
                "0b4e7a0e5fe84ad35fb5f95b9ceeac79c9d3c1a4a5b1c2d3e4f5061728394a5b",
            ),
        ])
        .answers::<Difference>()
        .refuses(&[(404, "No such article or revision.")]);
    vec![diff]
}

/// Which texts to compare.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Which {
    /// The earlier revision; by default the one before the later.
    from: Option<u32>,
    /// The later revision; by default the current one.
    to: Option<u32>,
    /// Another article, whose current text is the earlier one.
    with: Option<String>,
}

/// Two texts, and the changes from the earlier to the later.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::http) struct Difference {
    pub(in crate::http) from: Side,
    pub(in crate::http) to: Side,
    pub(in crate::http) title: Vec<Paragraph>,
    pub(in crate::http) paragraphs: Vec<Paragraph>,
}

/// One of the two texts.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::http) struct Side {
    pub(in crate::http) id: ArticleId,
    pub(in crate::http) revision: u32,
    pub(in crate::http) fetched_at: Timestamp,
}

/// `GET /v1/articles/{id}/diff`: what changed from one text to another, by word.
async fn diff(
    State(serving): State<Arc<Serving>>,
    Path(id): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Difference>, Problem> {
    let Query(which) = which.map_err(|error| {
        Problem::bad_request(format!("{error}; hint: /v1/articles/ID/diff?from=N&to=M, or ?with=ID"))
    })?;
    difference(&serving.surface, article_id(&id)?, &which).await.map(Json)
}

/// Compares the requested texts.
pub(in crate::http) async fn difference(
    surface: &Surface,
    id: ArticleId,
    which: &Which,
) -> Result<Difference, Problem> {
    let revisions = surface.store.article_revisions(id).await?;
    let Some(current) = revisions.last() else {
        return Err(Problem::not_found(format!("there is no article {id}")));
    };
    let revision = |number: u32| {
        let found = revisions.iter().find(|revision| revision.revision == number).cloned();
        found.ok_or_else(|| {
            let last = current.revision;
            Problem::not_found(format!("article {id} has no revision {number}; hint: it has 1 to {last}"))
        })
    };
    let to = revision(which.to.unwrap_or(current.revision))?;
    let (from_id, from) = match (&which.with, which.from) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("from and with exclude each other; hint: give only one"));
        }
        (Some(with), None) => {
            let other = article_id(with)?;
            let texts = surface.store.article_revisions(other).await?;
            let text = texts.into_iter().next_back();
            (other, text.ok_or_else(|| Problem::not_found(format!("there is no article {other}")))?)
        }
        (None, Some(from)) => (id, revision(from)?),
        (None, None) if to.revision > 1 => (id, revision(to.revision - 1)?),
        (None, None) => {
            return Err(Problem::bad_request(
                "revision 1 is the first text: there is no earlier one; hint: with=ID names another article",
            ));
        }
    };
    let side =
        |id, revision: &Revision| Side { id, revision: revision.revision, fetched_at: revision.fetched_at };
    let (from_side, to_side) = (side(from_id, &from), side(id, &to));
    let compared = surface.workers.run(READERS, move || {
        let end = Instant::now() + PATIENCE;
        let title = |revision: &Revision| revision.title.clone().unwrap_or_default();
        let titles = by_words(&title(&from), &title(&to), PATIENCE);
        (titles, by_words(&from.text, &to.text, end.saturating_duration_since(Instant::now())))
    });
    let refused = |why: String| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("cannot compare the texts: {why}"))
    };
    let compared = compared.await.map_err(|stopped| refused(stopped.to_string()))?;
    let (title, paragraphs) = compared.map_err(|error| refused(format!("the comparison {error}")))?;
    Ok(Difference { from: from_side, to: to_side, title, paragraphs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::diff::Change;

    /// Returns the text that is left when the parts with this change are taken out.
    fn without(change: Change, paragraphs: &[Paragraph]) -> String {
        let parts = paragraphs.iter().flat_map(|paragraph| &paragraph.parts);
        parts.filter(|part| part.change != change).map(|part| part.text.as_str()).collect()
    }

    #[test]
    fn a_comparison_whose_time_is_over_still_shows_both_texts() {
        let words = |step: usize| {
            let numbers = (0..3_000).map(|number| (number * step % 997).to_string());
            format!("first {} last", numbers.collect::<Vec<_>>().join(" "))
        };
        let (from, to) = (words(7), words(11));
        for patience in [Duration::ZERO, PATIENCE] {
            let paragraphs = by_words(&from, &to, patience);
            assert_eq!(without(Change::Come, &paragraphs), from, "{patience:?}");
            assert_eq!(without(Change::Gone, &paragraphs), to, "{patience:?}");
        }
        assert!(by_words(&from, &from, Duration::ZERO).iter().all(|paragraph| !paragraph.changed));
    }
}
