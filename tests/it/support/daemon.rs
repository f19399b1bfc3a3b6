//! A whole daemon under test: the real daemon with a real store and the real client, fetching from [`super::server`].

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use feedmill::clock::Clock;
use feedmill::config::{Config, Environment};
use feedmill::daemon::{Daemon, DaemonError};
use feedmill::model::Record;
use feedmill::store::{FeedsSync, Store};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The start time of a test's clock by default.
pub(crate) const START: &str = "2026-03-02T08:00:00Z";

/// A builder for a test's daemon.
pub(crate) struct TestDaemon {
    /// The database URL; `None` for a SQLite file in the test's folder.
    database: Option<String>,
    database_lines: String,
    http: String,
    feeds: String,
    /// The network that requests may reach.
    allow: String,
    fetch: String,
    schedule: String,
    output: String,
    tables: String,
    dir: TempDir,
}

/// A daemon, opened but not running: tests run it by [`OpenedDaemon::once`].
pub(crate) struct OpenedDaemon {
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) clock: Clock,
    test: TestDaemon,
}

impl TestDaemon {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self {
            database: None,
            database_lines: String::new(),
            http: String::new(),
            feeds: String::new(),
            allow: "127.0.0.0/8".to_owned(),
            fetch: String::new(),
            schedule: String::new(),
            output: String::new(),
            tables: String::new(),
            dir,
        }
    }

    /// Keeps the store at this database URL.
    pub(crate) fn database(mut self, url: &str) -> Self {
        self.database = Some(url.to_owned());
        self
    }

    /// Sets the lines of `[database]`, replacing earlier ones.
    pub(crate) fn database_lines(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.database_lines);
        self
    }

    /// Adds lines to `[http]`.
    pub(crate) fn http(mut self, lines: &str) -> Self {
        writeln!(self.http, "{lines}").unwrap();
        self
    }

    /// Allows requests to this network only; otherwise all of loopback is allowed.
    pub(crate) fn allow(mut self, network: &str) -> Self {
        network.clone_into(&mut self.allow);
        self
    }

    /// Adds lines to `[fetch]`.
    pub(crate) fn fetch(mut self, lines: &str) -> Self {
        writeln!(self.fetch, "{lines}").unwrap();
        self
    }

    /// Adds lines to `[schedule]`.
    pub(crate) fn schedule(mut self, lines: &str) -> Self {
        writeln!(self.schedule, "{lines}").unwrap();
        self
    }

    /// Adds other tables.
    pub(crate) fn tables(mut self, toml: &str) -> Self {
        writeln!(self.tables, "{toml}").unwrap();
        self
    }

    /// Removes the tables added by `tables`.
    pub(crate) fn no_tables(mut self) -> Self {
        self.tables.clear();
        self
    }

    /// Removes the lines added by `http`.
    pub(crate) fn no_http(mut self) -> Self {
        self.http.clear();
        self
    }

    /// Removes all feeds.
    pub(crate) fn no_feeds(mut self) -> Self {
        self.feeds.clear();
        self
    }

    /// Adds a feed.
    pub(crate) fn feed(self, url: &Url) -> Self {
        self.feed_with(url, "")
    }

    /// Adds a feed with options, as lines of its `[[feed]]` table.
    pub(crate) fn feed_with(mut self, url: &Url, options: &str) -> Self {
        self.add_feed(url, options);
        self
    }

    /// Adds lines to the `[output]` table.
    pub(crate) fn output(mut self, lines: &str) -> Self {
        self.output.push_str(lines);
        self
    }

    fn add_feed(&mut self, url: &Url, options: &str) {
        write!(self.feeds, "[[feed]]\nurl = \"{url}\"\n{options}\n").unwrap();
    }

    /// Writes the config to a file, for a test that runs the program itself. The folder exists as long as `self`.
    pub(crate) fn write_config(&self) -> PathBuf {
        let path = self.dir.path().join("feedmill.toml");
        std::fs::write(&path, self.toml()).unwrap();
        path
    }

    /// Returns names and contents of the written text files, sorted by name.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        texts(self.dir.path())
    }

    fn toml(&self) -> String {
        let dir = self.dir.path();
        let file = || format!("sqlite:{}", dir.join("feedmill.db").display());
        format!(
            r#"
[database]
url = "{}"
{}
[http]
listen = "127.0.0.1:0"
{}[fetch]
allow = ["{}"]
host_min_gap_ms = 0
host_concurrency = 16
{}[schedule]
initial_spread_secs = 0
{}[output]
{}
[[sink]]
name = "texts"
text = {{ to = "{}" }}
{}
{}"#,
            self.database.clone().unwrap_or_else(file),
            self.database_lines,
            self.http,
            self.allow,
            self.fetch,
            self.schedule,
            self.output,
            output_dir(dir).display(),
            self.tables,
            self.feeds
        )
    }

    fn config(&self) -> Config {
        Config::load(Some(&self.write_config()), &Environment::default()).unwrap().config
    }

    pub(crate) async fn open(self) -> OpenedDaemon {
        let clock = Clock::manual(START.parse().unwrap());
        let config = self.config();
        let daemon = Arc::new(Daemon::open(config, clock.clone()).await.unwrap());
        OpenedDaemon { daemon, clock, test: self }
    }
}

impl OpenedDaemon {
    /// Stops and starts the daemon.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_with(|test| test).await
    }

    /// Stops the daemon, changes its configuration, and starts it.
    pub(crate) async fn restarted_with(self, change: impl FnOnce(TestDaemon) -> TestDaemon) -> Self {
        let clock = self.clock.clone();
        let test = change(self.ended().await);
        let daemon = Arc::new(Daemon::open(test.config(), clock.clone()).await.unwrap());
        Self { daemon, clock, test }
    }

    /// Stops the daemon; its store stays, for the program.
    pub(crate) async fn ended(self) -> TestDaemon {
        let Self { daemon, test, .. } = self;
        daemon.store().close().await;
        drop(daemon);
        test
    }

    /// Polls and processes everything that is due now.
    pub(crate) async fn once(&self) {
        self.daemon.once(&CancellationToken::new()).await.unwrap();
    }

    pub(crate) fn advance(&self, duration: SignedDuration) {
        self.clock.advance(duration);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn store(&self) -> &Store {
        self.daemon.store()
    }

    /// Runs one statement directly on the database.
    pub(crate) async fn execute(&self, sql: &str) {
        let url = format!("sqlite:{}", self.database_file().display());
        super::database::execute(&url.parse().unwrap(), sql.to_owned()).await;
    }

    /// The path of the store's file.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.test.dir.path().join("feedmill.db")
    }

    /// Writes the config file, for a test that runs the program beside the daemon, and returns its path.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.test.write_config()
    }

    /// Returns all records so far.
    pub(crate) async fn records(&self) -> Vec<Record> {
        self.store().records_after(0, 10_000).await.unwrap()
    }

    /// Returns names and contents of the written text files, sorted by name.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        self.test.files()
    }

    /// Reloads with a changed configuration.
    pub(crate) async fn reconfigure(&mut self, change: impl FnOnce(TestDaemon) -> TestDaemon) {
        self.try_reconfigure(change).await.unwrap();
    }

    /// Reloads with a changed configuration, which the daemon may refuse.
    pub(crate) async fn try_reconfigure(
        &mut self,
        change: impl FnOnce(TestDaemon) -> TestDaemon,
    ) -> Result<FeedsSync, DaemonError> {
        self.test = change(std::mem::replace(&mut self.test, TestDaemon::new()));
        self.daemon.reload(self.test.config()).await
    }

    /// Reloads the same configuration with different feeds.
    pub(crate) async fn reload(&mut self, feeds: &[&Url]) -> Result<FeedsSync, DaemonError> {
        self.test.feeds.clear();
        for url in feeds {
            self.test.add_feed(url, "");
        }
        self.daemon.reload(self.test.config()).await
    }
}

/// The program itself, called as `feedmill --config CONFIG ARGUMENTS`.
pub(crate) fn feedmill(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null());
    command
}

fn output_dir(dir: &Path) -> PathBuf {
    dir.join("texts")
}

fn texts(dir: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(output_dir(dir))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}
