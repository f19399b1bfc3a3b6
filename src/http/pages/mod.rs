//! The operator's site, at `/`: rendered on the server, without scripts, from the same store that the API reads.
//!
//! - Everything served is escaped: markup is generated only by `maud`, which escapes every value, and URLs from outside become
//!   links only if they are http(s).
//! - Anyone who may read records may view the pages. Making changes requires an operator's token and a request that comes from
//!   one of these pages: see [`crate::http::session`].
//! - Every query of a page is answered by an index, so that pages stay fast with 100,000 feeds and 10 million articles.

mod article;
mod changes;
mod chart;
mod comparison;
mod feed;
mod feeds;
mod frame;
mod login;
mod overview;
mod search;
mod site;
mod sites;
mod trouble;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, http::Uri};
use maud::html;
use tower_http::compression::CompressionLayer;

use self::frame::{Html, Place, page, query_of};
use super::Serving;
use super::body;
use super::problem::Problem;
use super::session::{Visitor, is_from_own_page};

/// Maximum size of a form: the largest ones hold a token, or the URL and tags of a feed.
const MAX_FORM_BYTES: usize = 8 << 10;

/// Pages load nothing from other origins and no scripts at all, and may not be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Returns a router with all pages.
pub(super) fn router(serving: &Arc<Serving>) -> Router<Arc<Serving>> {
    let rooms = Router::new()
        .route("/", get(overview::show))
        .route("/feeds", get(feeds::show).post(changes::add))
        .route("/feeds/{id}", get(feed::show))
        .route("/feeds/{id}/poll", post(feed::poll))
        .route("/feeds/{id}/pause", post(changes::pause))
        .route("/feeds/{id}/resume", post(changes::resume))
        .route("/feeds/{id}/remove", post(changes::remove))
        .route("/articles/{id}", get(article::show))
        .route("/articles/{id}/diff", get(comparison::show))
        .route("/sites", get(sites::show))
        .route("/sites/{host}", get(site::show))
        .route("/sites/{host}/forget", post(site::forget))
        .route("/search", get(search::show))
        .layer(from_fn(received))
        .layer(from_fn_with_state(Arc::clone(serving), door));
    let login = Router::new()
        .route("/login", get(login::show).post(login::enter))
        .route("/logout", post(login::leave))
        .layer(from_fn(received));
    Router::new()
        .merge(rooms)
        .merge(login)
        .route("/style.css", get(frame::style))
        .route("/icon.svg", get(frame::icon))
        .layer(CompressionLayer::new())
        .layer(from_fn(guard))
}

/// Middleware that requires a token for reading and an operator's token for changes. A GET without a valid token is redirected
/// to the login page.
async fn door(State(serving): State<Arc<Serving>>, mut request: Request, next: Next) -> Response {
    let surface = &serving.surface;
    let visitor = surface.tokens.borrow().visitor(request.headers(), surface.clock.now());
    let Some(visitor) = visitor else {
        return if request.method() == Method::GET {
            login_first(request.uri())
        } else {
            refusal(StatusCode::UNAUTHORIZED, "this requires an operator's token; hint: log in")
                .into_response()
        };
    };
    if request.method() == Method::POST {
        if !visitor.may_change {
            return refusal(
                StatusCode::FORBIDDEN,
                "changes require a token with role = \"operator\"; hint: set one in [http] tokens, and log in with it",
            )
            .into_response();
        }
        if !is_from_own_page(request.headers()) {
            return refusal(StatusCode::FORBIDDEN, NOT_OURS).into_response();
        }
    }
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

const NOT_OURS: &str =
    "this form was sent by another site; hint: a proxy in front of this site must pass on the Host header";

fn login_first(uri: &Uri) -> Response {
    let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    Redirect::to(&query_of("/login?").append_pair("next", wanted).finish()).into_response()
}

/// Middleware that receives a form completely before it is handled, so that one that trickles in holds nothing else.
async fn received(request: Request, next: Next) -> Response {
    let (head, form) = request.into_parts();
    match body::receive(form, MAX_FORM_BYTES).await {
        Ok(form) => next.run(Request::from_parts(head, Body::from(form))).await,
        Err(status) => {
            let detail = format!(
                "a form must arrive within {} seconds and have at most {MAX_FORM_BYTES} bytes",
                body::TIMEOUT.as_secs()
            );
            refusal(status, &detail).into_response()
        }
    }
}

/// Middleware that adds security and caching headers to every response.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    response
}

/// The error page shown in place of the requested one.
struct Failure(Problem);

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, detail) = self.0.into_parts();
        refusal(status, &detail).into_response()
    }
}

fn refusal(status: StatusCode, detail: &str) -> (StatusCode, Html) {
    let title = status.canonical_reason().unwrap_or("Refused");
    let nobody = Visitor { name: None, may_change: false };
    let main = html! {
        h1 { (title) }
        p.lines { (detail) }
    };
    (status, page(title, Place::Elsewhere, &nobody, &main))
}
