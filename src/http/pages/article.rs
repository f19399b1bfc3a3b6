//! `/articles/{id}`: the text of an article beside the blocks of its page, kept and dropped.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::Failure;
use super::frame::{
    Html, Place, article_address, article_link, columns, count, grouped, moment, moment_and_distance,
    outward, page, table,
};
use crate::http::Serving;
use crate::http::blocks::{self, PageBlock, PageBlocks, PageBlocksSource};
use crate::http::problem::Problem;
use crate::http::session::Visitor;
use crate::model::{ArticleId, Record};
use crate::report::rules::{BODY, SEEN_ELSEWHERE, in_words};
use crate::store::{ArticleStatus, Revision};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    revision: Option<u32>,
}

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Html, Failure> {
    let Query(which) = which?;
    let (surface, id) = (&serving.surface, article_id(&id)?);
    let store = &surface.store;
    let record = store.article_record(id, which.revision).await?;
    let record =
        record.ok_or_else(|| Problem::not_found(format!("there is no article {id}, or no such revision")))?;
    let revisions = store.article_revisions(id).await?;
    let cluster = store.articles_of_cluster(record.cluster_id).await?;
    let now = surface.clock.now();
    let is_current = revisions.last().is_none_or(|last| last.revision == record.revision);
    let blocks = if is_current { blocks::of_page(surface, &record).await? } else { None };
    let title = record.metadata.title.as_deref().unwrap_or(record.url.as_str());
    let main = html! {
        h1 dir="auto" lang=[record.metadata.language.as_deref()] { (title) }
        (facts(&record, now))
        div.beside {
            section aria-labelledby="text" {
                h2 id="text" { "Text" }
                (text(&record))
            }
            @if let Some(blocks) = &blocks { (listed(blocks, &record.hostname)) }
        }
        (copies(&record, &cluster, now))
        (table_of_revisions(&record, &revisions))
    };
    Ok(page(title, Place::Elsewhere, &visitor, &main))
}

/// Parses the article id in the path.
pub(super) fn article_id(text: &str) -> Result<ArticleId, Failure> {
    let id = text.parse().map_err(|_| Problem::not_found(format!("{text:?} is not an article id")))?;
    Ok(ArticleId(id))
}

fn facts(record: &Record, now: Timestamp) -> Markup {
    let metadata = &record.metadata;
    html! {
        dl {
            dt { "Page" } dd { (outward(&record.url)) }
            dt { "Site" } dd { a href={ "/sites/" (record.hostname) } { (record.hostname) } }
            @if !metadata.authors.is_empty() { dt { "Authors" } dd dir="auto" { (metadata.authors.join(", ")) } }
            @if let Some(at) = metadata.published_at { dt { "Published" } dd { (moment(at)) } }
            dt { "Fetched" } dd { (moment_and_distance(record.fetched_at, now)) }
            @if let Some(at) = record.withdrawn_at {
                dt { "Withdrawn" } dd.bad { (moment_and_distance(at, now)) }
            }
            @if let Some(language) = &metadata.language { dt { "Language" } dd { (language) } }
            dt { "Words" } dd { (grouped(record.word_count.into())) }
            @if !record.quality_flags.is_empty() {
                dt { "Flags" }
                dd { @for flag in &record.quality_flags { span.badge { (flag.as_str()) } " " } }
            }
            dt { "Announced by" }
            dd { ul.plain { @for feed in &record.feeds { li { (outward(&feed.feed_url)) " " span.faint { (moment(feed.first_seen_at)) } } } } }
        }
    }
}

fn text(record: &Record) -> Markup {
    html! {
        div.text dir="auto" lang=[record.metadata.language.as_deref()] {
            @for paragraph in record.text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) { p { (paragraph) } }
            @if record.text.is_empty() { p.faint { "No text." } }
        }
    }
}

/// Renders the blocks of the page in order.
fn listed(blocks: &PageBlocks, hostname: &str) -> Markup {
    let shown = blocks.blocks.iter().filter(|block| !block.kept).count();
    let left_out = u64::from(blocks.blocks_dropped).saturating_sub(shown as u64);
    html! {
        section aria-labelledby="blocks" {
            h2 id="blocks" { "Blocks of the page" }
            p.faint {
                @match blocks.source {
                    PageBlocksSource::KeptPage => "The kept page, extracted by the current rules.",
                    PageBlocksSource::Account if left_out > 0 => {
                        "As recorded at extraction; " (count(left_out, "dropped block is", "dropped blocks are")) " not shown."
                    }
                    PageBlocksSource::Account => "As recorded at extraction.",
                }
            }
            ol.blocks dir="auto" {
                @for block in &blocks.blocks {
                    @if block.kept {
                        li {
                            (block.text)
                            @if let Some(rule) = block.rule.as_deref().filter(|rule| *rule != BODY) {
                                span.rule { "kept: " (in_words(rule)) }
                            }
                        }
                    } @else {
                        li.dropped { del { (block.text) } span.rule { "dropped: " (why_dropped(block, hostname)) } }
                    }
                }
            }
        }
    }
}

/// Renders the rule that dropped a block, with a link to what was learned about the site if that decided.
fn why_dropped(block: &PageBlock, hostname: &str) -> Markup {
    let rule = block.rule.as_deref().unwrap_or_default();
    html! {
        @if rule == SEEN_ELSEWHERE {
            a href={ "/sites/" (hostname) } {
                @match block.seen_on {
                    Some(pages) => { "seen on " (count(pages, "page", "pages")) " of this site" }
                    None => (in_words(rule)),
                }
            }
        } @else {
            (in_words(rule))
        }
    }
}

fn copies(record: &Record, cluster: &[ArticleStatus], now: Timestamp) -> Markup {
    let others: Vec<&ArticleStatus> = cluster.iter().filter(|article| article.id != record.id).collect();
    if others.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="copies" {
            h2 id="copies" { "Original and copies" }
            ul.plain {
                @for article in others {
                    li {
                        @if record.duplicate_of == Some(article.id) { span.badge { "original of this" } " " }
                        (article_link(article))
                        " " span.faint { (moment_and_distance(article.stored_at, now)) }
                        " " a href={ (article_address(&record.id)) "/diff?with=" (article.id) } { "compare" }
                    }
                }
            }
        }
    }
}

fn table_of_revisions(record: &Record, revisions: &[Revision]) -> Markup {
    let address = article_address(&record.id);
    let body = html! {
        @for revision in revisions.iter().rev() {
            @let number = revision.revision;
            tr {
                th scope="row" {
                    @if number == record.revision { (number) " (shown)" } @else { a href={ (address) "?revision=" (number) } { (number) } }
                }
                td { (moment(revision.fetched_at)) }
                td.number { (grouped(revision.word_count.into())) }
                td.long dir="auto" { (revision.title.as_deref().unwrap_or_default()) }
                td { @if number > 1 { a href={ (address) "/diff?to=" (number) } { "what changed" } } }
            }
        }
    };
    html! {
        section aria-labelledby="revisions" {
            h2 id="revisions" { "Revisions" }
            (table("Revisions of this article, newest first", &columns(&["Revision", "Fetched", "Words", "Headline", "Change"]), &body))
        }
    }
}
