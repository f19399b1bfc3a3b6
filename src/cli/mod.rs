//! One file a subcommand. Results go to standard output, everything else to standard error.

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

const CONFIG_HELP: &str = "Configuration file [default: the first of ./feedmill.toml, \
$XDG_CONFIG_HOME/feedmill/feedmill.toml, /etc/feedmill/feedmill.toml; without any, the built-in defaults]";

/// The configuration cannot be used; clap exits likewise for a command line that cannot.
const BAD_CONFIG: u8 = 2;

/// Some inputs failed, the others are done; or the work was interrupted.
pub(crate) const DONE_IN_PART: u8 = 3;

/// How long the end of a subcommand waits for threads that are still busy with work that nobody wants any more.
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

/// The options that every subcommand takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    #[arg(long, global = true, value_name = "FILE", env = "FEEDMILL_CONFIG", help = CONFIG_HELP)]
    config: Option<PathBuf>,
    /// Form of the log lines, over what the configuration says
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Log more: -v debug, -vv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log warnings and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// What an owner of the store starts from.
pub(crate) struct Started {
    pub(crate) config: Config,
    /// The file that it was read from; `None` for the built-in defaults.
    pub(crate) file: Option<PathBuf>,
    /// What all of it was read from.
    pub(crate) sources: Sources,
    /// Where its feeds are configured.
    pub(crate) origins: Origins,
    /// For whoever will read the configuration anew: see [`Global::reload`].
    pub(crate) logs: Logs,
    /// To be kept until the work is done.
    pub(crate) traces: Traces,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run(run::Args),
    /// Poll every feed that is due, process what came, exit: for cron
    Once(once::Args),
    /// Show the whole mill at work on a small built-in news site; needs no network
    Demo(demo::Args),
    /// Print the clean text of a page
    Extract(extract::Args),
    /// Print what feeds say, one JSON object a file
    Parse(parse::Args),
    /// Find the copies among texts
    Dedup(dedup::Args),
    /// Check, show or print the configuration
    Config(config::Args),
    /// Look at the articles in the store, and at what changed in them
    Articles(articles::Args),
    /// Write the stored articles out as files or JSON lines
    Export(export::Args),
    /// Print records as JSON lines, the last few or as they come
    Tail(tail::Args),
    /// How the whole mill stands
    Status(status::Args),
    /// Ask the running daemon whether it is well: for containers and scripts
    Health(health::Args),
    /// Look at the entries that wait, were given up, or were quarantined
    Queue(queue::Args),
    /// Look at the sinks, and have them deliver again
    Sinks(sinks::Args),
    /// Read the kept pages anew with today's extractor and rules
    Reextract(reextract::Args),
    /// Try out rules for a site's pages
    Site(site::Args),
    /// Look at the feeds in the store
    Feeds(feeds::Args),
    /// Print the JSON Schema of the record, or the page about it
    Schema(schema::Args),
    /// Print the completions of a shell
    Completions(generate::Completions),
    /// Print the manual
    Man(generate::Man),
    /// Look at all that the mill stands on: configuration, store, disk, clock, network, service; say what to do
    Doctor(doctor::Args),
    /// Write the whole store into a file, while the daemon runs or not
    Backup(backup::Backup),
    /// Make the store from a backup, where there is none yet, in SQLite or PostgreSQL
    Restore(backup::Restore),
    /// Move the whole store from one place into another, SQLite or PostgreSQL, and compare both; a copy that was killed goes on
    Copy(copy::Args),
    /// Bring the store's schema up to date
    Migrate(migrate::Args),
}

impl Cli {
    /// Does what the command line asks. Errors are printed here and become the documented exit codes.
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
    /// Reads the configuration and starts the logs by it: for every subcommand that has to do with the operator's own
    /// mill. What the configuration warns of is logged.
    pub(crate) fn start(&self) -> anyhow::Result<Config> {
        let loaded = self.load()?;
        telemetry::start_logs(&loaded.config.log)?;
        Ok(with_warnings_logged(loaded))
    }

    /// The same, for whoever owns the store: makes the state directory, where the store is in it.
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

    /// Reads the configuration anew, and says what it was read from and where its feeds are configured. Either all of it is good,
    /// or the error says all that is not.
    pub(crate) fn reload(&self) -> Result<(Config, Sources, Origins), ConfigError> {
        let loaded = self.load()?;
        let (sources, origins) = (loaded.sources.clone(), loaded.origins.clone());
        Ok((with_warnings_logged(loaded), sources, origins))
    }

    /// Reads the configuration whenever it is called.
    pub(crate) fn loader(&self) -> impl Fn() -> Result<Loaded, ConfigError> + Send + Sync + 'static {
        let global = self.clone();
        move || global.load()
    }

    /// Reads the configuration, with what the command line says on top.
    fn load(&self) -> Result<Loaded, ConfigError> {
        let mut loaded = Config::load(self.config.as_deref(), &Environment::of_process())?;
        self.adjust(&mut loaded.config.log);
        Ok(loaded)
    }

    /// Puts what the command line says about logs on top of `log`.
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

/// Runs `work` on a runtime of its own: the subcommands that only compute never pay for one.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let done = runtime.block_on(work);
    // A drop would wait without limit for a page that is still being parsed.
    runtime.shutdown_timeout(BUSY_THREADS_GRACE);
    done
}

/// Whether the reader of our output has seen enough (`feedmill export | head`). A connection to the database or to a
/// host breaks like a pipe, but then nobody has left.
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

/// One TLS implementation for every crate; without a choice rustls would panic at the first connection.
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
