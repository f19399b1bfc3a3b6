//! Destinations for files: a folder on the local disk, or objects under one prefix of a bucket. Sinks need not know which: a
//! file appears whole or not at all, and replaces one of the same name.

mod local;
/// Buckets in object stores.
pub mod objects;

use std::fmt;
use std::path::PathBuf;

use self::local::Local;
use self::objects::Objects;
use super::PublishError;
use crate::fetch::{FetchError, ObjectClient};

/// A destination for files, as configured.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A folder on the local disk.
    Local(PathBuf),
    /// Objects under a prefix of a bucket.
    Objects(objects::Settings),
}

/// A destination for files, opened.
#[derive(Clone, Debug)]
pub enum Folder {
    /// A folder on the local disk that only this sink writes to.
    Local(Local),
    /// Objects under a prefix of a bucket.
    Objects(Objects),
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name, including subfolders, relative to the destination.
    pub name: String,
    /// The content.
    pub content: Vec<u8>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Objects(settings) => write!(f, "{}", settings.url),
        }
    }
}

impl Place {
    /// Opens the destination. Whether a bucket is writable is known only after the first file.
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
    /// Writes files, each atomically, replacing one of the same name; the files of one set are written in order. When this
    /// returns, all of them are safe.
    pub async fn write(&self, sets: Vec<Vec<Named>>) -> Result<(), PublishError> {
        match self {
            Self::Local(folder) => folder.write(sets).await,
            Self::Objects(objects) => objects.write(sets).await,
        }
    }
}
