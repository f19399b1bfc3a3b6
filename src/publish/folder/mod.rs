//! Where files go: a folder of this machine, or the objects of a bucket under one prefix. Whoever writes files need not know
//! which: a file appears whole or not at all, and takes the place of one of its name.

mod local;
/// Buckets of object stores.
pub mod objects;

use std::path::PathBuf;

use self::local::Local;
use self::objects::Objects;
use super::PublishError;
use crate::fetch::{FetchError, ObjectClient};

/// A place for files, as it is configured.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A folder of this machine.
    Local(PathBuf),
    /// Objects under a prefix.
    Objects(objects::Settings),
}

/// A place for files, opened.
#[derive(Clone, Debug)]
pub enum Folder {
    /// A folder of this machine, ours alone to write.
    Local(Local),
    /// Objects under a prefix.
    Objects(Objects),
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name, with the folders below ours that it stands in.
    pub name: String,
    /// What it holds.
    pub content: Vec<u8>,
}

impl Place {
    /// Opens it. Whether a bucket can be written shows with the first file.
    pub fn open(
        &self,
        client: impl FnOnce() -> Result<ObjectClient, FetchError>,
    ) -> Result<Folder, PublishError> {
        Ok(match self {
            Self::Local(path) => Folder::Local(Local::open(path)?),
            Self::Objects(settings) => Folder::Objects(Objects::open(settings, client()?)?),
        })
    }
}

impl Folder {
    /// Writes files, each whole and over one of its name; those of one set in their order. When this returns, all of them are
    /// safe.
    pub async fn write(&self, sets: Vec<Vec<Named>>) -> Result<(), PublishError> {
        match self {
            Self::Local(folder) => folder.write(sets).await,
            Self::Objects(objects) => objects.write(sets).await,
        }
    }
}
