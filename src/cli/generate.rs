//! `feedmill completions` and `feedmill man`: what packages install beside the program, made from the command line itself.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, terminal};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell that reads it
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Write the pages of all commands into this folder, feedmill.1, feedmill-feeds.1 and so on [default: the main page on the
    /// standard output]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &Completions) -> anyhow::Result<ExitCode> {
    // Written at once: the generator panics where its reader has left.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "feedmill", &mut script);
    terminal::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &Man) -> anyhow::Result<ExitCode> {
    let Some(dir) = &args.dir else {
        clap_mangen::Man::new(Cli::command()).render(&mut terminal::stdout())?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("cannot write the pages into {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}
