//! The operator's configuration: the settings as written in the file (`raw`) and the checked result (`Config`).
//!
//! A file is read in three steps: the text becomes a tree in which every value knows its source position, with the
//! environment's values merged in (`document`); the tree is deserialized into plain values (`raw`); those are checked against
//! their bounds and become a `Config` (`check`, `feeds`). No step stops at its first problem.

mod access;
mod added;
mod addresses;
mod articles;
mod changes;
mod check;
mod document;
mod environment;
mod feeds;
mod fixed;
mod import;
mod include;
mod listed;
mod opml;
mod origins;
mod places;
mod problem;
mod raw;
mod reference;
mod sinks;
mod site_files;
mod telemetry;
mod watch;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use self::changes::{FeedChange, Load};
pub use self::environment::Environment;
pub use self::fixed::Fixed;
pub use self::origins::{FeedOrigin, Home, Origins};
pub use self::problem::{ConfigError, Problem};
pub use self::reference::reference;
pub use self::watch::{Sources, Watch};

pub(crate) use self::added::replace_file;
pub(crate) use self::changes::{ChangeError, add, change};
pub(crate) use self::feeds::feed_url;
pub(crate) use self::import::{Import, feeds_in};

use self::check::Checker;
use self::document::Document;
use self::feeds::Feeds;
use self::include::Included;
use self::problem::{Place, Problems};
use self::raw::Raw;
use crate::model::masked_text;
use crate::pipeline::{self, FeedOptions};
use crate::publish::{Configured, warc};
use crate::telemetry::traces;
use crate::{dedup, extract, fetch, http, store};

/// The commented default file: every setting at its default.
pub const DEFAULT_FILE: &str = include_str!("../../config/feedmill.toml");

/// Shown in place of the file name when there is no file.
const NO_FILE: &str = "configuration";

/// The complete configuration, valid by construction.
#[derive(Clone, Debug)]
pub struct Config {
    /// `watch`: whether changed files are reloaded automatically.
    pub watch: bool,
    /// `[database]`.
    pub database: store::Settings,
    /// `[fetch]`.
    pub fetch: fetch::Settings,
    /// `[pipeline]`.
    pub pipeline: pipeline::Settings,
    /// `[dedup]`.
    pub dedup: dedup::Settings,
    /// `[[site]]`.
    pub sites: Vec<extract::SiteRules>,
    /// `[http]`: where health, metrics and the API listen, and who may read.
    pub http: http::Settings,
    /// `[websub]`: how feeds are subscribed to; `None` turns WebSub off.
    pub websub: Option<pipeline::websub::Settings>,
    /// `[websub] listen`: the address for hubs' calls, including those that end subscriptions after WebSub is turned off.
    pub hub_listen: Option<SocketAddr>,
    /// `[lifecycle] stop_timeout_secs`: how long a soft stop may take.
    pub stop_timeout: Duration,
    /// `[log]`.
    pub log: LogSettings,
    /// `[telemetry]`: where traces are sent; `None` turns tracing off.
    pub traces: Option<traces::Settings>,
    /// `[[feed]]` tables and included feeds, by configured URL, without the disabled ones.
    pub feeds: HashMap<Url, Arc<FeedOptions>>,
    /// The options of feeds that set none themselves.
    pub feed_defaults: Arc<FeedOptions>,
    /// `[[sink]]`: where records go.
    pub sinks: Vec<Configured>,
    /// `[output] warc_dir` and `warc_max_file_bytes`: where pages are archived, if set.
    pub warc: Option<warc::Settings>,
    /// The state directory, if it holds the store's file: the only folder that feedmill creates by itself.
    pub state_dir: Option<PathBuf>,
}

/// A loaded configuration with its warnings and sources.
#[derive(Debug)]
pub struct Loaded {
    /// The checked settings.
    pub config: Config,
    /// The configuration file; `None` for the built-in defaults.
    pub file: Option<PathBuf>,
    /// Problems that do not prevent loading: a feed listed twice, a broken outline.
    pub warnings: Vec<Problem>,
    /// Lines of site files that could not be interpreted.
    pub site_remarks: Vec<Problem>,
    /// Where every feed is configured. The file of feeds written by commands is known only if there is a configuration file
    /// to place it next to.
    pub origins: Origins,
    /// The directory for persistent data in this environment, where the configuration's relative paths begin.
    pub state_dir: PathBuf,
    /// Files that hold secrets.
    pub secret_files: BTreeSet<PathBuf>,
    /// The files and folders that the configuration was read from.
    pub sources: Sources,
    /// For [`Loaded::to_toml`].
    raw: Raw,
}

impl Config {
    /// Reads `file`, or the first file found in the usual places, or uses the defaults. Environment variables override the
    /// file. Reads all included files. On failure, the error lists every problem that was found.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigError> {
        let found = || environment.config_places().into_iter().find(|place| place.is_file());
        let file = file.map(Path::to_owned).or_else(found);
        let text = match &file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                let problem = Problem::at(Place::file(path), format!("cannot be read: {error}"));
                ConfigError::from(problem)
            })?,
        };
        let path = file.clone().unwrap_or_else(|| PathBuf::from(NO_FILE));
        let document = Document::new(path, text, environment.overrides());
        let loaded = load_document(document, environment)?;
        let Some(file) = file else {
            let origins = loaded.origins.without_added();
            return Ok(Loaded { origins, ..loaded });
        };
        Ok(Loaded { file: Some(file), ..loaded })
    }
}

impl Loaded {
    /// The URLs of all configured feeds, including disabled ones.
    pub(crate) fn feed_urls(&self) -> HashSet<Url> {
        self.raw.feed.iter().filter_map(|feed| feed_url(&feed.url).ok()).collect()
    }

    /// Returns the effective configuration as TOML, including all included feeds. Secrets are hidden.
    pub fn to_toml(&self) -> String {
        let mut shown = self.raw.clone();
        for feed in &mut shown.feed {
            feed.url = masked_text(&feed.url);
        }
        toml::to_string(&shown).expect("plain values under string keys")
    }
}

fn load_document(mut document: Document, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::default();
    let mut raw: Raw = document.read(&mut problems);
    let added_feeds =
        Some(document.dir().join(&raw.added_feeds)).filter(|_| !raw.added_feeds.as_os_str().is_empty());
    let included = Included::read(&document, &raw.include, added_feeds.as_deref(), &mut problems);
    let mut sources = included.sources;
    let mut warnings = included.warnings;

    let state_dir = environment.state_dir();
    let (mut secret_files, mut public_files) = (BTreeSet::new(), BTreeSet::new());
    let mut checker = Checker {
        document: &document,
        environment,
        problems: &mut problems,
        secret_files: &mut secret_files,
        public_files: &mut public_files,
    };
    let bounds = checker.schedule(&raw.schedule);
    let keeping = checker.articles(&raw.articles);
    let feed_defaults = Arc::new(FeedOptions { keeping, ..FeedOptions::within(bounds) });
    let longest_timeout_secs =
        raw.pipeline.lease_secs.saturating_sub(raw.extract.timeout_secs.saturating_add(1));
    let mut feeds = Feeds::new(Arc::clone(&feed_defaults), longest_timeout_secs);
    feeds.add_tables(&raw.feed, &mut checker);
    checker.sites(&raw.site);
    let site_files = checker.site_files(&raw.extract);
    let site_files_dir = Some(&raw.extract.site_files_dir).filter(|dir| !dir.as_os_str().is_empty());
    let site_files_dir = site_files_dir.map(|dir| document.dir().join(dir));
    let mut config = settings(&raw, state_dir.clone(), feed_defaults, &mut checker);
    for (document, part) in included.documents {
        let mut checker = Checker {
            document: &document,
            environment,
            problems: &mut problems,
            secret_files: &mut secret_files,
            public_files: &mut public_files,
        };
        feeds.add_tables(&part.feed, &mut checker);
        checker.sites(&part.site);
        raw.feed.extend(part.feed);
        raw.site.extend(part.site);
    }
    for listing in included.listings {
        feeds.add_listing(&listing, &mut problems, &mut warnings);
        raw.feed.extend(listing.feeds.into_iter().map(raw::Feed::from));
    }
    raw.include.clear();
    raw.added_feeds.clear();
    sources.files.insert(document.path.clone());
    sources.files.extend(secret_files.iter().cloned().chain(public_files));
    sources.folders.extend(site_files_dir);
    if !problems.is_empty() {
        return Err(problems.into_error(sources));
    }
    warnings.extend(site_files.warning());
    // If two rules name the same host, the later one wins: the operator's own.
    config.sites = [site_files.sites, raw.site.clone()].concat();
    let origins;
    (config.feeds, origins) = feeds.into_parts(added_feeds);
    Ok(Loaded {
        config,
        file: None,
        warnings,
        site_remarks: site_files.remarks,
        origins,
        state_dir,
        secret_files,
        sources,
        raw,
    })
}

/// Builds the configuration without the feeds and the site rules.
fn settings(
    raw: &Raw,
    state_dir: PathBuf,
    feed_defaults: Arc<FeedOptions>,
    checker: &mut Checker<'_>,
) -> Config {
    let (hub_listen, websub) = checker.websub(raw);
    let mut config = Config {
        watch: raw.watch,
        database: checker.database(&raw.database, &state_dir),
        fetch: checker.fetch(raw),
        pipeline: checker.pipeline(raw),
        dedup: checker.dedup(&raw.dedup),
        sites: Vec::new(),
        http: checker.http(&raw.http),
        websub,
        hub_listen,
        stop_timeout: checker.stop_timeout(&raw.lifecycle),
        log: checker.log(&raw.log),
        traces: checker.traces(&raw.telemetry),
        feeds: HashMap::new(),
        feed_defaults,
        sinks: checker.sinks(&raw.sink, &state_dir),
        warc: checker.warc(&raw.output, &state_dir),
        state_dir: None,
    };
    config.state_dir = check::holds_store(&state_dir, &config.database).then_some(state_dir);
    config
}

/// How logs are written.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A `tracing` filter: `info`, `feedmill=debug,sqlx=warn`.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// Format of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human-readable output.
    Text,
    /// One JSON object per line.
    Json,
}
