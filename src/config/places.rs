//! Destinations for files: local folders and buckets in object stores.

use std::fmt::Display;
use std::path::Path;

use url::{Host, Url};

use super::addresses::{has_credentials, http_url};
use super::check::{Checker, output_dir};
use super::raw::{Bucket, Secret};
use crate::model::SecretText;
use crate::publish::folder::Place;
use crate::publish::folder::objects::{self, Provider};

impl Provider {
    /// Returns the keys of `bucket` that the provider supports.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["endpoint", "region", "access_key_id", "secret_access_key", "session_token"],
            Self::Google => &["endpoint", "service_account_key"],
            Self::Azure => &["endpoint", "account_name", "access_key", "sas_token"],
        }
    }

    /// Returns the prefix of the environment variables that hold the provider's usual settings and credentials.
    const fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Google => "GOOGLE_",
            Self::Azure => "AZURE_",
        }
    }

    /// Returns the name of a key in `object_store`.
    fn option(self, key: &str) -> &str {
        match (self, key) {
            (Self::Google, "endpoint") => "base_url",
            _ => key,
        }
    }
}

/// A value of `bucket`.
enum Given<'b> {
    Text(&'b str),
    Secret(&'b Secret),
}

impl Bucket {
    /// Returns the keys that are set, with their values.
    fn given(&self) -> Vec<(&'static str, Given<'_>)> {
        let Self {
            endpoint,
            region,
            access_key_id,
            secret_access_key,
            session_token,
            service_account_key,
            account_name,
            access_key,
            sas_token,
        } = self;
        let texts = [
            ("endpoint", endpoint),
            ("region", region),
            ("access_key_id", access_key_id),
            ("account_name", account_name),
        ];
        let secrets = [
            ("secret_access_key", secret_access_key),
            ("session_token", session_token),
            ("service_account_key", service_account_key),
            ("access_key", access_key),
            ("sas_token", sas_token),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        let texts = texts.map(|(key, text)| (key, Given::Text(text)));
        let secrets =
            secrets.into_iter().filter_map(|(key, secret)| Some((key, Given::Secret(secret.as_ref()?))));
        texts.chain(secrets).collect()
    }
}

impl Checker<'_> {
    /// Checks the destination of the files of the receiver at `path`.
    pub(super) fn place(
        &mut self,
        path: &str,
        to: &Path,
        bucket: Option<&Bucket>,
        state_dir: &Path,
    ) -> Option<Place> {
        if let Some(url) = to.to_str().filter(|text| text.contains("://")) {
            return self.objects(path, url, bucket.unwrap_or(&Bucket::default())).map(Place::Objects);
        }
        if bucket.is_some() {
            let message = "is only valid for an s3://, gs:// or az:// URL, but `to` is a folder";
            self.refuse(&format!("{path}.bucket"), None, message);
        }
        let folder = output_dir(to, state_dir);
        if folder.is_none() {
            let message = "is missing: the folder that the files go to, or an s3://, gs:// or az:// URL";
            self.refuse(&format!("{path}.to"), None, message);
        }
        folder.map(Place::Local)
    }

    fn objects(&mut self, path: &str, url: &str, bucket: &Bucket) -> Option<objects::Settings> {
        let (provider, url) = match prefix(url) {
            Ok(place) => place,
            Err(message) => {
                // A URL with a user name may contain a password as well.
                let shown = format!("{url:?}");
                let shown = (!url.contains('@')).then_some(&shown as &dyn Display);
                self.refuse(&format!("{path}.to"), shown, message);
                return None;
            }
        };
        let path = format!("{path}.bucket");
        let given = bucket.given();
        let is_given = |key| given.iter().any(|(known, _)| *known == key);
        // Credentials from the file are not combined with those from the environment: the mix would be valid for neither.
        let says_who = given.iter().any(|(_, value)| matches!(value, Given::Secret(_)));
        let mut options = Vec::new();
        if !says_who {
            let variables = self.environment.beginning_with(provider.variables());
            options
                .extend(variables.map(|(name, value)| (name.to_ascii_lowercase(), SecretText::from(value))));
        }
        match provider {
            Provider::S3 if is_given("access_key_id") != is_given("secret_access_key") => {
                self.refuse(&path, None, "access_key_id and secret_access_key must be set together");
            }
            Provider::Azure if is_given("access_key") && is_given("sas_token") => {
                self.refuse(&path, None, "access_key and sas_token cannot be combined: remove one of them");
            }
            Provider::Azure
                if !is_given("account_name") && !options.iter().any(|(name, _)| name == AZURE_ACCOUNT) =>
            {
                self.refuse(
                    &path,
                    None,
                    "account_name is missing: the storage account that the container is in",
                );
            }
            _ => {}
        }
        for (key, value) in given {
            let path = format!("{path}.{key}");
            if !provider.keys().contains(&key) {
                let message = format!(
                    "is not a key for {}://; known keys: {}",
                    url.scheme(),
                    provider.keys().join(", ")
                );
                self.refuse(&path, None, message);
                continue;
            }
            let value = match value {
                Given::Text(text) if key == "endpoint" => {
                    self.parsed(&path, text, |text| endpoint(text, provider)).map(SecretText::from)
                }
                Given::Text(text) => Some(SecretText::from(text)),
                Given::Secret(secret) => self.secret(&path, secret),
            };
            options.extend(value.map(|value| (provider.option(key).to_owned(), value)));
        }
        Some(objects::Settings { provider, url, options })
    }
}

/// The environment variable with Azure's storage account, in lower case.
const AZURE_ACCOUNT: &str = "azure_storage_account_name";

/// Parses `s3://BUCKET/PREFIX` into its provider and URL.
fn prefix(text: &str) -> Result<(Provider, Url), String> {
    let mut url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    let provider = Provider::of_scheme(url.scheme()).ok_or_else(|| {
        format!("must be a folder, or an s3://, gs:// or az:// URL, not {}://", url.scheme())
    })?;
    if has_credentials(&url) {
        return Err("must be a URL without user name and password: set bucket = { … } instead".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) || url.port().is_some() {
        return Err("must name a bucket, and then a prefix: s3://news-lake/articles".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must be a bucket and a prefix, without query and fragment".to_owned());
    }
    let prefix = url.path().trim_matches('/').to_owned();
    url.set_path(&prefix);
    Ok((provider, url))
}

/// Parses an endpoint. Beyond loopback it must be https, except for S3, whose requests are signed: all others send
/// credentials in the clear.
fn endpoint(text: &str, provider: Provider) -> Result<String, String> {
    let url = http_url(text)?;
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if has_credentials(&url) || url.query().is_some() {
        return Err("must be https://HOST or http://HOST, with or without a port".to_owned());
    }
    if url.scheme() == "http" && provider != Provider::S3 && !is_here {
        return Err("must begin with https://: credentials would be sent unencrypted".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
