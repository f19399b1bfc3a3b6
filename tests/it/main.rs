//! The integration tests: one binary, so that linking happens once and shared support code is compiled once. One module per area.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod articles;
mod clock;
mod colours;
mod commands;
mod config;
mod crash;
mod daemon;
mod dedup;
mod demo;
mod deploy;
mod discover;
mod documents;
mod extract;
mod extract_batch;
mod feed_content;
mod fetch;
mod further_pages;
mod growth;
mod guard;
mod hostile;
mod http;
mod identity;
mod knobs;
mod lifecycle;
mod metrics;
mod neighbours;
mod openapi;
mod operator;
mod pages;
mod pages_site;
mod parse;
mod pipeline;
mod polling;
mod recheck;
mod reextract;
mod retention;
mod seeds;
mod sharing;
mod store;
mod store_sqlite;
mod support;
mod traces;
mod warc;
