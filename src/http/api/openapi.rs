//! The OpenAPI document, generated from the same routes that the router serves.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::route::{Parameter, Place, Route};
use crate::http::problem::{Details, MEDIA_TYPE};

/// The path of the schemas in the document.
const SCHEMAS: &str = "/components/schemas";

/// Errors of every route.
const REFUSALS: [(u16, &str); 4] = [
    (400, "Invalid request: an unknown parameter, or a value that is malformed or out of bounds."),
    (401, "Missing or unknown token."),
    (421, "Without tokens: the host in the request is none of `[http] hosts`."),
    (503, "The store cannot be read at the moment."),
];

const DESCRIPTION: &str = "Articles that feedmill extracted from the pages of feeds: by cursor, by id and by full-text search. \
    Errors are problem details (RFC 9457), whose `detail` says what is wrong and how to fix it.";

/// Returns the OpenAPI 3.1 document.
pub(super) fn document(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let paths: Map<String, Value> = routes
        .iter()
        .map(|route| (route.path.to_owned(), json!({ "get": operation(route, &mut schemas) })))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "feedmill",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        // Relative to the URL of this document.
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "One of `[http] tokens`; not needed if none are configured.",
                },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let forms: Map<String, Value> = route
        .answers
        .iter()
        .map(|answer| (answer.media_type.to_owned(), json!({ "schema": (answer.schema)(schemas) })))
        .collect();
    let mut responses = BTreeMap::from([(
        "200".to_owned(),
        json!({ "description": "The requested data.", "content": forms }),
    )]);
    let problem = schemas.subschema_for::<Details>();
    let refusals = REFUSALS.iter().chain(route.refusals);
    responses.extend(refusals.map(|(status, when)| {
        (status.to_string(), json!({ "description": when, "content": { MEDIA_TYPE: { "schema": problem } } }))
    }));
    json!({
        "summary": route.summary,
        "operationId": operation_id(route.path),
        "parameters": route.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": responses,
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = if parameter.is_repeated {
        json!({ "type": "array", "items": parameter.schema })
    } else {
        parameter.schema.clone()
    };
    json!({
        "name": parameter.name,
        "in": match parameter.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        },
        "description": parameter.meaning,
        "required": parameter.is_required,
        "schema": schema,
        "example": example(parameter),
    })
}

fn example(parameter: &Parameter) -> Value {
    let value = match parameter.schema["type"].as_str() {
        Some("integer") => parameter.example.parse::<i64>().map_or(Value::Null, Value::from),
        _ => Value::from(parameter.example),
    };
    if parameter.is_repeated { json!([value]) } else { value }
}

/// Returns the operation id of a path: `/v1/articles/{id}/diff` becomes `articles_id_diff`.
fn operation_id(path: &str) -> String {
    let words = path.trim_start_matches("/v1/").split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}
