//! `feedmill sinks`: how far each sink is, and what it is to deliver again.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use jiff::Timestamp;

use super::reextract::moment;
use super::{Global, block_on, table, terminal};
use crate::clock::Clock;
use crate::config::Config;
use crate::report::sinks::{self, Sink, Standing};
use crate::store::{SetAside, SinkStatus, Store};

/// Arguments of `sinks`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every sink with how far it is behind and its last error, and every record that was set aside
    List {
        /// One JSON object a line instead of tables
        #[arg(long)]
        json: bool,
    },
    /// Have a sink deliver again. Files are written over, each by the same records; receivers see the same ids again
    Replay {
        /// Its name in the configuration
        name: String,
        /// From this position on, or from the first record that was stored on this day (UTC) or at this time or later
        #[arg(long, value_name = "SEQ|DATE", value_parser = origin)]
        from: Origin,
    },
    /// Have a sink go on whose receiver wanted no more (410), or that rests after a failure
    Resume {
        /// Its name in the configuration
        name: String,
    },
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Position(i64),
    Moment(Timestamp),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        match &args.command {
            Command::List { json } => list(&config, &store, *json).await?,
            Command::Replay { name, from } => replay(&config, &store, name, *from).await?,
            Command::Resume { name } => {
                let status = status(&config, &store, name).await?;
                store.sink_replay(name, status.seq).await?;
                writeln!(terminal::stdout(), "{name} goes on after {}", status.seq)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Every configured sink.
pub(super) async fn look(config: &Config, store: &Store) -> anyhow::Result<Vec<Standing>> {
    Ok(sinks::look(config.sinks.iter().map(Sink::from), store, Clock::system().now()).await?)
}

async fn list(config: &Config, store: &Store, json: bool) -> anyhow::Result<()> {
    let (sinks, aside) = (look(config, store).await?, store.set_aside_list().await?);
    let mut out = terminal::stdout();
    if json {
        let sinks = sinks.iter().map(serde_json::to_string);
        for line in sinks.chain(aside.iter().map(serde_json::to_string)) {
            writeln!(out, "{}", line?)?;
        }
        return Ok(());
    }
    writeln!(out, "{}", table_of_sinks(&sinks))?;
    if !aside.is_empty() {
        writeln!(out, "\nSet aside:\n{}", table_of(&aside))?;
    }
    Ok(())
}

pub(super) fn table_of_sinks(sinks: &[Standing]) -> comfy_table::Table {
    let mut rows = table::new(["Sink", "Kind", "State", "Delivered", "Behind", "Oldest", "Last error"]);
    for sink in sinks {
        let status = sink.status();
        rows.add_row([
            sink.name().to_owned(),
            sink.kind().to_owned(),
            sink.state().to_owned(),
            status.map_or_else(String::new, |status| status.seq.to_string()),
            sink.behind().to_string(),
            format!("{} s", sink.behind_secs()),
            status.and_then(|status| status.error.clone()).unwrap_or_default(),
        ]);
    }
    rows
}

fn table_of(aside: &[SetAside]) -> comfy_table::Table {
    let mut rows = table::new(["Position", "By", "Since", "Reason"]);
    for record in aside {
        let by = if record.sink.is_empty() { "every reader" } else { &record.sink };
        let since = record.set_aside_at.strftime("%F %H:%M UTC").to_string();
        rows.add_row([record.seq.to_string(), by.to_owned(), since, record.reason.clone()]);
    }
    rows
}

async fn replay(config: &Config, store: &Store, name: &str, from: Origin) -> anyhow::Result<()> {
    status(config, store, name).await?;
    let before = match from {
        Origin::Position(seq) => seq - 1,
        Origin::Moment(moment) => store.outbox_before(moment).await?,
    };
    // A file is written again as a whole.
    let before = match store.sink_range_after(name, before).await? {
        Some(range) => before.min(range.first - 1),
        None => before,
    };
    let removed_through = store.removed_through().await?;
    if before < removed_through {
        bail!(
            "records up to {removed_through} were removed (keep_days), and files that hold them would lose them; hint: \
             --from {}",
            removed_through + 1
        );
    }
    store.sink_replay(name, before).await?;
    writeln!(terminal::stdout(), "{name} delivers again what comes after {before}")?;
    Ok(())
}

async fn status(config: &Config, store: &Store, name: &str) -> anyhow::Result<SinkStatus> {
    if !config.sinks.iter().any(|sink| sink.relay.name == name) {
        let names: Vec<&str> = config.sinks.iter().map(|sink| sink.relay.name.as_str()).collect();
        bail!("no [[sink]] is called {name:?}; hint: there are: {}", names.join(", "));
    }
    let known = store.sinks_list().await?;
    let Some(status) = known.into_iter().find(|status| status.name == name) else {
        bail!("{name} has delivered nothing yet; hint: it begins with the next `feedmill run` or `once`");
    };
    Ok(status)
}

fn origin(text: &str) -> Result<Origin, String> {
    match text.parse::<i64>() {
        Ok(seq) if seq >= 1 => Ok(Origin::Position(seq)),
        Ok(_) => Err("positions begin at 1".to_owned()),
        Err(_) => moment(text).map(Origin::Moment).map_err(|error| format!("{error}, or a position")),
    }
}
