//! `feedmill status`: shows the state of the store, its sinks and its processes on one screen.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::{Global, block_on, sinks, terminal};
use crate::clock::Clock;
use crate::config::Config;
use crate::report::processes;
use crate::report::sinks::Standing;
use crate::store::{ProcessStatus, Store, Totals};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Refresh every few seconds, until interrupted
    #[arg(long)]
    watch: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Refresh interval with `--watch`: counting scans whole tables.
const INTERVAL: Duration = Duration::from_secs(5);

/// Escape sequence that clears the screen and moves the cursor to the top.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// The output of `status`.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    store: String,
    #[serde(flatten)]
    totals: Totals,
    feeds_succeeding: u64,
    sinks: Vec<Standing>,
    set_aside: u64,
    /// Empty if only one process uses the store.
    processes: Vec<ProcessStatus>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        if args.watch {
            // An interrupt counts at any moment, also while tables are scanned.
            tokio::select! {
                failed = watch(args, &config, &store) => failed?,
                interrupted = tokio::signal::ctrl_c() => interrupted?,
            }
        } else {
            show(args, &config, &store, "").await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Shows the status again and again, on a terminal always at the same place.
async fn watch(args: &Args, config: &Config, store: &Store) -> anyhow::Result<()> {
    let before = if io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        show(args, config, store, before).await?;
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn show(args: &Args, config: &Config, store: &Store, before: &str) -> anyhow::Result<()> {
    let status = look(config, store).await?;
    let mut out = terminal::stdout();
    if args.json {
        serde_json::to_writer(&mut out, &status)?;
        writeln!(out)?;
    } else {
        write(&mut out, &status, before)?;
    }
    Ok(())
}

async fn look(config: &Config, store: &Store) -> anyhow::Result<Status> {
    let totals = store.totals().await?;
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        store: Store::place(&config.database)?,
        totals,
        feeds_succeeding: totals.feeds_succeeding(),
        sinks: sinks::look(config, store).await?,
        set_aside: store.set_aside_count().await?,
        processes: store.processes().await?,
    })
}

fn write(out: &mut impl Write, status: &Status, before: &str) -> std::io::Result<()> {
    let Totals { feeds_failing, feeds_new, articles, duplicates, last_seq, .. } = status.totals;
    let succeeding = status.feeds_succeeding;
    let Totals { entries_pending, entries_done, entries_failed, entries_quarantined, .. } = status.totals;
    writeln!(out, "{before}store     {} (feedmill {})", status.store, status.version)?;
    writeln!(out, "feeds     {succeeding} succeeding, {feeds_failing} failing, {feeds_new} new")?;
    writeln!(
        out,
        "entries   {entries_pending} pending, {entries_done} done, {entries_failed} failed, {entries_quarantined} quarantined"
    )?;
    writeln!(out, "articles  {articles}, {duplicates} of them duplicates")?;
    writeln!(out, "records   {last_seq}, {} set aside", status.set_aside)?;
    for process in &status.processes {
        writeln!(out, "process   {}", processes::sentence(process))?;
    }
    writeln!(out, "\n{}", sinks::table_of_sinks(&status.sinks))?;
    let mut hints = Vec::new();
    if feeds_failing > 0 {
        hints.push("feeds list --failing");
    }
    if entries_quarantined > 0 {
        hints.push("queue --state quarantined");
    }
    if status.set_aside > 0 || status.sinks.iter().any(Standing::is_in_trouble) {
        hints.push("sinks list");
    }
    for hint in hints {
        writeln!(out, "look at: feedmill {hint}")?;
    }
    Ok(())
}
