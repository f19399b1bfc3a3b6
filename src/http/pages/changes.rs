//! Adding, pausing, resuming and removing feeds: `POST /feeds`, `POST /feeds/{id}/pause` and the like.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use maud::{Markup, html};
use url::{Url, form_urlencoded};

use super::Failure;
use crate::config::{ChangeError, FeedChange, FeedOrigin, Home, feed_url};
use crate::http::Serving;
use crate::http::api::articles::known_feed;
use crate::http::problem::Problem;
use crate::http::session::Visitor;
use crate::http::steering::{Steering, SteeringError};
use crate::model::masked;
use crate::store::FeedStatus;

/// Renders the form for adding a feed.
pub(super) fn form(steering: &Steering) -> Markup {
    html! {
        section aria-labelledby="add" {
            h2 id="add" { "Add a feed" }
            @match steering.origins().added() {
                Some(file) => {
                    form.asks method="post" action="/feeds" {
                        label.wide { "Address of the feed" input type="url" name="url" required placeholder="https://"; }
                        label { "Tags, separated by commas" input type="text" name="tags"; }
                        button { "Add" }
                    }
                    p.faint { "The feed is written to " code { (file.display()) } " and polled at once." }
                }
                None => p { (ChangeError::NoFile) },
            }
        }
    }
}

/// Renders where a feed is configured.
pub(super) fn place(origin: Option<&FeedOrigin>) -> Markup {
    html! {
        @match origin {
            None => "no longer",
            Some(origin) => {
                (origin.place)
                @if origin.is_listed && origin.home != Home::List { "; also named by a list" }
            }
        }
    }
}

/// Renders the buttons for changing a feed, or says where it can be changed.
pub(super) fn switches(feed: &FeedStatus, origin: Option<&FeedOrigin>) -> Markup {
    let switch = |change: FeedChange, name: &str| {
        html! {
            form.inline method="post" action={ "/feeds/" (feed.id.0) "/" (word(change)) } { button { (name) } }
        }
    };
    html! {
        @if let Some(origin) = origin {
            @match (origin.home, origin.is_on) {
                (Home::Table, is_on) => {
                    p.faint {
                        "feedmill does not change that file. "
                        @if is_on { "To pause the feed, set " } @else { "To resume the feed, set " }
                        code { @if is_on { "enabled = false" } @else { "enabled = true" } }
                        " there; to remove it, delete its table."
                    }
                }
                (Home::Added, true) => { (switch(FeedChange::Pause, "Pause")) (switch(FeedChange::Remove, "Remove")) }
                (Home::Added, false) => { (switch(FeedChange::Resume, "Resume")) (switch(FeedChange::Remove, "Remove")) }
                (Home::List, _) => {
                    (switch(FeedChange::Pause, "Pause"))
                    p.faint { "To remove it, edit that list: feedmill does not change it." }
                }
            }
        }
    }
}

const fn word(change: FeedChange) -> &'static str {
    match change {
        FeedChange::Pause => "pause",
        FeedChange::Resume => "resume",
        FeedChange::Remove => "remove",
    }
}

/// `POST /feeds`: adds a feed.
pub(super) async fn add(
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    form: Bytes,
) -> Result<Redirect, Failure> {
    let (mut address, mut tags) = (String::new(), Vec::new());
    for (name, value) in form_urlencoded::parse(&form) {
        match &*name {
            "url" => value.trim().clone_into(&mut address),
            "tags" => {
                let given = value.split(',').map(str::trim).filter(|tag| !tag.is_empty());
                tags.extend(given.map(str::to_owned));
            }
            _ => {}
        }
    }
    let url = feed_url(&address).map_err(|wrong| {
        Problem::bad_request(format!(
            "the address {wrong}; hint: `feedmill feeds discover SITE` finds the feeds of a site"
        ))
    })?;
    let steering = steering(&serving)?;
    if !steering.add(url.clone(), tags).await? {
        let place = steering.origins().of(&url).map(|origin| origin.place);
        let place = place.map_or_else(String::new, |place| format!(", by {place}"));
        let detail = format!(
            "{} is already configured{place}; hint: search for it in the list of feeds",
            masked(&url)
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail).into());
    }
    let by = visitor.name.as_deref().unwrap_or_default();
    tracing::info!(by, feed.url = %masked(&url), "feed added");
    let feed = serving.surface.store.feed_at(&url).await?;
    Ok(Redirect::to(&feed.map_or_else(|| "/feeds".to_owned(), |id| format!("/feeds/{}", id.0))))
}

/// `POST /feeds/{id}/pause`.
pub(super) async fn pause(serving: State<Arc<Serving>>, by: Extension<Visitor>, id: Path<String>) -> Done {
    change(FeedChange::Pause, serving, by, id).await
}

/// `POST /feeds/{id}/resume`.
pub(super) async fn resume(serving: State<Arc<Serving>>, by: Extension<Visitor>, id: Path<String>) -> Done {
    change(FeedChange::Resume, serving, by, id).await
}

/// `POST /feeds/{id}/remove`.
pub(super) async fn remove(serving: State<Arc<Serving>>, by: Extension<Visitor>, id: Path<String>) -> Done {
    change(FeedChange::Remove, serving, by, id).await
}

type Done = Result<Redirect, Failure>;

async fn change(
    change: FeedChange,
    State(serving): State<Arc<Serving>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Done {
    let feed = known_feed(&serving.surface.store, &id).await?;
    let url: Url = feed.configured_url;
    steering(&serving)?.change(change, url.clone()).await?;
    let by = visitor.name.as_deref().unwrap_or_default();
    tracing::info!(by, feed.url = %masked(&url), change = word(change), "feed changed");
    Ok(Redirect::to(&format!("/feeds/{}", feed.id.0)))
}

fn steering(serving: &Serving) -> Result<&Steering, Problem> {
    let steering = serving.surface.steering.as_ref();
    steering.ok_or_else(|| Problem::new(StatusCode::CONFLICT, ChangeError::NoFile.to_string()))
}

impl From<SteeringError> for Problem {
    fn from(error: SteeringError) -> Self {
        let status = match &error {
            SteeringError::Change(ChangeError::Unknown(_)) => StatusCode::NOT_FOUND,
            SteeringError::Change(ChangeError::File(_)) | SteeringError::Reload(_) => {
                tracing::error!(%error, "cannot change the feed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            SteeringError::Change(_) => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}
