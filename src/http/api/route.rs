//! Routes of the API. The router and the OpenAPI document are built from the same values, so that neither can have a route that
//! the other lacks. `utoipa` was the alternative: its document is written in attributes on the handlers, which the compiler
//! does not check against what they do, and its schemas would have been a second kind besides the record's.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use url::form_urlencoded;

use crate::http::Serving;
use crate::http::problem::Problem;

pub(super) const JSON: &str = "application/json";

/// A resource that is read by GET.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) answers: Vec<Answer>,
    /// Status codes of errors beyond those that every route has, and when they occur.
    pub(super) refusals: &'static [(u16, &'static str)],
    handler: MethodRouter<Arc<Serving>>,
}

/// A parameter of a request.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) meaning: String,
    /// The JSON Schema of a value.
    pub(super) schema: Value,
    pub(super) example: &'static str,
    pub(super) is_required: bool,
    /// Whether it may be given several times.
    pub(super) is_repeated: bool,
}

/// The location of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// A representation of the response.
pub(super) struct Answer {
    pub(super) media_type: &'static str,
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Route {
    pub(super) fn get<H, T>(path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Serving>>,
        T: 'static,
    {
        let handler = get(handler);
        Self { path, summary, parameters: Vec::new(), answers: Vec::new(), refusals: &[], handler }
    }

    pub(super) fn takes(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Adds a JSON response of type `T`.
    pub(super) fn answers<T: JsonSchema>(self) -> Self {
        self.answers_in(JSON, SchemaGenerator::subschema_for::<T>)
    }

    pub(super) fn answers_in(
        mut self,
        media_type: &'static str,
        schema: fn(&mut SchemaGenerator) -> Schema,
    ) -> Self {
        self.answers.push(Answer { media_type, schema });
        self
    }

    pub(super) fn refuses(self, refusals: &'static [(u16, &'static str)]) -> Self {
        Self { refusals, ..self }
    }

    /// Adds the route to `router`; requests with unknown query parameters are rejected.
    pub(super) fn serve(self, router: Router<Arc<Serving>>) -> Router<Arc<Serving>> {
        let names =
            self.parameters.iter().filter(|known| known.place == Place::Query).map(|known| known.name);
        let known: Arc<[&'static str]> = names.collect();
        router.route(self.path, self.handler.layer(from_fn_with_state(known, by_known_parameters)))
    }
}

impl Parameter {
    pub(super) fn query(
        name: &'static str,
        meaning: impl Into<String>,
        schema: Value,
        example: &'static str,
    ) -> Self {
        let (place, meaning) = (Place::Query, meaning.into());
        Self { name, place, meaning, schema, example, is_required: false, is_repeated: false }
    }

    pub(super) fn path(
        name: &'static str,
        meaning: impl Into<String>,
        schema: Value,
        example: &'static str,
    ) -> Self {
        Self { place: Place::Path, is_required: true, ..Self::query(name, meaning, schema, example) }
    }

    pub(super) fn header(
        name: &'static str,
        meaning: impl Into<String>,
        schema: Value,
        example: &'static str,
    ) -> Self {
        Self { place: Place::Header, ..Self::query(name, meaning, schema, example) }
    }

    pub(super) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) fn repeated(self) -> Self {
        Self { is_repeated: true, ..self }
    }
}

/// Rejects unknown query parameters: otherwise a mistyped one would be silently ignored.
async fn by_known_parameters(
    State(known): State<Arc<[&'static str]>>,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let unknown = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !known.contains(&&**name));
    let Some((name, _)) = unknown else { return next.run(request).await };
    let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let path = request.uri().path();
    Problem::bad_request(format!("unknown parameter {name:?}; hint: {path} accepts {all}")).into_response()
}
