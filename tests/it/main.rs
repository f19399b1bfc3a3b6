//! One binary for all integration tests: linked once, and what they share is compiled once.

mod fetch;
mod guard;
mod hostile;
mod support;
