//! The README promises nothing that the program does not do.

use std::fs;
use std::path::Path;
use std::process::Command;

use feedmill::config::{Config, Environment};

const README: &str = include_str!("../../README.md");

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

/// The first code block of a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).expect("the README has such a block");
    rest.split("```").next().expect("a split has a first part")
}
