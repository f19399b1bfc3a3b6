//! The settings as written in the file: every key with its default. The defaults are defined only here; a test compares the
//! commented file against them. An empty string means "not set".

mod secret;
mod sinks;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(super) use self::secret::Secret;
use self::secret::without_password;
pub(super) use self::sinks::{Bucket, Chosen, Files, Nats, Sink, Text, Webhook};

use super::LogFormat;
use crate::dedup;
use crate::extract::SiteRules;
use crate::http::auth::Role;
use crate::model::{ContentSource, RawPages};

/// The whole file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) include: Vec<String>,
    pub(super) added_feeds: PathBuf,
    pub(super) watch: bool,
    pub(super) database: Database,
    pub(super) fetch: Fetch,
    pub(super) schedule: Schedule,
    pub(super) pipeline: Pipeline,
    pub(super) extract: Extract,
    pub(super) dedup: Dedup,
    pub(super) articles: Articles,
    pub(super) http: Http,
    pub(super) websub: WebSub,
    pub(super) output: Output,
    pub(super) lifecycle: Lifecycle,
    pub(super) log: Log,
    pub(super) telemetry: Telemetry,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sink: Vec<Sink>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) site: Vec<SiteRules>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) feed: Vec<Feed>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            added_feeds: PathBuf::from("added.toml"),
            watch: false,
            database: Database::default(),
            fetch: Fetch::default(),
            schedule: Schedule::default(),
            pipeline: Pipeline::default(),
            extract: Extract::default(),
            dedup: Dedup::default(),
            articles: Articles::default(),
            http: Http::default(),
            websub: WebSub::default(),
            output: Output::default(),
            lifecycle: Lifecycle::default(),
            log: Log::default(),
            telemetry: Telemetry::default(),
            sink: Vec::new(),
            site: Vec::new(),
            feed: Vec::new(),
        }
    }
}

/// The settings allowed in an included file: a subset of [`Raw`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawIncluded {
    pub(super) include: Vec<String>,
    pub(super) site: Vec<SiteRules>,
    pub(super) feed: Vec<Feed>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Database {
    #[serde(serialize_with = "without_password")]
    pub(super) url: Secret,
    pub(super) max_connections: u64,
    pub(super) busy_timeout_secs: u64,
    pub(super) search_index: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Secret::literal("sqlite:feedmill.db"),
            max_connections: 8,
            busy_timeout_secs: 10,
            search_index: true,
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the file")]
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Fetch {
    pub(super) contact_url: String,
    pub(super) timeout_secs: u64,
    pub(super) connect_timeout_secs: u64,
    pub(super) read_timeout_secs: u64,
    pub(super) max_redirects: u64,
    pub(super) feed_max_body_bytes: u64,
    pub(super) page_max_body_bytes: u64,
    pub(super) host_concurrency: u64,
    pub(super) host_min_gap_ms: u64,
    pub(super) retry_after_pauses_host: bool,
    pub(super) pages_obey_robots: bool,
    pub(super) feeds_obey_robots: bool,
    pub(super) proxy: String,
    pub(super) proxy_guards_addresses: bool,
    pub(super) name_servers: Vec<String>,
    pub(super) allow: Vec<String>,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            contact_url: String::new(),
            timeout_secs: 60,
            connect_timeout_secs: 10,
            read_timeout_secs: 30,
            max_redirects: 5,
            feed_max_body_bytes: 16_777_216,
            page_max_body_bytes: 10_485_760,
            host_concurrency: 2,
            host_min_gap_ms: 1_000,
            retry_after_pauses_host: true,
            pages_obey_robots: true,
            feeds_obey_robots: false,
            proxy: String::new(),
            proxy_guards_addresses: false,
            name_servers: Vec::new(),
            allow: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Schedule {
    pub(super) min_interval_secs: u64,
    pub(super) max_interval_secs: u64,
    pub(super) freshness: String,
    pub(super) unconditional_bytes_per_day: u64,
    pub(super) max_retry_after_secs: u64,
    pub(super) initial_spread_secs: u64,
    pub(super) move_confirmation_days: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            min_interval_secs: 600,
            max_interval_secs: 86_400,
            freshness: String::new(),
            unconditional_bytes_per_day: 4_194_304,
            max_retry_after_secs: 172_800,
            initial_spread_secs: 300,
            move_confirmation_days: 3,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Pipeline {
    pub(super) feed_concurrency: u64,
    pub(super) page_concurrency: u64,
    pub(super) lease_secs: u64,
    pub(super) max_entry_attempts: u64,
    pub(super) memory_mb: u64,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            feed_concurrency: 64,
            page_concurrency: 64,
            lease_secs: 300,
            max_entry_attempts: 5,
            memory_mb: 384,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Extract {
    pub(super) concurrency: u64,
    pub(super) timeout_secs: u64,
    pub(super) max_pages_per_article: u64,
    pub(super) site_files_dir: PathBuf,
}

impl Default for Extract {
    fn default() -> Self {
        Self { concurrency: 0, timeout_secs: 60, max_pages_per_article: 10, site_files_dir: PathBuf::new() }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Dedup {
    pub(super) min_containment: f64,
    pub(super) min_shingles: u64,
    pub(super) window_days: u64,
}

impl Default for Dedup {
    fn default() -> Self {
        let settings = dedup::Settings::default();
        Self {
            min_containment: settings.min_containment,
            min_shingles: settings.min_shingles.into(),
            window_days: settings.window.as_secs() / (24 * 60 * 60),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Articles {
    pub(super) recheck: Vec<String>,
    pub(super) raw: RawPages,
    pub(super) keep_days: u64,
    pub(super) keep_raw_days: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Http {
    pub(super) listen: String,
    pub(super) metrics_listen: String,
    pub(super) hosts: Vec<String>,
    pub(super) tokens: Vec<Token>,
    pub(super) allow_anonymous: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            metrics_listen: String::new(),
            hosts: Vec::new(),
            tokens: Vec::new(),
            allow_anonymous: false,
        }
    }
}

/// An access token for the HTTP API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "{ name, secret }")]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) secret: Secret,
    #[serde(default)]
    pub(super) role: Role,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct WebSub {
    pub(super) callback_url: String,
    pub(super) listen: String,
    pub(super) poll_interval_secs: u64,
    pub(super) lease_secs: u64,
}

impl Default for WebSub {
    fn default() -> Self {
        Self {
            callback_url: String::new(),
            listen: "127.0.0.1:8081".to_owned(),
            poll_interval_secs: 86_400,
            lease_secs: 864_000,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Output {
    pub(super) warc_dir: PathBuf,
    pub(super) warc_max_file_bytes: u64,
}

impl Default for Output {
    fn default() -> Self {
        Self { warc_dir: PathBuf::new(), warc_max_file_bytes: 1_073_741_824 }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Lifecycle {
    pub(super) stop_timeout_secs: u64,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { stop_timeout_secs: 20 }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Log {
    pub(super) filter: String,
    pub(super) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Telemetry {
    pub(super) otlp_endpoint: String,
    pub(super) sample_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: String::new(), sample_ratio: 1.0 }
    }
}

/// `[[feed]]`. Absent keys use the defaults for all feeds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table with a url")]
pub(super) struct Feed {
    pub(super) url: String,
    #[serde(default = "enabled", skip_serializing_if = "Clone::clone")]
    pub(super) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interval_secs: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min_interval_secs: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_interval_secs: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) freshness: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ContentSource>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) speaks_for: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recheck: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) raw: Option<RawPages>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keep_days: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keep_raw_days: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) keep: Vec<EntryRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) drop: Vec<EntryRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_secs: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) obey_robots: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) proxy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<Auth>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, Secret>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) query: BTreeMap<String, Secret>,
}

impl Feed {
    /// Creates a feed from its URL and tags; all other options are unset.
    pub(super) fn of_url(url: String, tags: Vec<String>) -> Self {
        Self {
            url,
            enabled: true,
            interval_secs: None,
            min_interval_secs: None,
            max_interval_secs: None,
            freshness: None,
            content: None,
            speaks_for: Vec::new(),
            recheck: None,
            raw: None,
            keep_days: None,
            keep_raw_days: None,
            keep: Vec::new(),
            drop: Vec::new(),
            tags,
            timeout_secs: None,
            user_agent: None,
            obey_robots: None,
            proxy: None,
            auth: None,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
        }
    }
}

/// Patterns that an entry must match, all of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "{ title, category, author, url }")]
pub(super) struct EntryRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
}

const fn enabled() -> bool {
    true
}

/// Credentials: a user name and a password, or a bearer token.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "{ username, password } or { bearer }")]
pub(super) struct Auth {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bearer: Option<Secret>,
}
