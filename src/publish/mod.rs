//! Publishing: takes records from the outbox to their consumers. A consumer reads the outbox by cursor, and moves its cursor
//! only when what it has read is safe.
//!
//! A sink delivers records to one destination. A relay drives the sink and owns what all sinks have in common: cursor, lease,
//! batches, filter, backoff, lag. One relay runs for each `[[sink]]` table, also when the tables change. Delivery is at least
//! once, in outbox order, so a receiver that upserts records by (`id`, `revision`) stores each exactly once.

/// Filters that select the records a consumer wants.
pub mod filter;
/// Relays from the outbox to one sink.
pub mod relay;
/// The relays of all configured sinks, and their change by a reload.
pub mod relays;
/// Folders that sinks write to, on the local disk or in an object store.
pub mod folder;
/// Whether the local folders can be written to.
pub mod outputs;
/// Records as text files, one per text.
pub mod text;
/// Files that hold many records each.
pub mod files;
/// Files of JSON lines.
mod jsonl;
/// Parquet files: typed columns.
mod parquet;
/// Records as POST requests to a webhook.
pub mod webhook;
/// Records as messages of a NATS JetStream stream.
pub mod nats;
/// Records on the standard output.
pub mod stdout;
/// Records as JSON lines.
pub mod lines;
/// Raw pages as WARC files, for other tools.
pub mod warc;

use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::folder::Place;
use crate::clock::Clock;
use crate::fetch::{FetchError, Fetcher};
use crate::memory::Parts;
use crate::model::Record;
use crate::store::StoreError;

/// Number of records read from the store at a time.
const STEP: u32 = 50;

/// The longest time that opening a destination may take; no request is sent.
const LONGEST_OPENING: Duration = Duration::from_secs(10);

/// Delivers records to one destination. A sink knows nothing of cursors, leases and retries; those belong to the relay.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Returns the limits of one batch.
    fn batching(&self) -> Batching;

    /// Delivers a batch, in order. `Ok` means that all of it is safe at the receiver. Records that were delivered before may be
    /// passed again.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a>;
}

/// A delivery in progress.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// Consecutive records, without those that the filter rejects.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The records; at least one when it reaches a sink.
    pub records: Vec<Record>,
    /// The first outbox position that the batch covers.
    pub first: i64,
    /// The last outbox position that the batch covers.
    pub last: i64,
    /// When the first event that the batch covers was stored.
    pub began_at: Timestamp,
}

impl Batch {
    /// Returns `date=2026-11-29/000000000501-000000001000.EXT`: the day on which the first event was stored, as a Hive
    /// partition (the form that DuckDB, pandas and Spark read), and the positions that the batch covers.
    pub fn file_name(&self, extension: &str) -> String {
        let day = Offset::UTC.to_datetime(self.began_at).date();
        format!("date={day}/{:012}-{:012}.{extension}", self.first, self.last)
    }
}

/// Limits of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// The maximum number of outbox positions.
    pub max_records: u32,
    /// A batch takes no further record once its texts reach this many bytes.
    pub max_bytes: usize,
    /// Set for sinks that write files: a file ends with each period of this length, counted from midnight, and one that has
    /// reached neither limit waits for the end of its period. Which positions a file holds is decided once and stored.
    pub period: Option<Duration>,
}

impl Default for Batching {
    fn default() -> Self {
        Self { max_records: 500, max_bytes: 4 << 20, period: None }
    }
}

/// Why a delivery failed, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A temporary failure: the same batch is retried later.
    Later {
        /// The reason, for the operator.
        reason: String,
        /// The minimum delay, if the receiver named one.
        after: Option<Duration>,
    },
    /// The receiver wants no more records; the sink stays off until the operator resumes it.
    Disabled {
        /// The reason, for the operator.
        reason: String,
    },
    /// The receiver refuses this one record permanently.
    Record {
        /// The position of the record.
        seq: i64,
        /// The reason, for the operator.
        reason: String,
    },
}

impl Failure {
    /// A temporary failure without a delay named by the receiver.
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::later(error.to_string())
    }
}

/// A destination that is being opened.
type Opening = JoinHandle<Result<Box<dyn Sink>, PublishError>>;

/// A `[[sink]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// How the sink is driven.
    pub relay: relay::Settings,
    /// Where the records go.
    pub receiver: Receiver,
}

impl Configured {
    /// The name that identifies the sink.
    pub fn name(&self) -> &str {
        &self.relay.name
    }

    /// Opens the destination within a time limit.
    pub async fn open(&self, outward: &Outward) -> Result<Box<dyn Sink>, PublishError> {
        self.opened(&mut self.begin_opening(outward)).await
    }

    /// Begins to open the destination, off the async threads: a folder of a file server may not respond.
    fn begin_opening(&self, outward: &Outward) -> Opening {
        let (sink, outward) = (self.clone(), outward.clone());
        tokio::task::spawn_blocking(move || sink.receiver.open(&sink.relay.name, &outward))
    }

    /// Waits for the destination within a time limit.
    async fn opened(&self, opening: &mut Opening) -> Result<Box<dyn Sink>, PublishError> {
        match tokio::time::timeout(LONGEST_OPENING, opening).await {
            Ok(opened) => opened.unwrap_or_else(|error| resume_unwind(error.into_panic())),
            Err(_elapsed) => Err(PublishError::File {
                action: "cannot open",
                path: self.receiver.place().map(Place::to_string).unwrap_or_default(),
                source: io::ErrorKind::TimedOut.into(),
            }),
        }
    }
}

/// The destination of a sink.
#[derive(Clone, Debug, PartialEq)]
pub enum Receiver {
    /// Text files.
    Text {
        /// Where the files are written.
        to: Place,
        /// Which texts are written.
        selection: text::Selection,
        /// Where the metadata of each text is written.
        trace: text::Trace,
    },
    /// Files of many records.
    Files {
        /// Where the files are written.
        to: Place,
        /// The file format.
        form: files::Form,
        /// When a file ends.
        batching: Batching,
    },
    /// A webhook that receives POST requests.
    Webhook(Box<webhook::Settings>),
    /// A NATS JetStream stream.
    Nats(nats::Settings),
    /// The standard output.
    Stdout,
}

/// The daemon's resources that sinks use; a reload replaces those behind a `watch` channel.
#[derive(Clone, Debug)]
pub struct Outward {
    /// Wall time.
    pub clock: Clock,
    /// The HTTP client.
    pub fetcher: watch::Receiver<Fetcher>,
    /// The memory budget for records on their way to sinks, in bytes: each relay has a part of it.
    pub memory: Parts,
}

impl Receiver {
    /// Returns the name of this kind of sink in the configuration.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Files { form, .. } => form.kind(),
            Self::Webhook(_) => "webhook",
            Self::Nats(_) => "nats",
            Self::Stdout => "stdout",
        }
    }

    /// Returns where the files go, for sinks that write files.
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::Text { to, .. } | Self::Files { to, .. } => Some(to),
            Self::Webhook(_) | Self::Nats(_) | Self::Stdout => None,
        }
    }

    /// Opens the destination for the sink called `name`, as far as that is possible before there is anything to deliver.
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

/// Why publishing failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or a stream failed.
    #[error("{action} {path}: {source}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// The path or stream.
        path: String,
        /// The underlying error.
        source: io::Error,
    },
    /// An object store failed.
    #[error("{action} {place}: {reason}")]
    Object {
        /// What was attempted.
        action: &'static str,
        /// The bucket or object.
        place: String,
        /// The error of the object store, with a hint if there is one.
        reason: String,
    },
    /// The HTTP client for object stores cannot be built.
    #[error(transparent)]
    Client(#[from] FetchError),
    /// A sink cannot be opened.
    #[error("sink {name}: {source}")]
    Sink {
        /// The name of the sink.
        name: String,
        /// The reason.
        source: Box<PublishError>,
    },
    /// Another process or sink writes into the folder.
    #[error("{path}: another feedmill or another sink writes to this folder; hint: give each its own folder")]
    FolderInUse {
        /// The folder.
        path: String,
    },
    /// Records were removed before the reader had read them.
    #[error(
        "records after {after} were removed (keep_days), up to {removed_through}; hint: --skip-removed continues with the \
         remaining records"
    )]
    Removed {
        /// The reader's position.
        after: i64,
        /// The highest position that was removed.
        removed_through: i64,
    },
    /// A record could not be written as JSON.
    #[error("record {seq}: {source}")]
    Json {
        /// The position of the record.
        seq: i64,
        /// The underlying error.
        source: serde_json::Error,
    },
}
