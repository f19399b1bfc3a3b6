//! The two halves of the pipeline: `feeds` turns due feeds into pending entries, `articles` turns pending entries into
//! stored articles.
//!
//! They are joined by a table, not a channel: what one half has recorded is durable before the other sees it, a kill at any
//! point loses nothing, and a backlog consists of rows instead of memory. Both halves are a `line::Stage` and are driven by
//! the same loop (see `line`): claim for the free permits and a little ahead, process concurrently, record finished items
//! in batches.

/// Entries to articles.
pub mod articles;
/// Feeds to entries.
pub mod feeds;
/// The loop that drives each half.
pub mod line;
/// The page that an article is made from.
mod pages;
/// The feed's own text as an article, where that is recorded.
mod own_text;
/// For which pages a feed speaks.
mod voice;
/// Rules for which of a feed's entries are taken.
pub mod choice;
/// Removal of old articles and pages.
pub mod retention;
/// Adds articles that are older than the word index to it.
pub mod search;
/// Reports the operator's selectors that match nothing.
pub mod selectors;
/// The article that is made from a page.
mod refine;
/// The further pages of an article.
mod further;
/// Several pages kept as one body.
mod bundle;
/// Coordination with other processes on the same store.
pub mod sharing;
/// Re-extraction of kept pages.
pub mod reextract;
/// Parses items alone that may have killed the process before.
pub mod suspects;
/// The work on one entry.
mod task;
/// Pauses for feeds that take too much CPU.
pub mod rests;
/// Permits for CPU work, in turn by party.
mod turns;
/// Feeds that hubs deliver.
pub mod websub;
/// CPU work off the async threads, with limited concurrency and a time budget.
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

/// How long a worker waits for its turn at a host before it releases the item. Shorter than the gap between two requests to
/// a host: a worker that waits that long occupies a permit needed for other hosts.
const HOST_PATIENCE: Duration = Duration::from_millis(250);

/// Settings of both halves.
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
    /// Maximum number of pages that an article is read from.
    pub max_article_pages: u32,
    /// Memory budget of the whole process.
    pub memory_bytes: u64,
    /// Different days on which a permanent redirect must be seen before the feed's URL follows it.
    pub move_confirmation_days: u32,
}

/// All options that may differ between feeds.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// Bounds on when it is polled.
    pub bounds: schedule::Bounds,
    /// Options of its requests.
    pub request: fetch::RequestOptions,
    /// The source of its articles' text.
    pub content: ContentSource,
    /// The pages that the operator lets it speak for, beside those of its own party.
    pub speaks_for: SpeaksFor,
    /// What is kept of its articles.
    pub keeping: Keeping,
    /// Rules for which of its entries are taken.
    pub choice: Choice,
    /// The operator's labels.
    pub tags: Vec<String>,
}

impl FeedOptions {
    /// Returns the options of a feed that is polled within `bounds`, with defaults for everything else.
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

/// The greatest age of an article at which its page may be rechecked.
pub const LONGEST_RECHECK: Duration = Duration::from_hours(365 * 24);

/// What is kept of a feed's articles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Ages of an article at which its page is rechecked, in rising order.
    pub recheck: Vec<Duration>,
    /// Whether the pages themselves are kept.
    pub raw: RawPages,
    /// How long articles are kept after their last event; `None` means forever.
    pub keep: Option<Duration>,
    /// How long kept pages are kept; `None` means as long as their articles.
    pub keep_raw: Option<Duration>,
}

/// Everything that a reload replaces, all at once.
#[derive(Debug)]
pub struct Plan {
    /// Options by configured URL.
    pub feeds: HashMap<Url, Arc<FeedOptions>>,
    /// Options for entries whose feed was removed from the configuration meanwhile.
    pub fallback: Arc<FeedOptions>,
    /// The HTTP client.
    pub fetcher: Fetcher,
    /// Boilerplate rules and the operator's selectors.
    pub rules: Arc<Rules>,
    /// When two texts count as copies.
    pub dedup: dedup::Settings,
    /// Settings of both halves.
    pub settings: Settings,
    /// How feeds are subscribed to; `None` means not at all.
    pub websub: Option<websub::Settings>,
    /// The longest times that anything waits: see [`feeds::longest_waits`].
    pub longest_waits: LongestWaits,
}

impl Plan {
    /// Returns the options of a feed.
    pub fn options(&self, configured_url: &Url) -> Arc<FeedOptions> {
        Arc::clone(self.feeds.get(configured_url).unwrap_or(&self.fallback))
    }
}

/// The state that both halves share.
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
    /// Distinguishes a failure of our own network from failing hosts.
    pub outage: Arc<Mutex<Outage>>,
    /// Memory in use, in bytes.
    pub memory: Memory,
    /// Feeds that rest because their pages exceed their budget.
    pub rests: Arc<rests::Rests>,
    /// Held while a suspect is parsed (see [`suspects`]).
    pub alone: Arc<tokio::sync::Mutex<()>>,
    /// Archive of fetched pages, if there is one.
    pub archive: Option<Archive>,
    /// Records which of the operator's selectors match.
    pub selectors: Arc<SelectorWatch>,
    /// Counts of what was done since the start.
    pub tally: Arc<Tally>,
    /// Notified when feeds may have become due.
    pub feeds_due: Arc<Notify>,
    /// Notified by the first half when it has recorded entries, so that the second need not wait for its next look.
    pub entries_recorded: Arc<Notify>,
    /// Notified when the hubs to ask may have changed, for the task that asks hubs.
    pub hubs_found: Arc<Notify>,
    /// Notified by the second half when it has stored articles, for all readers of the outbox.
    pub articles_stored: Arc<Notify>,
}

impl Shared {
    /// Returns the plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.borrow())
    }
}

impl Shared {
    /// Returns until when nothing is claimed, because our own network is down.
    fn paused_until(&self) -> Option<Timestamp> {
        self.outage().paused_until(self.clock.now())
    }

    /// Returns the later of an item's due time and the end of the pause.
    fn not_while_paused(&self, due: Option<Timestamp>) -> Option<Timestamp> {
        due.map(|due| self.paused_until().map_or(due, |until| until.max(due)))
    }

    /// Returns when to come back to a host whose queue is too long to wait in: a worker waiting there would be unavailable
    /// for all other hosts, and its lease might expire before its turn.
    fn deferred(&self, plan: &Plan, url: &Url) -> Option<Timestamp> {
        let wait = plan.fetcher.defer(url, HOST_PATIENCE)?;
        self.clock.now().checked_add(wait).ok()
    }

    /// Records the result of a request that was made at `began` for a feed. Returns the end of the pause if our own network
    /// caused the failure: then neither feed nor page is to blame.
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
            tracing::error!(%until, "cannot reach any host: our own network is down; polling pauses, no feed counts as failed");
        }
        until.filter(|_| ours)
    }

    /// Stores the pauses that hosts have asked for since the last call, so that they survive a restart. Those that cannot
    /// be stored now are stored with the next call.
    async fn keep_pauses(&self) {
        let plan = self.plan();
        let pauses = plan.fetcher.unkept_pauses();
        if pauses.is_empty() {
            return;
        }
        match self.store.host_pauses_keep(&pauses).await {
            Ok(()) => plan.fetcher.note_kept_pauses(&pauses),
            Err(error) => tracing::warn!(error = %error, "cannot store the pauses of hosts yet"),
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().expect("no holder of this lock can panic")
    }
}

/// Returns the party that answers for a feed, and for all work caused by it.
fn party_of(feed_url: &Url) -> String {
    trust::party(feed_url).unwrap_or_default()
}

/// Counts since the start, for progress bars and closing lines; metrics are separate.
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
    /// Entries postponed.
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
