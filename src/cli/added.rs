//! `feedmill feeds add`, `pause`, `resume` and `remove`: changes to the file of added feeds that the configuration includes.

use std::process::ExitCode;

use url::Url;

use super::{DONE_IN_PART, Global};
use crate::config::{self, FeedChange};
use crate::model::masked;

/// Adds feeds that are not configured yet.
pub(super) fn add(urls: &[Url], tags: &[String], global: &Global) -> anyhow::Result<ExitCode> {
    let new = config::add(urls, tags, &global.loader())?;
    for url in urls.iter().filter(|url| !new.contains(url)) {
        eprintln!("{}: already configured", masked(url));
    }
    let added = new.len();
    eprintln!("{added} added{}", if added > 0 { RELOAD } else { "" });
    Ok(if added == urls.len() { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// Changes a feed in the file. Pausing a feed that only a list names adds a table for it.
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

const RELOAD: &str = "; hint: reload a running daemon to apply it: systemctl reload feedmill, or SIGHUP";
