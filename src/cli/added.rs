//! `feedmill feeds add`, `pause`, `resume` and `remove`: feeds in a file of their own, which the configuration includes.

use std::process::ExitCode;

use anyhow::{Context, bail};
use url::Url;

use super::{DONE_IN_PART, Global};
use crate::config::{AddedFeeds, Loaded};
use crate::model::masked;

/// What is done to a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Remove,
}

/// Adds feeds that are not configured yet.
pub(super) fn add(urls: &[Url], tags: &[String], global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = global.load()?;
    let mut file = open(&loaded)?;
    let known = loaded.feed_urls();
    let new: Vec<&Url> = urls.iter().filter(|url| !known.contains(url) && !file.has(url)).collect();
    for url in &new {
        file.add(url, tags);
    }
    if !new.is_empty() {
        file.save()?;
        check(global)?;
    }
    for url in urls.iter().filter(|url| !new.contains(url)) {
        eprintln!("{}: is configured already", masked(url));
    }
    let added = new.len();
    eprintln!("{added} added{}", if added > 0 { RELOAD } else { "" });
    Ok(if added == urls.len() { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// Changes a feed of the file; one that only a list names is paused by a table of its own.
pub(super) fn change(change: Change, url: &Url, global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = global.load()?;
    let mut file = open(&loaded)?;
    let shown = masked(url);
    if !loaded.feed_urls().contains(url) {
        bail!("{shown} is not configured; hint: `feedmill feeds add {shown}`");
    }
    match (change, file.has(url)) {
        (Change::Pause, true) => file.enable(url, false),
        (Change::Resume, true) => file.enable(url, true),
        (Change::Remove, true) => file.remove(url),
        (Change::Pause, false) if !loaded.has_table(url) => {
            file.add(url, &[]);
            file.enable(url, false);
        }
        (Change::Pause | Change::Resume, false) => bail!(
            "{shown} has a [[feed]] table in a file that is yours alone to write; hint: enabled = false there pauses it"
        ),
        (Change::Remove, false) => {
            bail!("{shown} is not in the file of added feeds; hint: remove it where it is configured")
        }
    }
    file.save()?;
    check(global)?;
    let done = match change {
        Change::Pause => "paused",
        Change::Resume => "resumed",
        Change::Remove => "removed",
    };
    eprintln!("{shown}: {done}{RELOAD}");
    Ok(ExitCode::SUCCESS)
}

const RELOAD: &str = "; a running daemon takes it over with a reload: systemctl reload feedmill, or SIGHUP";

fn open(loaded: &Loaded) -> anyhow::Result<AddedFeeds> {
    let Some(path) = &loaded.added_feeds else {
        bail!(
            "there is no file to write feeds to; hint: `feedmill config default` prints a configuration to begin with, and \
             added_feeds in it names that file"
        );
    };
    Ok(AddedFeeds::open(path)?)
}

/// What was written is read like any reload would read it.
fn check(global: &Global) -> anyhow::Result<()> {
    global.load().map(|_| ()).context("the configuration was good, and is not with what was written now")
}
