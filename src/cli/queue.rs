//! `feedmill queue`: lists pending entries, and those that failed, were quarantined or were left out.

use std::io::Write;
use std::num::NonZeroU32;
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use super::terminal::plain;
use super::{Global, block_on, table, terminal};
use crate::clock::Clock;
use crate::store::{EntryState, EntryStatus, Store};

/// Arguments of `queue`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// State of the entries to list; `feeds release --entries` releases quarantined ones
    #[arg(long, value_enum, default_value_t)]
    state: Which,
    /// Maximum number of entries
    #[arg(long, value_name = "N", default_value = "50")]
    limit: NonZeroU32,
    /// Print one JSON object per line instead of a table
    #[arg(long)]
    json: bool,
}

/// The states that can be listed.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
#[clap(rename_all = "snake_case")]
enum Which {
    /// Waiting for their turn
    #[default]
    Pending,
    /// Given up
    Failed,
    /// Their pages crashed the extractor or exceeded its time limit
    Quarantined,
    /// Left out by the rules of their feeds (keep, drop)
    LeftOut,
}

/// An entry as listed in JSON.
#[derive(Serialize)]
struct Listed<'e> {
    #[serde(flatten)]
    entry: &'e EntryStatus,
    next_attempt: NextAttempt,
}

/// Whether and when an entry is tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum NextAttempt {
    InProgress,
    Due,
    /// Until its `next_attempt_at`.
    Waiting,
    None,
}

impl NextAttempt {
    fn of(entry: &EntryStatus, now: Timestamp) -> Self {
        match entry.state {
            EntryState::Pending if entry.in_work => Self::InProgress,
            EntryState::Pending if entry.next_attempt_at <= now => Self::Due,
            EntryState::Pending => Self::Waiting,
            EntryState::Done | EntryState::Failed | EntryState::Quarantined => Self::None,
        }
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let entries = block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        let limit = args.limit.get();
        let state = match args.state {
            Which::Pending => EntryState::Pending,
            Which::Failed => EntryState::Failed,
            Which::Quarantined => EntryState::Quarantined,
            Which::LeftOut => return Ok(store.entries_left_out(limit).await?),
        };
        Ok(store.entries_list(state, limit).await?)
    })?;
    let (mut out, now) = (terminal::stdout(), Clock::system().now());
    if args.json {
        for entry in &entries {
            serde_json::to_writer(&mut out, &Listed { entry, next_attempt: NextAttempt::of(entry, now) })?;
            writeln!(out)?;
        }
    } else {
        writeln!(out, "{}", entries_table(&entries, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn entries_table(entries: &[EntryStatus], now: Timestamp) -> comfy_table::Table {
    let mut rows = table::new(["entry", "page", "next attempt", "failures", "last error"]);
    for entry in entries {
        let turn = match NextAttempt::of(entry, now) {
            NextAttempt::InProgress => "in progress".to_owned(),
            NextAttempt::Due => "due".to_owned(),
            NextAttempt::Waiting => format!("waiting until {}", entry.next_attempt_at.strftime("%F %T UTC")),
            NextAttempt::None => "none".to_owned(),
        };
        let page = entry.url.as_ref().unwrap_or(&entry.feed_url);
        rows.add_row([
            entry.id.0.to_string(),
            page.to_string(),
            turn,
            entry.failures.to_string(),
            plain(entry.error.as_deref().unwrap_or_default()),
        ]);
    }
    rows
}
