//! DNS resolution without a thread per name.
//!
//! The system's resolver blocks a thread for as long as a name's servers hang, and these are the threads that also parse pages.
//! So names are resolved here: after `/etc/hosts`, from the servers in `/etc/resolv.conf` or those that the operator names.
//! Answers are cached for their TTL, negative ones too. That no server answers is remembered as well, but only for requests
//! through a proxy, which resolves names itself (see [`Names::look_up_for_proxy`]). `hickory-resolver` is the library that
//! reqwest itself offers for this. It ignores what `nsswitch.conf` may add: multicast DNS, directories. Both files are read when
//! the client is built, and again on a reload.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{FetchError, Settings};
use crate::trust;

/// Timeout of one query to one server, and the number of retries.
const ATTEMPT: Duration = Duration::from_secs(2);
const MORE_ATTEMPTS: usize = 1;
/// Total timeout for one name, including the wait for other names of its domain.
const PATIENCE: Duration = Duration::from_secs(8);
/// Names of one domain that are resolved at once.
const MOST_OF_A_DOMAIN: usize = 8;
/// Answers in the cache.
const KEPT_ANSWERS: u64 = 8192;
/// Longest time to cache a negative answer, whatever its TTL: names come back.
const LONGEST_NO: Duration = Duration::from_mins(15);
const LONGEST_YES: Duration = Duration::from_hours(24);
/// Queries in flight on one connection to a server.
const MOST_QUESTIONS: usize = 1024;
/// Domains remembered before those without lookups in progress are dropped; likewise unanswered names.
const SWEEP_ABOVE: usize = 1024;
/// How long a name is not looked up for a proxy again after no server answered: the longest time that RFC 9520 allows.
const SILENCE_LIFE: Duration = Duration::from_mins(5);

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    /// No server answered, now or the last time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silence,
    /// No server gave a usable answer.
    #[error("{0}")]
    Failed(String),
    /// A server answered that there are none.
    #[error("{0}")]
    Unknown(String),
}

impl NameError {
    fn is_answer(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

/// Returns all addresses of a name, as a client with these settings resolves it. The error says why there are none.
pub async fn look_up(settings: &Settings, name: &str) -> Result<Vec<IpAddr>, FetchError> {
    let names = Names::new(&settings.name_servers)?;
    names.look_up(name).await.map_err(|error| FetchError::Dns(error.to_string()))
}

/// The resolver, and the limits of lookups by domain.
pub(super) struct Names {
    resolver: TokioResolver,
    domains: Mutex<HashMap<String, Arc<Semaphore>>>,
    silences: Mutex<Silences>,
}

/// The names that were looked up for a proxy.
#[derive(Default)]
struct Silences {
    by_name: HashMap<String, Arc<Silence>>,
    /// Number of names above which those whose time is over are dropped.
    sweep_above: usize,
}

/// When the last lookup of a name for a proxy remained without an answer. Held during a lookup, so that other requests to the host
/// wait for its outcome.
type Silence = tokio::sync::Mutex<Option<Instant>>;

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    /// Builds a resolver that queries `servers`; if empty, those that the system is configured with.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self, FetchError> {
        let with = |config| TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!(%error, "no name servers are configured on this system: asking localhost; hint: set fetch.name_servers");
                with(of_servers(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]))
            })
        } else {
            with(of_servers(servers))
        };
        let options = builder.options_mut();
        options.timeout = ATTEMPT;
        options.attempts = MORE_ATTEMPTS;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = KEPT_ANSWERS;
        options.negative_max_ttl = Some(LONGEST_NO);
        options.positive_max_ttl = Some(LONGEST_YES);
        options.max_active_requests = MOST_QUESTIONS;
        let failed = |error| FetchError::Client(format!("cannot build the resolver: {error}"));
        Ok(Self {
            resolver: builder.build().map_err(failed)?,
            domains: Mutex::default(),
            silences: Mutex::default(),
        })
    }

    /// Returns all addresses of a name.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        // A final dot makes a name fully qualified: it is not tried within the machine's search domains.
        let is_whole = !name.contains('.') || name.ends_with('.');
        let whole = if is_whole { name.to_owned() } else { format!("{name}.") };
        let places = self.places(name);
        let asked = async {
            let _place = places.acquire().await.expect("nobody closes it");
            self.resolver.lookup_ip(whole).await
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(found)) => Ok(found.iter().collect()),
            Ok(Err(error)) if error.is_no_records_found() => Err(NameError::Unknown(error.to_string())),
            Ok(Err(error)) => Err(NameError::Failed(error.to_string())),
            Err(_) => Err(NameError::Silence),
        }
    }

    /// Like [`Names::look_up`], but if no server answers, the name is not looked up again for [`SILENCE_LIFE`]. For requests through
    /// a proxy, which can do without an answer: where the machine has no name server, each lookup would cost them [`PATIENCE`]. Other
    /// requests need an answer as soon as the servers are back. This permits nothing that the name's owner could not have anyway,
    /// with name servers of their own that do not answer.
    pub(super) async fn look_up_for_proxy(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        let silence = self.silence(name);
        let mut since = silence.lock().await;
        if since.is_some_and(|since| since.elapsed() < SILENCE_LIFE) {
            return Err(NameError::Silence);
        }
        let found = self.look_up(name).await;
        *since = found.as_ref().is_err_and(|error| !error.is_answer()).then(Instant::now);
        found
    }

    fn silence(&self, name: &str) -> Arc<Silence> {
        let mut silences = self.silences.lock().expect("no holder of this lock can panic");
        if silences.by_name.len() >= silences.sweep_above {
            // One that is locked is being looked up.
            let is_over = |since: &Option<Instant>| since.is_none_or(|since| since.elapsed() >= SILENCE_LIFE);
            silences.by_name.retain(|_, silence| !silence.try_lock().is_ok_and(|since| is_over(&since)));
            silences.sweep_above = (2 * silences.by_name.len()).max(SWEEP_ABOVE);
        }
        Arc::clone(silences.by_name.entry(name.to_owned()).or_default())
    }

    /// Returns the semaphore that limits lookups within the name's domain.
    fn places(&self, name: &str) -> Arc<Semaphore> {
        let mut domains = self.domains.lock().expect("no holder of this lock can panic");
        if domains.len() >= SWEEP_ABOVE {
            domains.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let domain = trust::registrable_domain(name).to_owned();
        Arc::clone(domains.entry(domain).or_insert_with(|| Arc::new(Semaphore::new(MOST_OF_A_DOMAIN))))
    }
}

fn of_servers(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let at_port = |mut connection: ConnectionConfig| {
            connection.port = server.port();
            connection
        };
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        config.connections = config.connections.into_iter().map(at_port).collect();
        config
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}
