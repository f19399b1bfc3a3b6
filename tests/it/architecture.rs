//! ARCHITECTURE.md says what is absent from each module. This holds it to that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Something that only some rooms may have.
struct Privilege {
    invariant: &'static str,
    words: &'static [&'static str],
    rooms: &'static [&'static str],
}

const PRIVILEGES: &[Privilege] = &[
    Privilege { invariant: "only fetch speaks HTTP outwards", words: &["reqwest"], rooms: &["fetch"] },
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

/// Rooms that see values only: the same input gives the same output, always.
const PURE: &[&str] = &[
    "model",
    "schedule",
    "subscription",
    "markup",
    "trust",
    "impostor",
    "identity",
    "parse",
    "extract",
    "dedup",
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

/// One file of the library.
struct Source {
    /// From the project's folder.
    path: PathBuf,
    /// The module of `lib.rs` that it belongs to.
    room: String,
    /// Number and text of the lines that are neither comments nor unit tests.
    code: Vec<(usize, String)>,
}

impl Source {
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

/// Files that are compiled for tests only.
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

/// A module of unit tests stands at the end of its file, if it has no file of its own.
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
