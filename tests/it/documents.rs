//! The documents' examples work as written, and their tables are complete.

mod commands;
mod extraction;
mod installation;
mod record;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use feedmill::config::{Config, Environment};

const README: &str = include_str!("../../README.md");
const RECIPES: &str = include_str!("../../docs/recipes.md");
const RELIABILITY: &str = include_str!("../../docs/reliability.md");

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
fn the_configuration_is_described_as_it_is() {
    assert!(
        document("configuration.md") == feedmill::config::reference(),
        "print docs/configuration.md anew: `feedmill config reference`"
    );
}

/// The last column of its tables names the tests.
#[test]
fn the_tests_named_in_the_document_on_reliability_exist() {
    let named: Vec<&str> = RELIABILITY
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "))
        .flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2))
        .collect();
    let mut sources = String::new();
    for folder in ["src", "tests/it"] {
        read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    }
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(
            sources.contains(&format!("fn {name}(")),
            "docs/reliability.md names a test that is not there: {name}"
        );
    }
}

fn read_sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
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

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Reads a file of `docs/`.
fn document(name: &str) -> String {
    fs::read_to_string(docs().join(name)).unwrap()
}

/// Returns the lines of the shell blocks of a document, without comments that continue over lines of their own.
fn shell_lines(document: &str) -> Vec<&str> {
    let blocks = document.split("```").skip(1).step_by(2);
    let lines = blocks.filter_map(|block| block.strip_prefix("sh\n")).flat_map(str::lines);
    lines.filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()).collect()
}
