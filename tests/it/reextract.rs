//! Re-extraction of archived pages with the current extractor and rules.

use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use feedmill::model::{Event, Record};

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

/// A paragraph that the operator wants removed.
const TIDES: &str = "High water at the old quay comes at noon tomorrow, and the company asks its passengers to be at the pier a \
    quarter of an hour before their ship sails.";

/// A configuration whose store holds two articles, with the given feed options.
fn turned(server: &Server, options: &str) -> TestDaemon {
    let items = [Item::new("One", &server.url("/one")), Item::new("Two", &server.url("/two"))];
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    let after = &paragraphs("mooring")[3];
    let with_aside = page("mooring").replace(after, &format!("{after}</p><p class=\"tides\">{TIDES}"));
    server.respond("/one", Reply::ok("text/html; charset=utf-8", with_aside));
    server.respond("/two", Reply::ok("text/html; charset=utf-8", page("dredging")));
    let test = TestDaemon::new().feed_with(&server.url("/feed"), options);
    let once = output(&test.write_config(), &["once"]);
    assert!(once.status.success(), "{}", String::from_utf8_lossy(&once.stderr));
    test
}

fn output(config: &Path, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| feedmill(config, arguments).output().unwrap())
}

/// Runs `reextract` and returns its output.
fn reextracted(config: &Path, arguments: &[&str]) -> String {
    let output = output(config, &[&["reextract"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn records(config: &Path) -> Vec<Record> {
    let exported = output(config, &["export", "--format", "jsonl"]);
    let lines = String::from_utf8(exported.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_makes_revisions_where_it_changes_a_text() {
    let server = Server::start().await;
    let test = turned(&server, "raw = \"keep\"");
    let config = test.write_config();
    assert_eq!(reextracted(&config, &["--dry-run"]), "2 pages, 0 texts would change, 0 failed\n");
    let before = records(&config);
    let with_aside = before.iter().find(|record| record.url == server.url("/one")).unwrap();
    assert!(with_aside.text.contains(TIDES), "{}", with_aside.text);

    let mut file = std::fs::File::options().append(true).open(&config).unwrap();
    writeln!(file, "[[site]]\nhost = \"127.0.0.1\"\ndrop = [\".tides\"]").unwrap();
    let would_change = "2 pages, 1 texts would change, 0 failed\n";
    assert_eq!(reextracted(&config, &["--dry-run"]), would_change);
    assert_eq!(records(&config), before, "a dry run changes nothing");
    let feed = server.url("/feed");
    for (arguments, pages) in [
        (["--host", "127.0.0.1"], would_change),
        (["--feed", feed.as_str()], would_change),
        (["--since", "2026-01-01"], would_change),
        (["--host", "elsewhere.example"], "0 pages, 0 texts would change, 0 failed\n"),
        (["--feed", "https://elsewhere.example/feed"], "0 pages, 0 texts would change, 0 failed\n"),
        (["--since", "2100-01-01T00:00:00Z"], "0 pages, 0 texts would change, 0 failed\n"),
    ] {
        assert_eq!(
            reextracted(&config, &[arguments.as_slice(), &["--dry-run"]].concat()),
            pages,
            "{arguments:?}"
        );
    }

    assert_eq!(reextracted(&config, &[]), "2 pages, 1 texts changed, 1 revisions made, 0 failed\n");
    let after = records(&config);
    assert_eq!(after[..2], before);
    assert_eq!((after[2].event, after[2].revision, after[2].id), (Event::Revised, 2, with_aside.id));
    assert_eq!(after[2].text, paragraphs("mooring").join("\n\n"));
    assert_eq!(after[2].raw_sha256, with_aside.raw_sha256, "made from the same bytes");
    assert_eq!(after[2].fetched_at, with_aside.fetched_at);
    assert_eq!(reextracted(&config, &[]), "2 pages, 0 texts changed, 0 revisions made, 0 failed\n");
    assert_eq!(server.requests("/one").len(), 1, "no page is fetched");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_kept_unless_the_operator_says_so() {
    let server = Server::start().await;
    let test = turned(&server, "");
    assert_eq!(
        reextracted(&test.write_config(), &[]),
        "0 pages, 0 texts changed, 0 revisions made, 0 failed\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_named_and_hinders_no_other() {
    let server = Server::start().await;
    let test = turned(&server, "raw = \"keep\"");
    let config = test.write_config();
    let database = format!("sqlite:{}", config.with_file_name("feedmill.db").display()).parse().unwrap();
    let damage = "UPDATE raw_pages SET body = x'00' WHERE final_url LIKE '%/one'";
    crate::support::database::execute(&database, damage.to_owned()).await;
    let output = output(&config, &["reextract"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "2 pages, 0 texts changed, 0 revisions made, 1 failed\n");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("/one") && log.contains("damaged"), "{log}");
}
