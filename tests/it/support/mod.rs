//! What several rooms' tests share.

pub(crate) mod database;
