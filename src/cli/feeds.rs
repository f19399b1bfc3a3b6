use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use comfy_table::Table;
use jiff::Timestamp;
use url::Url;

use super::added;
use super::terminal::plain;
use super::{DONE_IN_PART, Global, Started, block_on, discover, import, once, opml, table, terminal};
use crate::clock::Clock;
use crate::config::{self, Config, FeedChange};
use crate::daemon::DaemonError;
use crate::model::{FeedId, after, masked};
use crate::report::feeds::next_poll;
use crate::report::rough_time;
use crate::store::{FeedHealth, FeedState, FeedStatus, Store, StoreError};

/// Arguments of `feeds`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List all feeds with their next poll and last error
    List {
        /// Only feeds that are failing, gone or quarantined
        #[arg(long)]
        failing: bool,
        /// Print one JSON object per line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show everything known about one feed
    Show {
        /// The feed's URL, as configured or as it is polled now
        url: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Add feeds to the configuration's file of added feeds (`added_feeds`)
    Add {
        /// URLs of the feeds; `feeds discover` finds those of a site
        #[arg(value_name = "URL", required = true)]
        urls: Vec<String>,
        /// A tag for the feeds; may be repeated
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
    },
    /// Stop polling a feed, and keep its stored data
    Pause {
        /// The feed's URL, as configured
        url: String,
    },
    /// Poll a paused feed again
    Resume {
        /// The feed's URL, as configured
        url: String,
    },
    /// Remove an added feed from the file
    Remove {
        /// The feed's URL, as configured
        url: String,
    },
    /// Poll feeds now, regardless of their schedule. A running daemon does so within seconds
    Poll {
        /// URLs of the feeds, as configured or as they are polled now
        #[arg(value_name = "URL", required_unless_present = "all")]
        urls: Vec<String>,
        /// Poll every feed
        #[arg(long, conflicts_with = "urls")]
        all: bool,
    },
    /// Find the feeds of a site, fetching each one: prints URL, number of entries and title, tab-separated
    Discover {
        /// A page of the site, or its bare host
        url: String,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Import the feeds of another reader, as tables for a file that the configuration includes
    Import {
        /// OPML, or a list of URLs, one per line
        #[arg(value_name = "FILE")]
        list: PathBuf,
        /// The TOML file to append them to [default: standard output]
        #[arg(long, value_name = "FILE.toml")]
        to: Option<PathBuf>,
    },
    /// Export the feeds as OPML, for other readers or another feedmill
    Export,
    /// Release quarantined feeds for polling, and print them. A feed is quarantined if the process died on it repeatedly.
    /// One that answered 410 (gone) is released if it is named
    Release {
        /// URLs of the feeds, as configured or as they are polled now [default: all quarantined feeds]
        #[arg(value_name = "URL")]
        urls: Vec<String>,
        /// Release all quarantined entries instead; only their number is reported
        #[arg(long, conflicts_with = "urls")]
        entries: bool,
    },
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let start = || global.start();
    match &args.command {
        Command::List { failing, json } => list(&start()?, *failing, *json),
        Command::Show { url, json } => show(&start()?, url, *json),
        Command::Add { urls, tag } => {
            let urls: Vec<Url> = urls.iter().map(|url| feed_url(url)).collect::<anyhow::Result<_>>()?;
            added::add(&urls, tag, global)
        }
        Command::Pause { url } => added::change(FeedChange::Pause, &feed_url(url)?, global),
        Command::Resume { url } => added::change(FeedChange::Resume, &feed_url(url)?, global),
        Command::Remove { url } => added::change(FeedChange::Remove, &feed_url(url)?, global),
        Command::Poll { urls, .. } => {
            let Started { config, traces: _traces, .. } = global.start_owner()?;
            poll(config, urls)
        }
        Command::Discover { url, json } => {
            let url = if url.contains(':') { url.clone() } else { format!("https://{url}/") };
            discover::run(&feed_url(&url)?, *json, &start()?)
        }
        Command::Import { list, to } => {
            start()?;
            import::run(list, to.as_deref(), &global.load()?)
        }
        Command::Export => export(&start()?),
        Command::Release { entries: true, .. } => release_entries(&start()?),
        Command::Release { urls, entries: false } => release(&start()?, urls),
    }
}

fn list(config: &Config, failing: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut feeds = known(config)?;
    let fails = |health| matches!(health, FeedHealth::Failing | FeedHealth::Gone | FeedHealth::Quarantined);
    feeds.retain(|feed| !failing || fails(feed.health));
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
    let Some(feed) = feeds.iter().find(|feed| is_at(feed, &url)) else {
        bail!(
            "no feed {} in the store; hint: the daemon stores it once it has read it from the configuration",
            masked(&url)
        );
    };
    let mut out = terminal::stdout();
    if json {
        write_json(&mut out, feed)?;
    } else {
        let options = config.feeds.get(&feed.configured_url);
        let aim = options.and_then(|options| options.bounds.freshness);
        write_details(&mut out, feed, aim, Clock::system().now())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn export(config: &Config) -> anyhow::Result<ExitCode> {
    let mut feeds = known(config)?;
    feeds.retain(|feed| feed.state != FeedState::Removed);
    let mut out = terminal::stdout();
    opml::write(&mut out, &feeds)?;
    Ok(ExitCode::SUCCESS)
}

/// Polls feeds by a daemon that runs on the store, else in this process.
fn poll(config: Config, urls: &[String]) -> anyhow::Result<ExitCode> {
    let urls: Vec<Url> = urls.iter().map(|url| feed_url(url)).collect::<anyhow::Result<_>>()?;
    let (database, stop_timeout) = (config.database.clone(), config.stop_timeout);
    block_on(async {
        match once::open(config).await {
            Ok(daemon) => {
                make_due(daemon.store(), &urls).await?;
                once::turn(daemon, stop_timeout).await
            }
            Err(DaemonError::Store(StoreError::Running { .. })) => {
                let store = Store::visit(&database, Clock::system()).await?;
                let feeds = make_due(&store, &urls).await?;
                tracing::info!(feeds, "the running daemon polls them within seconds");
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => Err(error.into()),
        }
    })
}

/// Makes the named feeds due, or all if none is named; returns their number.
async fn make_due(store: &Store, urls: &[Url]) -> anyhow::Result<u64> {
    let feeds = store.feeds_list().await?;
    let mut ids = Vec::new();
    for url in urls {
        match feeds.iter().find(|feed| is_at(feed, url)) {
            Some(feed) if feed.state == FeedState::Active => ids.push(feed.id),
            Some(feed) => bail!(
                "cannot poll {0}: it is {1}; hint: if it is gone or quarantined, `feedmill feeds release {0}`",
                masked(url),
                feed.health.as_str()
            ),
            None => bail!(
                "no feed {} in the store; hint: add it to the configuration, and reload the daemon if it runs",
                masked(url)
            ),
        }
    }
    if urls.is_empty() {
        ids.extend(feeds.iter().map(|feed| feed.id));
    }
    Ok(store.feeds_make_due(&ids).await?)
}

fn release(config: &Config, urls: &[String]) -> anyhow::Result<ExitCode> {
    let urls: Vec<Url> = urls.iter().map(|url| feed_url(url)).collect::<anyhow::Result<_>>()?;
    let mut quarantined = known(config)?;
    quarantined.retain(|feed| match feed.state {
        FeedState::Quarantined => true,
        FeedState::Gone => !urls.is_empty(),
        FeedState::Active | FeedState::Removed => false,
    });
    let mut all_found = true;
    for url in urls.iter().filter(|url| !quarantined.iter().any(|feed| is_at(feed, url))) {
        let url = masked(url);
        eprintln!("{url}: not a quarantined or gone feed");
        all_found = false;
    }
    quarantined.retain(|feed| urls.is_empty() || urls.iter().any(|url| is_at(feed, url)));
    let ids: Vec<FeedId> = quarantined.iter().map(|feed| feed.id).collect();
    let released = block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        Ok(store.feeds_release_quarantined(&ids).await?)
    })?;
    tracing::info!(feeds = released, "released");
    let mut out = terminal::stdout();
    for feed in &quarantined {
        writeln!(out, "{}", masked(&feed.configured_url))?;
    }
    Ok(if all_found { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

fn release_entries(config: &Config) -> anyhow::Result<ExitCode> {
    let released = block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        let quarantined = store.entries_quarantined().await?;
        Ok(store.entries_release_quarantined(&quarantined).await?)
    })?;
    tracing::info!(entries = released, "released");
    Ok(ExitCode::SUCCESS)
}

/// Returns the feeds in the store.
fn known(config: &Config) -> anyhow::Result<Vec<FeedStatus>> {
    block_on(async {
        let store = Store::visit(&config.database, Clock::system()).await?;
        Ok(store.feeds_list().await?)
    })
}

/// Returns whether `url` is the configured or current URL of the feed, or its masked form.
fn is_at(feed: &FeedStatus, url: &Url) -> bool {
    [&feed.configured_url, &feed.url].into_iter().any(|own| own == url || masked(own) == *url)
}

fn feed_url(text: &str) -> anyhow::Result<Url> {
    config::feed_url(text).map_err(anyhow::Error::msg)
}

fn write_json(out: &mut impl Write, feed: &FeedStatus) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, feed)?;
    Ok(writeln!(out)?)
}

fn feeds_table(feeds: &[FeedStatus], now: Timestamp) -> Table {
    let mut table = table::new(["feed", "state", "entries", "next poll", "last error"]);
    for feed in feeds {
        let name = match &feed.title {
            Some(title) => table::parts([&plain(title), masked(&feed.configured_url).as_str()]),
            None => masked(&feed.configured_url).into(),
        };
        table.add_row([
            name,
            feed.health.as_str().to_owned(),
            feed.entries.to_string(),
            next_poll(feed, now),
            plain(feed.last_error.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn write_details(
    out: &mut impl Write,
    feed: &FeedStatus,
    aim: Option<Duration>,
    now: Timestamp,
) -> io::Result<()> {
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
    if !feed.tags.is_empty() {
        line("tags", plain(&feed.tags.join(", ")))?;
    }
    line("state", feed.health.as_str().to_owned())?;
    line("entries", feed.entries.to_string())?;
    line("last poll", ago(feed.last_polled_at))?;
    line("last success", ago(feed.last_success_at))?;
    line("next poll", next_poll(feed, now))?;
    if let Some(secs) = feed.median_age_secs {
        let reached = rough_time(now, after(now, Duration::from_secs(secs)));
        let aimed = aim.map(|aim| format!("; target: {}", rough_time(now, after(now, aim))));
        line(
            "freshness",
            format!("entries are first seen at an age of {reached} (median){}", aimed.unwrap_or_default()),
        )?;
    }
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
