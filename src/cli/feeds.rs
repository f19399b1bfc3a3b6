use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::bail;
use comfy_table::Table;
use jiff::{SpanRound, Timestamp, Unit};

use super::{Global, block_on, table};
use crate::clock::Clock;
use crate::config;
use crate::store::{FeedState, FeedStatus, Store};

/// Arguments of `feeds`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every feed with its next poll and its last error
    List {
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// All that is known of one feed
    Show {
        /// Its address, as configured or as it is polled now
        url: String,
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let clock = Clock::system();
    let feeds = block_on(async {
        let store = Store::open(&config.database, clock.clone()).await?;
        Ok(store.feeds_list().await?)
    })?;
    let mut out = io::stdout().lock();
    match &args.command {
        Command::List { json: true } => feeds.iter().try_for_each(|feed| write_json(&mut out, feed))?,
        Command::List { json: false } => writeln!(out, "{}", feeds_table(&feeds, clock.now()))?,
        Command::Show { url, json } => {
            let url = config::feed_url(url).map_err(anyhow::Error::msg)?;
            let Some(feed) = feeds.iter().find(|feed| feed.configured_url == url || feed.url == url) else {
                bail!(
                    "no feed {url} in the store; hint: a feed is there once the daemon has read it from the config"
                );
            };
            if *json {
                write_json(&mut out, feed)?;
            } else {
                write_details(&mut out, feed, clock.now())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_json(out: &mut impl Write, feed: &FeedStatus) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, feed)?;
    Ok(writeln!(out)?)
}

fn feeds_table(feeds: &[FeedStatus], now: Timestamp) -> Table {
    let mut table = table::new(["feed", "state", "entries", "next poll", "last error"]);
    for feed in feeds {
        let name = match &feed.title {
            Some(title) => format!("{}\n{}", plain(title), feed.configured_url),
            None => feed.configured_url.to_string(),
        };
        table.add_row([
            name,
            state(feed).to_owned(),
            feed.entries.to_string(),
            next_poll(feed, now),
            plain(feed.last_error.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn write_details(out: &mut impl Write, feed: &FeedStatus, now: Timestamp) -> io::Result<()> {
    let ago = |at: Option<Timestamp>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{at} ({} ago)", rough_time(at, now)))
    };
    let mut line = |name: &str, value: String| writeln!(out, "{name:>13}  {value}");
    line("feed", feed.configured_url.to_string())?;
    if feed.url != feed.configured_url {
        line("polled at", feed.url.to_string())?;
    }
    if let Some(title) = &feed.title {
        line("title", plain(title))?;
    }
    line("state", state(feed).to_owned())?;
    line("entries", feed.entries.to_string())?;
    line("last poll", ago(feed.last_polled_at))?;
    line("last success", ago(feed.last_success_at))?;
    line("next poll", next_poll(feed, now))?;
    if let Some(error) = &feed.last_error {
        line("failures", format!("{} in a row", feed.consecutive_failures))?;
        line("last error", plain(error))?;
    }
    Ok(())
}

fn state(feed: &FeedStatus) -> &'static str {
    match feed.state {
        FeedState::Active if feed.last_error.is_some() => "failing",
        FeedState::Active => "active",
        FeedState::Gone => "gone",
        FeedState::Quarantined => "quarantined",
        FeedState::Removed => "removed",
    }
}

/// When the next poll is and what decided it; a feed that is polled no more has none.
fn next_poll(feed: &FeedStatus, now: Timestamp) -> String {
    if feed.state != FeedState::Active {
        return "none".to_owned();
    }
    let when = if feed.next_poll_at <= now {
        "due".to_owned()
    } else {
        format!("in {}", rough_time(now, feed.next_poll_at))
    };
    let decision = feed.next_poll_decided_by.and_then(|decision| serde_json::to_value(decision).ok());
    match decision.as_ref().and_then(serde_json::Value::as_str) {
        Some(decision) => format!("{when} ({})", decision.replace('_', " ")),
        None => when,
    }
}

/// The time between two moments, to the minute, or to the second where it is short.
fn rough_time(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs();
    let smallest = if seconds < 120 { Unit::Second } else { Unit::Minute };
    let rounding = SpanRound::new().largest(Unit::Hour).smallest(smallest);
    let span = to.since(from).and_then(|span| span.round(rounding)).unwrap_or_default();
    format!("{span:#}")
}

/// Text from outside that moves no cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
