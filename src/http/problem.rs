//! Error responses as RFC 9457 problem details: what is wrong, and how to fix it.

use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::StoreError;

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

/// When a request that cannot be answered at the moment may be repeated.
const RETRY_AFTER_SECS: &str = "10";

/// The media type of the response.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Problem details (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Details {
    /// Always `about:blank`: the status alone identifies the kind of problem.
    r#type: &'static str,
    /// Reason phrase of the status.
    title: &'static str,
    /// HTTP status code.
    status: u16,
    /// What is wrong, and how to fix it.
    detail: String,
}

impl Problem {
    /// Creates an error response; `detail` is meant for the client.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// Creates a response to a malformed request (400).
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Returns the status and the detail.
    pub(super) fn into_parts(self) -> (StatusCode, String) {
        (self.status, self.detail)
    }

    /// Creates a response for a resource that does not exist (404).
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
}

impl From<QueryRejection> for Problem {
    fn from(error: QueryRejection) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "cannot answer a request");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "cannot read the store at the moment")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let details = Details {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (status, axum::Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
        }
        response
    }
}
