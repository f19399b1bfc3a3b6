use std::process::ExitCode;

use anyhow::bail;

/// Arguments of `parse`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    bail!("not built yet")
}
