//! The files that a configuration includes: TOML files with feeds and sites, OPML files, plain lists of URLs.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, WINDOWS_1252};

use super::document::Document;
use super::listed::ListedFeed;
use super::opml;
use super::problem::{Place, Problem, Problems};
use super::raw::RawIncluded;
use super::watch::Sources;

/// Everything that was included, in the order of inclusion.
#[derive(Debug, Default)]
pub(super) struct Included {
    /// TOML files and their contents.
    pub(super) documents: Vec<(Document, RawIncluded)>,
    /// OPML files and plain lists.
    pub(super) listings: Vec<Listing>,
    /// Parts of OPML files that were skipped, and includes that match no file.
    pub(super) warnings: Vec<Problem>,
    /// The files and folders that were read.
    pub(super) sources: Sources,
}

/// A file that only lists feeds.
#[derive(Debug)]
pub(super) struct Listing {
    /// The path as included.
    pub(super) path: PathBuf,
    /// Whether another program wrote the file (OPML), so that an invalid feed is only a warning.
    pub(super) tolerant: bool,
    /// The listed feeds.
    pub(super) feeds: Vec<ListedFeed>,
}

impl Listing {
    /// Returns the place of the feed at `line`.
    pub(super) fn place(&self, line: usize) -> Place {
        Place::line(&self.path, line)
    }
}

impl Included {
    /// Reads all files that `document` includes, recursively, and the file of added feeds, if it exists and is not included
    /// by name.
    pub(super) fn read(
        document: &Document,
        includes: &[String],
        added: Option<&Path>,
        problems: &mut Problems,
    ) -> Self {
        let mut all = Self::default();
        let mut open = vec![identity(&document.path)];
        all.add_all(document, includes, &mut open, problems);
        all.sources.files.extend(added.map(Path::to_owned));
        if let Some(added) = added.filter(|added| added.is_file() && !all.has(added)) {
            let problem = |message: String| document.problem("added_feeds", None, message);
            all.add_file(added.to_owned(), &mut open, problems, &problem);
        }
        all
    }

    fn has(&self, file: &Path) -> bool {
        let file = identity(file);
        let documents = self.documents.iter().map(|(document, _)| &document.path);
        documents.chain(self.listings.iter().map(|listing| &listing.path)).any(|path| identity(path) == file)
    }

    fn add_all(
        &mut self,
        document: &Document,
        includes: &[String],
        open: &mut Vec<PathBuf>,
        problems: &mut Problems,
    ) {
        for (i, include) in includes.iter().enumerate() {
            let key = format!("include[{i}]");
            let problem = |message: String| document.problem(&key, Some(&format!("{include:?}")), message);
            let place = document.dir().join(include);
            if let Some((folder, _)) = folder_of(&place) {
                self.sources.folders.insert(folder.to_owned());
            }
            match expand(&place) {
                Ok(paths) => {
                    if paths.is_empty() {
                        self.warnings.push(problem("there is no such file".to_owned()));
                    }
                    for path in paths {
                        self.add_file(path, open, problems, &problem);
                    }
                }
                Err(message) => problems.push(|| problem(message)),
            }
        }
    }

    fn add_file(
        &mut self,
        path: PathBuf,
        open: &mut Vec<PathBuf>,
        problems: &mut Problems,
        problem: &impl Fn(String) -> Problem,
    ) {
        let mut refuse = |message: String| problems.push(|| problem(message));
        let identity = identity(&path);
        if open.contains(&identity) {
            refuse("the file includes itself, directly or through others".to_owned());
            return;
        }
        self.sources.files.insert(path.clone());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                refuse(format!("cannot read {}: {error}", path.display()));
                return;
            }
        };
        if path.extension().is_some_and(|extension| extension == "toml") {
            match String::from_utf8(bytes) {
                Ok(text) => {
                    open.push(identity);
                    self.add_toml(Document::new(path, text, Vec::new()), open, problems);
                    open.pop();
                }
                Err(_) => refuse("not UTF-8".to_owned()),
            }
        } else {
            self.add_listing(path, &decode(&bytes));
        }
    }

    fn add_toml(&mut self, mut document: Document, open: &mut Vec<PathBuf>, problems: &mut Problems) {
        let raw: RawIncluded = document.read(problems);
        self.add_all(&document, &raw.include, open, problems);
        self.documents.push((document, raw));
    }

    fn add_listing(&mut self, path: PathBuf, text: &str) {
        let tolerant = is_opml(text);
        let (feeds, warnings) = listed(text);
        let warnings = warnings.into_iter();
        self.warnings.extend(warnings.map(|(line, message)| Problem::at(Place::line(&path, line), message)));
        self.listings.push(Listing { path, tolerant, feeds });
    }
}

fn is_opml(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// Returns the feeds in an OPML file or a plain list, and messages about skipped parts, by line.
pub(super) fn listed(text: &str) -> (Vec<ListedFeed>, Vec<(usize, String)>) {
    if is_opml(text) {
        let outlines = opml::read(text);
        (outlines.feeds, outlines.warnings)
    } else {
        (plain_list(text), Vec::new())
    }
}

/// Extensions of the files that are read from an included folder; a glob matches any extension.
const EXTENSIONS: &[&str] = &["toml", "opml", "xml", "txt"];

/// Expands an included path into files, sorted by name: the path itself, those in a folder, or those that match a glob.
fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_file() && path.parent().is_some_and(|folder| is_pattern(&folder.to_string_lossy())) {
        return Err("only the last part of a path may hold * and ?".to_owned());
    }
    let Some((folder, pattern)) = folder_of(path) else { return Ok(vec![path.to_owned()]) };
    let fits = |file: &Path, name: &str| match pattern {
        Some(pattern) => matches(pattern.as_bytes(), name.as_bytes()),
        None => file.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known)),
    };
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with('.') && file.is_file() && fits(&file, name) {
            files.push(file);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Returns the folder of an included path and the glob that its files must match, if any; `None` if the
/// path is a plain file.
fn folder_of(path: &Path) -> Option<(&Path, Option<&str>)> {
    if path.is_dir() {
        return Some((path, None));
    }
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_pattern(name))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Some((folder.unwrap_or(Path::new(".")), Some(name))).filter(|_| !path.is_file())
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Returns whether a name matches a glob: `*` matches any characters, `?` one byte.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        (Some((b'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((wanted, rest)), Some((found, name))) => wanted == found && matches(rest, name),
        _ => false,
    }
}

/// Returns the canonical path, by which two paths to the same file compare equal.
pub(super) fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Decodes a list by its BOM, else as UTF-8 or Windows-1252. OPML comes in any encoding; its URLs, which matter, are ASCII.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding.decode(bytes).0,
        None => std::str::from_utf8(bytes).map_or_else(|_| WINDOWS_1252.decode(bytes).0, Cow::Borrowed),
    }
}

/// Reads one URL per line; `#` at the start of a line or word begins a comment.
fn plain_list(text: &str) -> Vec<ListedFeed> {
    let without_comment = |line: &str| {
        let end = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
        line[..end].trim().to_owned()
    };
    let lines = text.lines().map(without_comment).enumerate();
    let feeds = lines.filter(|(_, url)| !url.is_empty() && !url.starts_with('#'));
    feeds.map(|(i, url)| ListedFeed { line: i + 1, url, title: None, tags: Vec::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_names() {
        for (pattern, name, fits) in [
            ("*.toml", "news.toml", true),
            ("*.toml", "news.toml~", false),
            ("n?ws*", "news.toml", true),
            ("*a*b*", "xaxxbx", true),
            ("*a*b*", "xbxxax", false),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }
}
