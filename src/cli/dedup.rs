use std::process::ExitCode;

use anyhow::bail;

use super::Global;

/// Arguments of `dedup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("not built yet")
}
