//! `feedmill feeds import`: converts another reader's feeds to tables for the configuration.
//!
//! The configuration determines the feeds, and the store follows it: so imported feeds become a file that
//! the configuration includes, not rows in the store.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use url::Url;

use super::DONE_IN_PART;
use super::terminal::{self, visible};
use crate::config::{Import, Loaded, feeds_in, replace_file};

/// Mode of a new file: feed URLs may contain secrets.
const NEW_MODE: u32 = 0o600;

pub(crate) fn run(list: &Path, to: Option<&Path>, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let bytes = fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    let mut known = loaded.feed_urls();
    let target = to.map(Target::open).transpose()?;
    let was_included = target.as_ref().is_none_or(|target| target.feeds.is_subset(&known));
    if let Some(target) = &target {
        known.extend(target.feeds.iter().cloned());
    }
    let import = Import::read(&bytes, known);
    for (line, message) in &import.invalid {
        eprintln!("{}:{line}: left out: {}", list.display(), visible(message));
    }
    match &target {
        Some(target) => target.append(&import)?,
        None => terminal::stdout().write_all(import.to_toml().as_bytes())?,
    }
    let (added, known, invalid) = (import.added.len(), import.known, import.invalid.len());
    eprintln!("{added} added, {known} known already, {invalid} invalid");
    if let Some(target) = target.filter(|target| added > 0 && (target.feeds.is_empty() || !was_included)) {
        let name = target.path.display();
        eprintln!("hint: the configuration must include the file: include = [\"{name}\"]");
    }
    Ok(if invalid == 0 { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// The file that feeds are appended to. Its contents are kept.
struct Target {
    path: PathBuf,
    text: String,
    feeds: HashSet<Url>,
}

impl Target {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path.extension().is_none_or(|extension| extension != "toml") {
            bail!("{}: the name must end in .toml; hint: --to feeds.toml", path.display());
        }
        // Replace the target of a symlink, not the symlink.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let feeds = feeds_in(&text)
            .with_context(|| format!("{} is not a file of feeds and was left unchanged", path.display()))?;
        Ok(Self { path, text, feeds })
    }

    /// Appends the new feeds atomically.
    fn append(&self, import: &Import) -> anyhow::Result<()> {
        if import.added.is_empty() {
            return Ok(());
        }
        let gap = match self.text.as_str() {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        let text = format!("{}{gap}{}", self.text, import.to_toml());
        replace_file(&self.path, &text, NEW_MODE)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}
