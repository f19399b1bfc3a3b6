use std::io::Write;
use std::process::ExitCode;

use super::{Global, block_on, terminal};
use crate::clock::Clock;
use crate::store::Store;

/// Arguments of `migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start_owner()?.config;
    let schema = block_on(async {
        let schema = Store::schema_status(&config.database).await?;
        if !args.dry_run {
            // Opening the store updates its schema, as the daemon does at startup.
            Store::open(&config.database, Clock::system()).await?.close().await;
        }
        Ok(schema)
    })?;
    let mut out = terminal::stdout();
    for name in &schema.applied {
        writeln!(out, "present  {name}")?;
    }
    let word = if args.dry_run { "pending" } else { "applied" };
    for name in &schema.pending {
        writeln!(out, "{word}  {name}")?;
    }
    Ok(ExitCode::SUCCESS)
}
