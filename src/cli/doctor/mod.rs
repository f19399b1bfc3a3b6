//! `feedmill doctor`: checks everything that the daemon depends on; each line is ok or says what to do.
//!
//! It changes nothing: write access to folders is checked by permissions, and to buckets by an upload that is aborted.

mod buckets;
mod finding;
mod folders;
mod limits;
mod network;
mod store;
mod unit;
mod unit_file;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use url::Url;

use self::finding::{Finding, State};
use self::limits::Needs;
use super::{Global, block_on, terminal};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded};
use crate::publish::folder::Place;
use crate::telemetry;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The feed to poll as a test [default: the first by URL]. Nothing is stored
    #[arg(long, value_name = "URL")]
    feed: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let feed = args.feed.as_deref().map(config::feed_url).transpose().map_err(anyhow::Error::msg)?;
    let findings = match global.load() {
        Ok(loaded) => {
            telemetry::start_logs(&loaded.config.log)?;
            look(&loaded, feed.as_ref())?
        }
        // All other checks depend on the configuration.
        Err(error) => vec![Finding::problem("config", error.to_string())],
    };
    let mut out = terminal::stdout();
    for finding in &findings {
        if args.json {
            serde_json::to_writer(&mut out, finding)?;
            writeln!(out)?;
        } else {
            write!(out, "{finding}")?;
        }
    }
    let is_well = findings.iter().all(|finding| finding.state != State::Problem);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(loaded: &Loaded, feed: Option<&Url>) -> anyhow::Result<Vec<Finding>> {
    let config = &loaded.config;
    let mut findings = of_config(loaded);
    findings.extend(folders::secrets(&loaded.secret_files));
    let folders = folders_of(config);
    findings.extend(folders.iter().flat_map(folders::look));
    block_on(async {
        let clock = Clock::system();
        findings.extend(store::look(config, &clock).await);
        findings.extend(network::look(config, feed, &clock).await);
        findings.extend(buckets::look(config, &clock).await);
        Ok(())
    })?;
    let units: Vec<&Path> = unit::FOLDERS.iter().map(Path::new).collect();
    let needs =
        Needs { memory_bytes: config.pipeline.memory_bytes, folders: &folders, state_dir: &loaded.state_dir };
    findings.extend(unit::look(&units, loaded.file.as_deref(), config.stop_timeout, &needs));
    Ok(findings)
}

fn of_config(loaded: &Loaded) -> Vec<Finding> {
    let config = &loaded.config;
    let (feeds, disabled) = (config.feeds.len(), loaded.origins.disabled());
    let counts = format!("{feeds} feeds, {disabled} disabled, {} sinks", config.sinks.len());
    let read = match &loaded.file {
        Some(file) => Finding::ok("config", format!("{}: {counts}", file.display())),
        None => Finding::note("config", "no configuration file found: the built-in defaults are used")
            .with_hint("`feedmill config default` prints a file to start with"),
    };
    let warnings = loaded.warnings.iter().map(|warning| Finding::note("config", warning.to_string()));
    let none = (feeds == 0).then(|| {
        Finding::note("config", "no feeds are configured: nothing will be polled")
            .with_hint("`feedmill feeds add URL`, or [[feed]] tables, or include = [...]")
    });
    std::iter::once(read).chain(warnings).chain(none).collect()
}

/// Returns all folders that the daemon writes to.
fn folders_of(config: &Config) -> Vec<folders::Folder> {
    let store = crate::store::Store::file(&config.database).map(folders::Folder::of_store);
    let warc = config.warc.as_ref().map(|warc| folders::Folder::of("output.warc_dir", &warc.dir));
    let sinks = config.sinks.iter().filter_map(|sink| match sink.receiver.place()? {
        Place::Local(path) => Some(folders::Folder::of("sink", path)),
        Place::Objects(_) => None,
    });
    store.into_iter().chain(warc).chain(sinks).collect()
}
