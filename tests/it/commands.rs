//! The commands as a shell sees them, also when something goes wrong.

mod sinks;
mod tail;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{self, Backend, FreshDatabase};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// Runs the program to completion while the test's server keeps running.
fn output(config: &Path, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| feedmill(config, arguments).output().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server with a feed of this many articles.
async fn site(articles: usize) -> Server {
    let server = Server::start().await;
    server.handle(|request| {
        Reply::ok("text/html; charset=utf-8", page(&format!("mooring {}", request.path())))
    });
    announce(&server, articles);
    server
}

/// Makes the feed of [`site`] announce this many articles.
fn announce(server: &Server, articles: usize) {
    let item = |number| Item::new(&format!("Number {number}"), &server.url(&format!("/page/{number}")));
    let items: Vec<Item> = (0..articles).map(item).collect();
    server.replace("/feed", Reply::ok("text/xml", rss(&items)));
}

/// Stores what the feeds announce, and delivers it.
fn poll(config: &Path) {
    let polled = output(config, &["feeds", "poll", "--all"]);
    assert!(polled.status.success(), "{}", text(&polled.stderr));
}

/// Runs a test on both back ends, with a configuration whose store is new.
async fn on_both(test: impl AsyncFn(TestDaemon)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(database) = FreshDatabase::create(backend).await else { continue };
        test(TestDaemon::new().database(database.settings.url.expose_secret())).await;
        database.drop().await;
    }
}

/// A daemon configuration with one tagged feed, whose one article is stored.
fn turned(server: &Server) -> TestDaemon {
    server.respond("/feed", Reply::ok("text/xml", rss(&[Item::new("One", &server.url("/page"))])));
    server.respond("/page", Reply::ok("text/html; charset=utf-8", page("mooring")));
    let test = TestDaemon::new().feed_with(&server.url("/feed"), "tags = [\"coast\", \"sea & air\"]");
    let once = output(&test.write_config(), &["once"]);
    assert!(once.status.success(), "{once:?}");
    test
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_is_no_failure() {
    let server = Server::start().await;
    let test = turned(&server);
    let config = test.write_config();
    let feed = config.with_file_name("feed.xml");
    fs::write(&feed, rss(&[])).unwrap();
    let commands: &[&[&str]] = &[
        &["export", "--format", "jsonl"],
        &["feeds", "list"],
        &["feeds", "list", "--json"],
        &["feeds", "export"],
        &["parse", feed.to_str().unwrap()],
    ];
    for arguments in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = feedmill(&config, arguments);
        let ended =
            tokio::task::block_in_place(|| command.stdout(writer).stderr(Stdio::piped()).output().unwrap());
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {}", text(&ended.stderr));
        assert!(!text(&ended.stderr).contains("error"), "{arguments:?}: {}", text(&ended.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_round_ends_in_time_and_says_so() {
    let server = Server::start().await;
    server.respond("/feed", Reply::raw("").then_hang());
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let once = feedmill(&test.write_config(), &["once"])
        .env("FEEDMILL_LIFECYCLE__STOP_TIMEOUT_SECS", "1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.arrived("/feed", 1).await;
    let pid = once.id().to_string();
    let ended = tokio::task::block_in_place(|| {
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        once.wait_with_output().unwrap()
    });
    let log = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{log}");
    assert!(log.contains("the stop timeout is over") && log.contains("interrupted"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_feed_keeps_no_other_from_being_read() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let (broken, absent, good) =
        (config.with_file_name("broken"), config.with_file_name("absent"), config.with_file_name("good.xml"));
    fs::write(&broken, "no feed at all").unwrap();
    fs::write(&good, rss(&[])).unwrap();
    let files = [&broken, &absent, &good].map(|path| path.to_str().unwrap());
    let parsed = output(&config, &[&["parse"], files.as_slice()].concat());
    assert_eq!(parsed.status.code(), Some(3));
    let reports: Vec<serde_json::Value> =
        text(&parsed.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> =
        reports.iter().map(|report| (report["path"].as_str().unwrap(), report["ok"] == true)).collect();
    assert_eq!(outcomes, [(files[0], false), (files[1], false), (files[2], true)]);
    let complaints = text(&parsed.stderr);
    assert_eq!(complaints.lines().count(), 2, "{complaints}");
    assert!(complaints.contains(files[0]) && complaints.contains(files[1]), "{complaints}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_tags_are_shown_and_exported() {
    let server = Server::start().await;
    let test = turned(&server);
    let config = test.write_config();
    let listed = output(&config, &["feeds", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["tags"], serde_json::json!(["coast", "sea & air"]));
    assert_eq!(listed["state"], "succeeding");
    let shown = output(&config, &["feeds", "show", server.url("/feed").as_str()]);
    assert!(text(&shown.stdout).contains("tags  coast, sea & air\n"), "{}", text(&shown.stdout));
    let exported = output(&config, &["feeds", "export"]);
    assert!(
        text(&exported.stdout).contains("category=\"coast,sea &amp; air\""),
        "{}",
        text(&exported.stdout)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_feed_says_of_itself_is_shown() {
    let server = Server::start().await;
    let feed = "<rss version=\"2.0\"><channel><title>Coast & Sea</title><link>https://coast.example/?a&amp;b</link>\
        <language>en-GB</language><ttl>45</ttl></channel>";
    server.respond("/feed", Reply::ok("text/xml", feed));
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    assert!(output(&config, &["once"]).status.success());
    let shown = output(&config, &["feeds", "show", server.url("/feed").as_str()]);
    let shown = text(&shown.stdout);
    for line in ["site  https://coast.example/?a&b\n", "language  en-gb\n", "warning  "] {
        assert!(shown.contains(line), "{line} is not in: {shown}");
    }
    let listed = output(&config, &["feeds", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["info"]["ttl_minutes"], 45);
    assert!(!listed["warnings"].as_array().unwrap().is_empty());
    let exported = output(&config, &["feeds", "export"]);
    let exported = text(&exported.stdout);
    assert!(exported.contains("htmlUrl=\"https://coast.example/?a&amp;b\""), "{exported}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_feeds_are_released() {
    let server = Server::start().await;
    let test = turned(&server);
    let config = test.write_config();
    let (feed, unknown) = (server.url("/feed"), server.url("/unknown"));
    let database = format!("sqlite:{}", config.with_file_name("feedmill.db").display()).parse().unwrap();
    let quarantine = || database::execute(&database, "UPDATE feeds SET state = 'quarantined'".to_owned());
    let released = format!("{feed}\n");

    let nothing = output(&config, &["feeds", "release"]);
    assert_eq!((nothing.status.code(), text(&nothing.stdout)), (Some(0), String::new()));

    quarantine().await;
    let all = output(&config, &["feeds", "release"]);
    assert_eq!((all.status.code(), text(&all.stdout)), (Some(0), released.clone()), "{}", text(&all.stderr));
    let listed = output(&config, &["feeds", "list", "--json"]);
    assert!(text(&listed.stdout).contains("\"succeeding\""), "{}", text(&listed.stdout));

    quarantine().await;
    let named = output(&config, &["feeds", "release", unknown.as_str(), feed.as_str()]);
    assert_eq!((named.status.code(), text(&named.stdout)), (Some(3), released));
    assert!(text(&named.stderr).contains(unknown.as_str()), "{}", text(&named.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_entries_are_released() {
    let server = Server::start().await;
    let test = turned(&server);
    let config = test.write_config();
    let database = format!("sqlite:{}", config.with_file_name("feedmill.db").display()).parse().unwrap();
    database::execute(&database, "UPDATE entries SET state = 'quarantined'".to_owned()).await;
    for expected in ["entries=1", "entries=0"] {
        let released = output(&config, &["feeds", "release", "--entries"]);
        assert_eq!(released.status.code(), Some(0));
        assert!(text(&released.stderr).contains(expected), "{}", text(&released.stderr));
    }
}

/// Commands that read the store or change its rows, but must not create or migrate it.
const VISITORS: &[&[&str]] = &[
    &["feeds", "list"],
    &["feeds", "release"],
    &["articles", "list"],
    &["export", "--format", "jsonl"],
    &["tail"],
    &["sinks", "list"],
    &["status"],
    &["queue"],
    &["reextract"],
];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_looks_makes_no_store() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let database = config.with_file_name("feedmill.db");
    for arguments in VISITORS {
        let refused = output(&config, arguments);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains(&format!("there is no store at {}", database.display())),
            "{arguments:?}: {said}"
        );
        assert!(!database.exists(), "{arguments:?}");
    }
    // With the default path, the folder is not created either.
    let state = config.with_file_name("state");
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    let refused = command.env("STATE_DIRECTORY", &state).args(["feeds", "list"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert!(!state.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_looks_changes_no_schema() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let database = config.with_file_name("feedmill.db");
    let url = format!("sqlite:{}", database.display()).parse().unwrap();
    fs::write(&database, "").unwrap();
    database::execute(&url, "CREATE TABLE notes (note TEXT)".to_owned()).await;
    let before = fs::read(&database).unwrap();
    let refused = output(&config, &["feeds", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("holds no store"), "{}", text(&refused.stderr));
    assert_eq!(fs::read(&database).unwrap(), before, "somebody else's file stays as it is");

    fs::remove_file(&database).unwrap();
    assert!(output(&config, &["migrate"]).status.success());
    assert!(output(&config, &["feeds", "list"]).status.success());
    let newest = "(SELECT max(version) FROM schema_migrations)";
    database::execute(&url, format!("DELETE FROM schema_migrations WHERE version = {newest}")).await;
    let refused = output(&config, &["feeds", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("feedmill migrate"), "{}", text(&refused.stderr));
}

/// Runs a command with an initial spread of an hour for new feeds.
fn spread(config: &Path, arguments: &[&str]) -> Output {
    let mut command = feedmill(config, arguments);
    command.env("FEEDMILL_SCHEDULE__INITIAL_SPREAD_SECS", "3600");
    tokio::task::block_in_place(|| command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn once_polls_what_is_new_and_poll_what_is_named() {
    let server = Server::start().await;
    let (one, other) = (server.url("/one"), server.url("/other"));
    server.handle(|_| Reply::ok("text/xml", rss(&[])));
    let test = TestDaemon::new().feed(&one).feed(&other);
    let config = test.write_config();
    let counts = || [&one, &other].map(|url| server.requests(url.path()).len());
    assert!(spread(&config, &["once"]).status.success());
    assert_eq!(counts(), [1, 1]);
    assert!(spread(&config, &["once"]).status.success());
    assert_eq!(counts(), [1, 1], "neither is due");
    let polled = spread(&config, &["feeds", "poll", other.as_str()]);
    assert!(polled.status.success(), "{}", text(&polled.stderr));
    assert_eq!(counts(), [1, 2]);
    assert!(spread(&config, &["feeds", "poll", "--all"]).status.success());
    assert_eq!(counts(), [2, 3]);
    let unknown = spread(&config, &["feeds", "poll", "https://nobody.example/"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("hint: add it to the config"), "{}", text(&unknown.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_polls_what_is_named() {
    let server = Server::start().await;
    server.handle(|_| Reply::ok("text/xml", rss(&[])));
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    let log = config.with_file_name("log");
    let mut daemon = feedmill(&config, &["run"]).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    server.arrived("/feed", 1).await;
    let listed = || text(&output(&config, &["feeds", "list", "--json"]).stdout);
    while !listed().contains("\"succeeding\"") {
        tokio::task::yield_now().await;
    }
    let polled = output(&config, &["feeds", "poll", "--all"]);
    assert!(polled.status.success(), "{}", text(&polled.stderr));
    assert!(text(&polled.stderr).contains("the running daemon polls them"), "{}", text(&polled.stderr));
    server.arrived("/feed", 2).await;
    let pid = daemon.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    tokio::task::block_in_place(|| daemon.wait().unwrap());
    let log = fs::read_to_string(&log).unwrap();
    let start = log.lines().find(|line| line.contains("starting")).unwrap_or_else(|| panic!("{log}"));
    for part in [env!("CARGO_PKG_VERSION"), &config.display().to_string(), "feedmill.db", "feeds=1"] {
        assert!(start.contains(part), "{part}: {start}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_says_warnings_alone() {
    let test = TestDaemon::new();
    let config = test.write_config();
    let loud = output(&config, &["once"]);
    assert!(text(&loud.stderr).contains("INFO"), "{}", text(&loud.stderr));
    let quiet = output(&config, &["-q", "once"]);
    assert_eq!(text(&quiet.stderr), "");
}

/// Returns the level and target of each line of a JSON log.
fn told(output: &Output) -> Vec<(String, String)> {
    let log = text(&output.stderr);
    let line = |line: &str| {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let word = |key: &str| line[key].as_str().unwrap().to_owned();
        (word("level"), word("target"))
    };
    log.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_logs_are_of_our_modules_and_sql_of_a_filter_of_its_own() {
    let server = Server::start().await;
    let test = turned(&server);
    let config = test.write_config();
    for verbose in ["-v", "-vv"] {
        let told = told(&output(&config, &["--log-format", "json", verbose, "feeds", "poll", "--all"]));
        let details: Vec<_> =
            told.iter().filter(|(level, _)| ["DEBUG", "TRACE"].contains(&&**level)).collect();
        assert!(!details.is_empty(), "{verbose}: {told:?}");
        assert!(details.iter().all(|(_, target)| target.starts_with("feedmill")), "{verbose}: {details:?}");
    }
    let mut command = feedmill(&config, &["--log-format", "json", "feeds", "poll", "--all"]);
    command.env("FEEDMILL_LOG__FILTER", "info,sqlx=debug");
    let told = told(&tokio::task::block_in_place(|| command.output().unwrap()));
    let details: Vec<_> = told.iter().filter(|(level, _)| level == "DEBUG").collect();
    assert!(!details.is_empty(), "{told:?}");
    assert!(details.iter().all(|(_, target)| target.starts_with("sqlx")), "{details:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_a_pipe_has_a_line_a_row_in_the_words_of_json() {
    let server = Server::start().await;
    let long = format!("/feed/{}", "long-".repeat(60));
    server.respond("/paused", Reply::status(429).header("Retry-After", "7200"));
    server.respond(&long, Reply::ok("text/xml", rss(&[])));
    let config = TestDaemon::new().feed(&server.url(&long));
    let path = config.write_config();
    assert!(output(&path, &["once"]).status.success());
    let config = config.feed(&server.url("/paused"));
    let path = config.write_config();
    assert_eq!(output(&path, &["once"]).status.code(), Some(3));

    let listed = text(&output(&path, &["feeds", "list"]).stdout);
    let json = text(&output(&path, &["feeds", "list", "--json"]).stdout);
    let feeds: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(feeds.len(), 2);
    let host = server.address().to_string();
    for feed in &feeds {
        let url = feed["configured_url"].as_str().unwrap();
        let row = listed.lines().find(|line| line.contains(url)).unwrap_or_else(|| panic!("{url}: {listed}"));
        assert!(row.contains(feed["state"].as_str().unwrap()), "{row}");
        assert!(row.contains(&format!("the host {host} asked for a pause until")), "{row}");
        assert_eq!(feed["host_pause"]["host"], host.as_str());
    }
    let failing = text(&output(&path, &["feeds", "list", "--failing"]).stdout);
    assert!(failing.contains("/paused") && !failing.contains("long-"), "{failing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feeds_tags_are_in_the_record() {
    let server = Server::start().await;
    let test = turned(&server);
    let config = test.write_config();
    let tags = || {
        let exported = text(&output(&config, &["export", "--format", "jsonl"]).stdout);
        let record: serde_json::Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
        record["feeds"][0]["tags"].clone()
    };
    assert_eq!(tags(), serde_json::json!(["coast", "sea & air"]));
    let retagged = fs::read_to_string(&config).unwrap().replace("\"coast\", ", "");
    fs::write(&config, retagged).unwrap();
    assert!(output(&config, &["once"]).status.success());
    assert_eq!(tags(), serde_json::json!(["sea & air"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_matches_nothing_is_said() {
    let test =
        TestDaemon::new().tables("[[site]]\nhost = \"gazette.example\"\ndrop = [\".nothing\", \"footer\"]");
    let config = test.write_config();
    let file = config.with_file_name("page.html");
    fs::write(&file, page("mooring")).unwrap();
    let file = file.to_str().unwrap();
    let explained = output(&config, &["extract", "--explain", "--url", "https://gazette.example/one", file]);
    let account = text(&explained.stdout);
    assert!(explained.status.success(), "{}", text(&explained.stderr));
    let said: Vec<&str> = account.lines().filter(|line| line.starts_with('!')).collect();
    assert_eq!(said, ["! site gazette.example: drop: \".nothing\" matches nothing on this page"]);

    let test = TestDaemon::new().tables("[[site]]\nhost = \"gazette.example\"\ndrop = [\"p:nosuch(\"]");
    let refused = output(&test.write_config(), &["config", "check"]);
    let said = text(&refused.stderr) + &text(&refused.stdout);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("p:nosuch(") && said.contains("hint: such as"), "{said}");
    assert!(!said.to_lowercase().contains("report"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_queue_say_how_the_mill_stands() {
    let server = Server::start().await;
    let items = ["/good", "/bad", "/later"].map(|path| Item::new(path, &server.url(path)));
    server.respond("/feed", Reply::ok("text/xml", rss(&items)));
    server.respond("/good", Reply::ok("text/html; charset=utf-8", page("mooring")));
    server.respond("/later", Reply::status(503));
    server.handle(|_| Reply::status(404));
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    assert_eq!(output(&config, &["once"]).status.code(), Some(3));
    let status: serde_json::Value =
        serde_json::from_slice(&output(&config, &["status", "--json"]).stdout).unwrap();
    assert_eq!(status["feeds_active"], 1);
    assert_eq!(status["feeds_succeeding"], 1);
    assert_eq!(status["sinks"][0]["state"], "active");
    let shown = text(&output(&config, &["status"]).stdout);
    assert!(shown.contains("feeds     1 succeeding, 0 failing, 0 new"), "{shown}");
    for (noun, word, key) in [
        ("feeds", "succeeding", "feeds_succeeding"),
        ("feeds", "failing", "feeds_failing"),
        ("feeds", "new", "feeds_new"),
        ("entries", "pending", "entries_pending"),
        ("entries", "done", "entries_done"),
        ("entries", "failed", "entries_failed"),
        ("entries", "quarantined", "entries_quarantined"),
        ("articles", "of them duplicates", "duplicates"),
        ("records", "set aside", "set_aside"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(noun)).unwrap();
        assert!(line.contains(&format!(" {} {word}", status[key])), "{key}: {line}");
    }
    let json = text(&output(&config, &["feeds", "list", "--json"]).stdout);
    let feed: serde_json::Value = serde_json::from_str(&json).unwrap();
    let decision = feed["next_poll_decided_by"].as_str().unwrap().replace('_', " ");
    let feeds = text(&output(&config, &["feeds", "list"]).stdout);
    assert!(feeds.contains(&format!("({decision})")), "{decision}: {feeds}");
    let queued = text(&output(&config, &["queue"]).stdout);
    let row = queued.lines().find(|line| line.contains("/later")).unwrap_or_else(|| panic!("{queued}"));
    assert!(row.contains("503"), "{row}");

    let database = format!("sqlite:{}", config.with_file_name("feedmill.db").display()).parse().unwrap();
    let far = 4_102_444_800_000_i64; // in the year 2100
    let spread = format!(
        "UPDATE entries SET state = 'pending', next_attempt_at = CASE id % 3 WHEN 0 THEN {far} ELSE 0 END, \
         lease_until = CASE id % 3 WHEN 1 THEN {far} ELSE 0 END"
    );
    database::execute(&database, spread).await;
    let queued = text(&output(&config, &["queue"]).stdout);
    let listed = text(&output(&config, &["queue", "--json"]).stdout);
    let mut turns = Vec::new();
    for line in listed.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let said = |key: &str| entry[key].as_str().unwrap().to_owned();
        let row = queued.lines().find(|row| row.contains(&said("url"))).unwrap_or_else(|| panic!("{queued}"));
        assert!(row.contains(&said("next_attempt").replace('_', " ")), "{entry}: {row}");
        turns.push(said("next_attempt"));
    }
    turns.sort();
    assert_eq!(turns, ["due", "in_progress", "waiting"], "{listed}");
    assert!(queued.contains("waiting until 2100-01-01 00:00:00 UTC"), "{queued}");

    database::execute(&database, "UPDATE entries SET state = 'quarantined'".to_owned()).await;
    let shown = text(&output(&config, &["status"]).stdout);
    assert!(shown.contains("look at: feedmill queue --state quarantined"), "{shown}");
    let listed = text(&output(&config, &["queue", "--state", "quarantined", "--json"]).stdout);
    let entries: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry["state"] == "quarantined"), "{listed}");
    assert!(entries.iter().all(|entry| entry["next_attempt"] == "none"), "{listed}");
}
