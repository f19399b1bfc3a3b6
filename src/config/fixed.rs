//! Settings that a reload cannot change.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Config, LogFormat, LogSettings};
use crate::http::hosts::Hosts;
use crate::model::SecretText;
use crate::pipeline::{self, websub};
use crate::publish::warc;
use crate::telemetry::traces;
use crate::{http, store};

/// The settings that only change with a restart.
#[derive(Clone, Debug)]
pub struct Fixed {
    database_url: SecretText,
    max_connections: u32,
    busy_timeout: Duration,
    search_index: bool,
    extract_concurrency: u32,
    memory_bytes: u64,
    http_listen: Option<SocketAddr>,
    http_hosts: Hosts,
    http_metrics_listen: Option<SocketAddr>,
    websub_listen: Option<SocketAddr>,
    warc: Option<warc::Settings>,
    log_format: LogFormat,
    traces: Option<traces::Settings>,
}

impl Fixed {
    /// Extracts them from a configuration. Every setting is listed here, so that a new one must be classified.
    pub fn of(config: &Config) -> Self {
        let Config {
            watch: _,
            database: store::Settings { url, max_connections, busy_timeout, search_index },
            fetch: _,
            pipeline:
                pipeline::Settings {
                    feed_concurrency: _,
                    page_concurrency: _,
                    extract_concurrency,
                    extract_timeout: _,
                    lease: _,
                    initial_spread: _,
                    max_entry_attempts: _,
                    max_article_pages: _,
                    memory_bytes,
                    move_confirmation_days: _,
                },
            dedup: _,
            sites: _,
            http:
                http::Settings {
                    listen: http_listen,
                    metrics_listen: http_metrics_listen,
                    tokens: _,
                    hosts: http_hosts,
                    allow_anonymous: _,
                },
            websub,
            // With WebSub off, it is only used to end subscriptions.
            hub_listen: _,
            stop_timeout: _,
            log: LogSettings { filter: _, format },
            traces,
            feeds: _,
            feed_defaults: _,
            sinks: _,
            warc,
            // Derived from the database URL.
            state_dir: _,
        } = config;
        let listen = |settings: &websub::Settings| {
            let websub::Settings { callback_url: _, listen, poll_interval: _, lease: _ } = settings;
            *listen
        };
        Self {
            database_url: url.clone(),
            max_connections: *max_connections,
            busy_timeout: *busy_timeout,
            search_index: *search_index,
            extract_concurrency: *extract_concurrency,
            memory_bytes: *memory_bytes,
            http_listen: *http_listen,
            http_hosts: http_hosts.clone(),
            http_metrics_listen: *http_metrics_listen,
            websub_listen: websub.as_ref().map(listen),
            warc: warc.clone(),
            log_format: *format,
            traces: traces.clone(),
        }
    }

    /// Returns the keys whose values differ in `other`.
    pub fn changed(&self, other: &Self) -> Vec<&'static str> {
        self.compared(other).into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
    }

    /// Returns the keys of all fixed settings.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        self.compared(self).into_iter().flat_map(|(keys, _)| keys.split(", ")).collect()
    }

    /// Returns the keys, and whether their values are the same in `other`.
    fn compared(&self, other: &Self) -> [(&'static str, bool); 13] {
        let Self {
            database_url,
            max_connections,
            busy_timeout,
            search_index,
            extract_concurrency,
            memory_bytes,
            http_listen,
            http_hosts,
            http_metrics_listen,
            websub_listen,
            warc,
            log_format,
            traces,
        } = self;
        [
            ("database.url", *database_url == other.database_url),
            ("database.max_connections", *max_connections == other.max_connections),
            ("database.busy_timeout_secs", *busy_timeout == other.busy_timeout),
            ("database.search_index", *search_index == other.search_index),
            ("extract.concurrency", *extract_concurrency == other.extract_concurrency),
            ("pipeline.memory_mb", *memory_bytes == other.memory_bytes),
            ("http.listen", *http_listen == other.http_listen),
            ("http.metrics_listen", *http_metrics_listen == other.http_metrics_listen),
            ("http.hosts", *http_hosts == other.http_hosts),
            ("websub.listen", *websub_listen == other.websub_listen),
            ("output.warc_dir, output.warc_max_file_bytes", *warc == other.warc),
            ("log.format", *log_format == other.log_format),
            ("telemetry.otlp_endpoint, telemetry.sample_ratio", *traces == other.traces),
        ]
    }
}
