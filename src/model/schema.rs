//! Describes the record: as a JSON Schema for programs and as a page for people. Both are generated from the types: a field's
//! description is its doc comment.

use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::examples;
use super::record::Record;

/// Returns the JSON Schema (draft 2020-12) of the record.
pub fn json_schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Record>().to_value()
}

/// Returns the names of the record's fields, in the order in which they are serialised.
pub fn fields() -> Vec<String> {
    names(&json_schema())
}

/// Returns the reference page of the record: `docs/record.md`.
pub fn reference() -> String {
    let schema = json_schema();
    let mut page = String::from(BEGINNING);
    page.push_str("\n## Fields\n\n");
    table(&mut page, &schema);
    for list in ["feeds", "enclosures"] {
        write!(page, "\n### In `{list}[]`\n\n").expect(MEMORY);
        table(&mut page, &schema["properties"][list]["items"]);
    }
    for (field, words) in [
        ("event", &schema["properties"]["event"]),
        ("duplicate_kind", &schema["properties"]["duplicate_kind"]),
        ("quality_flags", &schema["properties"]["quality_flags"]["items"]),
    ] {
        write!(page, "\n### Values of `{field}`\n\n| | |\n|---|---|\n").expect(MEMORY);
        for (word, meaning) in words_of(words) {
            writeln!(page, "| `{word}` | {meaning} |").expect(MEMORY);
        }
    }
    page.push_str("\n## Examples\n\nEach as read right after its event.\n");
    for (heading, record) in examples::all() {
        let json = serde_json::to_string_pretty(&record).expect("plain values under string keys");
        write!(page, "\n### {heading}\n\n```json\n{json}\n```\n").expect(MEMORY);
    }
    page
}

const BEGINNING: &str = "\
# The record

What consumers read over HTTP, from sinks and from `feedmill export` and `feedmill tail`: one JSON object per event. In Parquet files the
fields are columns of the same names.

This page and [record.schema.json](record.schema.json) are printed by `feedmill schema --markdown` and `feedmill schema`; the schema is
also served at `/v1/schema`. Every field is always present, `null` if unknown. Times are in RFC 3339, UTC. Consumers must expect new
fields and new values; `schema_version` is incremented when a field is removed or changes its meaning.

A consumer that stores records by (`id`, `revision`) and obeys `withdrawn_at` has the same articles as feedmill. Text and metadata are
those of the event's revision; links to originals, `feeds` and `withdrawn_at` are as of the time of reading.
";

const MEMORY: &str = "memory takes what it is given";

/// Appends a table with one row per field.
fn table(page: &mut String, schema: &Value) {
    page.push_str("| field | type | |\n|---|---|---|\n");
    for name in names(schema) {
        let field = &schema["properties"][&name];
        let meaning = field["description"].as_str().unwrap_or_default().replace('\n', " ");
        writeln!(page, "| `{name}` | {} | {meaning} |", kind(field)).expect(MEMORY);
    }
}

fn names(schema: &Value) -> Vec<String> {
    // `required` lists all fields in the order of the type; `properties` does not.
    let required = schema["required"].as_array().into_iter().flatten();
    required.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Returns the type of a value in words.
fn kind(schema: &Value) -> String {
    let text = |key: &str| schema[key].as_str();
    let or_null = |kind: String| format!("{kind} or null");
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices
            .iter()
            .find(|choice| choice["type"] != "null")
            .map_or_else(String::new, |it| or_null(kind(it)));
    }
    if !words_of(schema).is_empty() {
        return "word".to_owned();
    }
    if let Some(types) = schema["type"].as_array() {
        let mut one = schema.clone();
        one["type"] = types.iter().find(|one| *one != "null").cloned().unwrap_or_default();
        return or_null(kind(&one));
    }
    match (text("type").unwrap_or_default(), text("format")) {
        ("array", _) => match schema["items"]["type"].as_str() {
            Some("object") => "list of objects".to_owned(),
            _ => format!("list of {}s", kind(&schema["items"])),
        },
        ("string", Some("date-time")) => "time".to_owned(),
        ("string", Some("uri")) => "URL".to_owned(),
        ("string", _) if text("pattern").is_some() => "64 hex digits".to_owned(),
        ("string", _) => "text".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// Returns the values of an enum and their meanings.
fn words_of(schema: &Value) -> Vec<(String, String)> {
    let choices = schema["oneOf"].as_array().or_else(|| schema["anyOf"][0]["oneOf"].as_array());
    let described = choices.into_iter().flatten().filter_map(|choice| {
        let meaning = choice["description"].as_str().unwrap_or_default();
        Some((choice["const"].as_str()?.to_owned(), meaning.replace('\n', " ")))
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{DuplicateKind, QualityFlag};

    #[test]
    fn the_schema_says_what_a_record_is() {
        let schema = json_schema();
        let record = serde_json::to_value(examples::original()).unwrap();
        let written: BTreeSet<String> = record.as_object().unwrap().keys().cloned().collect();
        let described: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(written, described);
        assert_eq!(written, fields().into_iter().collect());
        for list in ["feeds", "enclosures"] {
            let written: BTreeSet<&String> = record[list][0].as_object().unwrap().keys().collect();
            let items = &schema["properties"][list]["items"];
            assert_eq!(written, items["properties"].as_object().unwrap().keys().collect(), "{list}");
        }
        for (name, field) in schema["properties"].as_object().unwrap() {
            assert!(field["description"].is_string(), "{name} is not described");
            assert!(!kind(field).is_empty(), "{name}: {field}");
        }
    }

    #[test]
    fn every_word_is_described() {
        let schema = json_schema();
        let words = |field: &Value| words_of(field).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        let flags = &schema["properties"]["quality_flags"]["items"];
        assert_eq!(words(flags), QualityFlag::ALL.map(|flag| flag.as_str().to_owned()));
        let kinds = &schema["properties"]["duplicate_kind"];
        assert_eq!(words(kinds), DuplicateKind::ALL.map(|kind| kind.as_str().to_owned()));
        assert_eq!(words(&schema["properties"]["event"]).len(), 4);
        assert!(words_of(flags).iter().all(|(_, meaning)| !meaning.is_empty()));
    }

    #[test]
    fn the_examples_show_every_event_kind_of_copy_and_flag() {
        let schema = json_schema();
        let examples: Vec<Value> =
            examples::all().iter().map(|(_, record)| serde_json::to_value(record).unwrap()).collect();
        for field in ["event", "duplicate_kind"] {
            for (word, _) in words_of(&schema["properties"][field]) {
                let shows =
                    |record: &Value| record[field] == word.as_str() && record["quality_flags"][0].is_string();
                assert!(examples.iter().any(shows), "no example with a flag has {field} = {word}");
            }
        }
        let shown: BTreeSet<&str> = examples
            .iter()
            .flat_map(|record| record["quality_flags"].as_array().unwrap())
            .map(|flag| flag.as_str().unwrap())
            .collect();
        assert_eq!(shown, BTreeSet::from(QualityFlag::ALL.map(QualityFlag::as_str)));
    }
}
