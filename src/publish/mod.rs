//! What leaves the mill. The outbox is read by cursor; every reader remembers how far it came, and moves its cursor only
//! when what it read is safe.
//!
//! A sink takes records to where others read them; a relay drives it and owns all that is the same for each: cursor, lease,
//! batches, filter, backoff, lag. What arrives is promised as: at least once, in the order of the outbox, and so once to a
//! reader that puts records in by (`id`, `revision`).

/// Which records a reader wants.
pub mod filter;
/// From the outbox to one sink.
pub mod relay;
/// Folders that sinks write, here or in an object store.
pub mod folder;
/// Records as text files.
pub mod text;
/// Many records in one file.
pub mod files;
/// A file of JSON lines.
mod jsonl;
/// A file of typed columns.
mod parquet;
/// Records to a receiver of POSTs.
pub mod webhook;
/// Records as messages of a stream.
pub mod nats;
/// Records on the standard output.
pub mod stdout;
/// Records as JSON lines.
pub mod lines;
/// Pages as they came, for other tools.
pub mod warc;

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;
use tokio::sync::watch;

use self::folder::Place;
use crate::clock::Clock;
use crate::fetch::{FetchError, Fetcher};
use crate::memory::Memory;
use crate::model::Record;
use crate::store::StoreError;

/// Records read from the store at a time.
const STEP: u32 = 50;

/// Takes records to where others read them. It knows nothing of cursors, leases and retries: those are the relay's.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// How much it takes at a time.
    fn batching(&self) -> Batching;

    /// Delivers a batch, in order. `Ok` says that all of it is safe at the receiver. It may be asked to deliver records
    /// again that it delivered before.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a>;
}

/// A delivery under way.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// Consecutive records, without those that the filter leaves out.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The records; at least one.
    pub records: Vec<Record>,
    /// The first position that it covers.
    pub first: i64,
    /// The last position that it covers.
    pub last: i64,
    /// When the first event that it covers was stored.
    pub began_at: Timestamp,
}

impl Batch {
    /// `date=2026-11-29/000000000501-000000001000.EXT`: the day on which its first event was stored, as DuckDB, pandas and
    /// Spark name a partition, and the positions that it covers.
    pub fn file_name(&self, extension: &str) -> String {
        let day = Offset::UTC.to_datetime(self.began_at).date();
        format!("date={day}/{:012}-{:012}.{extension}", self.first, self.last)
    }
}

/// How much a sink takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// At most so many positions.
    pub max_records: u32,
    /// No further record after so many bytes of text.
    pub max_bytes: usize,
    /// Set for files: one ends with each period of this length, counted from midnight, and what is not yet full waits for
    /// that. Which positions a file holds is decided once and remembered.
    pub period: Option<Duration>,
}

impl Default for Batching {
    fn default() -> Self {
        Self { max_records: 500, max_bytes: 4 << 20, period: None }
    }
}

/// Why a delivery failed, and what now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same batch may be taken later.
    Later {
        /// For the operator.
        reason: String,
        /// Not before this has passed, where the receiver named a time.
        after: Option<Duration>,
    },
    /// The receiver wants no more, until the operator says otherwise.
    Disabled {
        /// For the operator.
        reason: String,
    },
    /// This one record is refused whenever it is tried.
    Record {
        /// Its position.
        seq: i64,
        /// For the operator.
        reason: String,
    },
}

impl Failure {
    /// A failure that may pass, of a receiver that named no time.
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::later(error.to_string())
    }
}

/// A `[[sink]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// How it is driven.
    pub relay: relay::Settings,
    /// Where its records go.
    pub receiver: Receiver,
}

/// Where a sink's records go.
#[derive(Clone, Debug, PartialEq)]
pub enum Receiver {
    /// Text files.
    Text {
        /// Where to.
        to: Place,
        /// Which texts.
        selection: text::Selection,
        /// Where it is said what they are.
        trace: text::Trace,
    },
    /// Files of many records.
    Files {
        /// Where to.
        to: Place,
        /// How records stand in a file.
        form: files::Form,
        /// When a file ends.
        batching: Batching,
    },
    /// A receiver of POSTs.
    Webhook(Box<webhook::Settings>),
    /// A NATS JetStream stream.
    Nats(nats::Settings),
    /// The standard output.
    Stdout,
}

/// What sinks are given of the daemon; a reload replaces what is watched.
#[derive(Clone, Debug)]
pub struct Outward {
    /// Wall time.
    pub clock: Clock,
    /// The HTTP client.
    pub fetcher: watch::Receiver<Fetcher>,
    /// What is on its way to sinks, in bytes.
    pub memory: Memory,
}

impl Receiver {
    /// The word for it in the configuration.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Files { form, .. } => form.kind(),
            Self::Webhook(_) => "webhook",
            Self::Nats(_) => "nats",
            Self::Stdout => "stdout",
        }
    }

    /// Where its files go, where it writes files.
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::Text { to, .. } | Self::Files { to, .. } => Some(to),
            Self::Webhook(_) | Self::Nats(_) | Self::Stdout => None,
        }
    }

    /// Opens it for the sink of that name, where that can be done before there is anything to deliver.
    pub fn open(&self, name: &str, outward: &Outward) -> Result<Box<dyn Sink>, PublishError> {
        let client = || outward.fetcher.borrow().object_client();
        Ok(match self.clone() {
            Self::Text { to, selection, trace } => {
                Box::new(text::Texts { folder: to.open(client)?, selection, trace })
            }
            Self::Files { to, form, batching } => {
                Box::new(files::Files { folder: to.open(client)?, form, batching })
            }
            Self::Webhook(settings) => {
                let (clock, fetcher) = (outward.clock.clone(), outward.fetcher.clone());
                Box::new(webhook::Webhook { name: name.to_owned(), settings: *settings, clock, fetcher })
            }
            Self::Nats(settings) => Box::new(nats::Nats::new(settings)),
            Self::Stdout => Box::new(stdout::Stdout),
        })
    }
}

/// Why a reader stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or a stream failed.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What came of it.
        source: std::io::Error,
    },
    /// An object store failed.
    #[error("{action} {place}: {reason}")]
    Object {
        /// What was tried.
        action: &'static str,
        /// On what.
        place: String,
        /// What came of it, and the way out.
        reason: String,
    },
    /// The HTTP client for object stores cannot be built.
    #[error(transparent)]
    Client(#[from] FetchError),
    /// Another writes into the folder.
    #[error(
        "{path}: another feedmill, or another sink, writes into this folder; hint: give each a folder of its own"
    )]
    FolderInUse {
        /// The folder.
        path: String,
    },
    /// Records that the reader has not read are gone.
    #[error(
        "records after {after} were removed since (keep_days), up to {removed_through}; hint: --skip-removed goes on with what \
         is left"
    )]
    Removed {
        /// Where the reader stands.
        after: i64,
        /// The highest position that was removed.
        removed_through: i64,
    },
    /// A record could not be written as JSON.
    #[error("record {seq}: {source}")]
    Json {
        /// The record.
        seq: i64,
        /// Why not.
        source: serde_json::Error,
    },
}
