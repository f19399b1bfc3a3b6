//! A server on loopback that implements the requests to Google Cloud Storage and Azure Blob Storage for writing objects, as
//! documented; for Azure it checks the signature of every request. Objects are kept in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use feedmill::publish::folder::Place;
use feedmill::publish::folder::objects::{Provider, Settings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

pub(crate) const BUCKET: &str = "news-lake";
pub(crate) const ACCOUNT: &str = "feedmilltest";
/// In base64, as Azure issues keys.
pub(crate) const KEY: &str = "YSBzZWNyZXQgdGhhdCBvbmx5IHRoZSBzdG9yZSBrbm93cw==";
/// A Google service account with unsigned requests, since no server here would issue a token.
const SERVICE_ACCOUNT: &str =
    r#"{"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true}"#;

/// A running server with one bucket. Stops when dropped.
pub(crate) struct Blobs {
    address: SocketAddr,
    provider: Provider,
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    accepting: tokio::task::JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Bucket {
    provider: Provider,
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Blobs {
    #[expect(clippy::disallowed_methods, reason = "no `Lifecycle` in a test's server; `drop` ends the task")]
    pub(crate) async fn start(provider: Provider) -> Self {
        let objects = Arc::default();
        let bucket = Bucket { provider, objects: Arc::clone(&objects) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(bucket);
        let accepting = tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, provider, objects, accepting }
    }

    pub(crate) fn place(&self, prefix: &str) -> Place {
        Place::Objects(self.settings(prefix))
    }

    /// The settings as the configuration gives them.
    pub(crate) fn settings(&self, prefix: &str) -> Settings {
        let endpoint = format!("http://{}", self.address);
        let (scheme, options) = match self.provider {
            Provider::Google => {
                ("gs", vec![("base_url", endpoint.as_str()), ("service_account_key", SERVICE_ACCOUNT)])
            }
            _ => {
                ("az", vec![("endpoint", endpoint.as_str()), ("account_name", ACCOUNT), ("access_key", KEY)])
            }
        };
        Settings {
            provider: self.provider,
            url: format!("{scheme}://{BUCKET}/{prefix}").parse().unwrap(),
            options: options
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned().into()))
                .collect(),
        }
    }

    /// Returns the objects below a prefix, by name.
    pub(crate) fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let below = format!("{}/", prefix.trim_end_matches('/'));
        let objects = self.objects.lock().unwrap();
        let named = objects.iter().filter_map(|(name, content)| Some((name.strip_prefix(&below)?, content)));
        named.map(|(name, content)| (name.to_owned(), content.clone())).collect()
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(State(bucket): State<Bucket>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    if bucket.provider == Provider::Azure && !is_signed(&head.method, &head.uri, &head.headers) {
        return (StatusCode::FORBIDDEN, "<Error><Code>AuthenticationFailed</Code></Error>").into_response();
    }
    let path = percent_decode_str(head.uri.path()).decode_utf8().unwrap().into_owned();
    let Some(name) = path.strip_prefix(&format!("/{BUCKET}/")) else {
        return (StatusCode::NOT_FOUND, "<Error><Code>NoSuchBucket</Code></Error>").into_response();
    };
    bucket.answer(&head.method, name, head.uri.query().unwrap_or_default(), &head.headers, &body)
}

impl Bucket {
    fn answer(
        &self,
        method: &Method,
        name: &str,
        query: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response {
        let is_part = query.contains("partNumber=") || query.contains("comp=block&");
        match (self.provider, method.as_str()) {
            (Provider::Google, "POST") if query.starts_with("uploads") => {
                "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
                    .into_response()
            }
            (Provider::Google, "DELETE") if query.contains("uploadId=") => {
                StatusCode::NO_CONTENT.into_response()
            }
            (_, "PUT") if is_part => (StatusCode::CREATED, [(header::ETAG, "\"1\"")]).into_response(),
            (Provider::Azure, "PUT")
                if headers.get("x-ms-blob-type").is_none_or(|kind| kind != "BlockBlob") =>
            {
                StatusCode::BAD_REQUEST.into_response()
            }
            (_, "PUT") if query.is_empty() => {
                self.objects.lock().unwrap().insert(name.to_owned(), body.to_vec());
                (StatusCode::CREATED, [(header::ETAG, "\"1\"")]).into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }
}

/// Returns whether a request has a valid signature by the account's key.
fn is_signed(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    let length = Some(text("content-length")).filter(|length| *length != "0").unwrap_or_default();
    let standard =
        ["content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match"].map(text);
    let mut ours: Vec<String> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ms-"))
        .map(|(name, value)| format!("{name}:{}\n", value.to_str().unwrap()))
        .collect();
    ours.sort();
    let mut parameters: Vec<String> = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .map(|(name, value)| format!("\n{name}:{value}"))
        .collect();
    parameters.sort();
    let signed = format!(
        "{method}\n{}\n{}\n{length}\n{}\n{}\n{}\n{}/{ACCOUNT}{}{}",
        text("content-encoding"),
        text("content-language"),
        standard.join("\n"),
        text("if-unmodified-since"),
        text("range"),
        ours.concat(),
        uri.path(),
        parameters.concat(),
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64_STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(signed.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    text("authorization") == format!("SharedKey {ACCOUNT}:{signature}")
}
