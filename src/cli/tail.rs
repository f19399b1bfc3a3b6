//! `feedmill tail`: records as JSON lines, now or as they come.

use std::io::BufWriter;
use std::process::ExitCode;
use std::time::Duration;

use super::{Global, block_on, terminal};
use crate::clock::Clock;
use crate::publish::filter::{Criterion, Filter};
use crate::publish::lines::{self, Late, Selection};
use crate::store::Store;

/// How often a reader that follows looks for more: other processes store, and nothing wakes it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Begin after this position [default: with the last ten positions]
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// Go on with what is stored from now on, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only records that fit: feed, tag, host, language, event or flag, `!` before the value for those that do not. May be
    /// given several times
    #[arg(long, value_name = "CRITERION=VALUE", value_parser = criterion)]
    filter: Vec<(Criterion, String)>,
    /// Go on where records were removed (`keep_days`) before they were read
    #[arg(long)]
    skip_removed: bool,
}

/// Positions shown where no beginning is named.
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
            // Whoever follows is stopped by an interrupt: that is how it ends.
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
    let known = "feed, tag, host, language, event or flag";
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("must be CRITERION=VALUE, with {known}"))?;
    let criterion = Criterion::named(name).ok_or_else(|| format!("{name} is none of {known}"))?;
    // Said here already, where the command line is at hand.
    Filter::default().add(criterion, value)?;
    Ok((criterion, value.to_owned()))
}
