//! `feedmill reextract`: extracts the kept pages again with the current extractor and rules.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{DONE_IN_PART, Global, block_on, progress, terminal};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::extract::Rules;
use crate::pipeline::reextract::{Counts, Mode, Reextraction};
use crate::pipeline::workers::Workers;
use crate::store::{RawSelection, Store};

/// Arguments of `reextract`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Articles that this feed announced, by its configured URL
    #[arg(long, value_name = "URL")]
    feed: Option<String>,
    /// Articles on this host and its subdomains
    #[arg(long)]
    host: Option<String>,
    /// Articles whose pages were fetched on this day (UTC) or at this time, or later
    #[arg(long, value_name = "DATE", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only count the texts that would change
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let feed = args.feed.as_deref().map(config::feed_url).transpose().map_err(anyhow::Error::msg)?;
    let selection = RawSelection { feed, host: args.host.clone(), since: args.since };
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Store };
    let counts = Arc::new(Counts::default());
    block_on(async {
        let reextraction = reextraction(config).await?;
        let shown = {
            let counts = Arc::clone(&counts);
            progress::show(move || line(&counts, mode))
        };
        let done = reextraction.run(&selection, mode, &counts).await;
        drop(shown);
        Ok(done?)
    })?;
    writeln!(terminal::stdout(), "{}", line(&counts, mode))?;
    let all_read = get(&counts.failed) == 0;
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// Creates a re-extraction of the configured store's kept pages.
pub(super) async fn reextraction(config: Config) -> anyhow::Result<Reextraction> {
    Ok(Reextraction {
        store: Store::visit(&config.database, Clock::system()).await?,
        workers: Workers::new(config.pipeline.extract_concurrency, config.pipeline.extract_timeout),
        rules: Arc::new(Rules::new(&config.sites)?),
        dedup: config.dedup,
        feeds: Arc::new(config.feeds),
        fallback: config.feed_defaults,
    })
}

fn line(counts: &Counts, mode: Mode) -> String {
    let (pages, changed, failed) = (get(&counts.pages), get(&counts.changed), get(&counts.failed));
    match mode {
        Mode::DryRun => format!("{pages} pages, {changed} texts would change, {failed} failed"),
        Mode::Store => {
            let revised = get(&counts.revised);
            format!("{pages} pages, {changed} texts changed, {revised} revisions made, {failed} failed")
        }
    }
}

pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Parses a UTC day or a timestamp: `2026-03-01` or `2026-03-01T12:00:00Z`.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day: Date = text.parse().map_err(|_| "must be a date or a time: 2026-03-01, 2026-03-01T12:00:00Z")?;
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string())
}
