//! The objects of a bucket under one prefix.
//!
//! Each file is one PUT, which the store takes whole or not at all; a file of the largest size that is configured is far below
//! what one may hold. Nothing is tried again here: that is the relay's, and shows in its failures. The `object_store` crate is the
//! Arrow project's, for S3 and what speaks it, Google Cloud Storage and Azure; the vendors' own libraries would have been three,
//! each larger. It is built without its HTTP client, which is ours.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use url::Url;

use super::Named;
use crate::fetch::ObjectClient;
use crate::model::SecretText;
use crate::publish::PublishError;

/// Requests under way at once: text files are many and small, and each waits for its answer.
const CONCURRENCY: usize = 8;

/// What is begun and given up to find out whether it may be written.
const PROBE: &str = ".feedmill-probe";

/// Whose store it is, or whose it is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `s3://BUCKET/PREFIX`: Amazon S3 and what speaks it.
    S3,
    /// `gs://BUCKET/PREFIX`: Google Cloud Storage.
    Google,
    /// `az://CONTAINER/PREFIX`: Azure Blob Storage.
    Azure,
}

/// A bucket, a prefix in it, and how they are reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whose it is.
    pub provider: Provider,
    /// Bucket and prefix.
    pub url: Url,
    /// Names and values as `object_store` knows them; a later one of the same name counts, and one that it does not know counts
    /// for nothing.
    pub options: Vec<(String, SecretText)>,
}

/// An opened prefix.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    url: Url,
    prefix: Path,
}

impl Provider {
    /// The one with that scheme.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Google),
            "az" => Some(Self::Azure),
            _ => None,
        }
    }
}

/// A builder with every option that it knows.
macro_rules! configured {
    ($builder:expr, $settings:expr, $client:expr) => {
        $settings
            .options
            .iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
            .fold($builder, |builder, (key, value)| builder.with_config(key, value.expose_secret()))
            .with_url($settings.url.as_str())
            .with_retry(no_retries())
            .with_http_connector($client)
            .build()
    };
}

impl Objects {
    /// Opens it. Nothing is asked yet.
    pub fn open(settings: &Settings, client: ObjectClient) -> Result<Self, PublishError> {
        let opened: Result<Arc<dyn ObjectStore>, Error> = match settings.provider {
            Provider::S3 => {
                configured!(AmazonS3Builder::new(), settings, client).map(|store| Arc::new(store) as _)
            }
            Provider::Google => configured!(GoogleCloudStorageBuilder::new(), settings, client)
                .map(|store| Arc::new(store) as _),
            Provider::Azure => {
                configured!(MicrosoftAzureBuilder::new(), settings, client).map(|store| Arc::new(store) as _)
            }
        };
        let url = &settings.url;
        let store = opened.map_err(|error| failure("cannot open", url.to_string(), &error))?;
        let prefix = Path::from_url_path(url.path())
            .map_err(|error| failure("cannot open", url.to_string(), &error.into()))?;
        Ok(Self { store, url: url.clone(), prefix })
    }

    /// Finds out whether objects can be written, and leaves none behind: an upload in parts is begun and given up.
    pub async fn probe(&self) -> Result<(), PublishError> {
        let failed = |error: Error| failure("cannot write to", self.url.to_string(), &error);
        let mut upload = self.store.put_multipart(&self.path(PROBE)).await.map_err(failed)?;
        let part = upload.put_part(PutPayload::from_static(b"probe")).await;
        let aborted = upload.abort().await;
        part.and(aborted).map_err(failed)
    }

    pub(super) async fn write(&self, sets: Vec<Vec<Named>>) -> Result<(), PublishError> {
        let written = stream::iter(sets.into_iter().map(|files| self.put(files)));
        written.buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn put(&self, files: Vec<Named>) -> Result<(), PublishError> {
        for Named { name, content } in files {
            let written = self.store.put(&self.path(&name), content.into()).await;
            written.map_err(|error| {
                failure("cannot write", format!("{}/{name}", self.url.as_str().trim_end_matches('/')), &error)
            })?;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), Path::join)
    }
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// What went wrong, with the way out where the answer tells it.
fn failure(action: &'static str, place: String, error: &Error) -> PublishError {
    let hint = match error {
        Error::NotFound { .. } => "; hint: is there such a bucket, in this region and at this endpoint?",
        Error::PermissionDenied { .. } => "; hint: these credentials may not write there",
        Error::Unauthenticated { .. } => "; hint: bucket = { … } or the environment must say who we are",
        _ => "",
    };
    PublishError::Object { action, place, reason: format!("{error}{hint}") }
}
