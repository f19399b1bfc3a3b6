//! The OpenAPI document compared with the server that it describes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::http::{get_with, surface};

async fn document(router: &axum::Router) -> Value {
    let (status, _, body) = get_with(router, "/v1/openapi.json", &[]).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

/// Returns every path with its operation.
fn operations(document: &Value) -> Vec<(&str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().map(|(path, item)| (path.as_str(), &item["get"])).collect()
}

/// Returns the names and examples of an operation's parameters in `place` (path or query).
fn parameters<'d>(operation: &'d Value, place: &str) -> Vec<(&'d str, String)> {
    let parameters = operation["parameters"].as_array().unwrap().iter();
    let here = parameters.filter(|parameter| parameter["in"] == place);
    let example = |parameter: &Value| {
        let example = &parameter["example"];
        let one = example.get(0).unwrap_or(example);
        one.as_str().map_or_else(|| one.to_string(), str::to_owned)
    };
    here.map(|parameter| (parameter["name"].as_str().unwrap(), example(parameter))).collect()
}

/// Fills existing ids into a path.
fn filled(path: &str, article: &str) -> String {
    let id = if path.starts_with("/v1/feeds") { "1" } else { article };
    path.replace("{id}", id)
}

fn query(parameters: &[(&str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Validates `value` against a schema of the document.
fn validate(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let mut root = schema.clone();
    root["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&root).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

#[tokio::test]
async fn every_route_is_described_and_every_description_served() {
    let (daemon, _server, router, _soft) = surface(2).await;
    let document = document(&router).await;
    let article = daemon.records().await[0].id.to_string();
    for (path, operation) in operations(&document) {
        let required: Vec<_> =
            parameters(operation, "query").into_iter().filter(|(name, _)| *name == "q").collect();
        let asked = format!("{}?{}", filled(path, &article), query(&required));
        let (status, _, body) = get_with(&router, &asked, &[]).await;
        let described = &operation["responses"][status.to_string()];
        assert!(described.is_object(), "{asked}: {status}");
        assert!(status != 404, "{asked}: {}", String::from_utf8_lossy(&body));
    }
    // Every route below /v1 is made from the values from which the document is generated.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut sources = vec![folder];
    while let Some(place) = sources.pop() {
        if place.is_dir() {
            sources.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let source = fs::read_to_string(&place).unwrap();
            let made = source.matches(".route(\"/v1/").count();
            let unknown = source.matches(".route(\"/v1/{*rest}\"").count();
            assert_eq!(made, unknown, "{}", place.display());
        }
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap();
    for (path, _) in operations(&document) {
        assert!(page.contains(&format!("`GET {path}")), "docs/api.md has no {path}");
    }
}

#[tokio::test]
async fn parameters_that_are_described_are_known_and_no_others() {
    let (daemon, _server, router, _soft) = surface(2).await;
    let document = document(&router).await;
    let article = daemon.records().await[0].id.to_string();
    let ask = async |path: &str, parameters: &[(&str, String)]| {
        let (status, _, body) = get_with(&router, &format!("{path}?{}", query(parameters)), &[]).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    for (path, operation) in operations(&document) {
        let asked = filled(path, &article);
        let known = parameters(operation, "query");
        for parameter in &known {
            let (status, body) = ask(&asked, std::slice::from_ref(parameter)).await;
            let responses = &operation["responses"];
            assert!(responses[status.to_string()].is_object(), "{asked} {parameter:?}: {status}");
            let is_refused =
                status == 400 && !body.contains("revision 1 is the first text") && known[0].0 != "q";
            assert!(!is_refused, "{asked} {parameter:?}: {body}");
            assert!(!body.contains("unknown parameter"), "{asked} {parameter:?}: {body}");
        }
        let mut more = known.clone();
        more.push(("nonsense", "1".to_owned()));
        let (status, body) = ask(&asked, &more).await;
        assert_eq!(status, 400, "{asked}");
        assert!(body.contains("unknown parameter \\\"nonsense\\\"; hint: "), "{body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        let schema = &operation["responses"]["400"]["content"]["application/problem+json"]["schema"];
        validate(&document, schema, &problem).unwrap();
    }
}

#[tokio::test]
async fn answers_are_what_their_schemas_say() {
    let (daemon, _server, router, _soft) = surface(2).await;
    let document = document(&router).await;
    let article = daemon.records().await[0].id.to_string();
    let mut forms = BTreeSet::new();
    for (path, operation) in operations(&document) {
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        for (media_type, form) in content {
            if media_type == "text/event-stream" {
                continue;
            }
            let mut asked = filled(path, &article);
            match (path, media_type.as_str()) {
                ("/v1/articles/{id}", "text/plain") => asked += ".txt",
                ("/v1/articles/{id}/diff", _) => {
                    let other = daemon.records().await[1].id;
                    asked = format!("{asked}?with={other}");
                }
                ("/v1/search", _) => asked += "?q=quay",
                _ => {}
            }
            let (status, headers, body) = get_with(&router, &asked, &[("accept", media_type)]).await;
            assert_eq!(status, 200, "{asked}");
            let answered = headers["content-type"].to_str().unwrap();
            assert!(answered.starts_with(media_type), "{asked}: {answered}");
            let values: Vec<Value> = match media_type.as_str() {
                "application/x-ndjson" => String::from_utf8(body)
                    .unwrap()
                    .lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect(),
                "text/plain" => vec![Value::from(String::from_utf8(body).unwrap())],
                _ => vec![serde_json::from_slice(&body).unwrap()],
            };
            assert!(!values.is_empty(), "{asked}");
            for value in &values {
                validate(&document, &form["schema"], value)
                    .unwrap_or_else(|error| panic!("{asked} as {media_type}: {error}"));
            }
            forms.insert(media_type.clone());
        }
    }
    assert_eq!(forms.len(), 3, "{forms:?}");
    // Check that the schema rejects something: one that accepts anything would have passed as well.
    let record = json!({ "$ref": "#/components/schemas/Record" });
    assert!(validate(&document, &record, &json!({ "id": 1 })).is_err());
}
