//! Requests to addresses that the operator configures for the process itself: a trace collector, a daemon's own HTTP server.
//! Feeds have no influence on them, so no address is refused, and no proxy is used.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use reqwest::redirect::Policy;
use tokio::runtime::Runtime;
use url::Url;

use super::FetchError;
use super::client::built;

/// How much of a response is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A blocking client for threads outside any runtime: it works before the daemon's runtime starts and after it has ended.
#[derive(Debug)]
pub struct Reporter {
    client: reqwest::Client,
    runtime: Runtime,
}

impl Reporter {
    /// Builds a client whose requests fail after `timeout`.
    pub fn new(timeout: Duration) -> Result<Self, FetchError> {
        let failed = |error: std::io::Error| FetchError::Client(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the address is the operator's own: nothing is guarded"
        )]
        let builder = || Ok(reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(timeout));
        Ok(Self { client: built(builder)?, runtime })
    }

    /// Posts `body` and reads the response, whose body may be cut. Must not be called on a runtime.
    pub fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), FetchError> {
        self.send(self.client.post(url.clone()).headers(headers).body(body))
    }

    /// Sends a GET and reads the response, whose body may be cut. Must not be called on a runtime.
    pub fn get(&self, url: &Url) -> Result<(StatusCode, Vec<u8>), FetchError> {
        let (status, _, body) = self.send(self.client.get(url.clone()))?;
        Ok((status, body))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, HeaderMap, Vec<u8>), FetchError> {
        let failed = FetchError::from_reqwest;
        self.runtime.block_on(async {
            let mut answer = request.send().await.map_err(failed)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut read = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(failed)? {
                read.extend_from_slice(&chunk);
                if read.len() > MAX_ANSWER_BYTES {
                    break;
                }
            }
            Ok((status, headers, read))
        })
    }
}
