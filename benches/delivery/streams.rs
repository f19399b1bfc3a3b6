//! The size of a `nats-server` stream: its records as JSON, the bytes that the server counts, and those on the disk.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use feedmill::clock::Clock;
use feedmill::fetch::Fetcher;
use feedmill::memory::Parts;
use feedmill::model::{ArticleId, Event, FeedMention, Metadata, Record, SCHEMA_VERSION, Sha256Hash};
use feedmill::publish::nats::{Login, Settings, Subject};
use feedmill::publish::{Batch, Outward, Receiver};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;
use url::Url;

use crate::{fetch_settings, rate, writers};

const RECORDS: usize = 100_000;
const BATCH: usize = 500;
/// Time for a server to report its address.
const PATIENCE: Duration = Duration::from_secs(30);

/// The address file that the server writes.
#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

/// A `nats-server` with its own folder.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("nats-server")
            .args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream"])
            .arg("--store_dir")
            .arg(folder.path().join("store"))
            .arg("--ports_file_dir")
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is installed");
        let ports = folder.path().join(format!("nats-server_{}.ports", child.id()));
        let began = Instant::now();
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        let ports: Ports = loop {
            looks.tick().await;
            let written = fs::read(&ports).ok().and_then(|ports| serde_json::from_slice(&ports).ok());
            if let Some(ports) = written {
                break ports;
            }
            assert!(began.elapsed() < PATIENCE, "nats-server does not say where it listens");
        };
        Self { child, folder, url: ports.nats.into_iter().next().unwrap() }
    }

    /// Stops it and returns its bytes on the disk.
    fn bytes_left(mut self) -> u64 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
        bytes_below(&self.folder.path().join("store"))
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { bytes_below(&path) } else { path.metadata().unwrap().len() }).sum()
}

/// Writes records with these texts, or generated ones, through our sink, and prints their sizes.
pub(crate) async fn measure(texts: Option<&Path>) {
    let texts: Vec<String> = match texts {
        Some(file) => {
            let lines = BufReader::new(fs::File::open(file).unwrap()).lines();
            lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
        }
        None => (0..10_000).map(writers::text).collect(),
    };
    let server = Server::start().await;
    let settings = Settings {
        servers: vec![server.url.parse().unwrap()],
        login: Login::None,
        authorities: None,
        subject: Subject::parse("news.{language}.{host}").unwrap(),
        stream: "NEWS".to_owned(),
        duplicate_window: Duration::from_mins(10),
    };
    let clock = Clock::system();
    let (_fetcher, fetcher) = watch::channel(Fetcher::new(fetch_settings(), clock.clone()).unwrap());
    let outward = Outward { clock, fetcher, memory: Parts::unbounded() };
    let mut sink = Receiver::Nats(settings).open("nats", &outward).unwrap();
    let (mut json_bytes, mut took) = (0, Duration::ZERO);
    for first in (0..RECORDS).step_by(BATCH) {
        let records: Vec<Record> =
            (first..first + BATCH).map(|number| record(number, &texts[number % texts.len()])).collect();
        json_bytes += records.iter().map(|record| serde_json::to_vec(record).unwrap().len()).sum::<usize>();
        let (first, last) = (records[0].seq, records[BATCH - 1].seq);
        let began = Instant::now();
        sink.deliver(&Batch { records, first, last, began_at: Timestamp::UNIX_EPOCH }).await.unwrap();
        took += began.elapsed();
    }
    let context = jetstream::new(async_nats::connect(&server.url).await.unwrap());
    let state = context.get_stream("NEWS").await.unwrap().cached_info().state.clone();
    assert_eq!(state.messages, RECORDS as u64);
    let each = |bytes: u64| bytes / RECORDS as u64;
    let version = &context.client().server_info().version;
    println!("{RECORDS} records in one stream of nats-server {version}, {} a second:", rate(RECORDS, took));
    println!("  {:>6} bytes of JSON a record", json_bytes / RECORDS);
    println!("  {:>6} bytes as the server counts them", each(state.bytes));
    println!("  {:>6} bytes on the disk", each(server.bytes_left()));
}

fn record(number: usize, text: &str) -> Record {
    let seq = i64::try_from(number).unwrap() + 1;
    let host = format!("www.site{}.example", number % 2_000);
    let url: Url =
        format!("https://{host}/2026/03/02/a-headline-of-some-words-{number}.html").parse().unwrap();
    let id = ArticleId::of_url(&url);
    Record {
        seq,
        event: Event::Created,
        recorded_at: Timestamp::UNIX_EPOCH,
        id,
        revision: 1,
        url: url.clone(),
        original_url: url.clone(),
        metadata: Metadata {
            title: Some(format!("A headline of some words, as long as most are: {number}")),
            authors: vec!["Ada Quay".to_owned()],
            language: Some("en".to_owned()),
            published_at: Some(Timestamp::UNIX_EPOCH),
            ..Metadata::default()
        },
        text: text.to_owned(),
        fetched_at: Timestamp::UNIX_EPOCH,
        hostname: host.clone(),
        word_count: u32::try_from(text.split_whitespace().count()).unwrap(),
        content_sha256: Sha256Hash::of(text),
        raw_sha256: Sha256Hash::of(url.as_str()),
        duplicate_of: None,
        duplicate_kind: None,
        duplicate_score: None,
        cluster_id: id,
        withdrawn_at: None,
        feeds: vec![FeedMention {
            feed_url: format!("https://{host}/feed.xml").parse().unwrap(),
            tags: vec!["news".to_owned()],
            guid: Some(url.to_string()),
            entry_title: Some(format!("A headline of some words, as long as most are: {number}")),
            entry_published_at: Some(Timestamp::UNIX_EPOCH),
            first_seen_at: Timestamp::UNIX_EPOCH,
        }],
        extractor_version: "1".to_owned(),
        quality_flags: Vec::new(),
        enclosures: Vec::new(),
        schema_version: SCHEMA_VERSION,
        replaces: None,
    }
}
