//! Commands that operators use to try out, tune and check things, as a shell sees them.

mod doctor;
mod status;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::s3::{S3, SECRET};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, paragraphs, rss};
use crate::support::terminal;

fn output(config: &Path, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| feedmill(config, arguments).output().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a command that must succeed, and returns its output.
fn said(config: &Path, arguments: &[&str]) -> String {
    let output = output(config, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn html(body: String) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

/// A server with a feed of two articles, whose pages end in an unwanted paragraph.
async fn two_articles() -> Server {
    let server = Server::start().await;
    let items = [Item::new("One", &server.url("/one")), Item::new("Two", &server.url("/two"))];
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    for (path, topic) in [("/one", "mooring"), ("/two", "dredging")] {
        server.respond(path, html(page(topic)));
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_tried_before_it_is_saved() {
    let server = two_articles().await;
    let test = TestDaemon::new().feed_with(&server.url("/feed"), "raw = \"keep\"");
    let config = test.write_config();
    said(&config, &["once"]);
    let before = said(&config, &["export", "--format", "jsonl"]);

    let tried = said(
        &config,
        &[
            "site",
            "try",
            "127.0.0.1",
            "--drop-text",
            "account of mooring",
            "--title",
            "nav a",
            "--drop",
            ".no",
        ],
    );
    assert!(tried.contains("  [-"), "{tried}");
    assert!(tried.contains("title: [-The mooring affair-]{+Home+}"), "{tried}");
    assert!(tried.contains("site 127.0.0.1: drop: \".no\" matches on 0 of 2 pages\n"), "{tried}");
    assert!(
        tried.contains("site 127.0.0.1: drop_text: \"account of mooring\" matches on 1 of 2 pages\n"),
        "{tried}"
    );
    assert!(tried.contains("2 pages, 2 would change: 0 words added, "), "{tried}");
    let (_, table) = tried.split_once("\n[[site]]\n").unwrap();
    assert_eq!(
        table,
        "host = \"127.0.0.1\"\ndrop = [\".no\"]\ntitle = [\"nav a\"]\ndrop_text = [\"account of mooring\"]\n"
    );
    assert_eq!(said(&config, &["export", "--format", "jsonl"]), before, "nothing is stored");

    let counted = said(&config, &["site", "try", "127.0.0.1", "--show", "0"]);
    assert!(
        counted.starts_with("2 pages, 0 would change: 0 words added, 0 removed; 0 failed\n"),
        "{counted}"
    );
    let elsewhere = output(&config, &["site", "try", "elsewhere.example"]);
    assert!(text(&elsewhere.stderr).contains("hint: articles.raw = \"keep\""), "{}", text(&elsewhere.stderr));
    let refused = output(&config, &["site", "try", "127.0.0.1", "--drop-text", "(a"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("unclosed group"), "{}", text(&refused.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_patterns_decide_over_paragraphs() {
    let test = TestDaemon::new().tables(
        "[[site]]\nhost = \"gazette.example\"\ndrop_text = [\"Paragraph [12] of\"]\n\
         keep_text = [\"never miss a tide\", \"Paragraph 2 of\"]",
    );
    let config = test.write_config();
    let file = config.with_file_name("page.html");
    fs::write(&file, page("mooring")).unwrap();
    let arguments = ["extract", "--url", "https://www.gazette.example/one", file.to_str().unwrap()];
    let shown = said(&config, &arguments);
    let all = paragraphs("mooring");
    assert!(!shown.contains(&all[1]) && shown.contains(&all[2]) && shown.contains(&all[3]), "{shown}");
    assert!(shown.contains("never miss a tide"), "{shown}");
    let account = said(&config, &[&arguments[..], &["--explain"]].concat());
    for line in ["- operator.drop_text ", "+ operator.keep_text "] {
        assert!(account.lines().any(|shown| shown.starts_with(line)), "{line}: {account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn site_files_of_others_are_read_as_far_as_they_are_understood() {
    let test = TestDaemon::new().tables("[extract]\nsite_files_dir = \"sites\"");
    let config = test.write_config();
    let folder = config.with_file_name("sites");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("gazette.example.txt"),
        "strip: //article/p[2]\nnext_page_link: //a[@rel='next']\n",
    )
    .unwrap();
    let file = config.with_file_name("page.html");
    fs::write(&file, page("mooring")).unwrap();
    let arguments = ["extract", "--url", "https://gazette.example/one", file.to_str().unwrap()];
    let shown = said(&config, &arguments);
    let all = paragraphs("mooring");
    assert!(shown.contains(&all[0]) && !shown.contains(&all[1]) && shown.contains(&all[2]), "{shown}");
    let checked = output(&config, &["config", "check"]);
    assert!(
        text(&checked.stderr).contains("1 lines of site files are not understood"),
        "{}",
        text(&checked.stderr)
    );
    let remarks = said(&config, &["config", "site-files"]);
    assert!(remarks.ends_with("gazette.example.txt:2: next_page_link is not supported\n"), "{remarks}");

    // The operator's own `[[site]]` table takes precedence.
    let own = "\n[[site]]\nhost = \"gazette.example\"\ndrop = [\"article > p:nth-of-type(1)\"]\n";
    fs::write(&config, fs::read_to_string(&config).unwrap() + own).unwrap();
    let shown = said(&config, &arguments);
    assert!(!shown.contains(&all[0]) && shown.contains(&all[1]), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_left_out_by_the_feeds_rules_until_those_change() {
    let metrics = feedmill::telemetry::metrics::Metrics::install();
    let server = two_articles().await;
    let rules = "drop = [{ title = \"^One$\", url = \"/one\" }]\nkeep = [{ url = \"/one|/two\" }]";
    let mut daemon = TestDaemon::new().feed_with(&server.url("/feed"), rules).open().await;
    daemon.once().await;
    let records = daemon.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].url, server.url("/two"));
    assert!(server.requests("/one").is_empty(), "its page is not asked for");
    let listed = said(&daemon.config_path(), &["queue", "--state", "left_out", "--json"]);
    let entry: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(entry["error_label"], "left_out");
    assert_eq!(entry["error"], r#"left out by drop = { title = "^One$", url = "/one" }"#);
    assert_eq!(daemon.store().totals().await.unwrap().entries_failed, 0);
    let counted = metrics.render();
    let counted =
        counted.lines().find(|line| line.starts_with("feedmill_entries_dropped_total{reason=\"left_out\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{counted:?}");

    // A reload applies to entries that are new or announced again.
    let changed = [
        Item::new("One", &server.url("/one")).with_content("<p>changed</p>"),
        Item::new("Three", &server.url("/three")),
    ];
    server.replace("/feed", Reply::ok("application/rss+xml", rss(&changed)));
    server.respond("/three", html(page("pilotage")));
    daemon.reload(&[&server.url("/feed")]).await.unwrap();
    daemon.advance(jiff::SignedDuration::from_hours(48));
    daemon.once().await;
    assert_eq!(server.requests("/feed").len(), 2);
    let mut urls: Vec<_> = daemon.records().await.iter().map(|record| record.url.path().to_owned()).collect();
    urls.sort();
    assert_eq!(urls, ["/one", "/three", "/two"]);
    assert_eq!(said(&daemon.config_path(), &["queue", "--state", "left_out", "--json"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_are_added_paused_and_taken_up_in_a_file_of_their_own() {
    let server = Server::start().await;
    server.handle(|_| Reply::ok("text/xml", rss(&[])));
    let (own, added, listed) = (server.url("/own"), server.url("/added"), server.url("/listed"));
    let test = TestDaemon::new().feed(&own);
    let config = test.write_config();
    let list = config.with_file_name("list.txt");
    fs::write(&list, format!("{listed}\n")).unwrap();
    let with_list = format!("include = [\"list.txt\"]\n{}", fs::read_to_string(&config).unwrap());
    fs::write(&config, with_list).unwrap();
    let file = config.with_file_name("added.toml");
    let polls = |path: &str| server.requests(path).len();

    said(&config, &["feeds", "add", added.as_str(), "--tag", "sea"]);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("[[feed]]\nurl = \"{added}\"\ntags = [\"sea\"]\n")
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    said(&config, &["once"]);
    assert_eq!([polls("/own"), polls("/added"), polls("/listed")], [1, 1, 1]);
    let again = output(&config, &["feeds", "add", added.as_str(), own.as_str()]);
    assert_eq!(again.status.code(), Some(3));
    assert!(text(&again.stderr).contains("0 added\n"), "{}", text(&again.stderr));

    let commented = format!("# The harbour's feeds.\n{}", fs::read_to_string(&file).unwrap());
    fs::write(&file, &commented).unwrap();
    for feed in [&added, &listed] {
        said(&config, &["feeds", "pause", feed.as_str()]);
    }
    let paused = fs::read_to_string(&file).unwrap();
    assert!(paused.starts_with(&commented), "{paused}");
    let checked = said(&config, &["config", "check"]);
    assert!(checked.contains(": 1 feeds, 2 disabled"), "{checked}");
    for feed in [&added, &listed] {
        said(&config, &["feeds", "resume", feed.as_str()]);
    }
    assert!(said(&config, &["config", "check"]).contains(": 3 feeds, 0 disabled"));
    said(&config, &["feeds", "remove", added.as_str()]);
    assert!(said(&config, &["config", "check"]).contains(": 2 feeds, 0 disabled"));

    for (arguments, way_out) in [
        (["feeds", "pause", own.as_str()], "enabled = false there pauses it"),
        (["feeds", "remove", own.as_str()], "remove it where it is configured"),
        (["feeds", "pause", "https://nobody.example/feed"], "feedmill feeds add https://nobody.example/feed"),
        (["feeds", "add", "ftp://nobody.example/feed"], "must begin with http"),
    ] {
        let refused = output(&config, &arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(text(&refused.stderr).contains(way_out), "{arguments:?}: {}", text(&refused.stderr));
    }
}

/// Returns every finding of `doctor --json`: check, state and message.
fn findings(output: &Output) -> Vec<(String, String, String)> {
    let line = |line: &str| {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        (word("check"), word("state"), word("message") + " " + &word("hint"))
    };
    text(&output.stdout).lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_a_healthy_mill_well() {
    let server = two_articles().await;
    let s3 = S3::start().await;
    let test = TestDaemon::new().feed(&server.url("/feed")).tables(&s3.sink("lake", SECRET));
    let config = test.write_config();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    said(&config, &["once"]);
    let written = s3.objects("lake").into_keys().collect::<Vec<_>>();
    assert!(
        matches!(&written[..], [file] if file.ends_with("/000000000001-000000000002.parquet")),
        "{written:?}"
    );
    let looked = output(&config, &["doctor", "--json"]);
    let found = findings(&looked);
    assert_eq!(looked.status.code(), Some(0), "{found:?}");
    for check in ["config", "permissions", "disk", "store", "integrity", "clock", "poll", "bucket", "systemd"]
    {
        assert!(found.iter().any(|(found, ..)| found == check), "{check}: {found:?}");
    }
    assert!(found.iter().all(|(_, state, _)| state != "problem"), "{found:?}");
    assert!(found.iter().any(|(_, _, message)| message.contains("/feed: 2 entries in ")), "{found:?}");
    let shown = text(&output(&config, &["doctor"]).stdout);
    assert!(
        shown.lines().all(|line| line.starts_with("ok") || line.starts_with("note") || line.starts_with(' ')),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_to_do() {
    let server = Server::start().await;
    server.respond("/feed", Reply::ok("text/xml", rss(&[])).header("Date", "Mon, 02 Mar 2020 08:00:00 GMT"));
    let s3 = S3::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("proxy = \"http://{}\"", nobody.local_addr().unwrap());
    drop(nobody);
    let open = TestDaemon::new();
    let key = open.write_config().with_file_name("key");
    fs::write(&key, "swordfish").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let secret = format!("headers = {{ X-Key = {{ file = {key:?} }} }}");
    let test = TestDaemon::new()
        .feed_with(&server.url("/feed"), &secret)
        .feed_with(&server.url("/proxied"), &proxy)
        .tables(&s3.sink("lake", "swordfish"))
        .fetch("timeout_secs = 5");
    let config = test.write_config();
    let database = config.with_file_name("feedmill.db");
    fs::write(&database, "no database at all, but a text").unwrap();
    let looked = output(&config, &["doctor", "--json", "--feed", server.url("/feed").as_str()]);
    assert_eq!(looked.status.code(), Some(1));
    let found = findings(&looked);
    for (check, part) in [
        ("store", "is not an SQLite database: name another one"),
        ("secrets", "chmod o="),
        ("proxy", "is it running, and are host and port"),
        ("clock", "timedatectl set-ntp true"),
        ("bucket", "these credentials have no write permission there"),
    ] {
        let problem = found.iter().find(|(found, state, _)| found == check && state == "problem");
        assert!(problem.is_some_and(|(_, _, message)| message.contains(part)), "{check}: {found:?}");
    }
    let failed = output(&config, &["doctor", "--json", "--feed", "http://127.0.0.1:9/feed"]);
    let found = findings(&failed);
    assert!(found.iter().any(|(check, state, _)| check == "poll" && state == "problem"), "{found:?}");

    fs::write(&config, "[fetch]\ntimeout_secs = 0\n").unwrap();
    let broken = output(&config, &["doctor"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stdout).starts_with("PROBLEM  config"), "{}", text(&broken.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_backed_up_and_restored() {
    let server = two_articles().await;
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    said(&config, &["once"]);
    let backup = config.with_file_name("night.backup");
    let made = said(&config, &["backup", backup.to_str().unwrap()]);
    assert!(made.contains("2 articles, records up to 2, "), "{made}");
    let records = said(&config, &["export", "--format", "jsonl"]);
    let again = output(&config, &["backup", backup.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("is not overwritten"), "{}", text(&again.stderr));

    let refused = output(&config, &["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    for name in ["feedmill.db", "feedmill.db-wal", "feedmill.db-shm"] {
        if let Err(error) = fs::remove_file(config.with_file_name(name)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
    let restored = said(&config, &["restore", backup.to_str().unwrap()]);
    assert!(restored.contains("2 articles, records up to 2\n"), "{restored}");
    assert_eq!(said(&config, &["export", "--format", "jsonl"]), records);
    said(&config, &["once"]);
    assert_eq!(test.files().len(), 2, "its sinks go on where they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_feeds_says_so() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let log = config.with_file_name("log");
    let mut daemon = feedmill(&config, &["run"]).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let so_far = || fs::read_to_string(&log).unwrap();
    while !so_far().contains("running") {
        tokio::task::yield_now().await;
    }
    stop(&mut daemon);
    let warning = so_far().lines().find(|line| line.contains("WARN")).map(str::to_owned);
    assert!(
        warning.is_some_and(|line| line.contains("no feeds are configured") && line.contains("hint:")),
        "{}",
        so_far()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_a_configuration_file_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_feedmill"))
        .arg("run")
        .current_dir(folder.path())
        .env_clear()
        .env("STATE_DIRECTORY", folder.path().join("state"))
        .env("FEEDMILL_HTTP__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let so_far = || fs::read_to_string(&log).unwrap();
    while !so_far().contains("running") {
        assert!(daemon.try_wait().unwrap().is_none(), "{}", so_far());
        tokio::task::yield_now().await;
    }
    signal(&daemon, "HUP");
    while !so_far().contains("the new configuration is in force") {
        assert!(daemon.try_wait().unwrap().is_none(), "{}", so_far());
        tokio::task::yield_now().await;
    }
    stop(&mut daemon);
    let log = so_far();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("no configuration file")).collect();
    let [warning] = told[..] else { panic!("{log}") };
    for words in ["WARN", "./feedmill.toml", "/etc/feedmill/feedmill.toml", "hint:", "config default"] {
        assert!(warning.contains(words), "{words}: {warning}");
    }
    assert!(log.contains("no feeds are configured"), "{log}");
}

fn stop(daemon: &mut std::process::Child) {
    signal(daemon, "TERM");
    tokio::task::block_in_place(|| daemon.wait().unwrap());
}

fn signal(daemon: &std::process::Child, name: &str) {
    let pid = daemon.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_says_each_line_on_a_terminal() {
    let server = Server::start().await;
    server.handle(|_| Reply::ok("text/xml", rss(&[])));
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    let (mut screen, terminal) = terminal::open();
    let mut daemon = feedmill(&config, &["run"]).stdout(Stdio::null()).stderr(terminal).spawn().unwrap();
    server.arrived("/feed", 1).await;
    fs::write(&config, "[fetch]\ntimeout_secs = 0\n").unwrap();
    signal(&daemon, "HUP");
    let seen = tokio::task::block_in_place(|| {
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&seen).contains("^^^") {
            let count = screen.read(&mut piece).unwrap();
            seen.extend_from_slice(&piece[..count]);
        }
        seen
    });
    stop(&mut daemon);
    let seen = text(&seen);
    let lines: Vec<&str> =
        seen.lines().filter(|line| line.contains("the old configuration stays in force")).collect();
    assert!(lines.len() >= 3, "{seen}");
    assert!(lines[0].contains("fetch.timeout_secs = 0: must be 1 to 600"), "{seen}");
    assert!(lines.iter().any(|line| line.contains("2 | timeout_secs = 0")), "{seen}");
    assert!(!seen.contains("\\n"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_next_poll_is_named_where_polls_stop() {
    let server = Server::start().await;
    server.respond("/gone", Reply::status(410));
    server.respond("/broken", Reply::status(500));
    let test = TestDaemon::new().feed(&server.url("/gone")).feed(&server.url("/broken"));
    let log = text(&output(&test.write_config(), &["once"]).stderr);
    let line = |path: &str| {
        log.lines()
            .find(|line| line.contains("WARN") && line.contains(path))
            .unwrap_or_else(|| panic!("{log}"))
    };
    assert!(line("/gone").contains("no longer polled") && !line("/gone").contains("next="), "{log}");
    assert!(line("/broken").contains("next="), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_address_names_the_setting() {
    let server = Server::start().await;
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    let closed = fs::read_to_string(&config).unwrap().replace("allow = [\"127.0.0.0/8\"]", "");
    fs::write(&config, closed).unwrap();
    let refused = output(&config, &["once"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        text(&refused.stderr).contains("hint: to permit it, add it to fetch.allow"),
        "{}",
        text(&refused.stderr)
    );
    let listed = said(&config, &["feeds", "list"]);
    assert!(listed.contains("loopback") && listed.contains("fetch.allow"), "{listed}");
    assert!(server.all_requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_asked_whether_it_is_well() {
    let daemon = Server::start().await;
    daemon.respond("/healthz", Reply::ok("text/plain", "ok\n"));
    daemon.respond("/readyz", Reply::status(503).body("{\"ready\":false}"));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("feedmill.toml");
    let asked = |listen: &str, arguments: &[&str]| {
        std::fs::write(&config, format!("[http]\nlisten = \"{listen}\"\n")).unwrap();
        output(&config, arguments)
    };
    let here = daemon.address().to_string();
    let well = asked(&here, &["health"]);
    assert_eq!(
        (well.status.code(), text(&well.stdout)),
        (Some(0), "ok\n".to_owned()),
        "{}",
        text(&well.stderr)
    );
    let unready = asked(&here, &["health", "--ready"]);
    assert_eq!(unready.status.code(), Some(1));
    assert!(text(&unready.stdout).contains("\"ready\":false"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let nobody = asked(&free, &["health"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains(&format!("no daemon answers at http://{free}/healthz")));
    std::fs::write(&config, format!("[http]\nlisten = \"{free}\"\nmetrics_listen = \"{here}\"\n")).unwrap();
    let apart = output(&config, &["health"]);
    assert_eq!(apart.status.code(), Some(0), "that listener is asked first: {}", text(&apart.stderr));
}
