//! `feedmill feeds add`, `pause`, `resume` and `remove`: feeds in a file of their own, which the configuration includes.

use std::process::ExitCode;

use url::Url;

use super::{DONE_IN_PART, Global};
use crate::config::{self, FeedChange};
use crate::model::masked;

/// Adds feeds that are not configured yet.
pub(super) fn add(urls: &[Url], tags: &[String], global: &Global) -> anyhow::Result<ExitCode> {
    let new = config::add(urls, tags, &global.loader())?;
    for url in urls.iter().filter(|url| !new.contains(url)) {
        eprintln!("{}: is configured already", masked(url));
    }
    let added = new.len();
    eprintln!("{added} added{}", if added > 0 { RELOAD } else { "" });
    Ok(if added == urls.len() { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// Changes a feed of the file; one that only a list names is paused by a table of its own.
pub(super) fn change(change: FeedChange, url: &Url, global: &Global) -> anyhow::Result<ExitCode> {
    config::change(change, url, &global.loader())?;
    let done = match change {
        FeedChange::Pause => "paused",
        FeedChange::Resume => "resumed",
        FeedChange::Remove => "removed",
    };
    eprintln!("{}: {done}{RELOAD}", masked(url));
    Ok(ExitCode::SUCCESS)
}

const RELOAD: &str = "; a running daemon takes it over with a reload: systemctl reload feedmill, or SIGHUP";
