//! `feedmill run`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;

use tracing::{error, info, warn};

use super::{Global, block_on};
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::lifecycle::{self, Lifecycle, service};
use crate::telemetry::Logs;
use crate::telemetry::metrics::{self, Metrics};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let (config, logs) = global.start_reloadable()?;
    block_on(async {
        let lifecycle = Lifecycle::new(config.stop_timeout);
        let signals = lifecycle::signals(&lifecycle)?;
        let recorder = Metrics::install();
        let upkeep = recorder.clone();
        let soft = lifecycle.soft();
        lifecycle.spawn("metrics", async move {
            soft.run_until_cancelled(upkeep.keep_small()).await;
        });
        let daemon = Arc::new(Daemon::open(config, Clock::system()).await?);
        Arc::clone(&daemon).start(&lifecycle, recorder).await?;
        service::ready();
        info!("running");
        let soft = lifecycle.soft();
        loop {
            tokio::select! {
                () = soft.cancelled() => break,
                () = signals.reload() => reload(&daemon, global, &logs).await,
            }
        }
        let report = lifecycle.wait().await;
        if report.is_clean() {
            info!("{report}");
            Ok(ExitCode::SUCCESS)
        } else {
            warn!("{report}");
            Ok(if report.panicked.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    })
}

/// Reads the configuration anew. All of it is checked before any of it counts; a bad one changes nothing.
async fn reload(daemon: &Daemon, global: &Global, logs: &Logs) {
    service::reloading();
    let taken = match global.reload(logs) {
        Ok(config) => daemon.reload(config).await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    metrics::config_reloaded(taken.is_ok());
    match taken {
        Ok(_) => info!("the new configuration is in force"),
        Err(error) => error!("the old configuration stays in force: {error:#}"),
    }
    service::ready();
}
