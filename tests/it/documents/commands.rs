//! Runs the commands of the documents, in the order in which they are written.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use url::Url;

use super::{README, docs, installation, shell_lines};
use crate::support::daemon::TestDaemon;
use crate::support::running::Running;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// Lines that are not run here, by their beginning, each with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run -- demo", "it builds the program; tests/it/demo.rs runs `feedmill demo`"),
    ("scripts/test", "it runs these tests"),
    ("cargo install --path .", "it builds the program, which the tests have already done"),
    ("scripts/packages", "it builds the program; `scripts/test` runs it with --test"),
    ("sudo apt install ", "`scripts/packages --test` installs the package on a throw-away machine"),
    ("FEEDMILL_TEST_POSTGRES_URL=", "tests and benchmarks"),
    ("cargo bench ", "a benchmark"),
];

/// The address in the documents: the daemon's default.
const DOCUMENTED: &str = "127.0.0.1:8080";

/// Returns every document with commands: the README and those in `docs/`.
fn documents() -> Vec<String> {
    let files = fs::read_dir(docs()).unwrap().map(|file| file.unwrap().path());
    let pages = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    std::iter::once(README.to_owned()).chain(pages.map(|page| fs::read_to_string(page).unwrap())).collect()
}

fn is_run_here(line: &str) -> bool {
    ["feedmill ", "curl "].iter().any(|program| line.starts_with(program))
}

#[test]
fn every_documented_command_is_run_or_has_a_reason_not_to_be() {
    let documents = documents();
    let lines: Vec<&str> = documents.iter().flat_map(|document| shell_lines(document)).collect();
    for line in &lines {
        let reasons = NOT_RUN.iter().filter(|(beginning, _)| line.starts_with(beginning)).count();
        let places = reasons + usize::from(is_run_here(line)) + usize::from(installation::is_step(line));
        assert_eq!(places, 1, "{line}");
    }
    for (beginning, _) in NOT_RUN {
        assert!(lines.iter().any(|line| line.starts_with(beginning)), "no document has {beginning}");
    }
}

#[test]
fn the_commands_in_the_readme_exist() {
    let mut commands: Vec<&str> = README
        .split(['\n', '`', ';'])
        .filter_map(|text| text.trim_start().strip_prefix("feedmill "))
        .map(|arguments| arguments.split(['#', '<']).next().unwrap().trim())
        .filter(|arguments| arguments.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    commands.retain(|arguments| !arguments.starts_with("is "));
    assert!(commands.len() > 8, "{commands:?}");
    for arguments in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_feedmill"))
            .args(arguments.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "feedmill {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Replaces the placeholders of a command.
fn filled(command: &str, server: &Server, added: &Url) -> String {
    let is_added = command.starts_with("feedmill feeds");
    let word = |word: &str| match word {
        "URL" if is_added => added.to_string(),
        "URL" => server.url("/one").to_string(),
        "SITE" => server.url("/site").to_string(),
        "HOST" => "127.0.0.1".to_owned(),
        "FILE" => "night.backup".to_owned(),
        word => word.to_owned(),
    };
    command.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Where the commands of one document are run.
struct Shell {
    config: PathBuf,
    _test: TestDaemon,
}

impl Shell {
    /// A folder with a configuration, and the files that the commands read.
    fn new(server: &Server) -> Self {
        let test = TestDaemon::new().feed_with(&server.url("/feed"), "raw = \"keep\"");
        let shell = Self { config: test.write_config(), _test: test };
        for (name, content) in [
            ("page.html", page("dredging")),
            ("feed.xml", rss(&[])),
            (
                "pages.jsonl",
                "{\"id\": \"1\", \"url\": \"https://x.example/\", \"html\": \"<p>A line.</p>\"}\n".to_owned(),
            ),
            ("texts.jsonl", "{\"id\": \"1\", \"text\": \"A line.\"}\n".to_owned()),
            ("other.opml", "<opml><body><outline xmlUrl='https://x.example/'/></body></opml>".to_owned()),
        ] {
            fs::write(shell.folder().join(name), content).unwrap();
        }
        shell
    }

    fn folder(&self) -> &Path {
        self.config.parent().unwrap()
    }

    /// A command line as a shell runs it.
    fn command(&self, line: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_feedmill")).parent().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder()).env("FEEDMILL_CONFIG", &self.config);
        command.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
        if line.starts_with("feedmill restore") {
            let place = format!("sqlite:{}", self.folder().join("restored.db").display());
            command.env("FEEDMILL_DATABASE__URL", place);
        }
        command
    }

    /// Runs a command that ends by itself.
    fn run(&self, line: &str) -> Output {
        let output = self.command(line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}{}", String::from_utf8_lossy(&output.stdout));
        output
    }

    /// Starts the daemon by the documented command.
    fn daemon(&self) -> Running {
        let mut command = self.command("exec feedmill run");
        command.env("FEEDMILL_LOG__FORMAT", "json").stdin(Stdio::null());
        Running::of(&mut command)
    }

    /// Runs a command that goes on until it gets a signal, and returns the first line of its output that is accepted and whether
    /// the command then ended well.
    fn first_line(&self, line: &str, signal: &str, is_wanted: impl Fn(&str) -> bool) -> (String, bool) {
        let mut process = self
            .command(&format!("exec {line}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let found = lines.find(|line| is_wanted(line));
        let pid = process.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let ended = process.wait().unwrap();
        (found.unwrap_or_else(|| panic!("{line} ended early: {ended}")), ended.success())
    }

    /// Asks the daemon, whose address replaces the documented one.
    fn ask(&self, line: &str) {
        let running = self.daemon();
        let here = line.replace(DOCUMENTED, &running.address.to_string());
        assert_ne!(here, line, "{DOCUMENTED} is the documented address");
        let record = if line.contains("text/event-stream") {
            // Programs that a shell starts in the background ignore interrupts unless they handle them themselves.
            let (event, _) = self.first_line(&here, "TERM", |line| line.starts_with("data:"));
            event["data:".len()..].to_owned()
        } else {
            String::from_utf8(self.run(&here).stdout).unwrap()
        };
        assert_is_record(line, record.lines().next().unwrap_or_default());
        running.stop();
    }
}

fn assert_is_record(command: &str, line: &str) {
    let record: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{command}: {error}: {line}"));
    assert_eq!(record["title"], "The mooring affair", "{command}: {record}");
}

/// Returns whether curl is installed. Panics if it is not and `CI` is set.
fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output();
    if let Err(error) = &found {
        assert!(std::env::var("CI").is_err(), "curl: {error}, and this is CI");
        eprintln!("SKIPPED the documented requests: curl: {error}");
    }
    found.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_command_does_its_work() {
    let server = Server::start().await;
    let feed = Reply::ok("text/xml", rss(&[Item::new("One", &server.url("/one"))]));
    server.respond("/feed", feed.clone());
    server.respond("/other", feed);
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    server.respond(
        "/site",
        Reply::ok("text/html", "<link rel=alternate type='application/rss+xml' href=/feed>"),
    );
    let has_curl = has_curl();
    let added = server.url("/other");
    let mut count = 0;
    for document in documents() {
        let lines = shell_lines(&document).into_iter().filter(|line| is_run_here(line));
        let lines: Vec<&str> = lines.filter(|line| has_curl || !line.starts_with("curl ")).collect();
        if lines.is_empty() {
            continue;
        }
        let shell = Shell::new(&server);
        for line in std::iter::once("feedmill once").chain(lines) {
            count += 1;
            let line = filled(line, &server, &added);
            tokio::task::block_in_place(|| match &line {
                line if line.starts_with("feedmill run") => drop(shell.daemon().stop()),
                line if line.starts_with("feedmill tail --follow") => {
                    let (record, is_well) = shell.first_line(line, "INT", |_| true);
                    assert_is_record(line, &record);
                    assert!(is_well, "an interrupt is the normal end of {line}");
                }
                line if line.starts_with("curl ") => shell.ask(line),
                line => drop(shell.run(line)),
            });
        }
    }
    assert!(count > 30, "{count}");
}
