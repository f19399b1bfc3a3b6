//! `feedmill run`: runs the daemon.

use std::process::ExitCode;
use std::sync::Arc;

use tracing::{error, info, warn};

use super::{CONFIG_PLACES, Global, Started, block_on, terminal};
use crate::clock::Clock;
use crate::config::{ConfigError, Sources, Watch};
use crate::daemon::Daemon;
use crate::http::steering::{Reloads, Steering};
use crate::lifecycle::{self, Lifecycle, service};
use crate::store::Store;
use crate::telemetry::Logs;
use crate::telemetry::metrics::{self, Metrics};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let Started { config, file, sources, origins, logs, traces: _traces } = global.start_owner()?;
    lifecycle::process::raise_descriptor_limit();
    let (store, feeds) = (Store::place(&config.database)?, config.feeds.len());
    let place = file.as_ref().map(|file| file.display().to_string());
    info!(
        version = env!("CARGO_PKG_VERSION"),
        config = place.as_deref().unwrap_or("built-in defaults"),
        store,
        feeds,
        "starting"
    );
    if file.is_none() {
        warn!(
            "no configuration file was found: the built-in defaults are used; looked for {CONFIG_PLACES}; \
             hint: `feedmill config default` prints a file to start with; --config FILE names another place"
        );
    }
    if feeds == 0 {
        warn!(
            "no feeds are configured: nothing will be polled; hint: add [[feed]] tables or include = [...], then reload"
        );
    }
    let (steering, reloads) = Steering::new(Arc::new(global.loader()), origins);
    let mut watched = Watched { watch: Watch::default(), sources, reloads };
    watched.set(config.watch);
    block_on(async {
        let lifecycle = Lifecycle::new(config.stop_timeout);
        let signals = lifecycle::signals(&lifecycle)?;
        let recorder = Metrics::install();
        let upkeep = recorder.clone();
        let soft = lifecycle.soft();
        lifecycle.spawn("metrics", async move {
            soft.run_until_cancelled(upkeep.keep_small()).await;
        });
        let daemon = Arc::new(Daemon::open(config, Clock::system()).await?.steered(steering));
        Arc::clone(&daemon).start(&lifecycle, recorder).await?;
        service::ready();
        info!("running");
        let soft = lifecycle.soft();
        loop {
            let asker = tokio::select! {
                () = soft.cancelled() => break,
                () = signals.reload() => None,
                () = watched.watch.changed() => {
                    info!("the configuration has changed, reloading it");
                    None
                }
                asker = watched.reloads.asked() => Some(asker),
            };
            let taken = reload(&daemon, &lifecycle, global, &logs, &mut watched).await;
            // Ignore a requester that is gone.
            if let Some(asker) = asker {
                asker.send(taken).unwrap_or_default();
            }
        }
        let report = lifecycle.wait().await;
        if daemon.failure().is_some() {
            warn!("{report}");
            return Ok(ExitCode::FAILURE);
        }
        if report.is_clean() {
            info!("{report}");
            Ok(ExitCode::SUCCESS)
        } else {
            warn!("{report}");
            Ok(if report.panicked.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    })
}

/// The sources of reloads: changes of the configuration's files, and requests.
struct Watched {
    watch: Watch,
    sources: Sources,
    reloads: Reloads,
}

impl Watched {
    /// Starts or stops watching the files.
    fn set(&mut self, wanted: bool) {
        if wanted {
            self.watch.follow(&self.sources);
        } else {
            self.watch.stop();
        }
    }
}

/// Reloads the configuration. It is checked completely before it is applied; an invalid one changes nothing and the error is
/// returned.
async fn reload(
    daemon: &Daemon,
    lifecycle: &Lifecycle,
    global: &Global,
    logs: &Logs,
    watched: &mut Watched,
) -> Result<(), String> {
    service::reloading();
    let taken = take(daemon, lifecycle, global, logs, watched).await;
    metrics::config_reloaded(taken.is_ok());
    let taken = taken.map_err(|error| terminal::causes(&error));
    match &taken {
        Ok(()) => info!("the new configuration is in force"),
        Err(causes) => terminal::log_lines(causes, |line| {
            error!("the old configuration stays in force: {line}");
        }),
    }
    service::ready();
    taken
}

async fn take(
    daemon: &Daemon,
    lifecycle: &Lifecycle,
    global: &Global,
    logs: &Logs,
    watched: &mut Watched,
) -> anyhow::Result<()> {
    // Loading tens of thousands of feeds takes a moment.
    let (config, sources, origins) =
        tokio::task::block_in_place(|| global.reload()).inspect_err(|error: &ConfigError| {
            // Also watch the newly included files: the fix may come in one of them.
            watched.sources.extend(error.sources());
            watched.set(watched.watch.is_on());
        })?;
    watched.sources = sources;
    watched.set(config.watch);
    let (filter, stop_timeout) = (config.log.filter.clone(), config.stop_timeout);
    daemon.reload(config).await?;
    lifecycle.set_stop_timeout(stop_timeout);
    watched.reloads.note(origins);
    logs.set_filter(&filter)?;
    Ok(())
}
