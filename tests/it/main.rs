//! The integration tests: one binary, one module a room.

mod architecture;
mod seeds;
