//! The integration tests: one binary, a real store, a real HTTP server on loopback.

mod store;
mod store_sqlite;
mod support;
