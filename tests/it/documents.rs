//! The documents' examples work as written.

use std::fs;
use std::path::Path;
use std::process::Command;

use feedmill::config::{Config, Environment};
use url::Url;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const README: &str = include_str!("../../README.md");
const RECIPES: &str = include_str!("../../docs/recipes.md");

#[test]
fn the_configuration_in_the_readme_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feedmill.toml");
    fs::write(&file, block("toml")).unwrap();
    let loaded = Config::load(Some(&file), &Environment::default()).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.feeds.len(), 2);
}

#[test]
fn the_configurations_in_the_recipes_are_good() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("feeds.d")).unwrap();
    fs::write(folder.path().join("feeds.d/news.txt"), "https://news.example.org/feed.xml\n").unwrap();
    let blocks: Vec<&str> = RECIPES.split("```toml\n").skip(1).collect();
    assert!(blocks.len() > 3);
    for block in blocks {
        let (text, _) = block.split_once("```").unwrap();
        let file = folder.path().join("feedmill.toml");
        fs::write(&file, text).unwrap();
        let loaded =
            Config::load(Some(&file), &Environment::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert!(!loaded.config.feeds.is_empty(), "{text}");
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

/// Commands that run until they are stopped: other tests run them.
const ENDLESS: &[&str] = &["feedmill run", "feedmill tail --follow"];

/// Returns the commands in the shell blocks of a document.
fn commands_of(document: &str) -> Vec<String> {
    let blocks = document.split("```").skip(1).step_by(2);
    let lines = blocks.filter_map(|block| block.strip_prefix("sh\n")).flat_map(str::lines);
    let commands = lines.filter(|line| line.starts_with("feedmill "));
    commands
        .filter(|line| !ENDLESS.iter().any(|endless| line.starts_with(endless)))
        .map(str::to_owned)
        .collect()
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
    let mut documents = vec![README.to_owned()];
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for file in fs::read_dir(docs).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "md") {
            documents.push(fs::read_to_string(file).unwrap());
        }
    }
    let mut count = 0;
    for document in documents {
        let commands = commands_of(&document);
        if commands.is_empty() {
            continue;
        }
        let added = server.url("/other");
        let test = TestDaemon::new().feed_with(&server.url("/feed"), "raw = \"keep\"");
        let config = test.write_config();
        let folder = config.parent().unwrap();
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
            fs::write(folder.join(name), content).unwrap();
        }
        for command in std::iter::once("feedmill once".to_owned()).chain(commands) {
            count += 1;
            let filled = filled(&command, &server, &added);
            let program = Path::new(env!("CARGO_BIN_EXE_feedmill")).parent().unwrap();
            let mut shell = Command::new("sh");
            shell.args(["-c", &filled]).current_dir(folder).env("FEEDMILL_CONFIG", &config);
            shell.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
            if command.starts_with("feedmill restore") {
                let place = format!("sqlite:{}", folder.join("restored.db").display());
                shell.env("FEEDMILL_DATABASE__URL", place);
            }
            let output = tokio::task::block_in_place(|| shell.output().unwrap());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{filled}: {said}{}", String::from_utf8_lossy(&output.stdout));
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_address_in_the_readme_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feedmill.toml");
    fs::write(&file, "").unwrap();
    let defaults = Config::load(Some(&file), &Environment::default()).unwrap().config;
    let (_, rest) = README.split_once("curl 'http://").expect("the README has an example for curl");
    let (address, _) = rest.split_once('/').unwrap();
    assert_eq!(Some(address.parse().unwrap()), defaults.http.listen);
}

#[test]
fn the_exit_codes_in_the_readme_are_those_of_the_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_feedmill")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let in_help: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Exit codes:")
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let in_readme: Vec<String> = README
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.split(['|', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(!in_help.is_empty());
    assert_eq!(in_readme, in_help);
}

#[test]
fn the_record_is_described_as_it_is() {
    let printed = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_feedmill")).arg("schema").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (file, arguments) in [("record.schema.json", &[][..]), ("record.md", &["--markdown"][..])] {
        let kept = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file)).unwrap();
        assert!(
            printed(arguments) == kept,
            "print docs/{file} anew: `feedmill schema`, --markdown for the page"
        );
    }
}

#[test]
fn the_configuration_is_described_as_it_is() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    assert!(
        fs::read_to_string(kept).unwrap() == feedmill::config::reference(),
        "print docs/configuration.md anew: `feedmill config reference`"
    );
}

#[test]
fn completions_and_manual_follow_from_the_command_line() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_feedmill")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).contains("reextract"), "{shell}");
    }
    assert!(run(&["man"]).contains(".TH feedmill 1"));
    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--dir", folder.path().to_str().unwrap()]);
    for page in ["feedmill.1", "feedmill-run.1", "feedmill-feeds-poll.1"] {
        let page = fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(page.contains(".SH"), "{page}");
    }
}

/// Returns the first code block of a language in the README.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).expect("the README has such a block");
    rest.split("```").next().expect("a split has a first part")
}
