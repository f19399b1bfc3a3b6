//! Batches of records by POST, signed as the Standard Webhooks specification says, for which every language has a library.
//!
//! The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` let the receiver tell that a request is ours, that
//! it is not an old one, and that it has seen it before: the id follows from the sink and the positions. The body is
//! `{"records": […]}`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use tokio::sync::watch;
use url::Url;

use super::{Batch, Batching, Delivery, Failure, Sink};
use crate::clock::Clock;
use crate::fetch::{FetchError, Fetcher, Posted, RequestOptions, Retry};
use crate::model::{Record, SecretText};

/// What the specification puts before a key in base64.
const KEY_PREFIX: &str = "whsec_";

/// Where records are posted to, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whom.
    pub url: Url,
    /// What signs the requests; unsigned where `None`.
    pub secret: Option<SecretText>,
    /// The operator's headers and time.
    pub request: RequestOptions,
    /// Records in one request.
    pub max_records: u32,
}

/// A receiver of POSTs.
#[derive(Debug)]
pub struct Webhook {
    /// The sink's name.
    pub name: String,
    /// Whom, and how.
    pub settings: Settings,
    /// Wall time, for the signature.
    pub clock: Clock,
    /// The HTTP client that is in force.
    pub fetcher: watch::Receiver<Fetcher>,
}

/// What is posted.
#[derive(Serialize)]
struct Body<'r> {
    records: &'r [Record],
}

impl Sink for Webhook {
    fn batching(&self) -> Batching {
        Batching { max_records: self.settings.max_records, ..Batching::default() }
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        Box::pin(async {
            // What a receiver cannot take as a whole it is given in halves, down to the one record that is to blame.
            let mut left = vec![batch.records.as_slice()];
            while let Some(records) = left.pop() {
                match self.post(records).await {
                    Ok(()) => {}
                    Err(error) if is_about_content(&error) => match records {
                        [record] => {
                            return Err(Failure::Record { seq: record.seq, reason: error.to_string() });
                        }
                        records => {
                            let (first, second) = records.split_at(records.len() / 2);
                            left.extend([second, first]);
                        }
                    },
                    Err(error) => return Err(failure(&error)),
                }
            }
            Ok(())
        })
    }
}

impl Webhook {
    async fn post(&self, records: &[Record]) -> Result<(), FetchError> {
        let body = serde_json::to_vec(&Body { records }).expect("a record has string keys and plain values");
        let id = match records {
            [first, .., last] => format!("{}_{}-{}", self.name, first.seq, last.seq),
            [only] => format!("{}_{}", self.name, only.seq),
            [] => return Ok(()),
        };
        let timestamp = self.clock.now().as_second().to_string();
        let mut options = self.settings.request.clone();
        if let Some(secret) = &self.settings.secret {
            let signature = signature(&key(secret), &id, &timestamp, &body);
            options.headers.push(("webhook-signature".to_owned(), signature.into()));
        }
        options.headers.push(("webhook-id".to_owned(), id.into()));
        options.headers.push(("webhook-timestamp".to_owned(), timestamp.into()));
        let posted = Posted { content_type: "application/json", body: &body };
        let fetcher = self.fetcher.borrow().clone();
        fetcher.post(&self.settings.url, posted, &options).await
    }
}

/// Whether what was sent is to blame, and not where it was sent to: too large, or impossible to process.
fn is_about_content(error: &FetchError) -> bool {
    matches!(error, FetchError::Status { status: 413 | 422, .. })
}

/// Whatever else a receiver answers, an operator may put it right: nothing is given up but by 410.
fn failure(error: &FetchError) -> Failure {
    match error.retry() {
        Retry::Gone => Failure::Disabled { reason: error.to_string() },
        Retry::Later(after) => Failure::Later { reason: error.to_string(), after },
        Retry::Never => Failure::Later { reason: error.to_string(), after: None },
    }
}

/// The key as such, or in base64 behind its prefix.
fn key(secret: &SecretText) -> Vec<u8> {
    let secret = secret.expose_secret();
    let encoded = secret.strip_prefix(KEY_PREFIX).and_then(|rest| BASE64_STANDARD.decode(rest).ok());
    encoded.unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// `v1,<base64 of the HMAC-SHA256 of "id.timestamp.body">`.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the specification's own words.
    #[test]
    fn requests_are_signed_as_the_specification_says() {
        let key = key(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into());
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let body = br#"{"test": 2432232314}"#;
        let signature = signature(&key, id, "1614265330", body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
