//! The integration tests: one binary, so that they are linked once and what they share is compiled once. One module a
//! room.

mod architecture;
mod extract;
mod fetch;
mod pages;
mod seeds;
mod support;
