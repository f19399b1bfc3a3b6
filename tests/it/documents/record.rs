//! The description of the record and its examples.

use std::process::Command;

use feedmill::dedup::{Neighbour, Publisher, Settings, fingerprint, judge};
use feedmill::model::{Article, DuplicateLink, Event, Record, Verdict};
use serde_json::Value;

use super::document;

#[test]
fn the_record_is_described_as_it_is() {
    let printed = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_feedmill")).arg("schema").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (file, arguments) in [("record.schema.json", &[][..]), ("record.md", &["--markdown"][..])] {
        assert!(
            printed(arguments) == document(file),
            "print docs/{file} anew: `feedmill schema`, --markdown for the page"
        );
    }
}

/// Returns the examples of docs/record.md.
fn examples() -> Vec<Value> {
    let page = document("record.md");
    let blocks = page.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

#[test]
fn the_examples_of_records_are_valid() {
    let schema: Value = serde_json::from_str(&document("record.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let examples = examples();
    assert!(!examples.is_empty());
    for example in examples {
        let errors: Vec<String> = validator
            .iter_errors(&example)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {example}");
        let record: Record = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(record).unwrap(), example);
    }
    let mut broken = self::examples().remove(0);
    broken["event"] = "deleted".into();
    assert!(!validator.is_valid(&broken));
}

/// The links in the examples are those that a store with these texts makes.
#[test]
fn the_examples_of_copies_are_judged_as_they_say() {
    let records: Vec<Record> =
        examples().into_iter().map(|example| serde_json::from_value(example).unwrap()).collect();
    let settings = Settings::default();
    let print = |record: &Record| {
        let article = Article {
            text: record.text.clone(),
            word_count: record.word_count,
            quality_flags: record.quality_flags.clone(),
            ..Article::default()
        };
        fingerprint(&article, &settings)
    };
    let publisher = |record: &Record| Publisher { host: record.hostname.clone(), feed: None };
    for record in &records {
        assert_eq!(print(record).content_sha256, record.content_sha256, "seq {}", record.seq);
        assert_eq!(usize::try_from(record.word_count).unwrap(), record.text.split_whitespace().count());
    }
    let mut links = 0;
    for copy in records.iter().filter(|record| record.event == Event::Created) {
        let Some(of) = copy.duplicate_of else { continue };
        let original = records.iter().find(|record| record.id == of).unwrap();
        let neighbour = Neighbour {
            id: original.id,
            cluster_id: original.cluster_id,
            content_sha256: original.content_sha256,
            text: original.text.clone(),
            publisher: publisher(original),
        };
        let link = DuplicateLink {
            of,
            kind: copy.duplicate_kind.unwrap(),
            score: copy.duplicate_score.unwrap(),
            cluster_id: copy.cluster_id,
        };
        let verdict = judge(&copy.text, &print(copy), &publisher(copy), &[neighbour], &settings);
        assert_eq!(verdict, Verdict::Duplicate(link), "seq {}", copy.seq);
        links += 1;
    }
    assert_eq!(links, 2);
}
