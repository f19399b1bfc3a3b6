//! What the tests of several rooms share.

pub(crate) mod client;
pub(crate) mod server;
