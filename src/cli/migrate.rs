use std::process::ExitCode;

use super::{Global, block_on};
use crate::clock::Clock;
use crate::store::Store;

/// Arguments of `migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    // Opening the store brings its schema up to date: the daemon does the same at its start.
    block_on(async { Ok(Store::open(&config.database, Clock::system()).await?) })?;
    tracing::info!("the store's schema is up to date");
    Ok(ExitCode::SUCCESS)
}
