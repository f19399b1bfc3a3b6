//! `feedmill sinks`: lists the sinks, and replays or resumes one.

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
    /// List all sinks with their lag and last error, and all records that were set aside
    List {
        /// Print one JSON object per line instead of tables
        #[arg(long)]
        json: bool,
    },
    /// Deliver records of a sink again. Files are overwritten with the same records; receivers see the same ids again
    Replay {
        /// The sink's name in the configuration
        name: String,
        /// Start at this position, or at the first record stored on or after this day (UTC) or time
        #[arg(long, value_name = "SEQ|DATE", value_parser = origin)]
        from: Origin,
    },
    /// Resume a sink whose receiver refused further records (410), or that is waiting after a failure
    Resume {
        /// The sink's name in the configuration
        name: String,
    },
}

/// The start of a replay.
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
                writeln!(terminal::stdout(), "{name} resumes after {}", status.seq)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns the state of all configured sinks.
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
    // Files are rewritten as a whole, so start at the beginning of one.
    let before = match store.sink_range_after(name, before).await? {
        Some(range) => before.min(range.first - 1),
        None => before,
    };
    let removed_through = store.removed_through().await?;
    if before < removed_through {
        bail!(
            "records up to {removed_through} were removed (keep_days), and rewritten files would lack them; hint: \
             --from {}",
            removed_through + 1
        );
    }
    store.sink_replay(name, before).await?;
    writeln!(terminal::stdout(), "{name} will deliver the records after {before} again")?;
    Ok(())
}

async fn status(config: &Config, store: &Store, name: &str) -> anyhow::Result<SinkStatus> {
    if !config.sinks.iter().any(|sink| sink.relay.name == name) {
        let names: Vec<&str> = config.sinks.iter().map(|sink| sink.relay.name.as_str()).collect();
        bail!("no [[sink]] has the name {name:?}; hint: configured sinks: {}", names.join(", "));
    }
    let known = store.sinks_list().await?;
    let Some(status) = known.into_iter().find(|status| status.name == name) else {
        bail!("sink {name} has not started yet; hint: `feedmill run` or `feedmill once` starts it");
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
