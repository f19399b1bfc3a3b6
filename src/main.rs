//! The `feedmill` program: command line -> telemetry -> work -> exit code.

use std::process::ExitCode;

use clap::Parser;
use feedmill::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().main()
}
