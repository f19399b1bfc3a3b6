//! One TOML file with the environment's overrides applied, in which every problem is traced to its position.
//!
//! `figment` and `config` were considered for the merging: they name the key of a bad value, but lose the line. Here
//! the parser's own tree is kept, in which every key and value knows its position. A value from the environment is inserted
//! into the tree with a position past the end of the file, so that an error names the variable.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::environment::Override;
use super::problem::{Place, Problem, Problems};
use super::raw::Raw;

/// A loaded file.
#[derive(Debug)]
pub(super) struct Document {
    /// The path as the operator gave it.
    pub(super) path: PathBuf,
    text: String,
    overrides: Vec<Override>,
    /// Spans of values that could not be read; the rest is read without them.
    left_out: Vec<Range<usize>>,
    /// The span of the key at each path; computed for the first problem.
    spans: OnceCell<HashMap<String, Range<usize>>>,
}

/// A line that contains one of these words may contain a secret, even if its problem is elsewhere: an inline table is one line.
const SECRET_WORDS: &[&str] =
    &["auth", "bearer", "credentials", "headers", "password", "postgres", "query", "secret"];

/// Prefixes of the paths of values that are or contain secrets.
const SECRET_PATHS: &[&str] = &[
    "database.url",
    "feed.auth",
    "feed.headers",
    "feed.query",
    "http.tokens",
    "sink.nats.auth",
    "sink.nats.credentials",
    "sink.webhook.auth",
    "sink.webhook.headers",
    "sink.webhook.secret",
];

/// Each variable gets two positions past the end of the text: the first for its value, both for a section created to hold it.
const PLACES_PER_VARIABLE: usize = 2;

/// A key of earlier versions, and the hint on its replacement.
const OUTPUT_DIR: &str = "output.dir";
const OUTPUT_DIR_HINT: &str =
    "text files are a sink now: [[sink]], name = \"texts\", text = { to = \"the folder\" }";

type Tree<'i> = Spanned<DeTable<'i>>;

/// An item of the tree: its key path and the spans of its key and value.
struct Node {
    path: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl Node {
    fn holds(&self, span: &Range<usize>) -> bool {
        [&self.key, &self.value].iter().any(|own| own.start <= span.start && span.end <= own.end)
    }
}

impl Document {
    pub(super) fn new(path: PathBuf, text: String, overrides: Vec<Override>) -> Self {
        Self { path, text, overrides, left_out: Vec::new(), spans: OnceCell::new() }
    }

    /// The folder that relative paths in the file are resolved against.
    pub(super) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Deserializes the file. A value that cannot be read becomes a problem and is left out, so that all problems are reported
    /// at once.
    pub(super) fn read<T: DeserializeOwned + Default>(&mut self, problems: &mut Problems) -> T {
        loop {
            let (tree, errors) = self.tree();
            if !errors.is_empty() {
                for error in &errors {
                    problems.push(|| self.syntax_problem(error));
                }
                return T::default();
            }
            let error = match T::deserialize(Deserializer::from(tree)) {
                Ok(read) => return read,
                Err(error) => error,
            };
            let node = error.span().and_then(|span| self.node_around(&span));
            problems.push(|| self.value_problem(&error, node.as_ref()));
            match node {
                Some(node) if !problems.is_full() => self.left_out.push(node.value),
                _ => return T::default(),
            }
        }
    }

    /// Builds a problem with the value at `path`, such as `fetch.timeout_secs` or `feed[3].url`. `value` is shown, so it
    /// must not be a secret.
    pub(super) fn problem(&self, path: &str, value: Option<&str>, message: impl Into<String>) -> Problem {
        let span = self.span_of(path);
        let shown_path = without_indices(path);
        let key = match value {
            Some(value) => format!("{shown_path} = {value}"),
            None => shown_path,
        };
        let excerpt = span.as_ref().filter(|_| !is_secret(path)).and_then(|span| self.excerpt(span));
        Problem { key, excerpt, ..Problem::at(self.place(span.as_ref()), message) }
    }

    /// Parses the text into a tree with the environment's values and without the left-out ones; also returns syntax errors.
    fn tree(&self) -> (Tree<'_>, Vec<toml::de::Error>) {
        let (mut tree, errors) = DeTable::parse_recoverable(&self.text);
        for (i, setting) in self.overrides.iter().enumerate() {
            let place = self.text.len() + 1 + PLACES_PER_VARIABLE * i;
            insert(tree.get_mut(), &setting.path, override_value(&setting.value), place);
        }
        remove(tree.get_mut(), &self.left_out);
        (tree, errors)
    }

    /// Returns the span of the key at `path`, or of its innermost existing parent.
    fn span_of(&self, mut path: &str) -> Option<Range<usize>> {
        let spans = self.spans.get_or_init(|| {
            let mut spans = HashMap::new();
            visit_table(self.tree().0.get_ref(), "", &mut |node| {
                spans.insert(node.path, node.key);
            });
            spans
        });
        loop {
            if let Some(span) = spans.get(path) {
                return Some(span.clone());
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Returns the innermost node that contains `span`.
    fn node_around(&self, span: &Range<usize>) -> Option<Node> {
        let (tree, _) = self.tree();
        let mut innermost = None;
        visit_table(tree.get_ref(), "", &mut |node| {
            if node.holds(span) {
                innermost = Some(node);
            }
        });
        innermost
    }

    fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        let span = error.span();
        let excerpt = span.as_ref().filter(|span| self.is_harmless(span.start)).and_then(|s| self.excerpt(s));
        Problem { excerpt, ..Problem::at(self.place(span.as_ref()), error.message()) }
    }

    fn value_problem(&self, error: &toml::de::Error, node: Option<&Node>) -> Problem {
        let path = node.map_or("", |node| node.path.as_str());
        let (message, mut hint) = explain(error.message(), is_secret(path));
        if path == OUTPUT_DIR {
            hint = Some(OUTPUT_DIR_HINT.to_owned());
        }
        let span = error.span();
        let excerpt = span.as_ref().filter(|_| !is_secret(path)).and_then(|span| self.excerpt(span));
        Problem {
            key: without_indices(path),
            excerpt,
            hint,
            ..Problem::at(self.place(span.as_ref()), message)
        }
    }

    fn place(&self, span: Option<&Range<usize>>) -> Place {
        let Some(span) = span else { return Place::file(&self.path) };
        if let Some(variable) = self.variable(span.start) {
            return Place::Variable(variable.to_owned());
        }
        let (line, column, _) = line_at(&self.text, span.start);
        Place::Position { file: self.path.display().to_string(), line, column: Some(column) }
    }

    fn variable(&self, place: usize) -> Option<&str> {
        let behind_text = place.checked_sub(self.text.len() + 1)?;
        self.overrides.get(behind_text / PLACES_PER_VARIABLE).map(|setting| setting.variable.as_str())
    }

    fn excerpt(&self, span: &Range<usize>) -> Option<String> {
        if self.variable(span.start).is_some() {
            return None;
        }
        let (line, column, content) = line_at(&self.text, span.start);
        if SECRET_WORDS.iter().any(|word| content.contains(word)) {
            return None;
        }
        let length = self.text.get(span.clone()).map_or(1, |marked| marked.chars().count());
        let room = (content.chars().count() + 1).saturating_sub(column);
        let content = without_credentials(content);
        let marks = "^".repeat(length.min(room).max(1));
        let gutter = line.to_string();
        let blank = " ".repeat(gutter.len());
        let indent = " ".repeat(column - 1);
        Some(format!("{blank} |\n{gutter} | {content}\n{blank} | {indent}{marks}"))
    }

    /// Returns whether the line may be shown although the file cannot be parsed: it is a header, or sets a key that is no secret.
    fn is_harmless(&self, place: usize) -> bool {
        let (_, _, content) = line_at(&self.text, place);
        let key = content.split('=').next().unwrap_or_default().trim();
        content.trim_start().starts_with('[') && !content.contains('=') || is_plain_setting(key)
    }
}

/// Returns the line and column (both 1-based) of a byte offset, and the text of the line.
fn line_at(text: &str, place: usize) -> (usize, usize, &str) {
    let before = text.get(..place).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..].chars().count() + 1;
    (line, column, text[start..].lines().next().unwrap_or_default())
}

/// Replaces the user name and password of every URL by asterisks.
fn without_credentials(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for part in line.split_inclusive("://") {
        let end = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                shown.extend(part[..at].chars().map(|_| '*'));
                shown.push_str(&part[at..]);
            }
            None => shown.push_str(part),
        }
    }
    shown
}

fn override_value(value: &str) -> DeValue<'_> {
    match DeValue::parse(value) {
        Ok(value) => value.into_inner(),
        Err(_) => DeValue::String(Cow::Borrowed(value)),
    }
}

fn insert<'i>(table: &mut DeTable<'i>, path: &'i [String], mut value: DeValue<'i>, place: usize) {
    let Some((name, rest)) = path.split_first() else { return };
    let span = place..place;
    if rest.is_empty() {
        move_to(&mut value, &span);
        // Replace the key as well: it carries the position.
        table.remove(name.as_str());
        table.insert(Spanned::new(span.clone(), Cow::Borrowed(name.as_str())), Spanned::new(span, value));
        return;
    }
    if !table.contains_key(name.as_str()) {
        let wider = place..place + 1;
        let empty = DeValue::Table(DeTable::new());
        table.insert(Spanned::new(wider.clone(), Cow::Borrowed(name.as_str())), Spanned::new(wider, empty));
    }
    // A section that is not a table is rejected when the tree is deserialized.
    if let Some(DeValue::Table(section)) = table.get_mut(name.as_str()).map(Spanned::get_mut) {
        insert(section, rest, value, place);
    }
}

/// Sets the span of everything inside `value` to `span`.
fn move_to(value: &mut DeValue<'_>, span: &Range<usize>) {
    match value {
        DeValue::Array(items) => {
            for item in items.iter_mut() {
                move_to(item.get_mut(), span);
                *item =
                    Spanned::new(span.clone(), std::mem::replace(item.get_mut(), DeValue::Boolean(false)));
            }
        }
        DeValue::Table(table) => {
            let moved = std::mem::take(table).into_iter().map(|(key, mut value)| {
                move_to(value.get_mut(), span);
                (Spanned::new(span.clone(), key.into_inner()), Spanned::new(span.clone(), value.into_inner()))
            });
            *table = moved.collect();
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

fn visit_table(table: &DeTable<'_>, path: &str, seen: &mut impl FnMut(Node)) {
    for (key, value) in table {
        let path = match path {
            "" => key.get_ref().to_string(),
            path => format!("{path}.{}", key.get_ref()),
        };
        seen(Node { path: path.clone(), key: key.span(), value: value.span() });
        visit_value(value.get_ref(), &path, seen);
    }
}

fn visit_value(value: &DeValue<'_>, path: &str, seen: &mut impl FnMut(Node)) {
    match value {
        DeValue::Table(table) => visit_table(table, path, seen),
        DeValue::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let path = format!("{path}[{i}]");
                seen(Node { path: path.clone(), key: item.span(), value: item.span() });
                visit_value(item.get_ref(), &path, seen);
            }
        }
        _ => {}
    }
}

/// Removes the values at `spans`.
fn remove(table: &mut DeTable<'_>, spans: &[Range<usize>]) {
    if spans.is_empty() {
        return;
    }
    let entries = std::mem::take(table).into_iter().filter(|(_, value)| !spans.contains(&value.span()));
    *table = entries.collect();
    for (_, value) in table.iter_mut() {
        remove_in(value.get_mut(), spans);
    }
}

fn remove_in(value: &mut DeValue<'_>, spans: &[Range<usize>]) {
    match value {
        DeValue::Table(table) => remove(table, spans),
        DeValue::Array(items) => {
            let all = std::mem::replace(items, DeArray::new());
            *items = all.into_iter().filter(|item| !spans.contains(&item.span())).collect();
            for item in items.iter_mut() {
                remove_in(item.get_mut(), spans);
            }
        }
        _ => {}
    }
}

/// Turns `feed[3].url` into `feed.url` for the operator: the line number tells which one it is.
fn without_indices(path: &str) -> String {
    path.split('.').map(|name| name.split('[').next().unwrap_or(name)).collect::<Vec<_>>().join(".")
}

/// Returns whether the value at `path` may be or contain a secret.
fn is_secret(path: &str) -> bool {
    let path = without_indices(path);
    SECRET_PATHS.iter().any(|secret| path.starts_with(secret))
}

/// Returns whether `key` is a setting of some section and no secret.
fn is_plain_setting(key: &str) -> bool {
    let defaults = toml::Table::try_from(Raw::default()).unwrap_or_default();
    key != "url" && defaults.values().filter_map(toml::Value::as_table).any(|table| table.contains_key(key))
}

/// Rewrites serde's message for operators, and adds a hint for unknown keys.
fn explain(message: &str, secret: bool) -> (String, Option<String>) {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut names = rest.split('`').skip(1).step_by(2);
        let unknown = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let hint = match closest(unknown, &known) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        return ("unknown key".to_owned(), Some(hint));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return (format!("{} is missing", name.trim_matches('`')), None);
    }
    let mut message = message.to_owned();
    // The value that was found may be part of a secret.
    if secret && let Some(expected) = message.find("expected ") {
        message.replace_range(..expected, "");
    }
    for (type_name, words) in [
        ("u64", "a whole number from 0"),
        ("f64", "a number"),
        ("a sequence", "a list"),
        ("a map", "a table"),
        ("path string", "a path"),
    ] {
        if let Some(stem) = message.strip_suffix(type_name).filter(|stem| stem.ends_with("expected ")) {
            message = format!("{stem}{words}");
        }
    }
    (message, None)
}

/// Returns the known name that `unknown` probably stands for.
fn closest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    let score = |name: &str| strsim::jaro_winkler(unknown, name);
    let best = known.iter().copied().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.85).then_some(best)
}
