//! `feedmill articles` as the operator sees it.

use std::path::PathBuf;
use std::process::Output;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};

/// A configuration whose store holds two articles, the first with two revisions. Returns the test, the config file, the first
/// article's URL and the server.
async fn turned() -> (TestDaemon, PathBuf, String, Server) {
    let server = Server::start().await;
    let items = |word: &str| {
        let one = Item::new("One", &server.url("/one")).with_content(&format!("<p>{word}</p>"));
        Reply::ok("application/rss+xml", rss(&[one, Item::new("Two", &server.url("/two"))]))
    };
    server.respond("/feed", items("Early."));
    server.respond("/feed", items("Late."));
    let first = page("mooring");
    let second = first
        .replace("the winter timetable", "the summer timetable")
        .replace("mooring affair", "harbour row");
    assert_ne!(first, second);
    let third = paragraphs("mooring")[5].clone();
    server.respond("/one", Reply::ok("text/html", first));
    server.respond("/one", Reply::ok("text/html", second.replace(&third, "Nobody knows.")));
    server.respond("/two", Reply::ok("text/html", page("dredging")));
    let test = TestDaemon::new().feed_with(&server.url("/feed"), "interval_secs = 1");
    let config = test.write_config();
    for _ in 0..2 {
        assert!(output(&config, &["once"]).status.success());
        // The program uses the system clock: make the feed due again without waiting.
        let database = format!("sqlite:{}", config.with_file_name("feedmill.db").display()).parse().unwrap();
        crate::support::database::execute(&database, "UPDATE feeds SET next_poll_at = 0".to_owned()).await;
    }
    let address = server.url("/one").to_string();
    (test, config, address, server)
}

fn output(config: &std::path::Path, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| feedmill(config, arguments).output().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_are_listed_shown_and_compared() {
    let (_test, config, address, _server) = turned().await;
    let listed = output(&config, &["articles", "list", "--json"]);
    let listed: Vec<serde_json::Value> =
        text(&listed.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.len(), 2);
    let revised = output(&config, &["articles", "list", "--revised", "--json"]);
    let revised: serde_json::Value = serde_json::from_slice(&revised.stdout).unwrap();
    assert_eq!((revised["url"].as_str(), revised["revision"].as_u64()), (Some(address.as_str()), Some(2)));
    let id = revised["id"].as_str().unwrap();
    let table = text(&output(&config, &["articles", "list"]).stdout);
    assert!(table.contains(&id[..16]) && table.contains("The harbour row"), "{table}");

    for named in [id, &id[..8], address.as_str()] {
        let shown = text(&output(&config, &["articles", "show", named]).stdout);
        assert!(shown.contains(&format!("id         {id}\n")), "{named}: {shown}");
        assert!(shown.contains("revision   2, ") && shown.ends_with("Nobody knows.\n"), "{shown}");
    }

    let compared = text(&output(&config, &["articles", "diff", id]).stdout);
    assert!(compared.starts_with("[-revision 1 of "), "{compared}");
    assert!(compared.contains("\n\nThe [-mooring affair-]{+harbour row+}\n"), "{compared}");
    assert!(compared.contains("Nobody knows.") && compared.contains("{+"), "{compared}");
    assert!(!compared.contains(&paragraphs("mooring")[0]) || compared.contains("timetable"), "{compared}");
    let coloured = feedmill(&config, &["articles", "diff", id]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(text(&coloured.stdout).contains("\u{1b}[31m"), "{coloured:?}");
    let same = text(&output(&config, &["articles", "diff", id, "--from", "2", "--to", "2"]).stdout);
    assert!(same.ends_with("no word has changed\n"), "{same}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_says_why() {
    let (_test, config, address, _server) = turned().await;
    let two = address.replace("/one", "/two");
    for (arguments, complaint) in [
        (["diff", two.as_str()].as_slice(), "there is no earlier one"),
        (&["diff", &address, "--from", "7"], "this article has 1 to 2"),
        (&["show", "abc"], "8 to 64 hex digits"),
        (&["show", "xyzxyzxyz"], "8 to 64 hex digits"),
        (&["show", "00000000"], "no such article"),
        (&["show", "https://elsewhere.example/"], "no such article"),
    ] {
        let output = output(&config, &[&["articles"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(complaint), "{arguments:?}: {}", text(&output.stderr));
    }
}
