//! `feedmill feeds discover`, `export` and `import`, as a user calls them.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::server::{Reply, Server};

const FEED: &str = "<rss version='2.0'><channel><title>The &amp; news</title><link>https://example.org/</link>\
                    <item><title>One</title><description>What happened.</description><link>https://example.org/1</link></item></channel></rss>";

/// Runs the program in `dir` with a config that allows loopback.
fn feedmill_outside(dir: &TempDir, feeds: &str, args: &[&str]) -> Output {
    let config = format!("[fetch]\nallow = [\"127.0.0.0/8\"]\nhost_min_gap_ms = 0\n{feeds}");
    std::fs::write(dir.path().join("feedmill.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.args(args).current_dir(dir.path()).env_clear().env("STATE_DIRECTORY", dir.path());
    command.output().unwrap()
}

/// Like `feedmill_outside`, while a server of the test keeps running.
fn feedmill(dir: &TempDir, feeds: &str, args: &[&str]) -> Output {
    tokio::task::block_in_place(|| feedmill_outside(dir, feeds, args))
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

#[test]
fn another_readers_feeds_are_taken_over() {
    let dir = TempDir::new().unwrap();
    let opml = "<opml><body><outline text='World &amp; all'>\
        <outline type='rss' text='The \"first\"' xmlUrl='https://one.example/feed?a=1&amp;b=2' category='x,/y/'/>\
        <outline xmlUrl='https://two.example/feed'/></outline>\n\
        <outline text='Again' xmlUrl='https://one.example/feed?a=1&amp;b=2'/>\n\
        <outline text='Mine' xmlUrl='https://mine.example/feed'/>\n\
        <outline text='Off' xmlUrl='https://off.example/feed'/>\n\
        <outline text='Bad' xmlUrl='gopher://bad.example/'/></body></opml>";
    std::fs::write(dir.path().join("other.opml"), opml).unwrap();
    let mine = "[[feed]]\nurl = \"https://mine.example/feed\"\n\
                [[feed]]\nurl = \"https://off.example/feed\"\nenabled = false\n";
    let import =
        |to: &[&str]| feedmill_outside(&dir, mine, &[&["feeds", "import", "other.opml"], to].concat());

    let printed = import(&[]);
    assert_eq!(printed.status.code(), Some(3), "one is invalid");
    let tables = "# The \"first\"\n[[feed]]\nurl = \"https://one.example/feed?a=1&b=2\"\ntags = [\"World & all\", \"x\", \"y\"]\n\n\
                  [[feed]]\nurl = \"https://two.example/feed\"\ntags = [\"World & all\"]\n\n";
    assert_eq!(text(&printed.stdout), tables);
    let said = text(&printed.stderr);
    assert!(
        said.contains("other.opml:5: left out: must begin with http:// or https://, not gopher:"),
        "{said}"
    );
    assert!(said.contains("2 added, 3 known already, 1 invalid"), "{said}");

    let file = dir.path().join("taken.toml");
    std::fs::write(&file, "# Kept.\n[[feed]]\nurl = \"https://two.example/feed\"\ninterval_secs = 900\n")
        .unwrap();
    let said = text(&import(&["--to", "taken.toml"]).stderr);
    assert!(said.contains("1 added, 4 known already, 1 invalid"), "{said}");
    assert!(said.contains("hint: the configuration must include the file"), "{said}");
    let taken = std::fs::read_to_string(&file).unwrap();
    assert!(taken.starts_with("# Kept.\n[[feed]]\n") && taken.contains("interval_secs = 900"), "{taken}");
    import(&["--to", "taken.toml"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), taken, "nothing is added twice");
    let including = format!("include = [\"taken.toml\"]\n{mine}");
    std::fs::write(dir.path().join("including.toml"), including).unwrap();
    let checked = feedmill_outside(&dir, "", &["--config", "including.toml", "config", "check"]);
    assert!(text(&checked.stdout).contains("3 feeds"), "{checked:?}");

    std::fs::write(&file, "[[feed]]\nurl = 1\n").unwrap();
    for to in ["taken.toml", "feeds.opml"] {
        let refused = import(&["--to", to]);
        assert_eq!(refused.status.code(), Some(1), "{to}: {refused:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[[feed]]\nurl = 1\n", "left as it is");
}
