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
use crate::http::problem::Problem;
use crate::http::session::Visitor;
use crate::http::{Serving, Surface};
use crate::model::{ArticleId, BlockAccount, Record};
use crate::pipeline::reextract::blocks_now;
use crate::report::rules::in_words;
use crate::store::{ArticleAccount, ArticleStatus, Revision};

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
    let blocks = if is_current {
        blocks(surface, &record).await?
    } else {
        html! {}
    };
    let title = record.metadata.title.as_deref().unwrap_or(record.url.as_str());
    let main = html! {
        h1 dir="auto" lang=[record.metadata.language.as_deref()] { (title) }
        (facts(&record, now))
        div.beside {
            section aria-labelledby="text" {
                h2 id="text" { "Text" }
                (text(&record))
            }
            (blocks)
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

/// Renders the blocks of the page in order. If the page is kept, it is extracted again by the current rules; otherwise the
/// blocks come from the account written when it was extracted.
async fn blocks(surface: &Surface, record: &Record) -> Result<Markup, Failure> {
    let plan = surface.plan.borrow().clone();
    match blocks_now(&surface.store, &surface.workers, &plan, record.id).await {
        Ok(Some(blocks)) => {
            let said = "The kept page, extracted by the current rules.";
            return Ok(listed(said, &blocks));
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(article.id = %record.id, error = %error, "cannot extract a kept page again");
        }
    }
    let account = surface.store.article_account(record.id).await?;
    Ok(account.map_or_else(|| html! {}, |account| as_remembered(record, &account)))
}

fn as_remembered(record: &Record, account: &ArticleAccount) -> Markup {
    let kept = pieces(&record.text, account.blocks_kept);
    let left_out = u64::from(account.blocks_dropped).saturating_sub(account.dropped.len() as u64);
    let block =
        |kept, rule: &str, text: &str| BlockAccount { kept, rule: rule.to_owned(), text: text.to_owned() };
    let mut dropped = account.dropped.iter().peekable();
    let mut blocks = Vec::new();
    for (before, text) in (0_u32..).zip(&kept) {
        let stands_before = |place: Option<u32>| place.is_some_and(|place| place <= before);
        while let Some(next) = dropped.next_if(|next| stands_before(next.kept_before)) {
            blocks.push(block(false, &next.rule, &next.excerpt));
        }
        blocks.push(block(true, "body", text));
    }
    blocks.extend(dropped.map(|rest| block(false, &rest.rule, &rest.excerpt)));
    let said = if left_out > 0 {
        format!(
            "As recorded at extraction; {} not shown.",
            count(left_out, "dropped block is", "dropped blocks are")
        )
    } else {
        "As recorded at extraction.".to_owned()
    };
    listed(&said, &blocks)
}

/// Returns the text split into the kept blocks that it was made of, if their number matches the lines; otherwise into
/// paragraphs.
fn pieces(text: &str, kept: u32) -> Vec<&str> {
    let parted = |by| text.split(by).filter(|piece: &&str| !piece.is_empty()).collect::<Vec<_>>();
    let lines = parted("\n");
    if lines.len() == kept as usize { lines } else { parted("\n\n") }
}

fn listed(said: &str, blocks: &[BlockAccount]) -> Markup {
    html! {
        section aria-labelledby="blocks" {
            h2 id="blocks" { "Blocks of the page" }
            p.faint { (said) }
            ol.blocks dir="auto" {
                @for block in blocks {
                    @if block.kept {
                        li { (block.text) }
                    } @else {
                        li.dropped { del { (block.text) } span.rule { "dropped: " (in_words(&block.rule)) } }
                    }
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_blocks_are_told_by_lines_where_these_are_as_many() {
        assert_eq!(pieces("a\n\nb\nc", 3), ["a", "b", "c"]);
        assert_eq!(pieces("a\n\nb\nc", 2), ["a", "b\nc"]);
        assert!(pieces("", 0).is_empty());
    }
}
