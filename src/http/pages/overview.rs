//! `/`: the state of the daemon.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};

use super::feeds::health_in_words;
use super::frame::{Html, Place, article_link, columns, grouped, moment_and_distance, page, table};
use super::trouble::{self, Seen};
use super::{Failure, chart};
use crate::http::Serving;
use crate::http::session::Visitor;
use crate::report::processes;
use crate::report::sinks::{self, Sink, Standing};
use crate::store::{FeedHealth, FeedsByHealth, Listing, QueueStatus};

/// Number of articles in the list of the latest ones.
const LATEST: u32 = 15;

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Html, Failure> {
    let surface = &serving.surface;
    let store = &surface.store;
    let now = surface.clock.now();
    let start = chart::start(now);
    // Run concurrently: each reads an index, and a large one takes a moment.
    let (feeds, queue, hours) =
        tokio::try_join!(store.feeds_by_health(), store.queue_status(), store.articles_by_hour(start))?;
    let configured: Vec<Sink> = surface.sinks.borrow().iter().map(Sink::from).collect();
    let sinks = sinks::look(configured, store, now).await?;
    let set_aside = store.set_aside_count().await?;
    let sharing = store.processes().await?;
    let latest = store.articles_list(Listing::All, LATEST).await?;
    let seen = Seen { feeds: &feeds, queue: &queue, sinks: &sinks, set_aside, now };
    let troubles = trouble::sentences(surface, &seen);
    let main = html! {
        h1 { "Overview" }
        section aria-labelledby="trouble" {
            h2 id="trouble" { "Problems" }
            @if troubles.is_empty() {
                p.good { "None." }
            } @else {
                ul { @for sentence in &troubles { li { (sentence) } } }
            }
        }
        section aria-labelledby="articles" {
            h2 id="articles" { "Articles per hour" }
            (chart::show(start, &hours))
        }
        section aria-labelledby="feeds" {
            h2 id="feeds" { "Feeds" }
            (table_of_feeds(&feeds))
        }
        section aria-labelledby="queue" {
            h2 id="queue" { "Queue" }
            (table_of_queue(&queue, now))
        }
        section aria-labelledby="sinks" {
            h2 id="sinks" { "Sinks" }
            (table_of_sinks(&sinks))
        }
        @if !sharing.is_empty() {
            section aria-labelledby="processes" {
                h2 id="processes" { "Processes" }
                ul { @for process in &sharing { li { (processes::sentence(process)) } } }
            }
        }
        section aria-labelledby="latest" {
            h2 id="latest" { "Latest articles" }
            @if latest.is_empty() { p { "None yet." } }
            ul.plain {
                @for article in &latest {
                    li { (article_link(article)) " " span.faint { (moment_and_distance(article.stored_at, now)) } }
                }
            }
        }
    };
    Ok(page("Overview", Place::Overview, &visitor, &main))
}

fn table_of_feeds(feeds: &FeedsByHealth) -> Markup {
    let body = html! {
        @for health in FeedHealth::ALL {
            tr {
                th scope="row" { a href={ "/feeds?health=" (health.as_str()) } { (health_in_words(health)) } }
                td.number { (grouped(feeds.count(health))) }
            }
        }
    };
    table("Feeds by state", &columns(&["State", "Feeds"]), &body)
}

fn table_of_queue(queue: &QueueStatus, now: Timestamp) -> Markup {
    let rows = [
        ("pending", queue.pending),
        ("of these, due now", queue.due),
        ("given up", queue.failed),
        ("quarantined", queue.quarantined),
    ];
    let body = html! {
        @for (what, number) in rows {
            tr { th scope="row" { (what) } td.number { (grouped(number)) } }
        }
        @if let Some(due) = queue.first_due_at {
            tr { th scope="row" { "earliest due" } td { (moment_and_distance(due, now)) } }
        }
    };
    table("Entries by state", &columns(&["Entries", "Number"]), &body)
}

fn table_of_sinks(sinks: &[Standing]) -> Markup {
    if sinks.is_empty() {
        return html! { p { "No [[sink]] is configured." } };
    }
    let body = html! {
        @for sink in sinks {
            tr {
                th scope="row" { (sink.name()) }
                td { (sink.kind()) }
                td.bad[sink.is_in_trouble()] { (sink.state()) }
                td.number { (sink.behind()) }
                td.number { (sink.behind_secs()) " s" }
                td.long { (sink.status().and_then(|status| status.error.as_deref()).unwrap_or_default()) }
            }
        }
    };
    let head = columns(&["Sink", "Kind", "State", "Records behind", "Age of the oldest", "Last error"]);
    table("State and lag of each sink", &head, &body)
}
