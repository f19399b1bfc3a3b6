//! The two halves of the mill: `feeds` turns due feeds into pending entries, `articles` turns pending entries into
//! stored articles.
//!
//! A table joins them, not a channel: what one half has recorded is durable before the other sees it, a kill at any
//! point loses nothing, and a backlog is rows instead of memory. Both halves are a `line::Stage` and are driven by
//! the same loop (see `line`): claim for the free permits and a little ahead, work side by side, record what is done in
//! batches.

/// Entries to articles.
pub mod articles;
/// Feeds to entries.
pub mod feeds;
/// The loop that drives a half.
pub mod line;
/// The page that an article is made from.
mod pages;
/// What a feed says of an article itself, where that is recorded.
mod own_text;
/// For whom a feed speaks.
mod voice;
/// Which of a feed's entries are taken.
pub mod choice;
/// What is old enough goes.
pub mod retention;
/// What is older than the index of words is added to it.
pub mod search;
/// Which of the operator's selectors match nothing.
pub mod selectors;
/// The article that is made from it.
mod refine;
/// The pages on which it goes on.
mod further;
/// Several pages kept as one.
mod bundle;
/// This process among others on one store.
pub mod sharing;
/// Kept pages, read anew.
pub mod reextract;
/// What may have killed the process before is parsed alone.
pub mod suspects;
/// The work on one entry.
mod task;
/// Feeds that take too much of the CPU.
pub mod rests;
/// Permits for CPU work, in turn by party.
mod turns;
/// Feeds that hubs deliver.
pub mod websub;
/// CPU work off the async threads, bounded, with a budget.
pub mod workers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use url::Url;

use self::choice::Choice;
use self::selectors::SelectorWatch;
use crate::clock::Clock;
use crate::extract::Rules;
use crate::fetch::{self, FetchError, Fetcher, Outage};
use crate::memory::Memory;
use crate::model::{ContentSource, RawPages};
use crate::publish::warc::Archive;
use crate::store::{LongestWaits, Store};
use crate::telemetry::metrics;
use crate::trust::{self, SpeaksFor};
use crate::{dedup, schedule};

/// How long a worker waits for its turn at a host before it gives the item back. Shorter than the gap between two requests
/// to a host: who waits for that has a place that the requests to other hosts need.
const HOST_PATIENCE: Duration = Duration::from_millis(250);

/// How the two halves work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Feeds polled at once.
    pub feed_concurrency: u32,
    /// Pages fetched at once.
    pub page_concurrency: u32,
    /// Feeds and pages parsed at once; the number of cores by default.
    pub extract_concurrency: u32,
    /// Time after which the extraction of a page, or the parse of a feed, is given up.
    pub extract_timeout: Duration,
    /// How long a claimed row belongs to its worker.
    pub lease: Duration,
    /// First polls of new feeds are spread over this time.
    pub initial_spread: Duration,
    /// Failed attempts after which an entry is given up.
    pub max_entry_attempts: u32,
    /// Pages that an article is read from.
    pub max_article_pages: u32,
    /// Memory that the whole process is to get along with.
    pub memory_bytes: u64,
    /// Different days on which a permanent redirect must be seen before the feed's URL follows it.
    pub move_confirmation_days: u32,
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
    /// Whose pages the operator lets it speak for, beside those of its own party.
    pub speaks_for: SpeaksFor,
    /// What is kept of its articles.
    pub keeping: Keeping,
    /// Which of its entries are taken.
    pub choice: Choice,
    /// The operator's labels.
    pub tags: Vec<String>,
}

impl FeedOptions {
    /// Those of a feed that is polled within `bounds` and about which nothing else is said.
    pub fn within(bounds: schedule::Bounds) -> Self {
        Self {
            bounds,
            request: fetch::RequestOptions::default(),
            content: ContentSource::default(),
            speaks_for: SpeaksFor::default(),
            keeping: Keeping::default(),
            choice: Choice::default(),
            tags: Vec::new(),
        }
    }
}

/// What is kept of a feed's articles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Ages of an article at which its page is looked at again, in rising order.
    pub recheck: Vec<Duration>,
    /// Whether the pages themselves are kept.
    pub raw: RawPages,
    /// How long articles are kept after their last event; for ever where `None`.
    pub keep: Option<Duration>,
    /// How long kept pages are; as long as their articles where `None`.
    pub keep_raw: Option<Duration>,
}

/// What a reload replaces, all of it at once.
#[derive(Debug)]
pub struct Plan {
    /// Options by configured URL.
    pub feeds: HashMap<Url, Arc<FeedOptions>>,
    /// For entries whose feed has left the config meanwhile.
    pub fallback: Arc<FeedOptions>,
    /// The HTTP client.
    pub fetcher: Fetcher,
    /// Boilerplate rules and the operator's selectors.
    pub rules: Arc<Rules>,
    /// When two texts are copies.
    pub dedup: dedup::Settings,
    /// How the halves work.
    pub settings: Settings,
    /// How feeds are subscribed to; not at all where `None`.
    pub websub: Option<websub::Settings>,
    /// The longest that anything waits: see [`feeds::longest_waits`].
    pub longest_waits: LongestWaits,
}

impl Plan {
    /// The options of a feed.
    pub fn options(&self, configured_url: &Url) -> Arc<FeedOptions> {
        Arc::clone(self.feeds.get(configured_url).unwrap_or(&self.fallback))
    }
}

/// What both halves share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The store.
    pub store: Store,
    /// Wall time.
    pub clock: Clock,
    /// The plan in force.
    pub plan: watch::Receiver<Arc<Plan>>,
    /// The CPU workers.
    pub workers: workers::Workers,
    /// Tells a failing network of our own from failing hosts.
    pub outage: Arc<Mutex<Outage>>,
    /// What is in hand, in bytes.
    pub memory: Memory,
    /// Feeds whose pages run out of their time.
    pub rests: Arc<rests::Rests>,
    /// Held while a suspect is parsed (see [`suspects`]).
    pub alone: Arc<tokio::sync::Mutex<()>>,
    /// Where pages are archived, where they are.
    pub archive: Option<Archive>,
    /// Which of the operator's selectors match.
    pub selectors: Arc<SelectorWatch>,
    /// What has been done since the start.
    pub tally: Arc<Tally>,
    /// Rung when feeds may have become due.
    pub feeds_due: Arc<Notify>,
    /// Rung by the first half when it has recorded entries, so that the second need not wait for its next look.
    pub entries_recorded: Arc<Notify>,
    /// Rung when a feed has named a hub, for whoever asks it.
    pub hubs_found: Arc<Notify>,
    /// Rung by the second half when it has stored articles, for whoever reads the outbox.
    pub articles_stored: Arc<Notify>,
}

impl Shared {
    /// The plan in force now.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.borrow())
    }
}

impl Shared {
    /// Until when nothing is claimed, because our own network is down.
    fn paused_until(&self) -> Option<Timestamp> {
        self.outage().paused_until(self.clock.now())
    }

    /// The later of when an item is due and when the pause ends.
    fn not_while_paused(&self, due: Option<Timestamp>) -> Option<Timestamp> {
        due.map(|due| self.paused_until().map_or(due, |until| until.max(due)))
    }

    /// When to come back to a host whose queue is too long to wait in: a worker that waited there would be missing to
    /// all other hosts, and its lease might end before its turn.
    fn deferred(&self, plan: &Plan, url: &Url) -> Option<Timestamp> {
        let wait = plan.fetcher.defer(url, HOST_PATIENCE)?;
        self.clock.now().checked_add(wait).ok()
    }

    /// Notes how a request ended that was made at `began` for a feed. Returns the end of the pause where its failure is our
    /// own network's: then neither feed nor page is to blame.
    fn blame_ourselves(
        &self,
        feed_url: &Url,
        began: Timestamp,
        failure: Option<&FetchError>,
    ) -> Option<Timestamp> {
        let now = self.clock.now();
        let is_network = failure.is_some_and(FetchError::is_network);
        let mut outage = self.outage();
        let was_paused = outage.paused_until(now).is_some();
        let ours = outage.record(&party_of(feed_url), began, is_network, now);
        let until = outage.paused_until(now);
        drop(outage);
        if let (Some(until), false) = (until, was_paused) {
            metrics::network_paused();
            tracing::error!(%until, "nothing can be reached: our own network is down; pausing, no feed is blamed");
        }
        until.filter(|_| ours)
    }

    /// Writes down the pauses that hosts have asked for since the last time, so that they outlast the process. What cannot
    /// be written down now is with the next.
    async fn keep_pauses(&self) {
        let plan = self.plan();
        let pauses = plan.fetcher.unkept_pauses();
        if pauses.is_empty() {
            return;
        }
        match self.store.host_pauses_keep(&pauses).await {
            Ok(()) => plan.fetcher.note_kept_pauses(&pauses),
            Err(error) => tracing::warn!(error = %error, "the pauses of hosts are not written down yet"),
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().expect("no holder of this lock can panic")
    }
}

/// The party that answers for a feed, and for what is done because of it.
fn party_of(feed_url: &Url) -> String {
    trust::party(feed_url).unwrap_or_default()
}

/// Counts since the start, for progress bars and closing lines; metrics are kept apart.
#[derive(Debug, Default)]
pub struct Tally {
    /// Polls that brought a feed or "not modified".
    pub polls_ok: AtomicU64,
    /// Polls that failed.
    pub polls_failed: AtomicU64,
    /// Entries not seen before.
    pub new_entries: AtomicU64,
    /// Articles and revisions stored.
    pub articles: AtomicU64,
    /// Stored articles that are copies of an earlier one.
    pub duplicates: AtomicU64,
    /// Entries put off.
    pub postponed: AtomicU64,
    /// Entries given up.
    pub failed: AtomicU64,
}

impl Tally {
    /// Adds `count` to a counter of the tally.
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Reads a counter of the tally.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
