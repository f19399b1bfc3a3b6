use std::process::ExitCode;

use anyhow::bail;

use super::{Global, block_on};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let _config = global.start()?;
    block_on(async { bail!("not built yet") })
}
