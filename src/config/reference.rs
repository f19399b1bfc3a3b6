//! Generates docs/configuration.md: every setting with its type, default and bounds, derived from the code.
//!
//! Nothing about a key is stated a second time here. Its description is the comment in the default file. Its type, bounds and
//! neighbouring keys are taken from the errors for invalid values, its default from parsing an empty file, and whether a reload
//! changes it from [`Fixed`]. Deriving the types with a schema crate was the alternative: bounds and descriptions would have had
//! to be repeated there.

use std::fmt::Write as _;

use toml::Value;

use super::document::Document;
use super::environment::Environment;
use super::fixed::Fixed;
use super::problem::{Problem, Problems};
use super::raw::Raw;
use super::{Config, DEFAULT_FILE, load_document};

/// A table that may be repeated or is optional: the TOML that opens it, and its required settings.
struct Table {
    path: &'static str,
    begins: &'static str,
    needs: &'static [(&'static str, &'static str)],
}

/// Nested tables follow their parents.
const TABLES: &[Table] = &[
    Table {
        path: "http.tokens",
        begins: "[[http.tokens]]\n",
        needs: &[("name", "\"x\""), ("secret", "\"0123456789abcdef\"")],
    },
    Table { path: "feed", begins: "[[feed]]\n", needs: &[("url", URL)] },
    Table { path: "feed.auth", begins: "[[feed]]\nurl = \"https://x.example/\"\n[feed.auth]\n", needs: &[] },
    Table { path: "sink", begins: "[[sink]]\n", needs: &[("name", "\"x\"")] },
    Table { path: "sink.filter", begins: "[[sink]]\nname = \"x\"\n[sink.filter]\n", needs: &[] },
    Table { path: "sink.text", begins: "[[sink]]\nname = \"x\"\n[sink.text]\n", needs: FOLDER },
    Table { path: "sink.jsonl", begins: "[[sink]]\nname = \"x\"\n[sink.jsonl]\n", needs: FOLDER },
    Table { path: "sink.parquet", begins: "[[sink]]\nname = \"x\"\n[sink.parquet]\n", needs: FOLDER },
    Table {
        path: "sink.parquet.bucket",
        begins: "[[sink]]\nname = \"x\"\n[sink.parquet]\nto = \"az://x\"\n[sink.parquet.bucket]\n",
        needs: &[],
    },
    Table { path: "sink.nats", begins: "[[sink]]\nname = \"x\"\n[sink.nats]\n", needs: &[] },
    Table {
        path: "sink.webhook",
        begins: "[[sink]]\nname = \"x\"\n[sink.webhook]\n",
        needs: &[("url", URL)],
    },
    Table { path: "site", begins: "[[site]]\n", needs: &[("host", "\"x.example\"")] },
];

const URL: &str = "\"https://x.example/\"";
const FOLDER: &[(&str, &str)] = &[("to", "\"x\"")];

/// Returns the configuration reference in Markdown.
pub fn reference() -> String {
    let fixed = Fixed::of(&defaults()).keys();
    let mut page = String::from(
        "# Configuration\n\nGenerated from the code by `feedmill config reference`; a test checks it. `feedmill config default` \
         prints the commented file that it follows, `feedmill config check` reports the problems in yours, and `feedmill config \
         show` prints the settings in effect.\n",
    );
    for part in parts(DEFAULT_FILE) {
        match part {
            Part::Prose(lines) => add(&mut page, &format!("\n{}\n", plain(&lines.join("\n")))),
            Part::Section { name, settings } => section(&mut page, name, &settings, &fixed),
            Part::Example { prose, lines } => example(&mut page, &prose, &lines, &fixed),
        }
    }
    page
}

/// A part of the default file.
#[derive(Debug)]
enum Part<'f> {
    /// Comments that belong to no setting.
    Prose(Vec<&'f str>),
    /// The settings under a header; those above the first header have no name.
    Section { name: &'f str, settings: Vec<Setting<'f>> },
    /// Commented-out example tables.
    Example { prose: Vec<&'f str>, lines: Vec<&'f str> },
}

/// A setting with its comment, which may be shared with the setting before.
#[derive(Debug)]
struct Setting<'f> {
    key: &'f str,
    prose: Vec<&'f str>,
}

fn parts(file: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for paragraph in file.split("\n\n") {
        let mut prose = Vec::new();
        let mut settings = Vec::new();
        let mut examples = Vec::new();
        let mut name = "";
        for line in paragraph.lines() {
            if let Some(header) = line.strip_prefix('[') {
                name = header.trim_end_matches(']');
            } else if let Some(shown) = line.strip_prefix("#    ") {
                examples.push(shown);
            } else if line == "#" {
                if examples.is_empty() { prose.push("") } else { examples.push("") }
            } else if let Some(words) = line.strip_prefix("# ") {
                if settings.last().is_some_and(|last: &Setting<'_>| last.prose == prose) {
                    prose.clear();
                }
                prose.push(words);
            } else if let Some((key, _)) =
                line.strip_prefix('#').and_then(|setting| setting.split_once(" = "))
            {
                settings.push(Setting { key, prose: prose.clone() });
            }
        }
        let has_tables = examples.iter().any(|line: &&str| line.starts_with("[["));
        parts.push(if !settings.is_empty() {
            Part::Section { name, settings }
        } else if has_tables {
            Part::Example { prose, lines: examples }
        } else {
            Part::Prose(prose)
        });
    }
    parts
}

fn section(page: &mut String, name: &str, settings: &[Setting<'_>], fixed: &[&str]) {
    let title = if name.is_empty() { "Files".to_owned() } else { format!("`[{name}]`") };
    add(
        page,
        &format!(
            "\n## {title}\n\n| key | type | default | bounds | takes effect after | |\n|---|---|---|---|---|---|\n"
        ),
    );
    let begins = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
    let values = read(&begins);
    for Setting { key, prose: comment } in settings {
        let path = if name.is_empty() { (*key).to_owned() } else { format!("{name}.{key}") };
        let probe = Probe { begins: &begins, needs: &[], path: &path, key };
        let default = at(&values, &path).map_or_else(String::new, |value| format!("`{value}`"));
        let bounds = probe.bounds().unwrap_or_default();
        let words = plain(&without_bounds(&comment.join(" "), &bounds));
        let row = [format!("`{key}`"), probe.kind(), default, bounds, change(&path, fixed).to_owned(), words];
        add_row(page, &row);
    }
    tables(page, |path| !name.is_empty() && path.starts_with(&format!("{name}.")), fixed);
}

fn example(page: &mut String, prose: &[&str], lines: &[&str], fixed: &[&str]) {
    let header = lines.iter().find_map(|line| line.strip_prefix("[[")?.strip_suffix("]]"));
    let name = header.expect("an example has a table");
    let (prose, shown) = (plain(&prose.join("\n")), lines.join("\n"));
    add(
        page,
        &format!("\n## `[[{name}]]`\n\n{}\n\n```toml\n{}\n```\n", prose.trim_end(), shown.trim_matches('\n')),
    );
    tables(page, |path| path == name || path.starts_with(&format!("{name}.")), fixed);
}

/// Adds the keys of the chosen tables.
fn tables(page: &mut String, is_chosen: impl Fn(&str) -> bool, fixed: &[&str]) {
    for table in TABLES.iter().filter(|table| is_chosen(table.path)) {
        let needed: String = table.needs.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let values = read(&format!("{}{needed}", table.begins));
        add(
            page,
            &format!("\nKeys of `{}`, which take effect after {}:\n", table.path, change(table.path, fixed)),
        );
        add(page, "\n| key | type | default | bounds |\n|---|---|---|---|\n");
        for key in table.keys() {
            let path = format!("{}.{key}", table.path);
            let probe = Probe { begins: table.begins, needs: table.needs, path: &path, key: &key };
            let default = match at(&values, &path) {
                _ if table.needs.iter().any(|(needed, _)| *needed == key) => "required".to_owned(),
                Some(value) => format!("`{value}`"),
                None => String::new(),
            };
            add_row(page, &[format!("`{key}`"), probe.kind(), default, probe.bounds().unwrap_or_default()]);
        }
    }
}

impl Table {
    /// Returns all known keys, taken from the error for an unknown one.
    fn keys(&self) -> Vec<String> {
        let probe = Probe { begins: self.begins, needs: self.needs, path: self.path, key: "-" };
        let problems = probe.problems("0");
        let hint = problems.iter().find_map(|problem| problem.hint.as_deref()?.strip_prefix("known keys: "));
        hint.map(|keys| keys.split(", ").map(str::to_owned).collect()).unwrap_or_default()
    }
}

/// A key that is probed with invalid values.
struct Probe<'a> {
    begins: &'a str,
    needs: &'a [(&'static str, &'static str)],
    path: &'a str,
    key: &'a str,
}

impl Probe<'_> {
    /// Returns the problems of a file in which the key has this value.
    fn problems(&self, value: &str) -> Vec<Problem> {
        let mut text = self.begins.to_owned();
        for (key, needed) in self.needs.iter().filter(|(key, _)| *key != self.key) {
            add(&mut text, &format!("{key} = {needed}\n"));
        }
        add(&mut text, &format!("{} = {value}\n", self.key));
        match load_document(document(text), &Environment::default()) {
            Ok(_) => Vec::new(),
            Err(error) => error.problems().to_vec(),
        }
    }

    /// Returns the messages about the key itself.
    fn answers(&self, value: &str) -> Vec<String> {
        let is_own = |problem: &Problem| {
            problem.key.strip_prefix(self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with(" = "))
        };
        let problems = self.problems(value);
        problems.into_iter().filter(is_own).map(|problem| problem.message).collect()
    }

    fn expected(&self, value: &str) -> Option<String> {
        let answers = self.answers(value);
        answers.iter().find_map(|answer| Some(answer.split_once("expected ")?.1.to_owned()))
    }

    /// Returns the type of the value.
    fn kind(&self) -> String {
        if let Some(words) = self.expected("\"\\u0001\"").filter(|expected| expected.contains('`')) {
            let words: Vec<String> =
                words.split('`').skip(1).step_by(2).map(|word| format!("`\"{word}\"`")).collect();
            return words.join(" or ");
        }
        match self.expected("true") {
            Some(kind) if kind.contains('{') => format!("`{kind}`"),
            Some(kind) => kind.strip_suffix(" from 0").unwrap_or(&kind).to_owned(),
            None => "`true` or `false`".to_owned(),
        }
    }

    /// Returns the bounds of a number as "from to to".
    fn bounds(&self) -> Option<String> {
        /// Huge values, as an integer and as a float.
        const TOO_MUCH: [&str; 2] = ["9223372036854775807", "1e300"];
        let answers = TOO_MUCH.into_iter().flat_map(|value| self.answers(value));
        let mut bounds = answers.filter_map(|answer| {
            let (from, to) = answer.strip_prefix("must be ")?.split_once(" to ")?;
            [from, to].iter().all(|bound| bound.parse::<f64>().is_ok()).then(|| format!("{from} to {to}"))
        });
        bounds.next()
    }
}

/// Removes the bounds at the start of a key's description: they have their own column.
fn without_bounds(prose: &str, bounds: &str) -> String {
    if bounds.is_empty() {
        return prose.to_owned();
    }
    let rest =
        prose.strip_prefix(bounds).and_then(|rest| rest.strip_prefix(", both.").or(rest.strip_prefix('.')));
    rest.map_or(prose, str::trim_start).to_owned()
}

/// Returns what is needed to change a setting.
fn change(path: &str, fixed: &[&str]) -> &'static str {
    let is_within =
        |key: &&str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if fixed.iter().any(is_within) { "a restart" } else { "a reload" }
}

fn document(text: String) -> Document {
    Document::new("".into(), text, Vec::new())
}

fn defaults() -> Config {
    let loaded = load_document(document(String::new()), &Environment::default());
    loaded.expect("the defaults are within their bounds").config
}

/// Parses the text and returns all settings, including defaults.
fn read(text: &str) -> Value {
    let raw: Raw = document(text.to_owned()).read(&mut Problems::default());
    Value::try_from(raw).expect("plain values under string keys")
}

/// Returns the value at a path, that of the first table if there are several.
fn at<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(values, |value, key| match value {
        Value::Array(tables) => tables.first()?.get(key),
        value => value.get(key),
    })
}

/// Escapes `<`, which Markdown would read as a tag.
fn plain(prose: &str) -> String {
    prose.replace('<', "\\<")
}

fn add_row(page: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    add(page, &format!("| {} |\n", cells.join(" | ")));
}

fn add(page: &mut String, text: &str) {
    page.write_str(text).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `seen` with the path, description and probe of each setting.
    fn each_setting(mut seen: impl FnMut(&str, &str, &Probe<'_>)) {
        for part in parts(DEFAULT_FILE) {
            let Part::Section { name, settings } = part else { continue };
            let begins = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
            for Setting { key, prose } in settings {
                let path = format!("{name}.{key}").trim_start_matches('.').to_owned();
                seen(&path, &prose.join(" "), &Probe { begins: &begins, needs: &[], path: &path, key });
            }
        }
    }

    #[test]
    fn the_file_that_ships_states_the_bounds_that_are_checked() {
        let mut bounded = 0;
        each_setting(|path, comment, probe| {
            assert!(!comment.is_empty(), "{path} has no comment");
            if let Some(bounds) = probe.bounds() {
                bounded += 1;
                assert!(comment.starts_with(&bounds), "{path}: {bounds} in the code, in the file: {comment}");
            }
        });
        assert!(bounded > 30, "{bounded}");
    }

    #[test]
    fn every_key_has_a_type() {
        each_setting(|path, _, probe| assert!(!probe.kind().is_empty(), "{path}"));
        for table in TABLES {
            let keys = table.keys();
            assert!(keys.len() > 1, "{}: {keys:?}", table.path);
        }
    }

    #[test]
    fn what_takes_a_restart_is_a_key_of_the_file() {
        let mut paths = Vec::new();
        each_setting(|path, _, _| paths.push(path.to_owned()));
        for key in Fixed::of(&defaults()).keys() {
            assert!(key == "sink" || paths.iter().any(|path| path == key), "{key}");
        }
    }
}
