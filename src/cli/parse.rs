//! `feedmill parse`: parses feed files and prints the results, one JSON object per file.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use super::DONE_IN_PART;
use super::terminal::{self, visible};
use crate::parse::{FeedInfo, ParsedEntry, ParsedFeed, parse};

/// Parse feed files and print their contents, one JSON object per file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read the files listed in a table: path relative to the table, tab, HTTP content type (may be empty).
    #[arg(long, value_name = "FILE.tsv")]
    manifest: Option<PathBuf>,
    /// Feed files; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "manifest")]
    files: Vec<PathBuf>,
}

/// Prints a report for every file. A file that cannot be read or is not a feed is reported too, is named on standard error,
/// and makes the exit code [`DONE_IN_PART`].
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = std::io::BufWriter::new(terminal::stdout());
    let mut all_feeds = true;
    if let Some(manifest) = &args.manifest {
        let folder = manifest.parent().unwrap_or(Path::new(""));
        let table = std::fs::read_to_string(manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        for row in table.lines().filter(|row| !row.is_empty()) {
            let (path, content_type) = row.split_once('\t').unwrap_or((row, ""));
            let content_type = Some(content_type).filter(|value| !value.is_empty());
            all_feeds &= report(path, read_file(&folder.join(path)), content_type, &mut out)?;
        }
    }
    for path in &args.files {
        let body = if path == Path::new("-") { read_stdin() } else { read_file(path) };
        all_feeds &= report(&path.to_string_lossy(), body, None, &mut out)?;
    }
    out.flush().context("cannot write to standard output")?;
    Ok(if all_feeds { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).context("cannot read the file")
}

fn read_stdin() -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    std::io::stdin().lock().read_to_end(&mut body).context("cannot read standard input")?;
    Ok(body)
}

/// Writes one line; returns `false` if the body could not be read or is not a feed, and reports that on standard error too.
fn report(
    path: &str,
    body: anyhow::Result<Vec<u8>>,
    content_type: Option<&str>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let parsed = body.and_then(|body| Ok(parse(&body, content_type, None)?));
    let report = match &parsed {
        Ok(feed) => Report::of(path, feed),
        Err(error) => {
            let error = format!("{error:#}");
            eprintln!("{path}: {}", visible(&error));
            Report { path, error: Some(error), ..Report::default() }
        }
    };
    serde_json::to_writer(&mut *out, &report).context("cannot write to standard output")?;
    writeln!(out).context("cannot write to standard output")?;
    Ok(parsed.is_ok())
}

#[derive(Default, Serialize)]
struct Report<'a> {
    path: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<&'a FeedInfo>,
    entries: Vec<EntryReport<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct EntryReport<'a> {
    key: String,
    guid: Option<&'a str>,
    title: Option<&'a str>,
    link: Option<&'a str>,
    published_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    authors: &'a [String],
    tags: &'a [String],
    language: Option<&'a str>,
    image: Option<&'a str>,
    enclosures: Vec<&'a str>,
    summary: Option<&'a str>,
    content: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn of(path: &'a str, parsed: &'a ParsedFeed) -> Self {
        Self {
            path,
            ok: true,
            error: None,
            feed: Some(&parsed.feed),
            entries: parsed.entries.iter().map(EntryReport::of).collect(),
            warnings: &parsed.warnings,
        }
    }
}

impl<'a> EntryReport<'a> {
    fn of(entry: &'a ParsedEntry) -> Self {
        let evidence = &entry.evidence;
        Self {
            key: entry.key.to_string(),
            guid: entry.guid.as_deref(),
            title: evidence.title.as_deref(),
            link: entry.link.as_ref().map(url::Url::as_str),
            published_at: evidence.published_at,
            updated_at: evidence.updated_at,
            authors: &evidence.authors,
            tags: &evidence.tags,
            language: evidence.language.as_deref(),
            image: evidence.image.as_ref().map(url::Url::as_str),
            enclosures: evidence.enclosures.iter().map(|enclosure| enclosure.url.as_str()).collect(),
            summary: evidence.summary.as_deref(),
            content: evidence.content.as_deref(),
        }
    }
}
