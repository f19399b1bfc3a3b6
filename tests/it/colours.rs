//! Colours: on a terminal, or where they are forced, and nowhere else.

use std::fs;
use std::process::Command;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};
use crate::support::terminal::on_terminal;

const GREEN_MARK: &str = "\u{1b}[32m\u{1b}[1m+\u{1b}[0m";
const RED_MARK: &str = "\u{1b}[31m\u{1b}[1m-\u{1b}[0m";

/// Every escape sequence of an account.
const OURS: [&str; 6] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[36m"];

/// Returns what a command writes to a pipe.
fn piped(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns what a command writes to a terminal.
fn shown(command: Command) -> String {
    let (shown, ended) = on_terminal(command);
    assert!(ended.success(), "{shown}");
    shown
}

#[test]
fn an_account_is_coloured_for_people_only() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let file = config.with_file_name("page.html");
    // The page tries to colour and to reorder the text around it.
    let hostile = "<p>Nobody &#27;[35mwas hurt&#x202e; when the mooring broke on the northern breakwater.</p></article>";
    fs::write(&file, page("mooring").replace("</article>", hostile)).unwrap();
    let account = || {
        let mut command = feedmill(&config, &["extract", "--explain", file.to_str().unwrap()]);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command
    };
    let plain = piped(&mut account());
    assert!(!plain.contains('\u{1b}') && plain.lines().any(|line| line.starts_with("+ ")), "{plain}");
    assert!(plain.lines().any(|line| line.starts_with("- ")), "{plain}");

    let forced = piped(account().env("CLICOLOR_FORCE", "1"));
    for coloured in [&forced, &shown(account())] {
        for mark in [GREEN_MARK, RED_MARK] {
            assert!(coloured.lines().any(|line| line.starts_with(mark)), "{mark:?}: {coloured:?}");
        }
        assert!(!coloured.contains("\u{1b}[35m") && !coloured.contains('\u{202e}'), "{coloured:?}");
    }
    let bare = OURS.iter().fold(forced, |text, code| text.replace(code, ""));
    assert_eq!(bare, plain.replace('\u{202e}', "\\u202e"), "the same words in the same columns");

    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR", "0")] {
        let mut command = account();
        command.env(name, value);
        let shown = shown(command);
        assert!(!shown.contains('\u{1b}') && shown.contains("breakwater"), "{name}: {shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_changes_of_a_rule_on_trial_are_coloured_too() {
    let server = Server::start().await;
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[Item::new("One", &server.url("/one"))])));
    server.respond("/one", Reply::ok("text/html; charset=utf-8", page("mooring")));
    let test = TestDaemon::new().feed_with(&server.url("/feed"), "raw = \"keep\"");
    let config = test.write_config();
    tokio::task::block_in_place(|| {
        piped(&mut feedmill(&config, &["once"]));
        let trial = ["site", "try", "127.0.0.1", "--title", "nav a"];
        let plain = piped(&mut feedmill(&config, &trial));
        assert!(
            plain.contains("title: [-The mooring affair-]{+Home+}") && !plain.contains('\u{1b}'),
            "{plain}"
        );
        let forced = piped(feedmill(&config, &trial).env("CLICOLOR_FORCE", "1"));
        assert!(forced.contains("\u{1b}[31m") && forced.contains("\u{1b}[32m"), "{forced:?}");
        assert!(!forced.contains("[-") && !forced.contains("{+"), "{forced:?}");
    });
}
