//! `feedmill export`: exports stored articles as files or JSON lines.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Global, block_on, progress, terminal};
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::memory::Parts;
use crate::publish::filter::Filter;
use crate::publish::folder::Place;
use crate::publish::lines::{self, Late};
use crate::publish::relay::{Flush, Relay, Settings};
use crate::publish::text::{Selection, Trace};
use crate::publish::{Configured, Outward, Receiver};
use crate::store::{Beginning, Store};

/// How often the files in the folder are counted for the progress line.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write clean texts as <SEQUENCE>_<HASH16>.txt to this folder, continuing after its last export
    #[arg(long, value_name = "DIR", required_unless_present = "format")]
    dir: Option<PathBuf>,
    /// Stream whole records to standard output
    #[arg(long, value_enum, conflicts_with = "dir")]
    format: Option<Format>,
    /// Also write copies of earlier articles
    #[arg(long, requires = "dir")]
    with_duplicates: bool,
    /// Write each text's origin and the file that it replaces: at its head, or in a .json file next to it
    #[arg(long, value_enum, value_name = "WHERE", requires = "dir", default_value_t)]
    trace: Trace,
    /// Continue where the last stream with this name ended; the position is kept in the store
    #[arg(long, value_name = "NAME", requires = "format")]
    cursor: Option<String>,
    /// Stream the records after this position
    #[arg(long, value_name = "SEQ", requires = "format", conflicts_with = "cursor", default_value_t = 0)]
    after: i64,
    /// Continue even if records were removed (`keep_days`) before they were read
    #[arg(long, requires = "format")]
    skip_removed: bool,
}

/// Format of a stream.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// One JSON object per line
    Jsonl,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        match &args.dir {
            Some(dir) => texts(args, dir, &store, &config).await?,
            None => stream(args, &store).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes texts through a temporary sink. Its cursor, named after the folder, stays in the store.
async fn texts(args: &Args, dir: &Path, store: &Store, config: &Config) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let to = dir.canonicalize().with_context(|| format!("cannot find {}", dir.display()))?;
    let (selection, of_what) = if args.with_duplicates {
        (Selection::WithDuplicates, "all")
    } else {
        (Selection::Originals, "originals")
    };
    let settings = Settings {
        name: format!("export:{of_what}:{}", to.display()),
        from: Beginning::Start,
        pause: false,
        filter: Filter::default(),
    };
    let name = settings.name.clone();
    let clock = Clock::system();
    let (_fetcher, fetcher) = watch::channel(Fetcher::new(config.fetch.clone(), clock.clone())?);
    let outward = Outward { clock, fetcher, memory: Parts::new(config.pipeline.memory_bytes) };
    let receiver = Receiver::Text { to: Place::Local(to), selection, trace: args.trace };
    let sink = Configured { relay: settings, receiver };
    // A folder that cannot be opened is an error of this command, and no failure of the sink that a later call would wait for.
    sink.open(&outward).await?;
    let mut relay = Relay::open(store.clone(), sink, outward).await?;
    let shown = show_files(dir);
    let drained = relay.drain(Flush::All, &CancellationToken::new()).await;
    relay.give_back().await;
    drop(shown);
    drained?;
    let sinks = store.sinks_list().await?;
    if let Some(error) = sinks.into_iter().find(|sink| sink.name == name).and_then(|sink| sink.error) {
        bail!(error);
    }
    tracing::info!(dir = %dir.display(), "exported");
    Ok(())
}

/// Shows how many texts were added to `dir`.
fn show_files(dir: &Path) -> progress::Shown {
    let dir = dir.to_owned();
    let before = count_texts(&dir);
    progress::show_every(COUNT_EVERY, move || {
        let gained = count_texts(&dir).saturating_sub(before);
        format!("{gained} texts written to {}", dir.display())
    })
}

/// Counts the texts in `dir`; 0 if it cannot be listed, which the export itself reports.
fn count_texts(dir: &Path) -> usize {
    let is_text =
        |entry: &fs::DirEntry| Path::new(&entry.file_name()).extension().is_some_and(|ext| ext == "txt");
    fs::read_dir(dir).map_or(0, |entries| entries.flatten().filter(is_text).count())
}

async fn stream(args: &Args, store: &Store) -> anyhow::Result<()> {
    let after = match &args.cursor {
        Some(name) => store.cursor_get(&consumer(name)).await?,
        None => args.after,
    };
    let mut out = BufWriter::new(terminal::stdout());
    let late = if args.skip_removed { Late::Skip } else { Late::Stop };
    let filter = Filter::default();
    let selection = lines::Selection { after, late, filter: &filter };
    let mut records = 0;
    lines::stream(store, selection, &mut out, async |seq, written| {
        records += written;
        if let Some(name) = &args.cursor {
            store.cursor_set(&consumer(name), seq).await?;
        }
        Ok(())
    })
    .await?;
    tracing::info!(records, "exported");
    Ok(())
}

fn consumer(name: &str) -> String {
    format!("export:{name}")
}
