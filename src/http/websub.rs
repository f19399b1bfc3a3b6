//! The endpoint that WebSub hubs call. It has its own listener, since it must be reachable from outside and the rest of the
//! HTTP interface must not: it reveals nothing, and does nothing without an address that cannot be guessed.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::body;
use crate::pipeline::Shared;
use crate::pipeline::websub::{self, Received};
use crate::store::StoreError;

/// The maximum length of a challenge; longer ones are rejected.
const MAX_CHALLENGE_BYTES: usize = 4096;

/// Returns a router for any path; its last segment identifies the subscription. A proxy in front may keep the public prefix or
/// strip it.
pub fn router(shared: Shared) -> Router {
    Router::new().fallback_service(get(answer).post(take).with_state(shared))
}

fn token(uri: &Uri) -> &str {
    uri.path().rsplit('/').next().unwrap_or_default()
}

/// Handles a hub's verification or denial of a request that we sent.
async fn answer(
    State(shared): State<Shared>,
    uri: Uri,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let value = |name: &str| asked.get(name).map_or("", String::as_str);
    let (topic, challenge) = (value("hub.topic"), value("hub.challenge"));
    let is_question = (1..=MAX_CHALLENGE_BYTES).contains(&challenge.len());
    let done = match value("hub.mode") {
        "subscribe" if is_question => {
            let lease = value("hub.lease_seconds").parse().ok().map(Duration::from_secs);
            websub::verify(&shared, token(&uri), topic, lease).await
        }
        "unsubscribe" if is_question => websub::verify_end(&shared, token(&uri), topic).await,
        "denied" => websub::deny(&shared, token(&uri), topic, value("hub.reason")).await,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match done {
        Ok(Ok(())) => {
            // The hub chooses the challenge, so no browser may interpret it as HTML.
            let headers = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, challenge.to_owned()).into_response()
        }
        Ok(Err(_)) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => unavailable(&error),
    }
}

/// Handles a delivery from a hub.
async fn take(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let token = token(&head.uri);
    match websub::is_known(&shared, token).await {
        Ok(true) => {}
        // Tells the hub that it may end the subscription.
        Ok(false) => return StatusCode::GONE.into_response(),
        Err(error) => return unavailable(&error),
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let most_bytes = shared.plan().fetcher.feed_max_body_bytes();
    let share = shared.memory.share();
    share.hold(announced(&head.headers).map_or(most_bytes, |bytes| bytes.min(most_bytes))).await;
    let body = match body::receive(body, most_bytes).await {
        Ok(body) => Vec::from(body),
        Err(status) => return status.into_response(),
    };
    let text = |name: &str| text(&head.headers, name);
    let signature = text("x-hub-signature");
    let received = websub::receive(&shared, token, signature.as_deref(), text("content-type"), body);
    match received.await {
        Ok(Received::Taken) => StatusCode::ACCEPTED.into_response(),
        Ok(Received::NotGenuine) => StatusCode::FORBIDDEN.into_response(),
        Ok(Received::Unknown) => StatusCode::GONE.into_response(),
        Ok(Received::Busy) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "60")]).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    text(headers, "content-length")?.parse().ok()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn unavailable(error: &StoreError) -> Response {
    tracing::error!(error = %error, "cannot answer a hub's request");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
