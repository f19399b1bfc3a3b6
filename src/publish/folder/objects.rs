//! Objects under one prefix of a bucket.
//!
//! Each file is one PUT, which the store takes whole or not at all; the largest configurable file is far below the size limit
//! of a PUT. Nothing is retried here: the relay does that, and its failures show it. The `object_store` crate of the Arrow
//! project covers S3 and compatible stores, Google Cloud Storage and Azure; the vendors' own libraries would have been three,
//! each larger. It is built without its HTTP client and uses ours.

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

/// The maximum number of concurrent requests: text files are many and small, and each waits for its response.
const CONCURRENCY: usize = 8;

/// The object whose upload is started and aborted to check for write permission.
const PROBE: &str = ".feedmill-probe";

/// The provider of the store, or the one that it is compatible with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `s3://BUCKET/PREFIX`: Amazon S3 and compatible stores.
    S3,
    /// `gs://BUCKET/PREFIX`: Google Cloud Storage.
    Google,
    /// `az://CONTAINER/PREFIX`: Azure Blob Storage.
    Azure,
}

/// A bucket, a prefix in it, and how to access them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The provider.
    pub provider: Provider,
    /// The bucket and prefix.
    pub url: Url,
    /// Names and values of options of `object_store`; the last value of a name wins, and unknown names are ignored.
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
    /// Returns the provider for a URL scheme.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Google),
            "az" => Some(Self::Azure),
            _ => None,
        }
    }
}

/// Configures a builder with every option that it knows, and builds the store.
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
    /// Opens the prefix without sending a request.
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

    /// Checks that objects can be written, and leaves none behind: starts a multipart upload and aborts it.
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

/// Describes an error, with a hint if the error suggests one.
fn failure(action: &'static str, place: String, error: &Error) -> PublishError {
    let hint = match error {
        Error::NotFound { .. } => "; hint: does the bucket exist, in this region and at this endpoint?",
        Error::PermissionDenied { .. } => "; hint: these credentials have no write permission there",
        Error::Unauthenticated { .. } => "; hint: set credentials in bucket = { … } or in the environment",
        _ => "",
    };
    PublishError::Object { action, place, reason: format!("{error}{hint}") }
}
