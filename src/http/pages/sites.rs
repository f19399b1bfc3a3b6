//! `/sites`: the hosts whose furniture is being learned.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use maud::html;
use serde::Deserialize;

use super::Failure;
use super::frame::{Html, Place, columns, grouped, page, table};
use crate::http::Serving;
use crate::http::session::Visitor;

const SITES: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Html, Failure> {
    let Query(asked) = asked?;
    let sites = serving.surface.store.sites_list(asked.q.trim(), SITES).await?;
    let body = html! {
        @for site in &sites {
            tr {
                th.long scope="row" { a href={ "/sites/" (site.host) } { (site.host) } }
                td.number { (grouped(site.articles)) }
            }
        }
    };
    let main = html! {
        h1 { "Sites" }
        p { "Hosts of the stored articles. Text that appears on many pages of a host is learned as its boilerplate." }
        form.asks method="get" action="/sites" role="search" {
            label.wide { "Host contains" input type="search" name="q" value=(asked.q); }
            button { "Show" }
        }
        @if sites.is_empty() {
            p { "No host matches." }
        } @else {
            (table("Hosts, those with the most articles first", &columns(&["Host", "Articles"]), &body))
        }
    };
    Ok(page("Sites", Place::Sites, &visitor, &main))
}
