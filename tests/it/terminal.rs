//! Text from outside on a terminal: characters that reorder, hide or steer are written out, and files and pipes get every byte.
//! The sink on standard output writes them as JSON escapes in both.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::{self, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, rss};
use crate::support::terminal::on_terminal;

/// Reverses what follows; isolates; begins a control sequence in one character; is invisible; begins one; rings.
const DECEPTIVE: &str = "a\u{202e}b\u{2066}c\u{9b}2Jd\u{200b}e\u{61c}f";
/// Cannot be written in XML.
const STEERING: &str = "\u{1b}[2J\u{7}";
/// How the characters of [`DECEPTIVE`] are shown.
const SHOWN: &str = "a\\u202eb\\u2066c\\u009b2Jd\\u200be\\u061cf";

/// Files with such text, and the commands that print it; whether each prints all of [`DECEPTIVE`].
fn commands(dir: &TempDir) -> Vec<(Vec<String>, bool)> {
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let texts = json!({"id": format!("{DECEPTIVE}{STEERING}"), "text": "One of them."}).to_string();
    let html = "<title>One</title><h1>One</h1><p>Only the text of one, and nothing besides.</p>";
    let page = json!({"id": DECEPTIVE, "url": "https://courier.example/1", "html": html}).to_string();
    let feed = format!(
        "<rss version='2.0'><channel><title>{DECEPTIVE}</title><item><title>{DECEPTIVE}</title></item></channel></rss>"
    );
    let outline = format!(
        "<outline type='rss' text='{DECEPTIVE}' xmlUrl='https://courier.example/feed' category='{DECEPTIVE}'/>"
    );
    let list = format!("<opml version='2.0'><body>{outline}</body></opml>");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    vec![
        (words(&["dedup", "--batch", &file("texts", texts)]), true),
        (words(&["extract", "--batch", &file("pages", page)]), true),
        (words(&["feeds", "import", &file("list.opml", list)]), true),
        // The parser takes the control character for what it is in Windows-1252.
        (words(&["parse", &file("feed.xml", feed)]), false),
    ]
}

fn feedmill(dir: &TempDir, arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.args(arguments).env_clear().env("STATE_DIRECTORY", dir.path()).current_dir(dir.path());
    command
}

fn is_deceptive(c: char) -> bool {
    c.is_control() && !matches!(c, '\r' | '\n' | '\u{1b}')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[test]
fn a_terminal_shows_what_would_deceive() {
    let dir = TempDir::new().unwrap();
    for (arguments, is_whole) in commands(&dir) {
        let (seen, _) = on_terminal(feedmill(&dir, &arguments));
        assert!(!seen.contains(is_deceptive), "{arguments:?}: {seen:?}");
        assert!(!seen.contains("\u{1b}[2J"), "{arguments:?}: {seen:?}");
        assert!(seen.contains("\\u202e"), "{arguments:?}: {seen:?}");
        assert!(!is_whole || seen.contains(SHOWN), "{arguments:?}: {seen:?}");
    }
}

#[test]
fn a_pipe_gets_every_character() {
    let dir = TempDir::new().unwrap();
    for (arguments, is_whole) in commands(&dir) {
        let output = feedmill(&dir, &arguments).output().unwrap();
        let piped = String::from_utf8(output.stdout).unwrap();
        assert!(piped.contains('\u{202e}') && !piped.contains("\\u202e"), "{arguments:?}: {piped:?}");
        assert!(!is_whole || piped.contains(DECEPTIVE), "{arguments:?}: {piped:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_on_standard_output_shows_what_would_deceive() {
    let server = Server::start().await;
    let item = Item::new(DECEPTIVE, &server.url("/one")).with_content("<p>Only the text of one.</p>");
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[item])));
    let sink = "[log]\nfilter = \"error\"\n[[sink]]\nname = \"screen\"\nstdout = {}";
    let fresh = || TestDaemon::new().tables(sink).feed_with(&server.url("/feed"), "content = \"feed\"");

    let test = fresh();
    let once = daemon::feedmill(&test.write_config(), &["once"]);
    let (seen, ended) = tokio::task::block_in_place(|| on_terminal(once));
    assert!(ended.success(), "{seen:?}");
    assert!(!seen.contains(is_deceptive), "{seen:?}");
    assert!(seen.contains("a\\u202eb"), "{seen:?}");

    let test = fresh();
    let mut once = daemon::feedmill(&test.write_config(), &["once"]);
    let output = tokio::task::block_in_place(|| once.output().unwrap());
    let piped = String::from_utf8(output.stdout).unwrap();
    assert!(!piped.contains(is_deceptive), "{piped:?}");
    let record: Value = serde_json::from_str(piped.trim_end()).unwrap();
    let title = record["feeds"][0]["entry_title"].as_str().unwrap();
    assert!(title.contains("a\u{202e}b"), "a reader gets the characters: {title:?}");
}
