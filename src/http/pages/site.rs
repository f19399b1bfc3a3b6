//! `/sites/{host}`: what was learned as a host's furniture, with buttons to forget parts of it.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::Failure;
use super::frame::{Html, Place, columns, count, grouped, moment_and_distance, page, table};
use crate::http::Serving;
use crate::http::problem::Problem;
use crate::http::session::Visitor;
use crate::model::BlockHash;
use crate::store::{LearnedBlock, SiteStatus};

const BLOCKS: u32 = 200;

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(host): Path<String>,
) -> Result<Html, Failure> {
    let surface = &serving.surface;
    let site = surface.store.site_status(&host).await?;
    let site = site.ok_or_else(|| {
        Problem::not_found(format!("nothing was learned from articles of the host {host:?}"))
    })?;
    let blocks = surface.store.site_blocks(&host, BLOCKS).await?;
    let main = html! {
        h1 { (site.host) }
        p {
            "These texts appear on more than one of " (count(site.articles, "article", "articles")) " of this host. \
             The more pages contain a text, the less it is taken for part of an article."
        }
        p {
            "A forgotten text counts as never seen when further pages are extracted. "
            @if !visitor.may_change { "Forgetting a text requires an operator's token." }
        }
        @if blocks.is_empty() {
            p { "No text has been seen on more than one article yet." }
        } @else {
            (table_of_blocks(&site, &blocks, &visitor, surface.clock.now()))
        }
    };
    Ok(page(&site.host, Place::Sites, &visitor, &main))
}

fn table_of_blocks(site: &SiteStatus, blocks: &[LearnedBlock], visitor: &Visitor, now: Timestamp) -> Markup {
    let body = html! {
        @for block in blocks {
            tr {
                td.long dir="auto" { @if block.forgotten { del { (block.excerpt) } } @else { (block.excerpt) } }
                td.number { (grouped(block.articles)) " of " (grouped(site.articles)) }
                td { (moment_and_distance(block.last_seen, now)) }
                td { (switch(site, block, visitor)) }
            }
        }
    };
    table("Texts on several pages", &columns(&["Text", "Articles", "Last seen", "Boilerplate"]), &body)
}

fn switch(site: &SiteStatus, block: &LearnedBlock, visitor: &Visitor) -> Markup {
    let (state, does) = if block.forgotten { ("forgotten", "Learn") } else { ("learned", "Forget") };
    html! {
        @if visitor.may_change {
            form method="post" action={ "/sites/" (site.host) "/forget" } {
                input type="hidden" name="block" value=(block.hash.0);
                input type="hidden" name="forgotten" value=(!block.forgotten);
                button aria-label={ (does) ": " (block.excerpt) } { (does) }
            }
        } @else {
            (state)
        }
    }
}

/// `POST /sites/{host}/forget`: forgets a block, or undoes that.
pub(super) async fn forget(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(host): Path<String>,
    form: Bytes,
) -> Result<Redirect, Failure> {
    let (mut block, mut forgotten) = (None, None);
    for (name, value) in form_urlencoded::parse(&form) {
        match &*name {
            "block" => block = value.parse().ok().map(BlockHash),
            "forgotten" => forgotten = value.parse().ok(),
            _ => {}
        }
    }
    let (Some(block), Some(forgotten)) = (block, forgotten) else {
        return Err(Problem::bad_request("block must be a number, and forgotten true or false").into());
    };
    if !serving.surface.store.site_block_forget(&host, block, forgotten).await? {
        return Err(Problem::not_found(format!("no such block was learned for the host {host:?}")).into());
    }
    let by = visitor.name.as_deref().unwrap_or_default();
    tracing::info!(by, host, block = block.0, forgotten, "site block switched");
    Ok(Redirect::to(&format!("/sites/{}", utf8_percent_encode(&host, NON_ALPHANUMERIC))))
}
