//! Support code shared by the tests.

pub(crate) mod blobs;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod daemon;
pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod hosts;
pub(crate) mod names;
pub(crate) mod nats;
pub(crate) mod proxy;
pub(crate) mod repeats;
pub(crate) mod running;
pub(crate) mod s3;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod terminal;
