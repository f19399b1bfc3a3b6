//! `feedmill once`: polls all due feeds, processes their entries and exits.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::{DONE_IN_PART, Global, Started, block_on, progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Daemon, DaemonError};
use crate::lifecycle::{self, Lifecycle};
use crate::pipeline::Tally;

/// Arguments of `once`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let Started { config, traces: _traces, .. } = global.start_owner()?;
    let stop_timeout = config.stop_timeout;
    block_on(async { turn(open(config).await?, stop_timeout).await })
}

/// Opens a daemon for a single run. First polls are not spread over time: new feeds are due at once.
pub(super) async fn open(mut config: Config) -> Result<Daemon, DaemonError> {
    config.pipeline.initial_spread = Duration::ZERO;
    Daemon::open(config, Clock::system()).await
}

/// Runs the daemon once and logs the results.
pub(super) async fn turn(daemon: Daemon, stop_timeout: Duration) -> anyhow::Result<ExitCode> {
    let tally = daemon.tally();
    let lifecycle = Lifecycle::new(stop_timeout);
    let _signals = lifecycle::signals(&lifecycle)?;
    let soft = lifecycle.soft();
    let shown = progress::show_mill(Arc::clone(&tally));
    let done = tokio::select! {
        done = daemon.once(&soft) => done,
        () = stopped_hard(&lifecycle, stop_timeout) => Ok(()),
    };
    drop(shown);
    done?;
    let interrupted = soft.is_cancelled();
    let count = |counter: &AtomicU64| Tally::get(counter);
    tracing::info!(
        polled = count(&tally.polls_ok),
        polls_failed = count(&tally.polls_failed),
        new_entries = count(&tally.new_entries),
        articles = count(&tally.articles),
        duplicates = count(&tally.duplicates),
        postponed = count(&tally.postponed),
        failed = count(&tally.failed),
        "{}",
        if interrupted { "interrupted" } else { "done" }
    );
    let all_done = !interrupted
        && [&tally.polls_failed, &tally.postponed, &tally.failed].into_iter().all(|n| count(n) == 0);
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// Returns when work in progress must be dropped: at a second signal, or when a soft stop has taken `stop_timeout`.
async fn stopped_hard(lifecycle: &Lifecycle, stop_timeout: Duration) {
    lifecycle.soft().cancelled().await;
    let hard = lifecycle.hard();
    if tokio::time::timeout(stop_timeout, hard.cancelled()).await.is_err() {
        tracing::warn!("the stop timeout is over: unfinished work is dropped");
        lifecycle.stop_hard();
    }
}
