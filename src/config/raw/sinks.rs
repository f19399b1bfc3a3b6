//! `[[sink]]` tables as written in the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Auth, Secret};
use crate::publish::text;
use crate::store::Beginning;

/// A `[[sink]]` table as written. Exactly one of the receivers must be set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Sink {
    pub(in crate::config) name: String,
    pub(in crate::config) from: Beginning,
    pub(in crate::config) pause: bool,
    pub(in crate::config) filter: Chosen,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) jsonl: Option<Files>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) parquet: Option<Files>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) webhook: Option<Webhook>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) nats: Option<Nats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) stdout: Option<Stdout>,
}

/// The records that a sink receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Chosen {
    pub(in crate::config) feed: Vec<String>,
    pub(in crate::config) tag: Vec<String>,
    pub(in crate::config) host: Vec<String>,
    pub(in crate::config) language: Vec<String>,
    pub(in crate::config) event: Vec<String>,
    pub(in crate::config) flags: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Text {
    pub(in crate::config) to: PathBuf,
    pub(in crate::config) copies: bool,
    pub(in crate::config) trace: text::Trace,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) bucket: Option<Bucket>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Files {
    pub(in crate::config) to: PathBuf,
    pub(in crate::config) every: String,
    pub(in crate::config) max_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) bucket: Option<Bucket>,
}

impl Default for Files {
    fn default() -> Self {
        Self { to: PathBuf::new(), every: "1h".to_owned(), max_bytes: 33_554_432, bucket: None }
    }
}

/// Endpoint and credentials of a bucket. The valid keys depend on the provider.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Bucket {
    pub(in crate::config) endpoint: String,
    pub(in crate::config) region: String,
    pub(in crate::config) access_key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) secret_access_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) session_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) service_account_key: Option<Secret>,
    pub(in crate::config) account_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) access_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) sas_token: Option<Secret>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Webhook {
    pub(in crate::config) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) secret: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) auth: Option<Auth>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::config) headers: BTreeMap<String, Secret>,
    pub(in crate::config) max_records: u64,
    pub(in crate::config) timeout_secs: u64,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: None,
            auth: None,
            headers: BTreeMap::new(),
            max_records: 100,
            timeout_secs: 30,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Nats {
    pub(in crate::config) servers: Vec<String>,
    pub(in crate::config) subject: String,
    pub(in crate::config) stream: String,
    pub(in crate::config) duplicate_window_secs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) credentials: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) auth: Option<Auth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) ca: Option<Secret>,
}

impl Default for Nats {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            subject: "feedmill.{language}.{host}".to_owned(),
            stream: "FEEDMILL".to_owned(),
            duplicate_window_secs: 600,
            credentials: None,
            auth: None,
            ca: None,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct Stdout {}
