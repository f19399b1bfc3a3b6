//! Requests to object stores. The `object_store` crate makes and signs the requests and sends them with a client from here, so
//! that there is only one HTTP and TLS stack.
//!
//! Endpoints come from the operator, never from a feed, so the guard allows every address: a store is often at a private address,
//! and a cloud always serves its machines' credentials at a link-local one. Redirects are not followed.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use ipnet::{Ipv4Net, Ipv6Net};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};

use super::client::{ClientKey, Clients};
use super::guard::Guard;
use super::names::Names;
use super::{AllowedNet, FetchError, Settings};

/// Most bytes of a response: an error in XML, a token, a page of a listing.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Base timeout of a request, to which the time for its body at the slowest tolerated rate is added.
const LEAST_PATIENCE: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SEC: usize = 64 << 10;
const LONGEST_PATIENCE: Duration = Duration::from_hours(24);

/// The client for the `object_store` crate.
#[derive(Clone, Debug)]
pub struct ObjectClient {
    client: reqwest::Client,
    user_agent: HeaderValue,
}

impl ObjectClient {
    pub(super) fn new(settings: &Settings, user_agent: HeaderValue) -> Result<Self, FetchError> {
        let everywhere = [
            Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0).into(),
            Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0).into(),
        ];
        let allow = everywhere.map(|net| AllowedNet { net, port: None }).to_vec();
        let guard = Guard::new(allow, Names::new(&settings.name_servers)?);
        // The read timeout starts with the request and would abort a large upload: each request has its own timeout.
        let settings = Settings { read_timeout: LONGEST_PATIENCE, ..settings.clone() };
        let clients = Clients::new(&settings, Arc::new(guard))?;
        let client = clients.get(&ClientKey { proxy: settings.proxy, port: None })?;
        Ok(Self { client, user_agent })
    }
}

impl HttpConnector for ObjectClient {
    /// Ignores the crate's options, which are for its own client.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for ObjectClient {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(self.answer(request))
    }
}

impl ObjectClient {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string().parse();
        let url = url.map_err(|error: url::ParseError| HttpError::new(HttpErrorKind::Unknown, error))?;
        let patience =
            LEAST_PATIENCE + Duration::from_secs((body.content_length() / SLOWEST_BYTES_PER_SEC) as u64);
        let mut sent = reqwest::Request::new(head.method, url);
        *sent.headers_mut() = head.headers;
        sent.headers_mut().entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        *sent.body_mut() = Some(reqwest::Body::wrap(body));
        *sent.timeout_mut() = Some(patience);
        let mut response = self.client.execute(sent).await.map_err(failure)?;
        let mut answer = http::Response::new(());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if content.len() + chunk.len() > MAX_ANSWER_BYTES {
                let error = std::io::Error::other(format!("the answer exceeds {MAX_ANSWER_BYTES} bytes"));
                return Err(HttpError::new(HttpErrorKind::Decode, error));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(answer.map(|()| HttpResponseBody::from(content)))
    }
}

fn failure(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_decode() => HttpErrorKind::Decode,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, FetchError::from_reqwest(error))
}
