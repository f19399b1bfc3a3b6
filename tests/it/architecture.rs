//! Checks what ARCHITECTURE.md says about the absence of things from modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Words that may occur only in some modules.
struct Privilege {
    invariant: &'static str,
    words: &'static [&'static str],
    rooms: &'static [&'static str],
}

const PRIVILEGES: &[Privilege] = &[
    Privilege { invariant: "only fetch speaks HTTP outwards", words: &["reqwest"], rooms: &["fetch"] },
    Privilege {
        invariant: "only publish writes to object stores, by a client that fetch lends",
        words: &["object_store"],
        rooms: &["publish", "fetch"],
    },
    Privilege {
        invariant: "only store holds SQL",
        words: &["sqlx", "SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE "],
        rooms: &["store"],
    },
    Privilege { invariant: "nothing of feed-rs leaks out of parse", words: &["feed_rs"], rooms: &["parse"] },
    Privilege {
        invariant: "only http and demo answer requests, and only daemon binds them",
        words: &["axum"],
        rooms: &["http", "demo", "daemon"],
    },
    Privilege {
        invariant: "only cli prints",
        words: &["println!", "print!", "eprintln!", "eprint!"],
        rooms: &["cli"],
    },
    Privilege {
        invariant: "wall time comes from clock",
        words: &["Timestamp::now", "Zoned::now", "SystemTime::now"],
        rooms: &["clock"],
    },
];

/// Pure modules: the same input always gives the same output.
const PURE: &[&str] = &[
    "model",
    "schedule",
    "subscription",
    "work",
    "markup",
    "charset",
    "languages",
    "patterns",
    "zones",
    "trust",
    "impostor",
    "identity",
    "parse",
    "extract",
    "dedup",
    "search",
];
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "sqlx",
    "axum",
    "crate::clock",
    "clock::Clock",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::env",
    "std::net",
];

#[test]
fn rooms_keep_to_what_is_theirs() {
    let mut trespasses = Vec::new();
    for source in sources() {
        for privilege in
            PRIVILEGES.iter().filter(|privilege| !privilege.rooms.contains(&source.room.as_str()))
        {
            trespasses.extend(source.uses(privilege.words, privilege.invariant));
        }
        if PURE.contains(&source.room.as_str()) {
            trespasses.extend(source.uses(IMPURE, "the core is pure"));
        }
    }
    assert!(trespasses.is_empty(), "{}", trespasses.join("\n"));
}

#[test]
fn lib_lists_every_module() {
    let lib = read(Path::new("src/lib.rs"));
    let listed: BTreeSet<String> = lib
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    let present: BTreeSet<String> = sources().into_iter().map(|source| source.room).collect();
    assert_eq!(listed, present);
}

#[test]
fn both_back_ends_have_the_same_migrations() {
    let sqlite = file_names("migrations/sqlite");
    assert!(!sqlite.is_empty(), "migrations/sqlite is empty");
    assert_eq!(sqlite, file_names("migrations/postgres"));
}

#[test]
fn rooms_of_extraction_know_nothing_of_those_behind_them() {
    let rooms = declared(&read(Path::new("src/extract/mod.rs")));
    let place = |room: &str| rooms.iter().position(|known| known == room);
    let mut trespasses = Vec::new();
    for source in sources() {
        let [extract, room, ..] = &source.module()[..] else { continue };
        let Some(own) = place(room).filter(|_| extract == "extract") else { continue };
        for import in source.imports() {
            let behind = match &import[..] {
                [extract, other, ..] if extract == "extract" => place(other).is_none_or(|place| place > own),
                [extract] => extract == "extract",
                _ => false,
            };
            if behind {
                trespasses.push(format!("{}: {}", source.path.display(), import.join("::")));
            }
        }
    }
    assert!(rooms.len() >= 9, "the rooms stand first in src/extract/mod.rs: {rooms:?}");
    assert!(trespasses.is_empty(), "{}", trespasses.join("\n"));
}

/// Folders without import cycles among their files.
const WITHOUT_CIRCLE: &[&str] = &["extract", "config", "cli"];
/// Modules of the library that must not import each other in both directions.
const APART: &[[&str; 2]] = &[["model", "schedule"]];

#[test]
fn no_circle_of_imports() {
    let sources = sources();
    let mut circles = Vec::new();
    let folders: BTreeSet<Vec<String>> = sources
        .iter()
        .map(Source::folder)
        .filter(|folder| folder.first().is_some_and(|room| WITHOUT_CIRCLE.contains(&room.as_str())))
        .collect();
    for folder in folders {
        let edges = edges_within(&folder, &sources);
        circles
            .extend(circle(&edges).map(|circle| format!("{}: {}", folder.join("::"), circle.join(" -> "))));
    }
    let edges = edges_within(&[], &sources);
    for [one, other] in APART {
        let imports = |from: &str, to: &str| edges.get(from).is_some_and(|targets| targets.contains(to));
        if imports(one, other) && imports(other, one) {
            circles.push(format!("{one} -> {other} -> {one}"));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// Returns which direct members of a folder import which others.
fn edges_within(folder: &[String], sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let member = |module: &[String]| module.strip_prefix(folder)?.first().cloned();
    let members: BTreeSet<String> = sources.iter().filter_map(|source| member(&source.module())).collect();
    for source in sources {
        let Some(own) = member(&source.module()) else { continue };
        let others = source.imports().into_iter().filter_map(|import| member(&import));
        let others = others.filter(|other| *other != own && members.contains(other));
        edges.entry(own.clone()).or_default().extend(others);
    }
    edges
}

/// Returns a path from one member back to itself, if there is one.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(
        at: &str,
        edges: &BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|before| before == at) {
            return Some([&way[start..], &[at.to_owned()]].concat());
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = edges.get(at).into_iter().flatten().find_map(|next| walk(next, edges, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| walk(start, edges, &mut Vec::new(), &mut done))
}

/// Returns the modules declared in the first uninterrupted block of `mod` lines.
fn declared(text: &str) -> Vec<String> {
    let declared = |line: &str| Some(line.rsplit_once("mod ")?.1.strip_suffix(';')?.to_owned());
    let is_declaration = |line: &&str| line.ends_with(';') && line.contains("mod ");
    text.lines().skip_while(|line| !is_declaration(line)).map_while(declared).collect()
}

/// A source file of the library.
struct Source {
    /// The path relative to the project's folder.
    path: PathBuf,
    /// The top-level module of `lib.rs` that contains it.
    room: String,
    /// Line numbers and text of the code, without comments and unit tests.
    code: Vec<(usize, String)>,
}

impl Source {
    /// Returns the path of its module, from the library's root.
    fn module(&self) -> Vec<String> {
        let below_src = self.path.strip_prefix("src").expect("the file is below src").with_extension("");
        let mut names: Vec<String> =
            below_src.iter().map(|name| name.to_str().expect("names are ASCII").to_owned()).collect();
        names.pop_if(|name| name == "mod");
        names
    }

    /// Returns the path of the parent module.
    fn folder(&self) -> Vec<String> {
        let mut folder = self.module();
        folder.pop();
        folder
    }

    /// Returns the paths within the library that its code mentions.
    fn imports(&self) -> BTreeSet<Vec<String>> {
        let code: String = self.code.iter().flat_map(|(_, line)| [line, "\n"]).collect();
        let starts = code.match_indices("crate::").chain(code.match_indices("super::"));
        let mut paths = BTreeSet::new();
        for (at, start) in starts {
            // `super::super::` is read from its first `super`; `pub(in crate::…)` is not an import.
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let mut rest = &code[at + start.len()..];
            let mut base = if start == "crate::" { Vec::new() } else { self.folder() };
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            read_tree(rest, &base, &mut paths);
        }
        paths
    }

    fn uses(&self, words: &[&str], invariant: &str) -> Vec<String> {
        let mut uses = Vec::new();
        for (number, line) in &self.code {
            for word in words.iter().filter(|word| has_word(line, word)) {
                uses.push(format!("{}:{number}: {word}: {invariant}", self.path.display()));
            }
        }
        uses
    }
}

/// Reads a use tree or a path: names joined by `::`, possibly ending in a list in braces. Returns the remaining text.
fn read_tree<'a>(text: &'a str, base: &[String], paths: &mut BTreeSet<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([',', ' ', '\n']);
            match rest.strip_prefix('}') {
                Some(after) => return after,
                None if rest.is_empty() => return rest,
                None => rest = read_tree(rest, base, paths),
            }
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    if end == 0 {
        paths.insert(base.to_vec());
        return text.strip_prefix('*').unwrap_or_else(|| text.get(1..).unwrap_or_default());
    }
    let path =
        if &text[..end] == "self" { base.to_vec() } else { [base, &[text[..end].to_owned()]].concat() };
    let rest = &text[end..];
    if let Some(tree) = rest.strip_prefix("::") {
        return read_tree(tree, &path, paths);
    }
    paths.insert(path);
    rest.strip_prefix(" as ")
        .map_or(rest, |alias| alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(Path::new("src"), &mut paths);
    let texts: BTreeMap<PathBuf, String> =
        paths.into_iter().map(|path| (path.clone(), read(&path))).collect();
    let test_only: BTreeSet<PathBuf> =
        texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    texts
        .into_iter()
        .filter(|(path, _)| path != Path::new("src/lib.rs") && path != Path::new("src/main.rs"))
        .filter(|(path, _)| !test_only.contains(path))
        .map(|(path, text)| {
            let below_src = path.iter().nth(1).expect("the file is below src");
            let room = Path::new(below_src).file_stem().unwrap().to_str().unwrap().to_owned();
            Source { path, room, code: code(&text) }
        })
        .collect()
}

const TEST_ONLY: &str = "#[cfg(test)]";

/// Returns the files that are compiled for tests only.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let dir =
        if path.ends_with("mod.rs") { path.parent().unwrap().to_owned() } else { path.with_extension("") };
    text.lines()
        .zip(text.lines().skip(1))
        .filter(|(attribute, _)| *attribute == TEST_ONLY)
        .filter_map(|(_, module)| module.strip_prefix("mod ")?.strip_suffix(';'))
        .map(|module| dir.join(module).with_extension("rs"))
        .collect()
}

/// Returns the lines of code before the unit tests. An inline test module is the last item of its file.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut lines = text.lines().enumerate().peekable();
    let mut code = Vec::new();
    while let Some((index, line)) = lines.next() {
        if line == TEST_ONLY
            && lines.peek().is_some_and(|(_, next)| next.starts_with("mod ") && next.ends_with('{'))
        {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push((index + 1, line.to_owned()));
        }
    }
    code
}

fn walk(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(Path::new(ROOT).join(dir)).unwrap() {
        let entry = entry.unwrap();
        let path = dir.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn file_names(dir: &str) -> BTreeSet<String> {
    fs::read_dir(Path::new(ROOT).join(dir))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        let word_ends = word.ends_with(|c: char| c.is_alphanumeric());
        let is_part_of_another = joins(line[..at].chars().next_back()) || (word_ends && joins(after));
        !is_part_of_another
    })
}
