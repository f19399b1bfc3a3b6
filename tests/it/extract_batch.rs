//! `feedmill extract --batch` as its users run it: the program itself with JSON lines as input and output.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs the program on `input` and returns its answers.
fn batch(arguments: &[&str], input: &str) -> (Output, Vec<Value>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_feedmill"))
        .args(["extract", "--batch"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answers = String::from_utf8(output.stdout.clone()).unwrap();
    let answers = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output, answers)
}

fn page(id: u32, title: &str) -> String {
    let html = format!(
        "<title>{title}</title><h1>{title}</h1><p>Only the text of page {id}, and nothing besides.</p>"
    );
    json!({"id": id, "url": format!("https://courier.example/{id}"), "html": html}).to_string()
}

#[test]
fn answers_keep_the_order_of_the_lines() {
    let input: String = (0..50).map(|id| page(id, "A headline of the day") + "\n").collect();
    for arguments in [&["--jobs", "3"][..], &["--jobs", "1"], &["--learn"]] {
        let (output, answers) = batch(arguments, &input);
        assert!(output.status.success(), "{arguments:?}");
        let ids: Vec<u64> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, (0..50).collect::<Vec<_>>(), "{arguments:?}");
        assert_eq!(answers[7]["title"], "A headline of the day");
    }
}

#[test]
fn a_bad_line_is_its_own_error() {
    let input = format!(
        "no json\n\n{{\"id\": 7}}\n{{\"id\": 8, \"url\": \"nowhere\", \"html\": \"\"}}\n{}\n",
        page(9, "Fine")
    );
    let (output, answers) = batch(&[], &input);
    assert_eq!(output.status.code(), Some(3), "done in part");
    assert_eq!((&answers[0]["id"], &answers[0]["line"]), (&Value::Null, &json!(1)));
    assert!(answers[0]["error"].as_str().unwrap().starts_with("not a page in JSON"), "{}", answers[0]);
    assert_eq!(answers[1], json!({"id": 7, "error": "no url"}));
    assert_eq!(answers[2]["id"], 8);
    assert!(answers[2]["error"].as_str().unwrap().contains("nowhere"), "{}", answers[2]);
    assert_eq!((&answers[3]["id"], &answers[3]["title"]), (&json!(9), &json!("Fine")));
    assert_eq!(answers.len(), 4);
}

#[test]
fn moments_are_printed_as_the_publisher_dates_them() {
    let html = "<meta property=article:published_time content=2026-02-01T20:30:00-05:00><h1>Late news</h1><p>Text.</p>";
    let input = json!({"id": 1, "url": "https://courier.example/1", "html": html}).to_string() + "\n";
    let (_, answers) = batch(&[], &input);
    assert_eq!(answers[0]["published_at"], "2026-02-01T20:30:00-05:00");
}

#[test]
fn a_day_kept_as_its_midnight_is_the_day_that_readers_see() {
    // A time within the displayed day gives no hint of another zone.
    for (moment, told) in [
        ("2026-01-31T23:00:00Z", "2026-02-01T00:00:00+01:00"),
        ("2026-02-01T08:00:00Z", "2026-02-01T08:00:00Z"),
    ] {
        let html = format!(
            "<meta property=article:published_time content={moment}><h1>Late news</h1>\
             <p class=date>1 February 2026</p><p>Text.</p>"
        );
        let input = json!({"id": 1, "url": "https://courier.example/1", "html": html}).to_string() + "\n";
        let (_, answers) = batch(&[], &input);
        assert_eq!(answers[0]["published_at"], told);
    }
}

/// A page whose "about the paper" section looks more like an article than the news does.
fn flash(id: u32, topic: &str) -> String {
    let about: String = (0..9)
        .map(|n| {
            format!(
                "<p>In year {n} the paper moved to another house by the river, where its founders printed on two old \
                 machines, and the readers of the valley came to help them carry the type.</p>"
            )
        })
        .collect();
    let html = format!(
        "<title>The {topic} opens again</title><div class=x1><h1>The {topic} opens again</h1></div>\
         <div class=sidebar>After nine months of work the {topic} lets visitors in from Monday on.</div>\
         <article class=article-body>{about}</article>"
    );
    json!({"id": id, "url": format!("https://courier.example/{id}"), "html": html}).to_string()
}

#[test]
fn learning_finds_out_that_two_headlines_have_one_text() {
    let input = [flash(1, "lighthouse"), flash(2, "courtyard")].join("\n");
    let (_, answers) = batch(&[], &input);
    assert_eq!(answers[0]["text"], answers[1]["text"]);
    let (_, answers) = batch(&["--learn"], &input);
    for (answer, topic) in answers.iter().zip(["lighthouse", "courtyard"]) {
        let text = answer["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("After nine months of work the {topic}")), "{text}");
    }
}
