//! The command line, one file per subcommand. Results go to standard output, everything else to standard error.

mod added;
mod articles;
mod backup;
mod config;
mod copy;
mod dedup;
mod demo;
mod discover;
mod doctor;
mod export;
mod extract;
mod feeds;
mod generate;
mod health;
mod import;
mod migrate;
mod once;
mod opml;
mod parse;
mod progress;
mod queue;
mod reextract;
mod run;
mod schema;
mod sinks;
mod site;
mod status;
mod table;
mod tail;
mod terminal;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tracing::{debug, warn};

use crate::config::{Config, ConfigError, Environment, Loaded, LogFormat, LogSettings, Origins, Sources};
use crate::daemon::DaemonError;
use crate::fetch::FetchError;
use crate::publish::PublishError;
use crate::store::StoreError;
use crate::telemetry::traces::Traces;
use crate::telemetry::{self, Logs};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the reason is on standard error
  2  bad command line or configuration: nothing was started
  3  done in part: some inputs failed, each named on standard error, or it was interrupted";

/// Where a configuration file is searched for.
pub(crate) const CONFIG_PLACES: &str =
    "./feedmill.toml, $XDG_CONFIG_HOME/feedmill/feedmill.toml, /etc/feedmill/feedmill.toml";

fn config_help() -> String {
    format!("Configuration file [default: the first of {CONFIG_PLACES}; without any, the built-in defaults]")
}

/// The configuration is invalid; clap uses the same code for an invalid command line.
const BAD_CONFIG: u8 = 2;

/// Some inputs failed, or the work was interrupted.
pub(crate) const DONE_IN_PART: u8 = 3;

/// How long a subcommand waits at its end for threads whose work is no longer needed.
const BUSY_THREADS_GRACE: Duration = Duration::from_secs(1);

/// Turns RSS, Atom and JSON feeds into clean, deduplicated article text.
#[derive(Debug, Parser)]
#[command(name = "feedmill", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The options common to all subcommands.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    #[arg(long, global = true, value_name = "FILE", env = "FEEDMILL_CONFIG", help = config_help())]
    config: Option<PathBuf>,
    /// Format of the log lines, overriding the configuration
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Log more: -v debug, -vv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log warnings and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// What a subcommand that owns the store starts with.
pub(crate) struct Started {
    pub(crate) config: Config,
    /// The configuration file; `None` for the built-in defaults.
    pub(crate) file: Option<PathBuf>,
    /// The files and folders that the configuration was read from.
    pub(crate) sources: Sources,
    /// Where the feeds are configured.
    pub(crate) origins: Origins,
    /// Needed to reload the configuration: see [`Global::reload`].
    pub(crate) logs: Logs,
    /// Must be kept alive until the work is done.
    pub(crate) traces: Traces,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run(run::Args),
    /// Poll every feed that is due, process the new entries, exit: for cron
    Once(once::Args),
    /// Run the whole pipeline on a small built-in news site; needs no network
    Demo(demo::Args),
    /// Print the clean text of a page
    Extract(extract::Args),
    /// Print the contents of feeds, one JSON object per file
    Parse(parse::Args),
    /// Find duplicates among texts
    Dedup(dedup::Args),
    /// Check, show or print the configuration
    Config(config::Args),
    /// List the stored articles, show one, or compare its revisions
    Articles(articles::Args),
    /// Export the stored articles as files or JSON lines
    Export(export::Args),
    /// Print records as JSON lines, the latest or as they are stored
    Tail(tail::Args),
    /// Show the state of the store, its sinks and its processes
    Status(status::Args),
    /// Check the health of the running daemon: for containers and scripts
    Health(health::Args),
    /// List the entries that are pending, failed, quarantined or left out
    Queue(queue::Args),
    /// List the sinks, replay or resume one
    Sinks(sinks::Args),
    /// Extract the kept pages again with the current extractor and rules
    Reextract(reextract::Args),
    /// Try out rules for a site's pages
    Site(site::Args),
    /// List, add, change and poll feeds
    Feeds(feeds::Args),
    /// Print the JSON Schema of the record, or its documentation
    Schema(schema::Args),
    /// Print the completions for a shell
    Completions(generate::Completions),
    /// Print the manual page
    Man(generate::Man),
    /// Check the configuration, store, disk, clock, network and service; say what to do
    Doctor(doctor::Args),
    /// Write the whole store to a file, whether or not the daemon runs
    Backup(backup::Backup),
    /// Create the store from a backup, if there is none yet, in SQLite or PostgreSQL
    Restore(backup::Restore),
    /// Copy the whole store to another place, SQLite or PostgreSQL, and compare both; an interrupted copy is continued
    Copy(copy::Args),
    /// Update the store's schema
    Migrate(migrate::Args),
}

impl Cli {
    /// Runs the command. Prints errors and converts them to the documented exit codes.
    pub fn main(self) -> ExitCode {
        let done = install_crypto().and_then(|()| self.run());
        done.unwrap_or_else(|error| {
            if reader_has_left(&error) {
                return ExitCode::SUCCESS;
            }
            if error.is::<ConfigError>() {
                eprintln!("{}", terminal::visible(&error.to_string()));
                return ExitCode::from(BAD_CONFIG);
            }
            eprintln!("error: {}", terminal::visible(&terminal::causes(&error)));
            ExitCode::FAILURE
        })
    }

    fn run(self) -> anyhow::Result<ExitCode> {
        let global = &self.global;
        match &self.command {
            Command::Run(args) => run::run(args, global),
            Command::Once(args) => once::run(args, global),
            Command::Demo(args) => demo::run(args, global),
            Command::Extract(args) => extract::run(args, global),
            Command::Parse(args) => parse::run(args),
            Command::Dedup(args) => dedup::run(args, global),
            Command::Config(args) => config::run(args, global),
            Command::Articles(args) => articles::run(args, global),
            Command::Export(args) => export::run(args, global),
            Command::Tail(args) => tail::run(args, global),
            Command::Status(args) => status::run(args, global),
            Command::Health(args) => health::run(args, global),
            Command::Queue(args) => queue::run(args, global),
            Command::Sinks(args) => sinks::run(args, global),
            Command::Reextract(args) => reextract::run(args, global),
            Command::Site(args) => site::run(args, global),
            Command::Feeds(args) => feeds::run(args, global),
            Command::Schema(args) => schema::run(args),
            Command::Completions(args) => generate::completions(args),
            Command::Man(args) => generate::man(args),
            Command::Doctor(args) => doctor::run(args, global),
            Command::Backup(args) => backup::backup(args, global),
            Command::Restore(args) => backup::restore(args, global),
            Command::Copy(args) => copy::run(args, global),
            Command::Migrate(args) => migrate::run(args, global),
        }
    }
}

impl Global {
    /// Loads the configuration, starts logging and logs the configuration's warnings. For subcommands that work with the
    /// operator's own configuration.
    pub(crate) fn start(&self) -> anyhow::Result<Config> {
        let loaded = self.load()?;
        telemetry::start_logs(&loaded.config.log)?;
        Ok(with_warnings_logged(loaded))
    }

    /// Like [`Global::start`], for subcommands that own the store: also starts traces, and creates the state directory if the
    /// store is in it.
    pub(crate) fn start_owner(&self) -> anyhow::Result<Started> {
        let loaded = self.load()?;
        let (logs, traces) = telemetry::start(&loaded.config.log, loaded.config.traces.as_ref())?;
        if let Some(dir) = &loaded.config.state_dir {
            fs::create_dir_all(dir)
                .with_context(|| format!("cannot make the state directory {}", dir.display()))?;
        }
        let (file, sources) = (loaded.file.clone(), loaded.sources.clone());
        let origins = loaded.origins.clone();
        Ok(Started { config: with_warnings_logged(loaded), file, sources, origins, logs, traces })
    }

    /// Reloads the configuration; also returns its sources and the origins of its feeds. On failure the error lists
    /// all problems.
    pub(crate) fn reload(&self) -> Result<(Config, Sources, Origins), ConfigError> {
        let loaded = self.load()?;
        let (sources, origins) = (loaded.sources.clone(), loaded.origins.clone());
        Ok((with_warnings_logged(loaded), sources, origins))
    }

    /// Returns a function that loads the configuration on each call.
    pub(crate) fn loader(&self) -> impl Fn() -> Result<Loaded, ConfigError> + Send + Sync + 'static {
        let global = self.clone();
        move || global.load()
    }

    /// Loads the configuration and applies the command line's options.
    fn load(&self) -> Result<Loaded, ConfigError> {
        let mut loaded = Config::load(self.config.as_deref(), &Environment::of_process())?;
        self.adjust(&mut loaded.config.log);
        Ok(loaded)
    }

    /// Applies the command line's log options to `log`.
    fn adjust(&self, log: &mut LogSettings) {
        log.format = self.log_format.unwrap_or(log.format);
        match self.verbose {
            0 if self.quiet => "warn".clone_into(&mut log.filter),
            0 => {}
            1 => log.filter.push_str(",feedmill=debug"),
            _ => log.filter.push_str(",feedmill=trace"),
        }
    }
}

fn with_warnings_logged(loaded: Loaded) -> Config {
    if let Some(file) = &loaded.file {
        debug!(file = %file.display(), feeds = loaded.config.feeds.len(), "configuration read");
    } else {
        debug!("no configuration file found: the defaults are used");
    }
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    loaded.config
}

/// Runs `work` on a new runtime, so that subcommands that only compute do not start one.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let done = runtime.block_on(work);
    // Dropping the runtime would wait without limit for a page that is still being parsed.
    runtime.shutdown_timeout(BUSY_THREADS_GRACE);
    done
}

/// Returns whether the reader of our output has closed the pipe (`feedmill export | head`). A broken connection to the
/// database or a host is the same kind of error, but does not count.
fn reader_has_left(error: &anyhow::Error) -> bool {
    let is_of_a_connection = error.is::<StoreError>()
        || error.is::<FetchError>()
        || error.is::<DaemonError>()
        || matches!(error.downcast_ref(), Some(PublishError::Store(_)));
    let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        let of_json = || cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind).or_else(of_json);
        kind == Some(io::ErrorKind::BrokenPipe)
    };
    !is_of_a_connection && error.chain().any(is_broken_pipe)
}

/// Installs one TLS implementation for all crates; without it rustls would panic at the first connection.
fn install_crypto() -> anyhow::Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS implementation is installed already");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_pipe() -> io::Error {
        io::ErrorKind::BrokenPipe.into()
    }

    #[test]
    fn a_closed_pipe_is_found_wherever_it_stands() {
        let of_json = serde_json::Error::io(broken_pipe());
        let of_a_file = || PublishError::File {
            action: "cannot write to",
            path: "the output".to_owned(),
            source: broken_pipe(),
        };
        let errors = [
            anyhow::Error::new(broken_pipe()),
            anyhow::Error::new(broken_pipe()).context("cannot write to standard output"),
            anyhow::Error::new(PublishError::Json { seq: 1, source: of_json }),
            anyhow::Error::new(of_a_file()).context("one").context("two"),
        ];
        for error in errors {
            assert!(reader_has_left(&error), "{error:?}");
        }
    }

    #[test]
    fn a_broken_connection_is_no_reader_that_left() {
        let lost = || StoreError::Database(sqlx::Error::Io(broken_pipe()));
        let errors = [
            anyhow::Error::new(lost()),
            anyhow::Error::new(lost()).context("one"),
            anyhow::Error::new(PublishError::Store(lost())),
            anyhow::Error::new(DaemonError::Store(lost())),
            anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull)),
        ];
        for error in errors {
            assert!(!reader_has_left(&error), "{error:?}");
        }
    }
}
