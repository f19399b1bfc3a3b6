//! `/feeds/{id}`: the details of one feed.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use url::Url;

use super::feeds::health_badge;
use super::frame::{
    Html, Place, article_link, columns, grouped, moment, moment_and_distance, outward, page, table,
};
use super::{Failure, changes};
use crate::config::FeedOrigin;
use crate::http::Serving;
use crate::http::api::articles::known_feed;
use crate::http::problem::Problem;
use crate::http::session::Visitor;
use crate::model::masked;
use crate::report::feeds::{next_poll, why};
use crate::store::{ArticleStatus, EntryState, EntryStatus, FeedState, FeedStatus, PastPoll, PollKind};

const ARTICLES: u32 = 30;
const ENTRIES: u32 = 30;

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Html, Failure> {
    let surface = &serving.surface;
    let (store, now) = (&surface.store, surface.clock.now());
    let feed = known_feed(store, &id).await?;
    let polls = store.feed_polls(feed.id).await?;
    let troubles = store.feed_entries_in_trouble(feed.id, ENTRIES).await?;
    let articles = store.feed_articles(feed.id, ARTICLES).await?;
    let steering = surface.steering.as_ref();
    let origin = steering.and_then(|steering| steering.origins().of(&feed.configured_url));
    let address = masked(&feed.configured_url);
    let title = feed.title.as_deref().unwrap_or(address.as_str());
    let main = html! {
        h1 dir="auto" { (title) }
        (facts(&feed, origin.as_ref(), now))
        (next(&feed, origin.as_ref(), &visitor, now))
        @if steering.is_some() {
            section aria-labelledby="configured" {
                h2 id="configured" { "Configuration" }
                p { "Configured: " (changes::place(origin.as_ref())) "." }
                @if visitor.may_change { (changes::switches(&feed, origin.as_ref())) }
            }
        }
        section aria-labelledby="polls" { h2 id="polls" { "Last polls" } (table_of_polls(&polls, now)) }
        @if !troubles.is_empty() {
            section aria-labelledby="entries" {
                h2 id="entries" { "Failed entries" }
                (table_of_entries(&troubles))
            }
        }
        section aria-labelledby="articles" { h2 id="articles" { "Articles that it announced first" } (list_of_articles(&articles, now)) }
    };
    Ok(page(title, Place::Feeds, &visitor, &main))
}

fn facts(feed: &FeedStatus, origin: Option<&FeedOrigin>, now: Timestamp) -> Markup {
    let info = feed.info.as_ref();
    let site = info.and_then(|info| info.link.as_deref()).and_then(|link| Url::parse(link).ok());
    html! {
        dl {
            dt { "Address" } dd { (outward(&masked(&feed.configured_url))) }
            @if feed.url != feed.configured_url { dt { "Polled at" } dd { (outward(&masked(&feed.url))) } }
            @if let Some(site) = site { dt { "Site" } dd { (outward(&site)) } }
            @if let Some(language) = info.and_then(|info| info.language.as_deref()) { dt { "Language" } dd { (language) } }
            @if !feed.tags.is_empty() { dt { "Tags" } dd { (feed.tags.join(", ")) } }
            dt { "State" } dd { (health_badge(feed.health, origin)) }
            dt { "Entries" } dd { (grouped(feed.entries)) }
            dt { "Last success" }
            dd { @match feed.last_success_at { Some(at) => (moment_and_distance(at, now)), None => "never" } }
            @if let Some(error) = &feed.last_error {
                dt { "Last error" }
                dd.bad {
                    (error)
                    @if feed.consecutive_failures > 1 {
                        " (" (feed.consecutive_failures) " failures in a row)"
                    }
                }
            }
            @for warning in &feed.warnings { dt { "Repaired" } dd { (warning) } }
        }
    }
}

/// Renders when the feed is polled next, why then, and a button to poll it now.
fn next(feed: &FeedStatus, origin: Option<&FeedOrigin>, visitor: &Visitor, now: Timestamp) -> Markup {
    let is_paused = feed.host_pause.as_ref().is_some_and(|pause| now < pause.until);
    html! {
        section aria-labelledby="next" {
            h2 id="next" { "Next poll" }
            @match feed.state {
                FeedState::Active => {
                    p {
                        @if is_paused {
                            (next_poll(feed, now)) "."
                        } @else {
                            @if feed.next_poll_at <= now { "Due now" } @else { (moment_and_distance(feed.next_poll_at, now)) }
                            @match feed.next_poll_decided_by {
                                Some(decision) => { ", because " (why(decision)) "." }
                                None => { ": it was never polled." }
                            }
                        }
                        @if let Some(until) = feed.delivered_until.filter(|until| now < *until) {
                            " A hub delivers it until " (moment(until)) "."
                        }
                    }
                    @if visitor.may_change {
                        form method="post" action={ "/feeds/" (feed.id.0) "/poll" } { button { "Poll now" } }
                    }
                }
                FeedState::Gone => {
                    p { "None: its server answered 410 Gone. " code { "feedmill feeds release " (masked(&feed.configured_url)) } " resumes polling." }
                }
                FeedState::Quarantined => {
                    p { "None: it is quarantined, because the process crashed on it repeatedly. " code { "feedmill feeds release " (masked(&feed.configured_url)) } " resumes polling." }
                }
                FeedState::Removed if origin.is_some() => { p { "None: it is paused." } }
                FeedState::Removed => { p { "None: it is no longer configured." } }
            }
        }
    }
}

fn table_of_polls(polls: &[PastPoll], now: Timestamp) -> Markup {
    if polls.is_empty() {
        return html! { p { "None yet." } };
    }
    let body = html! {
        @for poll in polls {
            tr {
                td { (moment_and_distance(poll.at, now)) }
                td.bad[poll.result == PollKind::Failed] { (kind_in_words(poll.result)) }
                td.number { (poll.new_entries) }
                td.number { (poll.updated_entries) }
                td.number { (poll.body_bytes.map(grouped).unwrap_or_default()) }
                td.number { (grouped(poll.took_ms)) " ms" }
                td.long { (poll.reason.as_deref().unwrap_or_default()) }
            }
        }
    };
    let head =
        columns(&["When", "Result", "New entries", "Changed entries", "Bytes", "Time", "Why it failed"]);
    table("Last polls, the latest first", &head, &body)
}

const fn kind_in_words(kind: PollKind) -> &'static str {
    match kind {
        PollKind::NotModified => "304, not modified",
        PollKind::SameBody => "200, the same body",
        PollKind::Parsed => "200, parsed",
        PollKind::Failed => "failed",
        PollKind::Delivered => "delivered by a hub",
    }
}

fn table_of_entries(entries: &[EntryStatus]) -> Markup {
    let body = html! {
        @for entry in entries {
            tr {
                td.long { @match &entry.url { Some(url) => (outward(url)), None => "none: text from the feed" } }
                td {
                    @match entry.state {
                        EntryState::Pending => { "next attempt " (moment(entry.next_attempt_at)) }
                        EntryState::Done => "done",
                        EntryState::Failed => "given up",
                        EntryState::Quarantined => "quarantined",
                    }
                }
                td.number { (grouped(entry.failures.into())) }
                td.long { (entry.error.as_deref().unwrap_or_default()) }
            }
        }
    };
    table("Entries whose last attempt failed", &columns(&["Page", "State", "Failures", "Why"]), &body)
}

fn list_of_articles(articles: &[ArticleStatus], now: Timestamp) -> Markup {
    html! {
        p.faint { "An article that several feeds announced is listed on the page of the first one." }
        @if articles.is_empty() { p { "None." } }
        ul.plain {
            @for article in articles {
                li { (article_link(article)) " " span.faint { (moment_and_distance(article.stored_at, now)) } }
            }
        }
    }
}

/// `POST /feeds/{id}/poll`: makes the feed due now.
pub(super) async fn poll(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Redirect, Failure> {
    let store = &serving.surface.store;
    let feed = known_feed(store, &id).await?;
    if feed.state != FeedState::Active {
        let word = feed.health.as_str();
        return Err(Problem::new(StatusCode::CONFLICT, format!("cannot poll this feed: it is {word}")).into());
    }
    store.feeds_make_due(&[feed.id]).await?;
    let by = visitor.name.as_deref().unwrap_or_default();
    tracing::info!(by, feed.id = feed.id.0, "feed made due for polling");
    Ok(Redirect::to(&format!("/feeds/{}", feed.id.0)))
}
