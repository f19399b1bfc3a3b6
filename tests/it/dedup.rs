//! `feedmill dedup --batch` as its callers see it, and copies behind the furniture of different hosts.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use feedmill::dedup::{Settings, fingerprint};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Page, PageBody};
use serde_json::{Value, json};
use url::Url;

use crate::support::site::paragraphs;

fn batch(arguments: &[&str], lines: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_feedmill"))
        .args(["dedup", "--batch"])
        .args(arguments)
        .env_remove("FEEDMILL_CONFIG")
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Written from beside: whoever writes all before reading anything waits for the child, and the child for it.
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    })
}

fn answers(output: &Output) -> Vec<Value> {
    std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// `count` words, others for each `seed`.
fn story(seed: usize, count: usize) -> String {
    let words: Vec<String> =
        (0..count).map(|i| format!("word{}", (i * i + i * seed * 7_919) % 100_003)).collect();
    words.join(" ")
}

#[test]
fn a_batch_is_answered_line_by_line_in_order() {
    let whole = story(1, 300);
    let lines = [
        json!({"id": "first", "text": whole, "published_at": "2026-01-01T08:00:00Z"}),
        json!({"id": "same", "text": format!("{whole}\n"), "published_at": "2026-01-02"}),
        json!({"id": 3, "text": story(1, 200)}),
        json!({"id": "other", "text": story(2, 300)}),
        json!({"id": "empty", "text": ""}),
        json!({"id": "empty too", "text": " "}),
        json!({"id": "late", "text": story(1, 280), "published_at": "2026-06-01T00:00:00"}),
    ];
    let input = lines.map(|line| line.to_string()).join("\n");
    let output = batch(&[], &input);
    assert!(output.status.success(), "{output:?}");
    let found = answers(&output);
    let original =
        |id: &str| json!({"id": id, "cluster_id": id, "duplicate_of": null, "kind": null, "score": null});
    assert_eq!(found[0], original("first"));
    assert_eq!(
        found[1],
        json!({
            "id": "same", "cluster_id": "first", "duplicate_of": "first", "kind": "exact", "score": 1.0
        })
    );
    assert_eq!(
        found[2],
        json!({
            "id": 3, "cluster_id": "first", "duplicate_of": "first", "kind": "near", "score": 1.0
        })
    );
    for (answer, id) in found[3..].iter().zip(["other", "empty", "empty too", "late"]) {
        assert_eq!(*answer, original(id));
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let lines: Vec<String> =
        (0..1_500).map(|i| json!({"id": i, "text": story(i % 400, 60 + i / 400)}).to_string()).collect();
    let input = lines.join("\n");
    let one = batch(&["--jobs", "1"], &input);
    assert!(one.status.success(), "{one:?}");
    assert_eq!(one.stdout, batch(&["--jobs", "5"], &input).stdout);
    let copies = answers(&one).iter().filter(|answer| !answer["kind"].is_null()).count();
    assert_eq!(copies, 1_100);
}

#[test]
fn a_line_that_cannot_be_read_says_why_and_the_others_go_on() {
    let output = batch(&[], "{\"id\": \"a\"}\n\nno json\n{\"id\": \"b\", \"text\": \"words\"}\n");
    assert_eq!(output.status.code(), Some(3));
    let answers = answers(&output);
    assert_eq!(answers[0]["id"], "a");
    assert!(answers[0]["error"].as_str().unwrap().contains("`text`"));
    assert_eq!(answers[1]["id"], Value::Null);
    assert_eq!(answers[2]["cluster_id"], "b");
}

#[test]
fn furniture_makes_no_other_article() {
    let paragraphs: String = paragraphs("bridges").iter().map(|text| format!("<p>{text}</p>")).collect();
    let pages = [
        format!(
            "<html><body><nav><a href=/a>News</a> <a href=/b>Sport</a></nav><article><h1>Bridges need repair</h1>\
             {paragraphs}</article><footer>© Harbour Post</footer></body></html>"
        ),
        format!(
            "<html><body><header><a href=/>Wire Mirror</a></header><main><h1>Our bridges: worse than feared</h1>\
             <article>{paragraphs}</article></main><aside><h2>Most read</h2><a href=/x>Trams</a></aside></body></html>"
        ),
    ];
    let rules = Rules::new(&[]).unwrap();
    let [one, other] = pages.map(|html| {
        let url = Url::parse("https://news.example/bridges").unwrap();
        let fetched_at = "2026-03-01T12:00:00Z".parse().unwrap();
        let page = Page { final_url: url.clone(), url, body: PageBody::Html(html), fetched_at };
        fingerprint(&extract(&page, &Evidence::default(), &rules), &Settings::default())
    });
    assert_eq!(one.content_sha256, other.content_sha256);
    assert!(one.comparable);
}
