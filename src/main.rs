//! The `feedmill` program: command line -> telemetry -> work -> exit code.

use std::process::ExitCode;

use clap::Parser;
use feedmill::cli::Cli;
use tikv_jemallocator::Jemalloc;

/// glibc's allocator keeps the memory freed after large pages in a heap per thread: docs/reliability.md has figures for both
/// allocators. `.cargo/config.toml` sets how soon jemalloc returns memory to the system.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    Cli::parse().main()
}
