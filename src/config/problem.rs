//! Problems of a configuration and their positions.

use std::fmt;
use std::path::Path;

use super::watch::Sources;

/// Maximum number of problems reported; further ones are only counted.
pub(super) const MAX_PROBLEMS: usize = 20;

/// One problem, with its position and, if known, its fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) place: Place,
    /// Key path such as `fetch.timeout_secs`, with the value unless it may be a secret; empty if there is none.
    pub(super) key: String,
    /// Description of the problem.
    pub(super) message: String,
    /// The offending line with a marker below it.
    pub(super) excerpt: Option<String>,
    /// How to fix it, if that is not obvious from the message.
    pub(super) hint: Option<String>,
}

/// The location of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(String),
    /// Line and column, both from 1; a file with one item per line has no columns.
    Position {
        file: String,
        line: usize,
        column: Option<usize>,
    },
    /// An environment variable.
    Variable(String),
}

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Self::File(path.display().to_string())
    }

    /// A line of a file with one item per line.
    pub(super) fn line(path: &Path, line: usize) -> Self {
        Self::Position { file: path.display().to_string(), line, column: None }
    }

    fn file_name(&self) -> Option<&str> {
        match self {
            Self::File(file) | Self::Position { file, .. } => Some(file),
            Self::Variable(_) => None,
        }
    }

    fn position(&self) -> (usize, Option<usize>) {
        match self {
            Self::Position { line, column, .. } => (*line, *column),
            Self::File(_) | Self::Variable(_) => (0, None),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(file),
            Self::Position { file, line, column: None } => write!(f, "{file}:{line}"),
            Self::Position { file, line, column: Some(column) } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment: {name}"),
        }
    }
}

impl Problem {
    /// Creates a problem with a place and a message only.
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place, key: String::new(), message: message.into(), excerpt: None, hint: None }
    }
}

/// Formats on one line; the alternate form (`{:#}`) puts the offending line and the hint below it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !f.alternate() {
            return self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " (hint: {hint})"));
        }
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Collects problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    /// Number of problems found after the list was full.
    more: usize,
}

impl Problems {
    /// Adds a problem. `problem` is called only while the list is not full: finding a position means parsing
    /// the file again, and a list of 50,000 feeds may have 50,000 problems.
    pub(super) fn push(&mut self, problem: impl FnOnce() -> Problem) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.list.push(problem());
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_PROBLEMS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the error with all problems: file by file in the order in which they were read, each from top to bottom.
    /// `sources` are the files that were read.
    pub(super) fn into_error(mut self, sources: Sources) -> ConfigError {
        let files: Vec<Option<String>> =
            self.list.iter().map(|problem| problem.place.file_name().map(str::to_owned)).collect();
        let first_of = |name: Option<&str>| files.iter().position(|file| file.as_deref() == name);
        self.list.sort_by_key(|problem| (first_of(problem.place.file_name()), problem.place.position()));
        ConfigError { problems: self.list, more: self.more, sources }
    }
}

/// A configuration that cannot be used, with all its problems.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
    more: usize,
    sources: Sources,
}

impl ConfigError {
    /// Returns the files that were read before the error: a change to one of them may fix it.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Returns the problems in the order of the files, at most twenty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem], more: 0, sources: Sources::default() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem:#}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}
