//! `/login` and `/logout`: a browser exchanges a token for a session.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::frame::{Html, Place, page};
use super::{NOT_OURS, refusal};
use crate::http::Serving;
use crate::http::session::{Visitor, end_session, is_from_own_page};

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Asked {
    next: String,
}

pub(super) async fn show(Query(asked): Query<Asked>) -> Html {
    form(&asked.next, None)
}

fn form(next: &str, refused: Option<&str>) -> Html {
    let refusal: Markup = html! { @if let Some(refused) = refused { p.bad role="alert" { (refused) } } };
    let nobody = Visitor { name: None, may_change: false };
    let main = html! {
        h1 { "Log in" }
        p { "Enter one of the tokens configured in " code { "[http] tokens" } "." }
        (refusal)
        form.asks method="post" action="/login" {
            input type="hidden" name="next" value=(next);
            label.wide { "Token" input type="password" name="token" required autocomplete="current-password" autofocus; }
            button { "Log in" }
        }
    };
    page("Log in", Place::Elsewhere, &nobody, &main)
}

/// `POST /login`.
pub(super) async fn enter(State(serving): State<Arc<Serving>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_from_own_page(&headers) {
        return refusal(StatusCode::FORBIDDEN, NOT_OURS).into_response();
    }
    let (mut token, mut next) = (String::new(), String::new());
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "token" => value.trim().clone_into(&mut token),
            "next" => next = value.into_owned(),
            _ => {}
        }
    }
    let surface = &serving.surface;
    let cookie = surface.tokens.borrow().begin_session(&token, &headers, surface.clock.now());
    let Some(cookie) = cookie else {
        tracing::warn!("login attempt with an invalid token");
        return (StatusCode::UNAUTHORIZED, form(&next, Some("Unknown token."))).into_response();
    };
    ([(header::SET_COOKIE, cookie)], Redirect::to(own_address(&next))).into_response()
}

/// `POST /logout`.
pub(super) async fn leave(headers: HeaderMap) -> Response {
    if !is_from_own_page(&headers) {
        return refusal(StatusCode::FORBIDDEN, NOT_OURS).into_response();
    }
    ([(header::SET_COOKIE, end_session(&headers))], Redirect::to("/login")).into_response()
}

/// Returns the page requested before the login if it is on this site, otherwise `/`.
fn own_address(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_address;

    #[test]
    fn whoever_logs_in_is_sent_nowhere_else() {
        assert_eq!(own_address("/feeds?q=a%20b"), "/feeds?q=a%20b");
        for elsewhere in
            ["", "https://evil.example/", "//evil.example/", "/\\evil.example", "/a\r\nX: y", "feeds"]
        {
            assert_eq!(own_address(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
