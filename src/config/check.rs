//! Checks the values of the file and turns them into settings. The bounds are defined here, once.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use url::Url;

use super::LogSettings;
use super::addresses::{allowed_net, callback_url, has_credentials, http_url};
use super::document::Document;
use super::environment::Environment;
use super::problem::{Place, Problem, Problems};
use super::raw::{self, Raw};
use super::site_files::SiteFiles;
use crate::extract::SiteRules;
use crate::fetch::AllowedNet;
use crate::http::auth::Token;
use crate::model::SecretText;
use crate::pipeline::websub;
use crate::{dedup, fetch, http, pipeline, schedule, store, telemetry};

pub(super) const DAY_SECS: u64 = 86_400;

/// Bounds on the interval between polls.
pub(super) const INTERVAL_SECS: RangeInclusive<u64> = 1..=30 * DAY_SECS;
/// Bounds on `freshness`, the desired median age at which entries are first seen.
const FRESHNESS_SECS: RangeInclusive<u64> = 60..=7 * DAY_SECS;
/// Upper bound on the bytes that unconditional requests may cost one feed's server per day.
const UNCONDITIONAL_BYTES: u64 = 1 << 40;
/// Shorter tokens can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// Default port of name servers.
const DNS_PORT: u16 = 53;

/// Bounds on the time that one request may take.
pub(super) const TIMEOUT_SECS: RangeInclusive<u64> = 1..=600;

/// Checks values of one document. A bad value is recorded as a problem and replaced by a usable one.
pub(super) struct Checker<'a> {
    pub(super) document: &'a Document,
    pub(super) environment: &'a Environment,
    pub(super) problems: &'a mut Problems,
    /// Files that contain secrets.
    pub(super) secret_files: &'a mut BTreeSet<PathBuf>,
    /// Files with texts that everybody may read.
    pub(super) public_files: &'a mut BTreeSet<PathBuf>,
}

impl Checker<'_> {
    /// Checks an integer and clamps it to `bounds`, which must fit `T`.
    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        path: &str,
        value: u64,
        bounds: RangeInclusive<u64>,
    ) -> T {
        self.bounds(path, &value, &bounds);
        let usable = value.clamp(*bounds.start(), *bounds.end());
        T::try_from(usable).ok().expect("the bounds fit the type")
    }

    /// Checks a duration in seconds.
    pub(super) fn secs(&mut self, path: &str, value: u64, bounds: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(path, value, bounds))
    }

    pub(super) fn bounds<T: PartialOrd + Display>(
        &mut self,
        path: &str,
        value: &T,
        bounds: &RangeInclusive<T>,
    ) {
        if !bounds.contains(value) {
            self.refuse(path, Some(value), format!("must be {} to {}", bounds.start(), bounds.end()));
        }
    }

    /// Records that the value at `path` is invalid. `value` is shown, so it must not be a secret.
    pub(super) fn refuse(&mut self, path: &str, value: Option<&dyn Display>, message: impl Into<String>) {
        let document = self.document;
        self.problems.push(|| {
            let value = value.map(ToString::to_string);
            document.problem(path, value.as_deref(), message)
        });
    }

    /// Like [`Checker::refuse`], with a hint on how to fix it.
    pub(super) fn refuse_with_hint(
        &mut self,
        path: &str,
        value: Option<&dyn Display>,
        message: &str,
        hint: &str,
    ) {
        let document = self.document;
        self.problems.push(|| {
            let value = value.map(ToString::to_string);
            Problem { hint: Some(hint.to_owned()), ..document.problem(path, value.as_deref(), message) }
        });
    }

    /// Records that an environment variable outside of feedmill's own is invalid.
    pub(super) fn refuse_variable(&mut self, name: &str, message: &str) {
        self.problems.push(|| Problem::at(Place::Variable(name.to_owned()), message));
    }

    /// Parses a text value; returns `None` if it is empty or invalid.
    pub(super) fn parsed<T>(
        &mut self,
        path: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(path, Some(&format!("{text:?}")), message);
                None
            }
        }
    }

    /// Checks the URL of a proxy.
    pub(super) fn proxy(&mut self, path: &str, text: &str) -> Option<Url> {
        // A user name and password in the URL would appear in logs.
        if Url::parse(text).is_ok_and(|url| has_credentials(&url)) {
            self.refuse(path, None, "credentials in a proxy URL are not supported");
            return None;
        }
        self.parsed(path, text, |text| {
            let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
            match url.scheme() {
                "http" | "https" if url.path() == "/" => Ok(url),
                "http" | "https" => Err("a proxy URL must not have a path".to_owned()),
                scheme => Err(format!("a proxy URL must begin with http:// or https://, not {scheme}:")),
            }
        })
    }

    /// Resolves a secret, which may be in the environment or another file.
    pub(super) fn secret(&mut self, path: &str, secret: &raw::Secret) -> Option<SecretText> {
        self.secret_files.extend(secret.held_by(self.document.path.as_path(), self.document.dir()));
        self.resolved(path, secret)
    }

    /// Resolves a text that is given like a secret although everybody may read it, such as a certificate.
    pub(super) fn public_text(&mut self, path: &str, text: &raw::Secret) -> Option<SecretText> {
        self.public_files.extend(text.held_by(self.document.path.as_path(), self.document.dir()));
        self.resolved(path, text)
    }

    fn resolved(&mut self, path: &str, secret: &raw::Secret) -> Option<SecretText> {
        match secret.resolve(self.environment, self.document.dir()) {
            Ok(found) => Some(found),
            Err(message) => {
                self.refuse(path, None, message);
                None
            }
        }
    }

    pub(super) fn database(&mut self, raw: &raw::Database, state_dir: &Path) -> store::Settings {
        let url = self.secret("database.url", &raw.url).and_then(|url| {
            let url = url.expose_secret();
            if let Some(path) = url.strip_prefix("sqlite:") {
                return self
                    .sqlite_file(path)
                    .map(|path| format!("sqlite:{}", state_dir.join(path).display()).into());
            }
            if url.starts_with("postgres://") || url.starts_with("postgresql://") {
                return Some(SecretText::from(url));
            }
            self.refuse("database.url", None, "must begin with sqlite: or postgres://");
            None
        });
        store::Settings {
            url: url.unwrap_or_default(),
            max_connections: self.number("database.max_connections", raw.max_connections, 1..=500),
            busy_timeout: self.secs("database.busy_timeout_secs", raw.busy_timeout_secs, 1..=300),
            search_index: raw.search_index,
        }
    }

    fn sqlite_file<'p>(&mut self, path: &'p str) -> Option<&'p str> {
        let path = path.strip_prefix("//").unwrap_or(path);
        let problem = match path {
            "" => "sqlite: needs the path of a file",
            ":memory:" => "a store in memory would not outlive the process",
            _ => return Some(path),
        };
        self.refuse("database.url", None, problem);
        None
    }

    pub(super) fn fetch(&mut self, raw: &Raw) -> fetch::Settings {
        const BODY_BYTES: RangeInclusive<u64> = 1_024..=268_435_456;
        let Raw { fetch: raw, schedule, .. } = raw;
        fetch::Settings {
            contact_url: self.parsed("fetch.contact_url", &raw.contact_url, http_url),
            allow: self.allowed_nets(&raw.allow),
            name_servers: self.name_servers(&raw.name_servers),
            timeout: self.secs("fetch.timeout_secs", raw.timeout_secs, TIMEOUT_SECS),
            connect_timeout: self.secs("fetch.connect_timeout_secs", raw.connect_timeout_secs, 1..=120),
            read_timeout: self.secs("fetch.read_timeout_secs", raw.read_timeout_secs, 1..=300),
            max_redirects: self.number("fetch.max_redirects", raw.max_redirects, 0..=20),
            feed_max_body_bytes: self.number(
                "fetch.feed_max_body_bytes",
                raw.feed_max_body_bytes,
                BODY_BYTES,
            ),
            page_max_body_bytes: self.number(
                "fetch.page_max_body_bytes",
                raw.page_max_body_bytes,
                BODY_BYTES,
            ),
            host_concurrency: self.number("fetch.host_concurrency", raw.host_concurrency, 1..=64),
            host_min_gap: Duration::from_millis(self.number(
                "fetch.host_min_gap_ms",
                raw.host_min_gap_ms,
                0..=60_000,
            )),
            max_host_pause: raw
                .retry_after_pauses_host
                .then(|| Duration::from_secs(schedule.max_retry_after_secs)),
            proxy: self.proxy("fetch.proxy", &raw.proxy),
            proxy_guards_addresses: raw.proxy_guards_addresses,
            pages_obey_robots: raw.pages_obey_robots,
            feeds_obey_robots: raw.feeds_obey_robots,
        }
    }

    fn name_servers(&mut self, raw: &[String]) -> Vec<SocketAddr> {
        let mut servers = Vec::new();
        for (i, text) in raw.iter().enumerate() {
            let server =
                || text.parse().or_else(|_| text.parse().map(|ip: IpAddr| (ip, DNS_PORT).into())).ok();
            match server() {
                Some(server) => servers.push(server),
                None => self.refuse(
                    &format!("fetch.name_servers[{i}]"),
                    Some(&format!("{text:?}")),
                    "must be an address, with or without a port: 192.0.2.1, 127.0.0.1:5353, [2001:db8::1]:53",
                ),
            }
        }
        servers
    }

    fn allowed_nets(&mut self, raw: &[String]) -> Vec<AllowedNet> {
        let mut nets = Vec::new();
        for (i, text) in raw.iter().enumerate() {
            let path = format!("fetch.allow[{i}]");
            match allowed_net(text) {
                Some(net) => nets.push(net),
                None => self.refuse(
                    &path,
                    Some(&format!("{text:?}")),
                    "must be an address or network, with or without a port: \
                     10.1.0.0/16, 127.0.0.1:8080, [fd00::/8]:443",
                ),
            }
        }
        nets
    }

    /// Checks `[schedule]`: the default polling bounds of a feed.
    pub(super) fn schedule(&mut self, raw: &raw::Schedule) -> schedule::Bounds {
        let bounds = schedule::Bounds {
            min_interval: self.secs("schedule.min_interval_secs", raw.min_interval_secs, INTERVAL_SECS),
            max_interval: self.secs("schedule.max_interval_secs", raw.max_interval_secs, INTERVAL_SECS),
            fixed_interval: None,
            max_retry_after: self.secs(
                "schedule.max_retry_after_secs",
                raw.max_retry_after_secs,
                0..=30 * DAY_SECS,
            ),
            freshness: None,
            unconditional_bytes_per_day: self.number(
                "schedule.unconditional_bytes_per_day",
                raw.unconditional_bytes_per_day,
                0..=UNCONDITIONAL_BYTES,
            ),
            delivered_interval: None,
        };
        let freshness = self.freshness("schedule.freshness", &raw.freshness, bounds.min_interval);
        let bounds = schedule::Bounds { freshness, ..bounds };
        if raw.max_interval_secs < raw.min_interval_secs {
            let message = format!("must be at least min_interval_secs = {}", raw.min_interval_secs);
            self.refuse("schedule.max_interval_secs", Some(&raw.max_interval_secs), message);
        }
        bounds
    }

    /// Checks the desired age at which entries are first seen; returns `None` if it is not set or invalid.
    pub(super) fn freshness(&mut self, path: &str, text: &str, min_interval: Duration) -> Option<Duration> {
        if text.is_empty() {
            return None;
        }
        let aim = time(text).filter(|aim| FRESHNESS_SECS.contains(&aim.as_secs()));
        let message = match aim {
            None => "must be a time from 1m to 7d, such as 15m".to_owned(),
            // At an even rate, entries wait for half of the interval on average.
            Some(aim) if aim < min_interval / 2 => format!(
                "cannot be reached with min_interval_secs = {}; hint: set that to {} or less",
                min_interval.as_secs(),
                aim.as_secs() * 2,
            ),
            Some(aim) => return Some(aim),
        };
        self.refuse(path, Some(&format!("{text:?}")), message);
        None
    }

    pub(super) fn pipeline(&mut self, raw: &Raw) -> pipeline::Settings {
        let Raw { pipeline, extract, .. } = raw;
        let extract_concurrency = match extract.concurrency {
            0 => available_cores(),
            concurrency => self.number("extract.concurrency", concurrency, 0..=256),
        };
        let settings = pipeline::Settings {
            feed_concurrency: self.number("pipeline.feed_concurrency", pipeline.feed_concurrency, 1..=1_000),
            page_concurrency: self.number("pipeline.page_concurrency", pipeline.page_concurrency, 1..=1_000),
            extract_concurrency,
            extract_timeout: self.secs("extract.timeout_secs", extract.timeout_secs, 1..=300),
            lease: self.secs("pipeline.lease_secs", pipeline.lease_secs, 10..=3_600),
            initial_spread: self.secs(
                "schedule.initial_spread_secs",
                raw.schedule.initial_spread_secs,
                0..=DAY_SECS,
            ),
            max_entry_attempts: self.number(
                "pipeline.max_entry_attempts",
                pipeline.max_entry_attempts,
                1..=100,
            ),
            max_article_pages: self.number(
                "extract.max_pages_per_article",
                extract.max_pages_per_article,
                1..=100,
            ),
            memory_bytes: self.number::<u64>("pipeline.memory_mb", pipeline.memory_mb, 128..=1_048_576) << 20,
            move_confirmation_days: self.number(
                "schedule.move_confirmation_days",
                raw.schedule.move_confirmation_days,
                1..=365,
            ),
        };
        let work_secs = raw.fetch.timeout_secs.saturating_add(extract.timeout_secs);
        if pipeline.lease_secs <= work_secs {
            self.refuse_with_hint(
                "pipeline.lease_secs",
                Some(&pipeline.lease_secs),
                &format!("must be more than fetch.timeout_secs + extract.timeout_secs = {work_secs}"),
                "a shorter lease would end while its page is still being fetched",
            );
        }
        settings
    }

    pub(super) fn dedup(&mut self, raw: &raw::Dedup) -> dedup::Settings {
        self.bounds("dedup.min_containment", &raw.min_containment, &(0.5..=1.0));
        dedup::Settings {
            min_containment: raw.min_containment,
            min_shingles: self.number("dedup.min_shingles", raw.min_shingles, 1..=1_000),
            window: Duration::from_secs(
                DAY_SECS * self.number::<u64>("dedup.window_days", raw.window_days, 1..=3_650),
            ),
        }
    }

    /// Checks `[http]`.
    pub(super) fn http(&mut self, raw: &raw::Http) -> http::Settings {
        let listen = self.listen("http.listen", &raw.listen);
        let metrics_listen = self.listen("http.metrics_listen", &raw.metrics_listen);
        if listen.is_some_and(|listen| listen.port() != 0) && metrics_listen == listen {
            self.refuse_with_hint(
                "http.metrics_listen",
                Some(&format!("{:?}", raw.metrics_listen)),
                "is the same as http.listen",
                "http.listen already serves the metrics",
            );
        }
        let mut tokens = Vec::new();
        for (i, token) in raw.tokens.iter().enumerate() {
            let path = format!("http.tokens[{i}].secret");
            let Some(secret) = self.secret(&path, &token.secret) else { continue };
            if secret.expose_secret().len() < MIN_TOKEN_BYTES {
                let message = format!("is too short: must be at least {MIN_TOKEN_BYTES} characters");
                self.refuse(&path, None, message);
            }
            tokens.push(Token { name: token.name.clone(), role: token.role, secret });
        }
        self.anonymous_readers(raw, [listen, metrics_listen]);
        let hosts = self.own_names(&raw.hosts);
        http::Settings {
            listen,
            metrics_listen,
            tokens: tokens.into_iter().collect(),
            hosts,
            allow_anonymous: raw.allow_anonymous,
        }
    }

    fn listen(&mut self, path: &str, text: &str) -> Option<SocketAddr> {
        self.parsed(path, text, |text| {
            text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080".to_owned())
        })
    }

    /// Checks `[websub]`. Returns the address for hubs' calls, and the settings if `callback_url` is set.
    pub(super) fn websub(&mut self, raw: &Raw) -> (Option<SocketAddr>, Option<websub::Settings>) {
        let Raw { websub: raw, http, .. } = raw;
        let callback_url = self.parsed("websub.callback_url", &raw.callback_url, callback_url);
        let listen = self.listen("websub.listen", &raw.listen);
        let poll_interval = self.secs("websub.poll_interval_secs", raw.poll_interval_secs, INTERVAL_SECS);
        let lease = self.secs("websub.lease_secs", raw.lease_secs, 3_600..=90 * DAY_SECS);
        let Some(callback_url) = callback_url else { return (listen, None) };
        if raw.listen.is_empty() {
            self.refuse("websub.listen", None, "must be set if callback_url is set");
        } else if raw.listen == http.listen && listen.is_some_and(|listen| listen.port() != 0) {
            self.refuse_with_hint(
                "websub.listen",
                Some(&format!("{:?}", raw.listen)),
                "is the same as http.listen",
                "hubs connect from outside: metrics and records must not be exposed there",
            );
        }
        let settings = listen.map(|listen| websub::Settings { callback_url, listen, poll_interval, lease });
        (listen, settings)
    }

    pub(super) fn stop_timeout(&mut self, raw: &raw::Lifecycle) -> Duration {
        self.secs("lifecycle.stop_timeout_secs", raw.stop_timeout_secs, 1..=600)
    }

    /// Checks the operator's site rules; the extractor checks their selectors.
    pub(super) fn sites(&mut self, sites: &[SiteRules]) {
        for (i, site) in sites.iter().enumerate() {
            let path = format!("site[{i}]");
            if site.host.is_empty() {
                self.refuse(&path, None, "host is missing");
            } else if let Err(error) = site.check() {
                let path = format!("{path}.{}", error.key);
                self.refuse(&path, Some(&format!("{:?}", error.value)), error.message);
            }
        }
    }

    /// Reads the rules from the folder of site files, with remarks on lines that could not be interpreted.
    pub(super) fn site_files(&mut self, raw: &raw::Extract) -> SiteFiles {
        const KEY: &str = "extract.site_files_dir";
        if raw.site_files_dir.as_os_str().is_empty() {
            return SiteFiles::default();
        }
        let folder = self.document.dir().join(&raw.site_files_dir);
        SiteFiles::read(&folder).unwrap_or_else(|error| {
            self.refuse(KEY, None, format!("cannot read {}: {error}", folder.display()));
            SiteFiles::default()
        })
    }

    pub(super) fn log(&mut self, raw: &raw::Log) -> LogSettings {
        if let Err(error) = telemetry::filter(&raw.filter) {
            self.refuse(
                "log.filter",
                Some(&format!("{:?}", raw.filter)),
                error.source().map_or_else(String::new, ToString::to_string),
            );
        }
        LogSettings { filter: raw.filter.clone(), format: raw.format }
    }
}

/// Parses a duration such as `90s`, `1h`, `7d`, `1d 12h`, in whole seconds; a day has 24 hours.
pub(super) fn time(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let time = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(Duration::from_secs(u64::try_from(time.as_secs()).ok()?))
}

/// Resolves a folder against the state directory; returns `None` if it is empty.
pub(super) fn output_dir(dir: &Path, state_dir: &Path) -> Option<PathBuf> {
    (!dir.as_os_str().is_empty()).then(|| state_dir.join(dir))
}

/// Returns whether the SQLite file is directly in `dir`.
pub(super) fn holds_store(dir: &Path, database: &store::Settings) -> bool {
    let file = database.url.expose_secret().strip_prefix("sqlite:").map(Path::new);
    !dir.as_os_str().is_empty() && file.is_some_and(|file| file.parent() == Some(dir))
}

fn available_cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}
