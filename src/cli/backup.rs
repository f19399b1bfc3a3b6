//! `feedmill backup` and `feedmill restore`: the whole store in a file, and back.

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
    /// The file to be made: a store in an SQLite file, whatever the store is kept in
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// A file that `feedmill backup` has made
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn backup(args: &Backup, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let file = std::path::absolute(&args.file).context("cannot tell where the file is to be")?;
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
    let file = std::path::absolute(&args.file).context("cannot tell where the backup is")?;
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
