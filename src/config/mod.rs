//! What the operator's file says ([`raw`]), and what it means ([`Config`]).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::model::ContentSource;
use crate::{dedup, extract, fetch, schedule, store};

/// The whole configuration, valid by construction.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[database]`.
    pub database: store::Settings,
    /// `[fetch]`.
    pub fetch: fetch::Settings,
    /// `[pipeline]`.
    pub pipeline: PipelineSettings,
    /// `[dedup]`.
    pub dedup: dedup::Settings,
    /// `[[site]]`.
    pub sites: Vec<extract::SiteRules>,
    /// `[http]`: where health, metrics and the API listen; nowhere where `None`.
    pub http_listen: Option<SocketAddr>,
    /// `[lifecycle] stop_timeout_secs`: how long a soft stop may take.
    pub stop_timeout: Duration,
    /// `[log]`.
    pub log: LogSettings,
    /// `[[feed]]` and everything included, by configured URL; disabled ones are left out.
    pub feeds: HashMap<Url, Arc<FeedOptions>>,
    /// `[output] dir`: where clean texts are written as they come, where set.
    pub output_dir: Option<PathBuf>,
}

/// How the two halves work.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Feeds polled at once.
    pub feed_concurrency: u32,
    /// Pages fetched at once.
    pub page_concurrency: u32,
    /// Pages parsed at once; the number of cores by default.
    pub extract_concurrency: u32,
    /// CPU time after which a page's extraction is given up.
    pub extract_timeout: Duration,
    /// How long a claimed row belongs to its worker.
    pub lease: Duration,
    /// First polls of new feeds are spread over this time.
    pub initial_spread: Duration,
    /// Failed attempts after which an entry is given up (its feed content is used where there is any).
    pub max_entry_attempts: u32,
}

/// Everything that may differ from feed to feed.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// When it is polled.
    pub bounds: schedule::Bounds,
    /// How it is asked for.
    pub request: fetch::RequestOptions,
    /// What its articles are made of.
    pub content: ContentSource,
    /// The operator's labels.
    pub tags: Vec<String>,
}

/// How logs are written.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A `tracing` filter: `info`, `feedmill=debug,sqlx=warn`.
    pub filter: String,
    /// Pretty text or JSON.
    pub format: LogFormat,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}
