//! The `feedmill` program: command line -> telemetry -> work -> exit code.

use std::process::ExitCode;

use clap::Parser;
use feedmill::cli::Cli;
use tikv_jemallocator::Jemalloc;

/// glibc's keeps what large pages have left in a heap for each thread: docs/reliability.md has the figures of both. How soon
/// this one gives memory back stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    Cli::parse().main()
}
