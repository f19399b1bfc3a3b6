//! feedmill watches RSS, Atom and JSON feeds and turns what they announce into clean article text.
//!
//! ```text
//! schedule --DueFeed--> fetch --bytes | NotModified--> parse --ParsedFeed--> store: feeds, entries(pending)
//!                                                                                | claim for the free permits, a little ahead
//! publish <--outbox-- store <--Verdict-- dedup <--Article-- extract <--Page-- fetch
//!          (one transaction: article revision + verdict + entry state + outbox row)
//! ```
//!
//! The modules stand in the order in which data flows through them.

/// The values that travel between the stages, and their ids.
pub mod model;
/// When a feed is next due: one pure function of what the publisher asked and what we saw.
pub mod schedule;
/// How far a subscription at a WebSub hub has come, and whether what it delivers is genuine. Pure.
pub mod subscription;
/// Which hosts this process may ask, where several share a store.
pub mod shards;
/// The only HTTP client: addresses are guarded, bodies capped, hosts spared.
pub mod fetch;
/// Work that is counted, and can be stopped where it counts. Pure.
pub mod work;
/// HTML read under guard by html5gum. Pure.
pub mod markup;
/// What the bytes of feeds and pages tell of their encoding. Pure.
pub mod charset;
/// The words of each language that feeds and pages are read by. Pure.
pub mod languages;
/// The operator's patterns, compiled within bounds. Pure.
pub mod patterns;
/// Time zones by the abbreviations that feeds and pages print. Pure.
pub mod zones;
/// Who may speak for a page: registrable domains, and who names whom. Pure.
pub mod trust;
/// Feed bytes to entries: RSS, Atom, RDF and JSON Feed as they are found in the wild. Pure.
pub mod parse;
/// Whether what came for an announced page is that page at all: bot checks, consent walls, pages that are gone. Pure.
pub mod impostor;
/// Which recorded entry an announced one is. Pure.
pub mod identity;
/// A page to its article: text, metadata and an account of every block kept or dropped. Pure.
pub mod extract;
/// Canonical text, content hash, signature and the verdict on copies. Pure.
pub mod dedup;
/// Texts and questions as words, for looking articles up. Pure.
pub mod search;
/// The only SQL: feeds, entries, articles, furniture and the outbox, on SQLite or PostgreSQL.
pub mod store;
/// The two halves of the mill, feeds to entries and entries to articles, joined by a table.
pub mod pipeline;
/// What leaves the mill: the outbox as files, JSON lines and pages of records.
pub mod publish;
/// Whether what is fetched can be stored.
pub mod health;
/// What an operator is told, in the terminal and on the page alike: sentences and numbers.
pub mod report;
/// The service surface: health, metrics, the cursor API and the operator's page.
pub mod http;
/// What the operator's file says, and what it means.
pub mod config;
/// The subscriber for logs and traces, and the recorder for metrics.
pub mod telemetry;
/// Wall time, which tests can move.
pub mod clock;
/// What is in hand, counted in bytes.
pub mod memory;
/// CPU work of milliseconds, off the async threads.
pub mod blocking;
/// Signals, soft and hard stop, tracked tasks, and what the service manager hears of them.
pub mod lifecycle;
/// The composition root: a `Config` becomes a running mill.
pub mod daemon;
/// A small news site on loopback, for the demo and for trying things out.
pub mod demo;
/// One file a subcommand.
pub mod cli;
