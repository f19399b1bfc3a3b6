//! `feedmill demo`: runs the whole pipeline on a small built-in news site.

mod report;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::{DONE_IN_PART, Global, block_on, progress};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::daemon::Daemon;
use crate::demo::DemoSites;
use crate::telemetry;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the configuration, the store and the clean texts in this new or empty folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let folder = Folder::new(args.keep.as_deref())?;
    block_on(async {
        tokio::select! {
            done = show(&folder, global) => done,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot listen for Ctrl-C")?;
                bail!("interrupted");
            }
        }
    })
}

/// The folder with the demo's configuration, store and texts.
struct Folder {
    path: PathBuf,
    /// Removes the folder when it is dropped.
    temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn new(keep: Option<&Path>) -> anyhow::Result<Self> {
        let Some(dir) = keep else {
            let temporary = tempfile::tempdir().context("cannot create a temporary folder")?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        let path = empty_folder(dir).with_context(|| format!("cannot keep the demo in {}", dir.display()))?;
        Ok(Self { path, temporary: None })
    }

    const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    fn config_file(&self) -> PathBuf {
        self.path.join("feedmill.toml")
    }

    fn texts(&self) -> PathBuf {
        self.path.join("texts")
    }
}

/// Returns the full path of `dir`, which is created if it is missing and must be empty.
fn empty_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    if fs::read_dir(dir)?.next().is_some() {
        bail!("the folder is not empty; hint: name a new one");
    }
    Ok(dir.canonicalize()?)
}

async fn show(folder: &Folder, global: &Global) -> anyhow::Result<ExitCode> {
    let sites = DemoSites::bind().await.context("cannot listen on the loopback interface")?;
    let mut out = io::stdout();
    writeln!(out, "A small news site listens on the loopback interface. The configuration:\n")?;
    let file = configuration(folder, &sites);
    writeln!(out, "{}", indented(&file))?;
    fs::write(folder.config_file(), &file).context("cannot write the configuration")?;
    // Ignore the environment, so that the operator's own settings do not apply.
    let loaded = Config::load(Some(&folder.config_file()), &Environment::default())?;
    let mut config = loaded.config;
    "warn".clone_into(&mut config.log.filter);
    global.adjust(&mut config.log);
    telemetry::start_logs(&config.log)?;
    let daemon = Daemon::open(config, Clock::system()).await?;

    let stop = CancellationToken::new();
    let shown = progress::show_mill(daemon.tally());
    let turned = async {
        let done = daemon.once(&stop).await;
        stop.cancel();
        done
    };
    let (served, turned) = tokio::join!(sites.serve(stop.clone()), turned);
    drop(shown);
    served.context("the news site failed")?;
    turned?;

    let went_well = report::print(daemon.store(), folder, &mut out).await?;
    daemon.store().close().await;
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

/// Returns a configuration as an operator would write it. By default the fetcher refuses loopback addresses and waits
/// between requests to one host: the configuration lifts both.
fn configuration(folder: &Folder, sites: &DemoSites) -> String {
    let database = folder.path.join("feedmill.db").display().to_string();
    // The database driver parses the path as part of a URL.
    let database = database.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    let allow: Vec<String> = sites.addresses().iter().map(ToString::to_string).collect();
    let head = format!(
        "[database]\nurl = {}\n\n[schedule]\ninitial_spread_secs = 0\n\n\
         [fetch]\nallow = {}\nhost_min_gap_ms = 0\n\n[[sink]]\nname = \"texts\"\ntext = {{ to = {} }}\n",
        toml::Value::from(format!("sqlite:{database}")),
        toml::Value::from(allow),
        toml::Value::from(folder.texts().display().to_string()),
    );
    sites.feeds().iter().fold(head, |config, feed| format!("{config}\n[[feed]]\nurl = \"{feed}\"\n"))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
