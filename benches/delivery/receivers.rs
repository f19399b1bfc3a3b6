//! Receivers of each kind, and what they have received.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use feedmill::fetch::RequestOptions;
use feedmill::http::listener::{self, Limits};
use feedmill::publish::files::Form;
use feedmill::publish::folder::Place;
use feedmill::publish::nats::{self, Login, Subject};
use feedmill::publish::text::{Selection, Trace};
use feedmill::publish::{Batching, Receiver, webhook};
use futures_util::StreamExt as _;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::parser::parse_message_type;
use serde::Deserialize;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A receiver as its sink sees it, and where its records can be read.
pub(crate) struct Receiving {
    pub(crate) name: &'static str,
    pub(crate) receiver: Receiver,
    place: Looked,
}

/// Where to read what was received.
enum Looked {
    Files(TempDir),
    Stream { server: String, name: String },
    Posted(Arc<Mutex<Vec<i64>>>),
}

/// The part of a record that matters here.
#[derive(Deserialize)]
struct Position {
    seq: i64,
}

#[derive(Deserialize)]
struct Posted {
    records: Vec<Position>,
}

/// The configuration's defaults.
const FILES: Batching =
    Batching { max_records: 50_000, max_bytes: 32 << 20, period: Some(Duration::from_hours(1)) };

pub(crate) async fn all() -> Vec<Receiving> {
    let mut all = Vec::new();
    if let Ok(server) = std::env::var("FEEDMILL_TEST_NATS_URL") {
        all.push(stream(server));
    }
    all.push(files("parquet", |to| Receiver::Files { to, form: Form::Parquet, batching: FILES }));
    all.push(files("jsonl", |to| Receiver::Files { to, form: Form::JsonLines, batching: FILES }));
    all.push(hook().await);
    all.push(files("text", |to| Receiver::Text {
        to,
        selection: Selection::WithDuplicates,
        trace: Trace::None,
    }));
    all
}

fn files(name: &'static str, receiver: impl FnOnce(Place) -> Receiver) -> Receiving {
    let folder = tempfile::tempdir().unwrap();
    let receiver = receiver(Place::Local(folder.path().to_owned()));
    Receiving { name, receiver, place: Looked::Files(folder) }
}

fn stream(server: String) -> Receiving {
    let name = format!("bench{:016x}", rand::random::<u64>());
    let settings = nats::Settings {
        servers: vec![server.parse().unwrap()],
        login: Login::None,
        authorities: None,
        subject: Subject::parse(&format!("{name}.{{language}}.{{host}}")).unwrap(),
        stream: name.clone(),
        duplicate_window: Duration::from_mins(10),
    };
    Receiving { name: "nats", receiver: Receiver::Nats(settings), place: Looked::Stream { server, name } }
}

/// A receiver that keeps the position of every record in every request, also of those that it has already.
#[expect(clippy::disallowed_methods, reason = "it serves until the program ends")]
async fn hook() -> Receiving {
    let posted = Arc::new(Mutex::new(Vec::new()));
    let router = Router::new().route("/", post(take)).with_state(Arc::clone(&posted));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(listener::serve(listener, router, Limits::default(), CancellationToken::new()));
    let request = RequestOptions::default();
    let settings = webhook::Settings { url, secret: None, request, max_records: 100 };
    Receiving {
        name: "webhook",
        receiver: Receiver::Webhook(Box::new(settings)),
        place: Looked::Posted(posted),
    }
}

async fn take(State(known): State<Arc<Mutex<Vec<i64>>>>, body: Bytes) -> StatusCode {
    let posted: Posted = serde_json::from_slice(&body).unwrap();
    known.lock().unwrap().extend(posted.records.iter().map(|record| record.seq));
    StatusCode::NO_CONTENT
}

impl Receiving {
    /// Returns the positions that it has received, one that was delivered again as often as it was.
    pub(crate) async fn received(self) -> Vec<i64> {
        match self.place {
            Looked::Files(folder) => {
                let mut found = Vec::new();
                below(folder.path(), &mut found);
                found.iter().flat_map(|file| positions(self.name, file)).collect()
            }
            Looked::Stream { server, name } => messages(&server, &name).await,
            Looked::Posted(posted) => posted.lock().unwrap().clone(),
        }
    }
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else if !path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            found.push(path);
        }
    }
}

fn positions(kind: &str, file: &Path) -> Vec<i64> {
    match kind {
        "text" => {
            let name = file.file_name().unwrap().to_str().unwrap();
            vec![name.split_once('_').unwrap().0.parse().unwrap()]
        }
        "jsonl" => lines(zstd::Decoder::new(fs::File::open(file).unwrap()).unwrap()),
        "parquet" => {
            let reader = SerializedFileReader::new(fs::File::open(file).unwrap()).unwrap();
            let wanted = parse_message_type("message record { required int64 seq; }").unwrap();
            let rows = reader.get_row_iter(Some(wanted)).unwrap();
            rows.map(|row| row.unwrap().to_json_value()["seq"].as_i64().unwrap()).collect()
        }
        kind => unreachable!("{kind} writes no files"),
    }
}

/// Reads the positions of records in JSON lines.
pub(crate) fn lines(file: impl Read) -> Vec<i64> {
    let lines = BufReader::new(file).lines();
    lines.map(|line| serde_json::from_str::<Position>(&line.unwrap()).unwrap().seq).collect()
}

/// Returns the positions of all messages, and deletes the stream.
async fn messages(server: &str, name: &str) -> Vec<i64> {
    let context = jetstream::new(async_nats::connect(server).await.unwrap());
    let stream = context.get_stream(name).await.unwrap();
    let count = usize::try_from(stream.cached_info().state.messages).unwrap();
    let settings =
        pull::Config { ack_policy: jetstream::consumer::AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(settings).await.unwrap();
    let mut positions = Vec::with_capacity(count);
    let mut messages = consumer.messages().await.unwrap();
    while positions.len() < count {
        let message = messages.next().await.unwrap().unwrap();
        positions.push(serde_json::from_slice::<Position>(&message.payload).unwrap().seq);
    }
    context.delete_stream(name).await.unwrap();
    positions
}
