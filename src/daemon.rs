//! The composition root: builds a running daemon from a `Config`.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::Clock;
use crate::config::{Config, Fixed};
use crate::extract::{Rules, RulesError};
use crate::fetch::{FetchError, Fetcher};
use crate::health::Health;
use crate::http::auth::Tokens;
use crate::http::listener::{self, Limits};
use crate::http::steering::Steering;
use crate::http::{self, Surface, Unguarded};
use crate::lifecycle::{Lifecycle, process};
use crate::memory::{Memory, Parts};
use crate::pipeline::articles::Articles;
use crate::pipeline::feeds::{Feeds, bring_forward, longest_waits};
use crate::pipeline::workers::Workers;
use crate::pipeline::{Plan, Shared, Tally, line, retention, search, sharing, websub};
use crate::publish::outputs::Output;
use crate::publish::relays::Relays;
use crate::publish::warc::Archive;
use crate::publish::{Configured, Outward, PublishError};
use crate::store::{FeedsSync, HealthProblem, RunLock, Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// The reason the daemon does not start, or rejects a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store cannot be opened, or an operation on it failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be written.
    #[error(transparent)]
    Health(#[from] HealthProblem),
    /// The HTTP client cannot be built.
    #[error("cannot build the HTTP client: {0}")]
    Fetch(#[from] FetchError),
    /// An operator's selector is invalid.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A sink cannot be opened, or its input cannot be read.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The listeners in force require a token.
    #[error(transparent)]
    Unguarded(#[from] Unguarded),
    /// Everything else is done, but some sinks could not deliver.
    #[error("these sinks could not deliver: {sinks}; hint: `feedmill sinks list` shows why")]
    Undelivered {
        /// The names of the sinks.
        sinks: String,
    },
    /// A listener cannot be bound.
    #[error("cannot listen on {address}: {source}; hint: set {setting} to a free address")]
    Listen {
        /// The configuration key.
        setting: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
}

/// Divisors of the process's memory: one part is the budget of feeds, pages and articles, one that of readers of records, one that
/// of sinks. A slow reader thus makes only other readers wait, and a slow sink nobody, since each sink has its own part. The rest is
/// for the process itself, for small items that are not counted, and for the one large item of each budget that may exceed it.
const FOR_WORK: u64 = 4;
const FOR_READERS: u64 = 8;
const FOR_SINKS: u64 = 8;

/// The daemon, ready to start.
#[derive(Debug)]
pub struct Daemon {
    shared: Shared,
    health: Health,
    /// The local folders that this daemon writes to.
    outputs: watch::Sender<Arc<[Output]>>,
    plan: watch::Sender<Arc<Plan>>,
    relays: Relays,
    /// The fetcher in force, published to the sinks.
    fetcher: watch::Sender<Fetcher>,
    /// As at the start; the tokens in force are separate.
    http: http::Settings,
    tokens: watch::Sender<Tokens>,
    memory_for_readers: Memory,
    hub_listen: Option<SocketAddr>,
    /// How the operator's page changes the configuration; `None` if it cannot.
    steering: Option<Steering>,
    fixed: Fixed,
    /// The error that made the daemon stop by itself, if any.
    failure: OnceLock<StoreError>,
    _lock: RunLock,
}

/// The addresses on which a running daemon listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The HTTP listener: page, health and records.
    pub http: Option<SocketAddr>,
    /// The metrics listener, if metrics have their own.
    pub metrics: Option<SocketAddr>,
    /// The listener for calls of WebSub hubs.
    pub hubs: Option<SocketAddr>,
}

impl Daemon {
    /// Opens the store, takes the run lock, and syncs the store's feeds with the configuration. Polls nothing yet.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, DaemonError> {
        let archive = config.warc.clone().map(Archive::open).transpose()?;
        let memory = Memory::new(config.pipeline.memory_bytes / FOR_WORK);
        let shards = Store::shards_at(&config.database)?;
        let fetcher = Fetcher::within(config.fetch.clone(), clock.clone(), memory.clone(), shards.clone())?;
        let plan = plan(&config, fetcher)?;
        let store = Store::open(&config.database, clock.clone()).await?.of_process(shards);
        let lock = store.lock_for_running().await?;
        plan.fetcher.recall_pauses(store.host_pauses().await?);
        sync_feeds(&store, &plan).await?;
        if plan.websub.is_none() {
            store.subscriptions_end_all().await?;
        }
        let (fetcher_in_force, fetcher) = watch::channel(plan.fetcher.clone());
        let memory_for_sinks = Parts::new(config.pipeline.memory_bytes / FOR_SINKS);
        let outward = Outward { clock: clock.clone(), fetcher, memory: memory_for_sinks };
        let relays = Relays::open(store.clone(), outward, config.sinks.clone()).await?;
        let (plan, in_force) = watch::channel(Arc::new(plan));
        let settings = &config.pipeline;
        let shared = Shared {
            store,
            clock,
            plan: in_force,
            workers: Workers::new(settings.extract_concurrency, settings.extract_timeout),
            outage: Arc::default(),
            memory,
            rests: Arc::default(),
            alone: Arc::new(Mutex::new(())),
            archive,
            selectors: Arc::default(),
            tally: Arc::new(Tally::default()),
            feeds_due: Arc::new(Notify::new()),
            entries_recorded: Arc::new(Notify::new()),
            hubs_found: Arc::new(Notify::new()),
            articles_stored: Arc::new(Notify::new()),
        };
        sharing::begin(&shared).await?;
        let outputs = outputs(&config.sinks, shared.archive.as_ref());
        Ok(Self {
            shared,
            health: Health::default(),
            outputs: watch::Sender::new(outputs),
            plan,
            relays,
            fetcher: fetcher_in_force,
            tokens: watch::Sender::new(config.http.tokens.clone()),
            http: config.http.clone(),
            memory_for_readers: Memory::new(config.pipeline.memory_bytes / FOR_READERS),
            hub_listen: config.hub_listen,
            steering: None,
            fixed: Fixed::of(&config),
            failure: OnceLock::new(),
            _lock: lock,
        })
    }

    /// Returns the daemon with an operator's page that can change the configuration.
    #[must_use]
    pub fn steered(self, steering: Steering) -> Self {
        Self { steering: Some(steering), ..self }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Counters since the start.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.shared.tally)
    }

    /// Applies a new configuration: checks all of it first, then swaps it in at once. On an error the old one stays in force.
    pub async fn reload(&self, config: Config) -> Result<FeedsSync, DaemonError> {
        let fetcher = self.shared.plan().fetcher.reconfigured(config.fetch.clone())?;
        let plan = plan(&config, fetcher)?;
        self.http.check_tokens(&config.http)?;
        self.relays.admit(&config.sinks).await?;
        let synced = sync_feeds(&self.shared.store, &plan).await?;
        if plan.websub.is_none() {
            self.shared.store.subscriptions_end_all().await?;
        }
        self.tokens.send_replace(config.http.tokens.clone());
        self.relays.replace(config.sinks.clone());
        let outputs = outputs(&config.sinks, self.shared.archive.as_ref());
        // A check that hangs goes on if nothing has changed for it: a new one would hang as well.
        self.outputs.send_if_modified(|current| {
            let differs = *current != outputs;
            *current = outputs;
            differs
        });
        self.fetcher.send_replace(plan.fetcher.clone());
        self.shared.workers.set_budget(plan.settings.extract_timeout);
        let before = self.plan.send_replace(Arc::new(plan));
        bring_forward(&self.shared, &before).await;
        self.shared.feeds_due.notify_one();
        // Wakes the WebSub task, which ends the subscriptions of feeds that are no longer configured.
        self.shared.hubs_found.notify_one();
        for key in self.fixed.changed(&Fixed::of(&config)) {
            tracing::warn!(key, "this setting takes effect only after a restart");
        }
        Ok(synced)
    }

    /// Runs one round of each half: polls due feeds, at most as many as there are permits, then processes entries likewise. Returns
    /// the numbers of feeds and entries.
    pub async fn step(&self) -> Result<(usize, usize), DaemonError> {
        sharing::settle(&self.shared, &CancellationToken::new()).await?;
        let feeds = line::step(&Feeds::one_round(self.shared.clone())).await?;
        let entries = line::step(&Articles::new(self.shared.clone())).await?;
        Ok((feeds, entries))
    }

    /// Polls every due feed, processes every due entry, delivers the results, and returns. If `soft` is cancelled, it finishes the
    /// work in progress and leaves the rest.
    ///
    /// With other processes on the same store, it first waits for its share of the hosts, and returns it at the end.
    pub async fn once(&self, soft: &CancellationToken) -> Result<(), DaemonError> {
        sharing::settle(&self.shared, soft).await?;
        let done = CancellationToken::new();
        let turn = async {
            let _done = done.clone().drop_guard();
            self.turn(soft).await
        };
        let (turned, shared) = tokio::join!(turn, sharing::run(&self.shared, &done));
        shared?;
        turned
    }

    async fn turn(&self, soft: &CancellationToken) -> Result<(), DaemonError> {
        // Pages are fetched while feeds are still being polled. Each half is a task of its own: a half on the caller's thread would
        // wake that thread for every item.
        let mut halves = JoinSet::new();
        let feeds_done = CancellationToken::new();
        let ended = feeds_done.clone().drop_guard();
        let (shared, stop) = (self.shared.clone(), soft.clone());
        halves.spawn(async move {
            let _ended = ended;
            let nothing_before = CancellationToken::new();
            nothing_before.cancel();
            let (feeds, wake) = (Feeds::one_round(shared.clone()), Notify::new());
            let half = Box::pin(line::drain(&feeds, &wake, &shared.clock, &nothing_before, &stop));
            shared.workers.serve(half, &stop).await
        });
        let (shared, stop) = (self.shared.clone(), soft.clone());
        halves.spawn(async move {
            let articles = Articles::new(shared.clone());
            let half = line::drain(&articles, &shared.entries_recorded, &shared.clock, &feeds_done, &stop);
            let half = Box::pin(half);
            shared.workers.serve(half, &stop).await
        });
        while let Some(half) = halves.join_next().await {
            half.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        }
        let in_trouble = self.relays.drain(soft).await?;
        if self.store().shards().is_first() {
            retention::pass(&self.shared, soft).await?;
        }
        self.store().check_health().await?;
        // Reads the whole file, which may take minutes: a stop does not wait for it.
        soft.run_until_cancelled(Box::pin(self.store().check_integrity())).await.transpose()?;
        if in_trouble.is_empty() {
            Ok(())
        } else {
            Err(DaemonError::Undelivered { sinks: in_trouble.join(", ") })
        }
    }

    /// Returns the error that made the daemon stop by itself, if any.
    pub fn failure(&self) -> Option<&StoreError> {
        self.failure.get()
    }

    /// Starts all tasks on `lifecycle`, which also stops them. Returns the listening addresses.
    pub async fn start(
        self: Arc<Self>,
        lifecycle: &Lifecycle,
        metrics: Metrics,
    ) -> Result<Addresses, DaemonError> {
        let (http, metrics) = self.listen(lifecycle, metrics).await?;
        let hubs = self.listen_to_hubs(lifecycle).await?;
        self.start_work(lifecycle, hubs.is_some());
        Ok(Addresses { http, metrics, hubs })
    }

    fn start_work(self: Arc<Self>, lifecycle: &Lifecycle, has_hubs: bool) {
        // The process stays registered as alive until the last of its tasks has ended.
        let all_ended = CancellationToken::new();
        let at_work = Arc::new(all_ended.clone().drop_guard());
        let spawn = |name, work: Pin<Box<dyn Future<Output = ()> + Send>>| {
            let at_work = Arc::clone(&at_work);
            lifecycle.spawn(name, async move {
                let _at_work = at_work;
                work.await;
            });
        };
        let (daemon, stopping) = (Arc::clone(&self), lifecycle.clone());
        lifecycle.spawn("sharing", async move {
            if let Err(error) = sharing::run(&daemon.shared, &all_ended).await {
                tracing::error!(%error, "cannot continue: stopping");
                daemon.failure.get_or_init(|| error);
                stopping.stop_soft();
            }
        });
        if has_hubs {
            let (daemon, soft) = (Arc::clone(&self), lifecycle.soft());
            spawn("websub", Box::pin(async move { websub::run(&daemon.shared, &soft).await }));
        }
        let (soft, hard, progress) = (lifecycle.soft(), lifecycle.hard(), lifecycle.progress());
        let daemon = Arc::clone(&self);
        let work = async move {
            let shared = &daemon.shared;
            let feeds = Feeds::for_ever(shared.clone());
            let half = line::run(&feeds, &shared.feeds_due, &shared.clock, &soft, &hard, &progress);
            shared.workers.serve(Box::pin(half), &soft).await;
        };
        spawn("feeds", Box::pin(work));
        let (soft, hard, progress) = (lifecycle.soft(), lifecycle.hard(), lifecycle.progress());
        let daemon = Arc::clone(&self);
        // The sinks run until the articles half has ended: a soft stop still delivers the results of work in progress.
        let all_stored = CancellationToken::new();
        let ended = all_stored.clone().drop_guard();
        let work = async move {
            let _ended = ended;
            let shared = &daemon.shared;
            let articles = Articles::new(shared.clone());
            let half = line::run(&articles, &shared.entries_recorded, &shared.clock, &soft, &hard, &progress);
            shared.workers.serve(Box::pin(half), &soft).await;
        };
        spawn("articles", Box::pin(work));
        let (soft, progress, daemon) = (lifecycle.soft(), lifecycle.progress(), Arc::clone(&self));
        lifecycle.spawn("health", async move {
            daemon.health.watch(daemon.store(), daemon.outputs.subscribe(), &progress, &soft).await;
        });
        let (soft, daemon) = (lifecycle.soft(), Arc::clone(&self));
        spawn("retention", Box::pin(async move { retention::run(&daemon.shared, &soft).await }));
        let (soft, daemon) = (lifecycle.soft(), Arc::clone(&self));
        spawn("search", Box::pin(async move { search::run(&daemon.shared, &soft).await }));
        let daemon = Arc::clone(&self);
        let work = async move { daemon.relays.run(&daemon.shared.articles_stored, &all_stored).await };
        spawn("sinks", Box::pin(work));
    }

    /// Binds the HTTP listeners: one, or two if metrics have their own.
    async fn listen(
        &self,
        lifecycle: &Lifecycle,
        metrics: Metrics,
    ) -> Result<(Option<SocketAddr>, Option<SocketAddr>), DaemonError> {
        let surface = Surface {
            store: self.shared.store.clone(),
            clock: self.shared.clock.clone(),
            workers: self.shared.workers.clone(),
            memory: self.memory_for_readers.clone(),
            metrics,
            soft: lifecycle.soft(),
            stored: Arc::clone(&self.shared.articles_stored),
            tokens: self.tokens.subscribe(),
            hosts: self.http.hosts.clone(),
            health: self.health.clone(),
            plan: self.shared.plan.clone(),
            sinks: self.relays.configured(),
            selectors: Arc::clone(&self.shared.selectors),
            steering: self.steering.clone(),
        };
        let (main, apart) = match self.http.metrics_listen {
            Some(address) => {
                let (main, metrics) = http::routers_apart(surface);
                let bound = serve("metrics", address, "[http] metrics_listen", metrics, lifecycle).await?;
                tracing::info!(address = %bound, "serving metrics and health");
                (main, Some(bound))
            }
            None => (http::router(surface), None),
        };
        let Some(address) = self.http.listen else { return Ok((None, apart)) };
        let bound = serve("http", address, "[http] listen", main, lifecycle).await?;
        tracing::info!(address = %bound, "serving the page, health and records");
        Ok((Some(bound), apart))
    }

    /// Listens for calls of hubs if WebSub is on. If it is off, listens as long as subscriptions remain to be ended, since a hub
    /// verifies an unsubscription by a call.
    async fn listen_to_hubs(&self, lifecycle: &Lifecycle) -> Result<Option<SocketAddr>, DaemonError> {
        let Some(address) = self.hub_listen else { return Ok(None) };
        let is_on = self.shared.plan().websub.is_some();
        if !is_on && self.shared.store.subscription_endings_next_due().await?.is_none() {
            return Ok(None);
        }
        let router = http::websub::router(self.shared.clone());
        match serve("hubs", address, "[websub] listen", router, lifecycle).await {
            Ok(bound) => {
                tracing::info!(address = %bound, "listening for hubs");
                Ok(Some(bound))
            }
            Err(error) if !is_on => {
                tracing::warn!(error = %error, "cannot unsubscribe at the hubs; the subscriptions will expire");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the state that the pipeline's halves share, for tests that act as a hub.
    pub const fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// Serves `router` until the soft stop.
async fn serve(
    task: &'static str,
    address: SocketAddr,
    setting: &'static str,
    router: axum::Router,
    lifecycle: &Lifecycle,
) -> Result<SocketAddr, DaemonError> {
    let failed = |source| DaemonError::Listen { address, setting, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let limits = Limits::within(process::descriptors());
    lifecycle.spawn(task, listener::serve(listener, router, limits, lifecycle.soft()));
    Ok(bound)
}

/// Returns the local folders that are written to. A reload does not change the archive.
fn outputs(sinks: &[Configured], archive: Option<&Archive>) -> Arc<[Output]> {
    let of_archive = archive.map(|archive| Output::of_archive(archive.settings()));
    sinks.iter().filter_map(Output::of_sink).chain(of_archive).collect()
}

/// Builds the plan for a configuration.
fn plan(config: &Config, fetcher: Fetcher) -> Result<Plan, DaemonError> {
    Ok(Plan {
        feeds: config.feeds.clone(),
        fallback: Arc::clone(&config.feed_defaults),
        fetcher,
        rules: Arc::new(Rules::new(&config.sites)?),
        dedup: config.dedup.clone(),
        settings: config.pipeline.clone(),
        websub: config.websub.clone(),
        longest_waits: longest_waits(
            config.feeds.values().chain([&config.feed_defaults]),
            config.pipeline.lease,
        ),
    })
}

async fn sync_feeds(store: &Store, plan: &Plan) -> Result<FeedsSync, StoreError> {
    let mut configured: Vec<Url> = plan.feeds.keys().cloned().collect();
    configured.sort_unstable();
    let synced = store.feeds_sync(&configured, plan.settings.initial_spread).await?;
    let tags: Vec<(&Url, &[String])> =
        plan.feeds.iter().map(|(url, options)| (url, options.tags.as_slice())).collect();
    store.feeds_tag(&tags).await?;
    tracing::info!(
        feeds = configured.len(),
        added = synced.added,
        restored = synced.restored,
        removed = synced.removed,
        "feeds configured"
    );
    Ok(synced)
}
