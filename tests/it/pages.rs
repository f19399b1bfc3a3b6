//! Whole pages through the extractor: every folder of `tests/pages` is a case. `case.json` says in one line what the case guards,
//! and what metadata is expected (other fields are not checked); `expected.txt` is the complete text.

use std::fs;
use std::path::{Path, PathBuf};

use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Article, EntryEvidence, Page, PageBody, QualityFlag};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages");
/// Default URL of a page, and the fetch time of every page.
const URL: &str = "https://courier.example/news/4711";
const FETCHED_AT: &str = "2026-03-05T12:00:00Z";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What would break without this case.
    guards: String,
    #[serde(default)]
    url: Option<Url>,
    /// The feed's entry for the page.
    #[serde(default)]
    entry: Option<EntryEvidence>,
    /// Flags that must be set.
    #[serde(default)]
    quality_flags: Vec<QualityFlag>,
    /// Expected fields of the article.
    #[serde(default)]
    expected: Map<String, Value>,
}

#[test]
fn pages_come_out_as_expected() {
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    let mut folders: Vec<PathBuf> = fs::read_dir(PAGES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 60, "only {} cases", folders.len());
    let failures: Vec<String> = folders.iter().filter_map(|folder| failure(folder, &rules)).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n\n{}",
        failures.len(),
        folders.len(),
        failures.join("\n\n")
    );
}

/// Returns what is wrong with a case, as text.
fn failure(folder: &Path, rules: &Rules) -> Option<String> {
    let read = |name: &str| fs::read_to_string(folder.join(name));
    let case: Case = serde_json::from_str(&read("case.json").unwrap()).unwrap();
    let url = case.url.unwrap_or_else(|| URL.parse().unwrap());
    let page = Page {
        final_url: url.clone(),
        url,
        body: PageBody::Html(read("page.html").unwrap()),
        fetched_at: FETCHED_AT.parse().unwrap(),
    };
    let article = extract(&page, &Evidence { entry: case.entry.as_ref(), site: None }, rules);
    let mut wrong = Vec::new();
    if let Ok(expected) = read("expected.txt") {
        wrong.extend(text_differences(expected.trim_end(), &article));
    }
    let got = serde_json::to_value(&article).unwrap();
    for (field, expected) in &case.expected {
        if &got[field] != expected {
            wrong.push(format!("{field}: {} instead of {expected}", got[field]));
        }
    }
    for flag in &case.quality_flags {
        if !article.quality_flags.contains(flag) {
            wrong.push(format!("not flagged {flag:?}, only {:?}", article.quality_flags));
        }
    }
    let name = folder.file_name().unwrap().to_string_lossy();
    (!wrong.is_empty()).then(|| format!("{name}: {}\n  {}", case.guards, wrong.join("\n  ")))
}

/// Returns the missing blocks, and the unexpected ones with the rules that kept them.
fn text_differences(expected: &str, article: &Article) -> Vec<String> {
    if article.text == expected {
        return Vec::new();
    }
    let (want, got): (Vec<&str>, Vec<&str>) =
        (expected.split("\n\n").collect(), article.text.split("\n\n").collect());
    let start = |block: &str| block.chars().take(90).collect::<String>();
    let missing =
        want.iter().filter(|block| !got.contains(block)).map(|block| format!("missing: {:?}", start(block)));
    let added =
        got.iter().filter(|block| !want.contains(block)).map(|block| format!("too much: {:?}", start(block)));
    let mut differences: Vec<String> = missing.chain(added).collect();
    if differences.is_empty() {
        differences.push("the same blocks in another order or number".to_owned());
    }
    differences
}
