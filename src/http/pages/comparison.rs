//! `/articles/{id}/diff`: two texts compared word by word.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use maud::{Markup, html};

use super::Failure;
use super::article::article_id;
use super::frame::{Html, Place, article_address, moment, page};
use crate::http::Serving;
use crate::http::api::diff::{Difference, Side, Which, difference};
use crate::http::session::Visitor;
use crate::report::diff::{Change, Paragraph};

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Html, Failure> {
    let Query(which) = which?;
    let found = difference(&serving.surface, article_id(&id)?, &which).await?;
    let Difference { from, to, title, paragraphs } = &found;
    let is_same = [title, paragraphs].into_iter().flatten().all(|paragraph| !paragraph.changed);
    let main = html! {
        h1 { "What changed" }
        dl {
            dt { "Earlier" } dd { (side(from)) }
            dt { "Later" } dd { (side(to)) }
        }
        @if is_same { p { "No word has changed." } }
        div.text dir="auto" {
            @for paragraph in title { h2 { (written(paragraph)) } }
            @for paragraph in paragraphs { p { (written(paragraph)) } }
        }
    };
    Ok(page("What changed", Place::Elsewhere, &visitor, &main))
}

fn side(side: &Side) -> Markup {
    html! {
        a href={ (article_address(&side.id)) "?revision=" (side.revision) } {
            "Revision " (side.revision) " of " (&side.id.to_string()[..SHOWN_DIGITS])
        }
        ", fetched " (moment(side.fetched_at))
    }
}

/// Number of hex digits of an id that is enough to distinguish articles.
const SHOWN_DIGITS: usize = 16;

fn written(paragraph: &Paragraph) -> Markup {
    html! {
        @for part in &paragraph.parts {
            @match part.change {
                Change::Same => (part.text),
                Change::Gone => del { (part.text) },
                Change::Come => ins { (part.text) },
            }
        }
    }
}
