//! feedmill watches RSS, Atom and JSON feeds and turns what they announce into clean article text.
//!
//! ```text
//! schedule --DueFeed--> fetch --bytes | NotModified--> parse --ParsedFeed--> store: feeds, entries(pending)
//!                                                                                | claim for the free permits, a little ahead
//! publish <--outbox-- store <--Verdict-- dedup <--Article-- extract <--Page-- fetch
//!          (one transaction: article revision + verdict + entry state + outbox row)
//! ```
//!
//! The modules are listed in the order in which data flows through them.

/// The values that travel between the stages, and their ids.
pub mod model;
/// When a feed is next due: one pure function of the publisher's hints and the observed history.
pub mod schedule;
/// The state of a subscription at a WebSub hub, and whether a delivery is genuine. Pure.
pub mod subscription;
/// Which hosts this process may request, where several processes share a store.
pub mod shards;
/// The only HTTP client: guarded addresses, capped bodies, limits per host.
pub mod fetch;
/// Work counted in steps, which can be limited and stopped. Pure.
pub mod work;
/// HTML tokenized by html5gum, with limits. Pure.
pub mod markup;
/// Detection of the encoding of feeds and pages. Pure.
pub mod charset;
/// The words of each language, used to read feeds and pages. Pure.
pub mod languages;
/// The operator's regular expressions, compiled within bounds. Pure.
pub mod patterns;
/// Time zones by the abbreviations used in feeds and pages. Pure.
pub mod zones;
/// Which feeds are trusted for which pages: registrable domains, and pages that name their feeds. Pure.
pub mod trust;
/// Feed bytes to entries: RSS, Atom, RDF and JSON Feed as they are found in the wild. Pure.
pub mod parse;
/// Detection of answers that are not the announced page: bot checks, consent walls, soft 404s. Pure.
pub mod impostor;
/// Decides which recorded entry an announced entry is. Pure.
pub mod identity;
/// A page to its article: text, metadata and an account of every block kept or dropped. Pure.
pub mod extract;
/// Canonical text, content hash, signature and the verdict on copies. Pure.
pub mod dedup;
/// Texts and queries as normalized words, for full-text search. Pure.
pub mod search;
/// The only SQL: feeds, entries, articles, furniture and the outbox, on SQLite or PostgreSQL.
pub mod store;
/// The two halves of the daemon, feeds to entries and entries to articles, joined by a table.
pub mod pipeline;
/// Output: the outbox as files, JSON lines and pages of records.
pub mod publish;
/// Whether records can be stored and written.
pub mod health;
/// What the terminal and the operator's page both show: sentences and numbers.
pub mod report;
/// The HTTP server: health, metrics, the cursor API and the operator's page.
pub mod http;
/// The configuration file and the settings derived from it.
pub mod config;
/// The subscriber for logs and traces, and the recorder for metrics.
pub mod telemetry;
/// Wall time, which tests can set.
pub mod clock;
/// Free space on disks.
pub mod disk;
/// Memory in use, counted in bytes against a budget.
pub mod memory;
/// Short CPU work (milliseconds), off the async threads.
pub mod blocking;
/// Signals, soft and hard stop, tracked tasks, and notifications to the service manager.
pub mod lifecycle;
/// The composition root: builds a running daemon from a `Config`.
pub mod daemon;
/// A small news site on loopback, for the demo and for experiments.
pub mod demo;
/// The command line, one file per subcommand.
pub mod cli;
