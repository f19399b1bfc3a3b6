//! An S3 endpoint on loopback, by a third-party server crate, that keeps objects as files.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use feedmill::publish::folder::Place;
use feedmill::publish::folder::objects::{Provider, Settings};
use hyper::Method;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) const BUCKET: &str = "news-lake";
pub(crate) const KEY_ID: &str = "AKIDFEEDMILLTEST";
pub(crate) const SECRET: &str = "a secret that only the store knows";

/// A running endpoint with one bucket. Stops when dropped.
pub(crate) struct S3 {
    address: SocketAddr,
    root: TempDir,
    gate: Arc<Gate>,
    accepting: tokio::task::JoinHandle<()>,
}

/// Counts written objects; the answers to their clients can be held back.
struct Gate {
    written: watch::Sender<usize>,
    answered: watch::Sender<usize>,
}

impl S3 {
    #[expect(clippy::disallowed_methods, reason = "no `Lifecycle` in a test's server; `drop` ends the task")]
    pub(crate) async fn start() -> Self {
        let root = TempDir::new().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let gate =
            Arc::new(Gate { written: watch::Sender::new(0), answered: watch::Sender::new(usize::MAX) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            root,
            accepting: tokio::spawn(accept(listener, builder.build(), Arc::clone(&gate))),
            gate,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A place at a prefix of the bucket.
    pub(crate) fn place(&self, prefix: &str) -> Place {
        Place::Objects(self.settings(prefix))
    }

    /// A `[[sink]]` table that writes Parquet files there.
    pub(crate) fn sink(&self, prefix: &str, secret: &str) -> String {
        format!(
            "[[sink]]\nname = \"{prefix}\"\n[sink.parquet]\nto = \"s3://{BUCKET}/{prefix}\"\n[sink.parquet.bucket]\n\
             endpoint = \"{}\"\naccess_key_id = \"{KEY_ID}\"\nsecret_access_key = \"{secret}\"\n",
            self.endpoint()
        )
    }

    pub(crate) fn settings(&self, prefix: &str) -> Settings {
        let options = [
            ("endpoint", self.endpoint()),
            ("region", "eu-test-1".to_owned()),
            ("access_key_id", KEY_ID.to_owned()),
            ("secret_access_key", SECRET.to_owned()),
        ];
        Settings {
            provider: Provider::S3,
            url: format!("s3://{BUCKET}/{prefix}").parse().unwrap(),
            options: options.map(|(name, value)| (name.to_owned(), value.into())).to_vec(),
        }
    }

    /// Returns the objects below a prefix, by name.
    pub(crate) fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        let bucket = self.root.path().join(BUCKET).join(prefix);
        below(&bucket, &bucket, &mut objects);
        objects
    }

    /// Answers the writes of the first `objects` objects only.
    pub(crate) fn answer(&self, objects: usize) {
        self.gate.answered.send_replace(objects);
    }

    /// Returns the number of objects written so far.
    pub(crate) fn written_so_far(&self) -> usize {
        *self.gate.written.borrow()
    }

    /// Waits until this many objects have been written.
    pub(crate) async fn written(&self, count: usize) {
        self.gate.written.subscribe().wait_for(|written| *written >= count).await.unwrap();
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn below(root: &Path, folder: &Path, objects: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            below(root, &path, objects);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            objects.insert(name, std::fs::read(path).unwrap());
        }
    }
}

async fn accept(listener: TcpListener, service: S3Service, gate: Arc<Gate>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream, service.clone(), Arc::clone(&gate)));
    }
}

async fn answer(stream: TcpStream, service: S3Service, gate: Arc<Gate>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (service, gate) = (service.clone(), Arc::clone(&gate));
        async move {
            // The server crate would create a folder for a bucket that does not exist.
            if !request.uri().path().starts_with(&format!("/{BUCKET}/")) {
                let error = "<Error><Code>NoSuchBucket</Code></Error>".to_owned();
                return Ok(hyper::Response::builder().status(404).body(s3s::Body::from(error)).unwrap());
            }
            // Uploaded parts have a query.
            let is_object = request.method() == Method::PUT && request.uri().query().is_none();
            let answer = service.call(request.map(s3s::Body::from)).await?;
            if is_object && answer.status().is_success() {
                let mut number = 0;
                gate.written.send_modify(|written| {
                    *written += 1;
                    number = *written;
                });
                gate.answered.subscribe().wait_for(|answered| number <= *answered).await.unwrap();
            }
            Ok::<_, s3s::HttpError>(answer)
        }
    });
    // A killed client breaks its connection.
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    drop(served);
}
