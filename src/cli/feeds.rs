use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use comfy_table::Table;
use jiff::{SpanRound, Timestamp, Unit};
use url::Url;

use super::known::Known;
use super::terminal::plain;
use super::{DONE_IN_PART, Global, block_on, discover, import, opml, table, terminal};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::model::{FeedId, masked};
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
    /// The feeds of a site, each fetched and read: address, entries and title, tab-separated
    Discover {
        /// A page of the site, or its bare host
        url: String,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take over the feeds of another reader, as tables for a file that the configuration includes
    Import {
        /// OPML, or a list of addresses, one a line
        #[arg(value_name = "FILE")]
        list: PathBuf,
        /// The TOML file to add them to; what it holds stays [default: standard output]
        #[arg(long, value_name = "FILE.toml")]
        to: Option<PathBuf>,
    },
    /// The feeds as OPML, for other readers or another feedmill
    Export,
    /// Let quarantined feeds be polled again, and print them. A feed is quarantined when the process died on it each time.
    /// One that answered 410 (gone) is polled again when it is named
    Release {
        /// Their addresses, as configured or as they are polled now [default: all that are quarantined]
        #[arg(value_name = "URL")]
        urls: Vec<String>,
        /// All quarantined entries instead; only their number is said
        #[arg(long, conflicts_with = "urls")]
        entries: bool,
    },
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    match &args.command {
        Command::List { json } => list(&config, *json),
        Command::Show { url, json } => show(&config, url, *json),
        Command::Discover { url, json } => {
            let url = if url.contains(':') { url.clone() } else { format!("https://{url}/") };
            discover::run(&feed_url(&url)?, *json, &config)
        }
        Command::Import { list, to } => import::run(list, to.as_deref(), &global.load()?),
        Command::Export => export(&config),
        Command::Release { entries: true, .. } => release_entries(&config),
        Command::Release { urls, entries: false } => release(&config, urls),
    }
}

fn list(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let feeds = known(config)?;
    let mut out = terminal::stdout();
    if json {
        feeds.iter().try_for_each(|feed| write_json(&mut out, feed))?;
    } else {
        writeln!(out, "{}", feeds_table(&feeds, Clock::system().now()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, url: &str, json: bool) -> anyhow::Result<ExitCode> {
    let url = feed_url(url)?;
    let feeds = known(config)?;
    let Some(feed) = feeds.iter().find(|feed| feed.is_at(&url)) else {
        bail!(
            "no feed {} in the store; hint: a feed is there once the daemon has read it from the config",
            masked(&url)
        );
    };
    let mut out = terminal::stdout();
    if json {
        write_json(&mut out, feed)?;
    } else {
        write_details(&mut out, feed, Clock::system().now())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn export(config: &Config) -> anyhow::Result<ExitCode> {
    let mut feeds = known(config)?;
    feeds.retain(|feed| feed.status.state != FeedState::Removed);
    let mut out = terminal::stdout();
    opml::write(&mut out, &feeds)?;
    Ok(ExitCode::SUCCESS)
}

fn release(config: &Config, urls: &[String]) -> anyhow::Result<ExitCode> {
    let urls: Vec<Url> = urls.iter().map(|url| feed_url(url)).collect::<anyhow::Result<_>>()?;
    let mut quarantined = known(config)?;
    quarantined.retain(|feed| match feed.status.state {
        FeedState::Quarantined => true,
        FeedState::Gone => !urls.is_empty(),
        FeedState::Active | FeedState::Removed => false,
    });
    let mut all_found = true;
    for url in urls.iter().filter(|url| !quarantined.iter().any(|feed| feed.is_at(url))) {
        let url = masked(url);
        eprintln!("{url}: not among the feeds that are quarantined or gone");
        all_found = false;
    }
    quarantined.retain(|feed| urls.is_empty() || urls.iter().any(|url| feed.is_at(url)));
    let ids: Vec<FeedId> = quarantined.iter().map(|feed| feed.status.id).collect();
    let released = block_on(async {
        let store = Store::open(&config.database, Clock::system()).await?;
        Ok(store.feeds_release_quarantined(&ids).await?)
    })?;
    tracing::info!(feeds = released, "released");
    let mut out = terminal::stdout();
    for feed in &quarantined {
        writeln!(out, "{}", masked(&feed.status.configured_url))?;
    }
    Ok(if all_found { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

fn release_entries(config: &Config) -> anyhow::Result<ExitCode> {
    let released = block_on(async {
        let store = Store::open(&config.database, Clock::system()).await?;
        let quarantined = store.entries_quarantined().await?;
        Ok(store.entries_release_quarantined(&quarantined).await?)
    })?;
    tracing::info!(entries = released, "released");
    Ok(ExitCode::SUCCESS)
}

/// The feeds in the store.
fn known(config: &Config) -> anyhow::Result<Vec<Known<'_>>> {
    let listed = block_on(async {
        let store = Store::open(&config.database, Clock::system()).await?;
        Ok(store.feeds_list().await?)
    })?;
    let known = |status: FeedStatus| {
        let options = config.feeds.get(&status.configured_url);
        Known { tags: options.map_or(&[], |options| options.tags.as_slice()), status }
    };
    Ok(listed.into_iter().map(known).collect())
}

fn feed_url(text: &str) -> anyhow::Result<Url> {
    config::feed_url(text).map_err(anyhow::Error::msg)
}

fn write_json(out: &mut impl Write, feed: &Known<'_>) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, feed)?;
    Ok(writeln!(out)?)
}

fn feeds_table(feeds: &[Known<'_>], now: Timestamp) -> Table {
    let mut table = table::new(["feed", "state", "entries", "next poll", "last error"]);
    for Known { status: feed, .. } in feeds {
        let name = match &feed.title {
            Some(title) => format!("{}\n{}", plain(title), masked(&feed.configured_url)),
            None => masked(&feed.configured_url).into(),
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

fn write_details(out: &mut impl Write, known: &Known<'_>, now: Timestamp) -> io::Result<()> {
    let feed = &known.status;
    let ago = |at: Option<Timestamp>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{at} ({} ago)", rough_time(at, now)))
    };
    let mut line = |name: &str, value: String| writeln!(out, "{name:>13}  {value}");
    line("feed", masked(&feed.configured_url).into())?;
    if feed.url != feed.configured_url {
        line("polled at", masked(&feed.url).into())?;
    }
    if let Some(title) = &feed.title {
        line("title", plain(title))?;
    }
    let info = feed.info.as_ref();
    if let Some(site) = info.and_then(|info| info.link.as_deref()) {
        line("site", plain(site))?;
    }
    if let Some(language) = info.and_then(|info| info.language.as_deref()) {
        line("language", plain(language))?;
    }
    if !known.tags.is_empty() {
        line("tags", plain(&known.tags.join(", ")))?;
    }
    line("state", state(feed).to_owned())?;
    line("entries", feed.entries.to_string())?;
    line("last poll", ago(feed.last_polled_at))?;
    line("last success", ago(feed.last_success_at))?;
    line("next poll", next_poll(feed, now))?;
    if let Some(until) = feed.delivered_until.filter(|until| now < *until) {
        line("delivered", format!("by its hub until {until}"))?;
    }
    if let Some(error) = &feed.last_error {
        line("failures", format!("{} in a row", feed.consecutive_failures))?;
        line("last error", plain(error))?;
    }
    for warning in &feed.warnings {
        line("warning", plain(warning))?;
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
