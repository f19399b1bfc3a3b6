//! `feedmill feeds discover` and `export`, as a person calls them.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::server::{Reply, Server};

const FEED: &str = "<rss version='2.0'><channel><title>The &amp; news</title><link>https://example.org/</link>\
                    <item><title>One</title><description>What happened.</description><link>https://example.org/1</link></item></channel></rss>";

/// Runs the program in `dir` with a config that allows loopback.
fn feedmill(dir: &TempDir, feeds: &str, args: &[&str]) -> Output {
    let config = format!("[fetch]\nallow = [\"127.0.0.0/8\"]\nhost_min_gap_ms = 0\n{feeds}");
    std::fs::write(dir.path().join("feedmill.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.args(args).current_dir(dir.path()).env_clear().env("STATE_DIRECTORY", dir.path());
    tokio::task::block_in_place(|| command.output()).unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sites_feeds_are_found() {
    let server = Server::start().await;
    let dir = TempDir::new().unwrap();
    server.respond("/feed.xml", Reply::ok("text/xml", FEED));
    server.respond("/old", Reply::redirect(301, "/feed.xml"));
    let head = "<link rel=alternate type='application/rss+xml' href=feed.xml>\
                <link rel=alternate type='application/rss+xml' href=/old>\
                <link rel=alternate type='application/atom+xml' href=/broken>";
    server.respond("/page", Reply::ok("text/html", head));
    server.respond("/plain", Reply::ok("text/html", "<p>nothing here</p>"));
    let line = format!("{}\t1\tThe & news\n", server.url("/feed.xml"));
    for (path, why) in
        [("/feed.xml", "it is one"), ("/page", "it points to one"), ("/plain", "at the usual address")]
    {
        let output = feedmill(&dir, "", &["feeds", "discover", server.url(path).as_str()]);
        assert_eq!(text(&output.stdout), line, "{why}: {}", text(&output.stderr));
    }
    let output = feedmill(&dir, "", &["feeds", "discover", "--json", server.url("/page").as_str()]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["url"], server.url("/feed.xml").as_str());

    let bare = Server::start().await;
    bare.respond("/", Reply::ok("text/html", "<p>nothing here</p>"));
    let output = feedmill(&dir, "", &["feeds", "discover", bare.url("/").as_str()]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    assert!(text(&output.stderr).contains("no feed at"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_can_be_included() {
    let server = Server::start().await;
    let dir = TempDir::new().unwrap();
    server.respond("/feed.xml", Reply::ok("text/xml", FEED));
    let url = server.url("/feed.xml?a=1&b=2");
    let feeds =
        format!("[schedule]\ninitial_spread_secs = 0\n[[feed]]\nurl = \"{url}\"\ncontent = \"feed\"\n");
    let once = feedmill(&dir, &feeds, &["once"]);
    assert!(once.status.success(), "{once:?}");
    let exported = feedmill(&dir, &feeds, &["feeds", "export"]);
    let opml = text(&exported.stdout);
    assert!(opml.contains("title=\"The &amp; news\"") && opml.contains("a=1&amp;b=2"), "{opml}");
    std::fs::write(dir.path().join("feeds.opml"), opml).unwrap();
    let checked = feedmill(&dir, "", &["config", "check"]);
    assert!(text(&checked.stdout).contains("0 feeds"), "{checked:?}");
    let config = std::fs::read_to_string(dir.path().join("feedmill.toml")).unwrap();
    std::fs::write(dir.path().join("including.toml"), format!("include = [\"feeds.opml\"]\n{config}"))
        .unwrap();
    let checked = feedmill(&dir, "", &["--config", "including.toml", "config", "check"]);
    assert!(text(&checked.stdout).contains("1 feeds"), "{checked:?}");
}
