//! Posts batches of records, signed according to the Standard Webhooks specification, for which every language has a library.
//!
//! From the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, the receiver can tell that a request is genuine,
//! that it is not an old one replayed, and whether it was seen before: the id is derived from the sink's name and the
//! positions. The body is `{"records": […]}`.

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

/// The prefix of a base64 key, as defined by the specification.
const KEY_PREFIX: &str = "whsec_";

/// Where records are posted to, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The URL to post to.
    pub url: Url,
    /// The key that signs the requests; they are unsigned if `None`.
    pub secret: Option<SecretText>,
    /// The operator's headers and timeout.
    pub request: RequestOptions,
    /// The maximum number of records in one request.
    pub max_records: u32,
}

/// A sink that posts records.
#[derive(Debug)]
pub struct Webhook {
    /// The sink's name.
    pub name: String,
    /// Where records are posted to, and how.
    pub settings: Settings,
    /// Wall time, for the signature.
    pub clock: Clock,
    /// The current HTTP client.
    pub fetcher: watch::Receiver<Fetcher>,
}

/// The body of a request.
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
            // A batch that the receiver cannot take as a whole is split into halves, down to the one record that causes the
            // failure.
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

/// Returns whether the content was refused rather than the request: too large (413) or unprocessable (422).
fn is_about_content(error: &FetchError) -> bool {
    matches!(error, FetchError::Status { status: 413 | 422, .. })
}

/// Converts an error: only 410 disables the sink, since the operator may be able to fix the cause of any other answer.
fn failure(error: &FetchError) -> Failure {
    match error.retry() {
        Retry::Gone => Failure::Disabled { reason: error.to_string() },
        Retry::Later(after) => Failure::Later { reason: error.to_string(), after },
        Retry::Never => Failure::Later { reason: error.to_string(), after: None },
    }
}

/// Returns the key: decoded from base64 if it has the prefix, otherwise the bytes of the secret itself.
fn key(secret: &SecretText) -> Vec<u8> {
    let secret = secret.expose_secret();
    let encoded = secret.strip_prefix(KEY_PREFIX).and_then(|rest| BASE64_STANDARD.decode(rest).ok());
    encoded.unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// Returns `v1,<base64 of the HMAC-SHA256 of "id.timestamp.body">`.
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

    /// The example given in the specification.
    #[test]
    fn requests_are_signed_as_the_specification_says() {
        let key = key(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into());
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let body = br#"{"test": 2432232314}"#;
        let signature = signature(&key, id, "1614265330", body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
