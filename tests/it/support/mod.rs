//! What the tests of several rooms share.

pub(crate) mod database;
pub(crate) mod server;
