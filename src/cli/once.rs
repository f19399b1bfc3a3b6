//! `feedmill once`: poll everything due, process, exit.

use std::process::ExitCode;
use std::sync::atomic::AtomicU64;

use super::{DONE_IN_PART, Global, block_on, progress};
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::lifecycle::{self, Lifecycle};
use crate::pipeline::Tally;

/// Arguments of `once`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let stop_timeout = config.stop_timeout;
    block_on(async {
        let daemon = Daemon::open(config, Clock::system()).await?;
        let tally = daemon.tally();
        let lifecycle = Lifecycle::new(stop_timeout);
        let _signals = lifecycle::signals(&lifecycle)?;
        let soft = lifecycle.soft();
        let hard = lifecycle.hard();
        let done = progress::shown(&tally, async {
            tokio::select! {
                done = daemon.once(&soft) => done,
                () = hard.cancelled() => Ok(()),
            }
        });
        done.await?;
        let count = |counter: &AtomicU64| Tally::get(counter);
        tracing::info!(
            polled = count(&tally.polls_ok),
            polls_failed = count(&tally.polls_failed),
            new_entries = count(&tally.new_entries),
            articles = count(&tally.articles),
            duplicates = count(&tally.duplicates),
            postponed = count(&tally.postponed),
            failed = count(&tally.failed),
            "done"
        );
        let all_done =
            [&tally.polls_failed, &tally.postponed, &tally.failed].into_iter().all(|n| count(n) == 0);
        Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
    })
}
