//! The integration tests: one binary, one module a room.

//! One binary for all integration tests: linked once, and what they share is compiled once.

mod architecture;
mod fetch;
mod seeds;
mod support;
