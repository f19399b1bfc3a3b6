//! `feedmill export`: stored articles as files or JSON lines.

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
use crate::memory::Memory;
use crate::publish::filter::Filter;
use crate::publish::folder::Place;
use crate::publish::lines::{self, Late};
use crate::publish::relay::{Flush, Relay, Settings};
use crate::publish::text::{Selection, Trace};
use crate::publish::{Outward, Receiver};
use crate::store::{Beginning, Store};

/// How often the files in the folder are counted while they are written.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write clean texts as <SEQUENCE>_<HASH16>.txt into this folder, from where its last export ended
    #[arg(long, value_name = "DIR", required_unless_present = "format")]
    dir: Option<PathBuf>,
    /// Stream whole records to standard output
    #[arg(long, value_enum, conflicts_with = "dir")]
    format: Option<Format>,
    /// Copies of earlier articles become files too
    #[arg(long, requires = "dir")]
    with_duplicates: bool,
    /// Say what each text is, and which file it takes the place of: at its head, or in a .json file beside it
    #[arg(long, value_enum, value_name = "WHERE", requires = "dir", default_value_t)]
    trace: Trace,
    /// Remember in the store, under this name, how far the stream came, and go on from there
    #[arg(long, value_name = "NAME", requires = "format")]
    cursor: Option<String>,
    /// Stream the records after this position
    #[arg(long, value_name = "SEQ", requires = "format", conflicts_with = "cursor", default_value_t = 0)]
    after: i64,
    /// Go on where records were removed (`keep_days`) before they were read
    #[arg(long, requires = "format")]
    skip_removed: bool,
}

/// Form of a stream.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// One JSON object a line
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

/// Writes texts by way of a sink that lives as long as this call; its cursor stays, under the folder's name.
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
    let outward = Outward { clock, fetcher, memory: Memory::new(config.pipeline.memory_bytes) };
    let receiver = Receiver::Text { to: Place::Local(to), selection, trace: args.trace };
    let sink = receiver.open(&settings.name, &outward)?;
    let mut relay = Relay::open(store.clone(), settings, &outward, sink).await?;
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

/// Shows how many texts `dir` has gained.
fn show_files(dir: &Path) -> progress::Shown {
    let dir = dir.to_owned();
    let before = count_texts(&dir);
    progress::show_every(COUNT_EVERY, move || {
        let gained = count_texts(&dir).saturating_sub(before);
        format!("{gained} texts written to {}", dir.display())
    })
}

/// How many texts are in `dir`; one that cannot be listed shows none, and its export says why.
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
