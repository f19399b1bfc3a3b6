//! The program killed between a receiver's acknowledgement and the move of the cursor: nothing is lost, and a receiver that can
//! recognize repetitions has everything once.
//!
//! `cargo test --test it kills -- --ignored --nocapture` kills each sink twenty times and prints the results.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::relay::{files, records_of, rows_of};
use super::*;
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::nats;
use crate::support::proxy::{Proxy, Way};
use crate::support::s3::{BUCKET, KEY_ID, S3, SECRET};
use crate::support::server::{Reply, Server};

const SOME: usize = 5;
const MANY: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_holds_each_record_once_through_kills() {
    stream_through(SOME).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: docs/sinks.md has its figures"]
async fn a_stream_holds_each_record_once_through_many_kills() {
    stream_through(MANY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_objects_hold_each_record_once_through_kills() {
    files_through(SOME).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: docs/sinks.md has its figures"]
async fn files_and_objects_hold_each_record_once_through_many_kills() {
    files_through(MANY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_of_posts_misses_nothing_through_kills() {
    posts_through(SOME).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: docs/sinks.md has its figures"]
async fn a_receiver_of_posts_misses_nothing_through_many_kills() {
    posts_through(MANY).await;
}

/// A daemon on the store of `bench` with these sinks and no feeds.
struct Mill {
    test: TestDaemon,
}

impl Mill {
    fn new(bench: &Bench, sinks: &str) -> Self {
        Self { test: TestDaemon::new().database(bench.database.settings.url.expose_secret()).tables(sinks) }
    }

    fn start(&self) -> Child {
        let mut run = feedmill(&self.test.write_config(), &["run"]);
        run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Delivers everything without interruption.
    fn finish(&self) {
        let config = self.test.write_config();
        let run = tokio::task::block_in_place(|| feedmill(&config, &["once"]).output().unwrap());
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
}

impl Bench {
    /// Stores an article for each of these numbers, in one transaction per thousand.
    async fn store_many(&self, numbers: std::ops::Range<usize>) {
        let entry = |i: usize| new_entry(&format!("{i}"), &format!("https://site.example/{i}"), "x");
        let new: Vec<NewEntry> = numbers.map(entry).collect();
        self.pass(60);
        self.feeds(1).await;
        self.poll(|_| new.clone()).await;
        let entries = self.store.entries_claim(LEASE, 1_000).await.unwrap();
        assert_eq!(entries.len(), new.len());
        let finished: Vec<FinishedEntry> =
            entries.iter().map(|entry| extracted(entry, &format!("Text {}", entry.id.0))).collect();
        self.finish(&finished).await;
    }

    async fn cursors(&self) -> BTreeMap<String, i64> {
        self.store.sinks_list().await.unwrap().into_iter().map(|sink| (sink.name, sink.seq)).collect()
    }
}

fn kill(mut run: Child) {
    run.kill().unwrap();
    run.wait().unwrap();
}

/// The positions from 1 to the number of articles.
fn positions(articles: usize) -> Vec<i64> {
    (1..=i64::try_from(articles).unwrap()).collect()
}

async fn stream_through(kills: usize) {
    /// New articles before each kill, and the acknowledgements that arrive before it: within the first batch of 500, at its last,
    /// and within the second.
    const WAVE: usize = 300;
    const ACKNOWLEDGED: [usize; 5] = [299, 0, 499, 520, 10];
    let Some(server) = nats::server() else { return };
    let address = server.trim_start_matches("nats://").to_owned();
    run(Backend::Sqlite, async |bench| {
        let proxy = Proxy::start(&address, Way::ToClient, b"{\"stream\":\"").await;
        let name = nats::name();
        let sink = format!(
            "[[sink]]\nname = \"bus\"\n[sink.nats]\nservers = [\"nats://{}\"]\nsubject = \"{name}.{{language}}\"\nstream = \"{name}\"\n",
            proxy.address()
        );
        let mill = Mill::new(bench, &sink);
        for number in 0..kills {
            bench.store_many(number * WAVE..(number + 1) * WAVE).await;
            let before = bench.cursors().await.get("bus").copied().unwrap_or_default();
            let acknowledged = ACKNOWLEDGED[number % ACKNOWLEDGED.len()];
            proxy.hold_after(acknowledged);
            let run = mill.start();
            proxy.holds().await;
            kill(run);
            let after = bench.cursors().await["bus"];
            assert_eq!(after - before, if acknowledged >= 500 { 500 } else { 0 });
        }
        proxy.let_pass();
        mill.finish();
        let messages = nats::messages(&nats::stream(&server, &name).await).await;
        let held: Vec<i64> = messages.iter().map(|(_, seq)| *seq).collect();
        assert_eq!(held, positions(kills * WAVE), "each once, and in order");
        eprintln!("{kills} kills between acknowledgement and cursor; {} records, 0 lost, 0 twice", held.len());
    })
    .await;
}

async fn files_through(kills: usize) {
    const WAVE: usize = 40;
    run(Backend::Sqlite, async |bench| {
        let (s3, folder) = (S3::start().await, TempDir::new().unwrap());
        let sink = |kind: &str, place: &str, to: &str, bucket: &str| {
            format!("[[sink]]\nname = \"{kind}-{place}\"\n[sink.{kind}]\nto = \"{to}/{kind}\"\n{bucket}\n")
        };
        let bucket = format!(
            "bucket = {{ endpoint = \"{}\", access_key_id = \"{KEY_ID}\", secret_access_key = \"{SECRET}\" }}",
            s3.endpoint()
        );
        let kinds = ["jsonl", "parquet"];
        let sinks: String = kinds
            .iter()
            .flat_map(|kind| {
                let here = sink(kind, "folder", &folder.path().display().to_string(), "");
                [here, sink(kind, "bucket", &format!("s3://{BUCKET}"), &bucket)]
            })
            .collect();
        let mill = Mill::new(bench, &sinks);
        let mut between = 0;
        for number in 0..kills {
            bench.store_many(number * WAVE..(number + 1) * WAVE).await;
            let before = bench.cursors().await;
            let written = visible(folder.path());
            // Alternately: when a file appears, and when an object was stored whose writer gets no answer.
            let by_object = number % 2 == 0;
            s3.answer(if by_object { s3.written_so_far() } else { usize::MAX });
            let run = mill.start();
            if by_object {
                s3.written(s3.written_so_far() + 1).await;
            } else {
                while visible(folder.path()) == written {
                    tokio::task::yield_now().await;
                }
            }
            kill(run);
            let after = bench.cursors().await;
            let place = if by_object { "bucket" } else { "folder" };
            let still = kinds.iter().map(|kind| format!("{kind}-{place}"));
            let still = still.filter(|name| after[name] == before.get(name).copied().unwrap_or_default()).count();
            assert!(!by_object || still == 2, "no cursor moves without an answer");
            between += usize::from(still > 0);
        }
        s3.answer(usize::MAX);
        mill.finish();
        let expected = positions(kills * WAVE);
        for kind in kinds {
            let here = files(&folder.path().join(kind));
            for (place, files) in [("folder", here), ("bucket", s3.objects(kind))] {
                let held: Vec<Value> = files.into_values().flat_map(|content| rows(kind, content)).collect();
                let (seqs, versions) = counted(&held);
                assert_eq!(seqs, expected, "{kind} in the {place}: each once");
                assert_eq!(versions, expected.len(), "{kind} in the {place}: each revision once");
            }
        }
        eprintln!("{kills} kills, {between} between file and cursor; {} records, 0 lost, 0 twice", expected.len());
    })
    .await;
}

/// Counts the files that are completely written.
fn visible(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let count = entries.map(|path| match path.file_name().unwrap().to_str().unwrap() {
        name if name.starts_with('.') => 0,
        _ if path.is_dir() => visible(&path),
        _ => 1,
    });
    count.sum()
}

fn rows(kind: &str, content: Vec<u8>) -> Vec<Value> {
    match kind {
        "jsonl" => records_of(&content).iter().map(|record| serde_json::to_value(record).unwrap()).collect(),
        _ => rows_of(content),
    }
}

/// Returns the sorted positions, and the number of distinct pairs of id and revision.
fn counted(records: &[Value]) -> (Vec<i64>, usize) {
    let mut seqs: Vec<i64> = records.iter().map(|record| record["seq"].as_i64().unwrap()).collect();
    seqs.sort_unstable();
    let versions: BTreeSet<_> =
        records.iter().map(|record| (record["id"].to_string(), record["revision"].as_i64())).collect();
    (seqs, versions.len())
}

async fn posts_through(kills: usize) {
    const WAVE: usize = 150;
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        let answered = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&answered);
        server.handle(move |_| {
            let may = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if may.is_ok() { Reply::status(204) } else { Reply::raw("").then_hang() }
        });
        let hook = format!("[[sink]]\nname = \"hook\"\n[sink.webhook]\nurl = \"{}\"\n", server.url("/hook"));
        let mill = Mill::new(bench, &hook);
        for number in 0..kills {
            bench.store_many(number * WAVE..(number + 1) * WAVE).await;
            let (before, asked) = (bench.cursors().await, server.requests("/hook").len());
            // Every other time, one batch is answered first.
            let answers = number % 2;
            answered.store(answers, Ordering::SeqCst);
            let run = mill.start();
            server.arrived("/hook", asked + answers + 1).await;
            kill(run);
            let moved = bench.cursors().await["hook"] - before.get("hook").copied().unwrap_or_default();
            assert_eq!(moved, if answers > 0 { 100 } else { 0 });
        }
        answered.store(usize::MAX, Ordering::SeqCst);
        mill.finish();
        let mut by_message: HashMap<String, Vec<u8>> = HashMap::new();
        let mut records = Vec::new();
        for request in server.requests("/hook") {
            let id = request.header("webhook-id").unwrap().to_owned();
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let before = by_message.insert(id.clone(), request.body.clone());
            assert!(
                before.is_none_or(|before| before == request.body),
                "{id} means the same whenever it comes"
            );
            records.extend(body["records"].as_array().unwrap().iter().cloned());
        }
        let (mut seqs, versions) = counted(&records);
        let sent = seqs.len();
        seqs.dedup();
        assert_eq!(
            (seqs, versions),
            (positions(kills * WAVE), kills * WAVE),
            "at least once, under the same ids"
        );
        assert!(sent > kills * WAVE);
        eprintln!("{kills} kills before the answer; {} records in {sent} deliveries, 0 lost", kills * WAVE);
    })
    .await;
}
