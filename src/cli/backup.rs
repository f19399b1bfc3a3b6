//! `feedmill backup` and `feedmill restore`: write the whole store to a file and create it from one.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::{Global, block_on, terminal};
use crate::clock::Clock;
use crate::store::Store;

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The SQLite file to create, whether the store is in SQLite or PostgreSQL
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// A file that `feedmill backup` created
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn backup(args: &Backup, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let file = std::path::absolute(&args.file).context("cannot resolve the path of the backup")?;
    let contents = block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        let contents = store.backup(&file).await?;
        store.close().await;
        Ok(contents)
    })?;
    let crate::store::Contents { articles, last_seq, bytes } = contents;
    writeln!(
        terminal::stdout(),
        "{}: {articles} articles, records up to {last_seq}, {bytes} bytes",
        file.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn restore(args: &Restore, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start_owner()?.config;
    let file = std::path::absolute(&args.file).context("cannot resolve the path of the backup")?;
    let contents = block_on(async { Ok(Store::restore(&config.database, &file, Clock::system()).await?) })?;
    let place = Store::place(&config.database)?;
    writeln!(
        terminal::stdout(),
        "{place}: {} articles, records up to {}",
        contents.articles,
        contents.last_seq
    )?;
    Ok(ExitCode::SUCCESS)
}
