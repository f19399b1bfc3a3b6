//! `feedmill dedup --batch` as its callers see it, and copies within the furniture of different hosts.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use feedmill::dedup::{Index, Neighbour, Publisher, Settings, fingerprint, judge};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{
    Article, ArticleId, DuplicateKind, Fingerprint, Page, PageBody, QualityFlag, Record, Sha256Hash, Verdict,
};
use serde_json::{Value, json};
use url::Url;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, paragraphs, rss};

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
    // Written from another thread: writing everything before reading would deadlock with the child process.
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

/// A text of `count` words, different for each `seed`.
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

/// The article and fingerprint of a page with `paragraphs` under `headline`.
fn fingerprinted(headline: &str, paragraphs: &[String]) -> (Article, Fingerprint) {
    let body: String = paragraphs.iter().map(|text| format!("<p>{text}</p>")).collect();
    let html = format!("<html><body><main><article><h1>{headline}</h1>{body}</article></main></body></html>");
    let url = Url::parse("https://news.example/bridges").unwrap();
    let fetched_at = "2026-03-01T12:00:00Z".parse().unwrap();
    let page = Page { final_url: url.clone(), url, body: PageBody::Html(html), fetched_at };
    let article = extract(&page, &Evidence::default(), &Rules::new(&[]).unwrap());
    let fingerprint = fingerprint(&article, &Settings::default());
    (article, fingerprint)
}

/// The verdict on a text when `earlier` is already stored.
fn judged((article, fingerprint): &(Article, Fingerprint), earlier: &(Article, Fingerprint)) -> Verdict {
    let id = ArticleId(Sha256Hash::of("earlier"));
    let mut index = Index::default();
    let content_sha256 = earlier.1.content_sha256;
    let publisher = Publisher::default();
    let text = earlier.0.text.clone();
    let neighbour = Neighbour { id, cluster_id: id, content_sha256, text, publisher: publisher.clone() };
    index.add(1, neighbour, &earlier.1.bands);
    let neighbours = index.neighbours(2, fingerprint);
    judge(&article.text, fingerprint, &publisher, &neighbours, &Settings::default())
}

#[test]
fn a_cut_under_another_headline_is_near() {
    let whole = fingerprinted("Bridges need repair", &paragraphs("bridges"));
    let cut = fingerprinted("What the engineers found", &paragraphs("bridges")[..4]);
    let Verdict::Duplicate(link) = judged(&cut, &whole) else { panic!("no copy") };
    assert_eq!(link.kind, DuplicateKind::Near);
    assert!(link.score > 0.9, "{}", link.score);
    let other = fingerprinted("Bridges need repair", &paragraphs("tunnels"));
    assert_eq!(judged(&other, &whole), Verdict::Original, "the same headline makes no copy");
}

#[test]
fn a_text_of_ten_megabytes_costs_what_its_beginning_costs() {
    let settings = Settings::default();
    let long = |tail: &str| Article {
        text: format!("{} {}", story(7, 30_000), format!("{tail} ").repeat((10 << 20) / tail.len())),
        ..Article::default()
    };
    let [one, other] = [long("tide"), long("wind")].map(|article| {
        assert!(article.text.len() > 10 << 20);
        let fingerprint = fingerprint(&article, &settings);
        (article, fingerprint)
    });
    assert_eq!(one.1.bands, other.1.bands, "what lies behind the cap counts for the hash only");
    assert_ne!(one.1.content_sha256, other.1.content_sha256);
    let Verdict::Duplicate(link) = judged(&other, &one) else { panic!("no copy") };
    assert_eq!(link.kind, DuplicateKind::Near);
}

/// The records of `bodies`, each the page of an article of its own.
async fn records_of(bodies: &[String]) -> Vec<Record> {
    let server = Server::start().await;
    let items: Vec<Item> = (0..bodies.len())
        .map(|n| Item::new(&format!("Number {n}"), &server.url(&format!("/page/{n}"))))
        .collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    for (n, body) in bodies.iter().enumerate() {
        server.respond(&format!("/page/{n}"), Reply::ok("text/html; charset=utf-8", body.clone()));
    }
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;
    daemon.once().await;
    daemon.records().await
}

fn assert_strangers(records: &[Record], count: usize) {
    assert_eq!(records.len(), count);
    for record in records {
        assert_eq!((record.duplicate_of, record.cluster_id), (None, record.id), "{record:?}");
    }
}

#[tokio::test]
async fn the_notice_of_a_paywall_links_nothing() {
    const NOTICE: &str = "<div class=\"paywall\"><p>This article is for subscribers. Take a free trial now and read on \
        at once, on every device, wherever you are, and cancel whenever you like. Already a subscriber? Log in to go on \
        reading this and every other article of ours. Your first month costs you one single euro.</p></div>";
    let bodies: Vec<String> = (0..4)
        .map(|n| {
            format!(
                "<html><head><script type=\"application/ld+json\">{{\"@context\":\"https://schema.org\",\"@type\":\
                 \"NewsArticle\",\"isAccessibleForFree\":false}}</script></head><body><article><h1>Number {n}</h1>{NOTICE}\
                 </article></body></html>"
            )
        })
        .collect();
    let records = records_of(&bodies).await;
    assert_strangers(&records, 4);
    for record in &records {
        let flags = &record.quality_flags;
        assert!(
            flags.contains(&QualityFlag::Paywalled) || flags.contains(&QualityFlag::TooShort),
            "{record:?}"
        );
    }
}

#[tokio::test]
async fn pages_without_an_article_are_flagged_and_no_cluster() {
    let mut bodies = vec![
        "<html><body><nav><a href=/a>News</a> <a href=/b>Sport</a></nav><footer>All rights reserved.</footer></body>\
         </html>"
            .to_owned();
        3
    ];
    bodies.extend(vec!["<html><body></body></html>".to_owned(); 3]);
    let records = records_of(&bodies).await;
    assert_strangers(&records, 6);
    for record in &records {
        assert!(record.quality_flags.contains(&QualityFlag::TooShort), "{record:?}");
    }
}
