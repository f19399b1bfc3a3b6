//! One binary for all integration tests: linked once, and what they share is compiled once.

mod architecture;
mod fetch;
mod seeds;
mod store;
mod store_sqlite;
mod support;
