//! `/feeds`: a searchable, sortable, paginated list of all feeds.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use serde::{Deserialize, Deserializer};

use super::frame::{Html, Place, grouped, moment_and_distance, page, query_of, table};
use super::{Failure, changes};
use crate::config::{FeedOrigin, Origins};
use crate::http::Serving;
use crate::http::session::Visitor;
use crate::http::steering::Steering;
use crate::model::masked;
use crate::report::feeds::next_poll;
use crate::store::{FeedEdge, FeedHealth, FeedOrder, FeedQuery, FeedStatus, FeedWindow, FeedsPage};

/// Number of feeds on a page.
const PER_PAGE: u32 = 50;

/// The parameters of the search form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    q: String,
    #[serde(deserialize_with = "word")]
    health: Option<FeedHealth>,
    #[serde(deserialize_with = "word")]
    sort: Option<FeedOrder>,
    #[serde(deserialize_with = "word")]
    after: Option<FeedEdge>,
    #[serde(deserialize_with = "word")]
    before: Option<FeedEdge>,
    last: bool,
}

/// Parses a value of the form; an empty one is `None`.
fn word<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let word: Result<T, value::Error> = T::deserialize(text.into_deserializer());
    word.map(Some).map_err(serde::de::Error::custom)
}

impl Asked {
    /// Returns the URL of the same query with another order or another part of the list.
    fn address(&self, sort: FeedOrder, window: FeedWindow) -> String {
        let mut query = query_of("/feeds?");
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if let Some(health) = self.health {
            query.append_pair("health", health.as_str());
        }
        if sort != FeedOrder::default() {
            query.append_pair("sort", order_word(sort));
        }
        match window {
            FeedWindow::First => &mut query,
            FeedWindow::After(edge) => query.append_pair("after", &edge.to_string()),
            FeedWindow::Before(edge) => query.append_pair("before", &edge.to_string()),
            FeedWindow::Last => query.append_pair("last", "true"),
        };
        query.finish()
    }

    fn window(&self) -> FeedWindow {
        match (self.after, self.before) {
            (Some(edge), _) => FeedWindow::After(edge),
            (None, Some(edge)) => FeedWindow::Before(edge),
            (None, None) if self.last => FeedWindow::Last,
            (None, None) => FeedWindow::First,
        }
    }

    fn order(&self) -> FeedOrder {
        self.sort.unwrap_or_default()
    }
}

const ORDERS: [(FeedOrder, &str); 3] = [
    (FeedOrder::Address, "address"),
    (FeedOrder::NextPoll, "next poll"),
    (FeedOrder::Newest, "newest first"),
];

const fn order_word(order: FeedOrder) -> &'static str {
    match order {
        FeedOrder::Address => "address",
        FeedOrder::NextPoll => "next_poll",
        FeedOrder::Newest => "newest",
    }
}

pub(super) async fn show(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Html, Failure> {
    let Query(asked) = asked?;
    let surface = &serving.surface;
    let query = FeedQuery {
        part: asked.q.trim().to_owned(),
        health: asked.health,
        order: asked.order(),
        window: asked.window(),
    };
    let listed = surface.store.feeds_page(&query, PER_PAGE).await?;
    let steering = surface.steering.as_ref();
    let origins = steering.map(Steering::origins).unwrap_or_default();
    let main = html! {
        h1 { "Feeds" }
        (form(&asked))
        @if listed.feeds.is_empty() {
            p { "No feed matches." }
        } @else {
            (table_of_feeds(&asked, &listed.feeds, &origins, surface.clock.now()))
        }
        (ways(&asked, &listed))
        @if let Some(steering) = steering.filter(|_| visitor.may_change) { (changes::form(steering)) }
    };
    Ok(page("Feeds", Place::Feeds, &visitor, &main))
}

fn form(asked: &Asked) -> Markup {
    html! {
        form.asks method="get" action="/feeds" role="search" {
            label.wide { "Address or title contains" input type="search" name="q" value=(asked.q); }
            label {
                "State"
                select name="health" {
                    option value="" selected[asked.health.is_none()] { "any" }
                    @for health in FeedHealth::ALL {
                        option value=(health.as_str()) selected[asked.health == Some(health)] { (health_in_words(health)) }
                    }
                }
            }
            label {
                "Order"
                select name="sort" {
                    @for (order, name) in ORDERS {
                        option value=(order_word(order)) selected[asked.order() == order] { (name) }
                    }
                }
            }
            button { "Show" }
        }
    }
}

fn table_of_feeds(asked: &Asked, feeds: &[FeedStatus], origins: &Origins, now: Timestamp) -> Markup {
    let sortable = |name: &str, order| {
        let is_sorted = asked.order() == order;
        html! {
            th scope="col" aria-sort=[is_sorted.then_some("ascending")] {
                @if is_sorted { (name) } @else { a href=(asked.address(order, FeedWindow::First)) { (name) } }
            }
        }
    };
    let head = html! {
        (sortable("Feed", FeedOrder::Address))
        th scope="col" { "State" }
        th scope="col" { "Entries" }
        th scope="col" { "Last poll" }
        (sortable("Next poll", FeedOrder::NextPoll))
        th scope="col" { "Last error" }
    };
    let body = html! {
        @for feed in feeds {
            tr {
                th.long scope="row" { (feed_link(feed)) }
                td { (health_badge(feed.health, origins.of(&feed.configured_url).as_ref())) }
                td.number { (grouped(feed.entries)) }
                td { @match feed.last_polled_at { Some(at) => (moment_and_distance(at, now)), None => "never" } }
                td.long { (next_poll(feed, now)) }
                td.long { (feed.last_error.as_deref().unwrap_or_default()) }
            }
        }
    };
    table("Feeds", &head, &body)
}

/// Renders a feed's title and its URL with secrets masked.
pub(super) fn feed_link(feed: &FeedStatus) -> Markup {
    let address = masked(&feed.configured_url);
    html! {
        a href={ "/feeds/" (feed.id.0) } dir="auto" { (feed.title.as_deref().unwrap_or(address.as_str())) }
        @if feed.title.is_some() { br; span.faint { (address) } }
    }
}

/// Returns the label of a state. The store does not distinguish paused feeds from those that are no longer configured.
pub(super) const fn health_in_words(health: FeedHealth) -> &'static str {
    match health {
        FeedHealth::Removed => "removed or paused",
        other => other.as_str(),
    }
}

pub(super) fn health_badge(health: FeedHealth, origin: Option<&FeedOrigin>) -> Markup {
    let is_paused = health == FeedHealth::Removed && origin.is_some();
    let word = if is_paused { "paused" } else { health.as_str() };
    let is_good = health == FeedHealth::Succeeding;
    let is_bad = matches!(health, FeedHealth::Failing | FeedHealth::Gone | FeedHealth::Quarantined);
    html! { span.badge.good[is_good].bad[is_bad] { (word) } }
}

/// Renders links to the other parts of the list.
fn ways(asked: &Asked, listed: &FeedsPage) -> Markup {
    let (first, last) = (listed.feeds.first().map(FeedEdge::of), listed.feeds.last().map(FeedEdge::of));
    let way = |name: &str, rel: Option<&str>, window| {
        html! { li { a rel=[rel] href=(asked.address(asked.order(), window)) { (name) } } }
    };
    html! {
        nav aria-label="Pages of the list" {
            ul {
                @if listed.has_before { (way("First", None, FeedWindow::First)) }
                @if let Some(edge) = first.filter(|_| listed.has_before) { (way("Previous", Some("prev"), FeedWindow::Before(edge))) }
                @if let Some(edge) = last.filter(|_| listed.has_behind) { (way("Next", Some("next"), FeedWindow::After(edge))) }
                @if listed.has_behind { (way("Last", None, FeedWindow::Last)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, QueryRejection> {
        Query::try_from_uri(&format!("/feeds?{query}").parse().unwrap()).map(|Query(asked)| asked)
    }

    #[test]
    fn the_form_is_read_and_kept_in_links() {
        let form = asked("q=a%26b&health=failing&sort=&after=7-1000").unwrap();
        let window = form.window();
        assert!(matches!(window, FeedWindow::After(edge) if edge.to_string() == "7-1000"), "{window:?}");
        assert_eq!((form.health, form.sort), (Some(FeedHealth::Failing), None));
        assert_eq!(
            form.address(FeedOrder::NextPoll, window),
            "/feeds?q=a%26b&health=failing&sort=next_poll&after=7-1000"
        );
        let last = asked("last=true").unwrap();
        assert_eq!(last.address(FeedOrder::Address, last.window()), "/feeds?last=true");
        assert_eq!(asked("").unwrap().address(FeedOrder::Address, FeedWindow::First), "/feeds?");
        for wrong in ["health=ill", "after=7", "before=x-1", "last=yes", "x=1"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
