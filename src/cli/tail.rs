//! `feedmill tail`: prints records as JSON lines, the latest or as they are stored.

use std::io::BufWriter;
use std::process::ExitCode;
use std::time::Duration;

use super::{Global, block_on, terminal};
use crate::clock::Clock;
use crate::publish::filter::{Criterion, Filter};
use crate::publish::lines::{self, Late, Selection};
use crate::store::Store;

/// Polling interval of `--follow`: other processes write to the store, and nothing notifies this one.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start after this position [default: show the last ten positions]
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// Keep printing new records as they are stored, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only records that match: feed, tag, host, language, event or flags; `!` before the value negates it. May be given several
    /// times
    #[arg(long, value_name = "CRITERION=VALUE", value_parser = criterion)]
    filter: Vec<(Criterion, String)>,
    /// Continue even if records were removed (`keep_days`) before they were read
    #[arg(long)]
    skip_removed: bool,
}

/// Number of positions shown without `--after`.
const LAST_FEW: i64 = 10;

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let mut filter = Filter::default();
    for (criterion, value) in &args.filter {
        filter.add(*criterion, value).map_err(anyhow::Error::msg)?;
    }
    block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        tokio::select! {
            done = print(args, &store, &filter) => done?,
            // With --follow, an interrupt is the normal end.
            interrupted = tokio::signal::ctrl_c(), if args.follow => interrupted?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn print(args: &Args, store: &Store, filter: &Filter) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::stdout());
    let mut late = if args.skip_removed { Late::Skip } else { Late::Stop };
    let mut after = if let Some(after) = args.after {
        after
    } else {
        late = Late::Skip;
        (store.last_seq().await? - LAST_FEW).max(0)
    };
    loop {
        let selection = Selection { after, late, filter };
        after = lines::stream(store, selection, &mut out, async |_, _| Ok(())).await?;
        if !args.follow {
            return Ok(());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn criterion(text: &str) -> Result<(Criterion, String), String> {
    let known = "feed, tag, host, language, event or flags";
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("must be CRITERION=VALUE, where CRITERION is {known}"))?;
    let criterion =
        Criterion::named(name).ok_or_else(|| format!("unknown criterion {name}: must be {known}"))?;
    // Validate the value here, so that the error is one of the command line.
    Filter::default().add(criterion, value)?;
    Ok((criterion, value.to_owned()))
}
