//! Delivery from the outbox, mostly to folders: nothing lost, nothing twice, whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use feedmill::fetch::RequestOptions;
use feedmill::model::Record;
use feedmill::publish::files::Form;
use feedmill::publish::filter::{Criterion, Filter};
use feedmill::publish::folder::Place;
use feedmill::publish::relay::{Flush, Relay, Settings, Step};
use feedmill::publish::text::{Selection, Trace};
use feedmill::publish::{Batching, Configured, Receiver, webhook};
use feedmill::store::Beginning;
use jiff::Timestamp;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::readers::write_some;
use super::*;
use crate::support::client::outward;
use crate::support::nats;
use crate::support::server::{Reply, Server};

const HOUR: Duration = Duration::from_hours(1);

on_both! {
    a_file_after_a_crash_is_the_same_file,
    a_replay_writes_the_same_files,
    columns_hold_what_records_say,
    a_file_waits_for_the_end_of_its_period,
    a_file_does_not_wait_for_a_clock_that_was_ahead,
    a_file_is_due_by_its_size_long_before_its_period_ends,
    what_was_counted_is_not_read_again,
    a_record_that_cannot_be_read_stops_nobody,
    one_process_at_a_time_runs_a_sink,
    a_sink_lags_while_it_is_paused_or_rests_and_until_it_delivers,
    a_sink_that_another_process_runs_does_not_lag_here,
    a_sink_begins_where_it_is_told_and_takes_what_it_wants,
    writers_readers_and_sinks_lose_and_double_nothing,
}

fn settings(name: &str) -> Settings {
    Settings { name: name.to_owned(), from: Beginning::Start, pause: false, filter: Filter::default() }
}

fn json_lines(folder: &TempDir, max_records: u32) -> Configured {
    files_of(Form::JsonLines, "lines", &local(folder), max_records)
}

fn local(folder: &TempDir) -> Place {
    Place::Local(folder.path().to_owned())
}

pub(super) fn files_of(form: Form, name: &str, to: &Place, max_records: u32) -> Configured {
    let batching = Batching { max_records, max_bytes: 1 << 20, period: Some(HOUR) };
    Configured { relay: settings(name), receiver: Receiver::Files { to: to.clone(), form, batching } }
}

/// A sink of JSON lines whose files are full at so many bytes of text.
fn files_of_size(name: &str, folder: &TempDir, max_bytes: usize) -> Configured {
    let batching = Batching { max_records: 1_000, max_bytes, period: Some(HOUR) };
    let receiver = Receiver::Files { to: local(folder), form: Form::JsonLines, batching };
    Configured { relay: settings(name), receiver }
}

pub(super) fn texts(to: &Place) -> Configured {
    let (selection, trace) = (Selection::WithDuplicates, Trace::None);
    Configured { relay: settings("texts"), receiver: Receiver::Text { to: to.clone(), selection, trace } }
}

impl Bench {
    pub(super) async fn relay(&self, sink: &Configured) -> Relay {
        Relay::open(self.store.clone(), sink.clone(), outward(&self.clock)).await.unwrap()
    }

    /// Delivers everything to a sink.
    pub(super) async fn deliver(&self, sink: &Configured) {
        let mut relay = self.relay(sink).await;
        relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        relay.give_back().await;
    }

    async fn cursor(&self) -> i64 {
        self.store.sinks_list().await.unwrap()[0].seq
    }
}

/// Returns the files below a folder, by name.
pub(super) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') {
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Reads every record in a folder of JSON lines.
fn records_in(folder: &Path) -> Vec<Record> {
    files(folder).into_values().flat_map(|content| records_of(&content)).collect()
}

/// Reads the records of a JSON lines file.
pub(super) fn records_of(content: &[u8]) -> Vec<Record> {
    let lines = zstd::decode_all(content).unwrap();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Reads the rows of a Parquet file.
pub(super) fn rows_of(content: Vec<u8>) -> Vec<Value> {
    let reader = SerializedFileReader::new(axum::body::Bytes::from(content)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_json_value()).collect()
}

pub(super) fn seqs(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.seq).collect()
}

async fn a_file_after_a_crash_is_the_same_file(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    let sink = json_lines(&folder, 4);
    bench.store_articles(0..6).await;
    let mut relay = bench.relay(&sink).await;
    assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Moved);
    assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Moved);
    assert_eq!(seqs(&records_in(folder.path())), [1, 2, 3, 4, 5, 6]);
    drop(relay);
    bench.die_before_the_cursor_moves_from(4).await;
    bench.store_articles(6..9).await;
    bench.deliver(&sink).await;
    assert_eq!(seqs(&records_in(folder.path())), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let day = "date=2026-03-01";
    let names: Vec<String> = files(folder.path()).into_keys().collect();
    let expected = [(1, 4), (5, 6), (7, 9)].map(|(a, b)| format!("{day}/{a:012}-{b:012}.jsonl.zst"));
    assert_eq!(names, expected);
    assert_eq!(records_in(folder.path()), bench.store.records_after(0, 10).await.unwrap(), "whole records");
}

async fn a_replay_writes_the_same_files(bench: &Bench) {
    let (lines, text) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let sinks = [json_lines(&lines, 4), texts(&local(&text))];
    bench.store_articles(0..10).await;
    for sink in &sinks {
        bench.deliver(sink).await;
    }
    let before = (files(lines.path()), files(text.path()));
    assert_eq!((before.0.len(), before.1.len()), (3, 10));
    bench.store_articles(10..12).await;
    for from in [0, 2, 4, 7] {
        for sink in &sinks {
            assert!(bench.store.sink_replay(sink.name(), from).await.unwrap());
            bench.deliver(sink).await;
        }
        let mut records = records_in(lines.path());
        records.sort_by_key(|record| record.seq);
        assert_eq!(seqs(&records), (1..=12).collect::<Vec<_>>(), "after a replay from {from}");
        let after = (files(lines.path()), files(text.path()));
        assert_eq!((after.0.len(), after.1.len()), (4, 12));
        assert!(before.1.iter().all(|(name, content)| after.1.get(name) == Some(content)));
        assert!(before.0.keys().all(|name| after.0.contains_key(name)));
    }
    assert!(!bench.store.sink_replay("unknown", 0).await.unwrap());
}

/// Parquet files are read back by the crate's own record reader; the columns are the fields of the record.
async fn columns_hold_what_records_say(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    bench.store_articles(0..5).await;
    bench.feeds(2).await;
    let (urls, tags) = (feed_urls(2), ["coast".to_owned(), "sea & air".to_owned()]);
    bench.store.feeds_tag(&[(&urls[0], &tags[..]), (&urls[1], &[][..])]).await.unwrap();
    bench.pass(60);
    bench.poll(|_| vec![new_entry("again", "https://site.example/0", "x")]).await;
    let again = bench.store.entries_claim(LEASE, 10).await.unwrap();
    let outcome = |entry: Entry| FinishedEntry { entry, outcome: EntryOutcome::AlreadyStored };
    bench.finish(&again.into_iter().map(outcome).collect::<Vec<_>>()).await;
    bench.deliver(&files_of(Form::Parquet, "lake", &local(&folder), 4)).await;
    let records = bench.store.records_after(0, 100).await.unwrap();
    assert!(records.iter().any(|record| record.feeds.len() > 1), "lists of more than one");
    let tags = records.iter().flat_map(|record| &record.feeds).map(|feed| feed.tags.len());
    assert_eq!(tags.collect::<BTreeSet<_>>(), BTreeSet::from([0, 2]), "with tags and without");
    let rows: Vec<Value> = files(folder.path()).into_values().flat_map(rows_of).collect();
    assert_eq!(rows.len(), records.len());
    for (row, record) in rows.iter().zip(&records) {
        let expected = serde_json::to_value(record).unwrap();
        let (row, expected) = (row.as_object().unwrap(), expected.as_object().unwrap());
        let names = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(row), names(expected));
        for (name, value) in expected {
            if !name.ends_with("_at") && name != "feeds" {
                assert_eq!(&row[name], value, "{name}");
            }
        }
        assert_eq!(row["feeds"].as_array().unwrap().len(), record.feeds.len());
        for (row, expected) in
            row["feeds"].as_array().unwrap().iter().zip(expected["feeds"].as_array().unwrap())
        {
            assert_eq!((&row["guid"], &row["tags"]), (&expected["guid"], &expected["tags"]));
        }
        assert_eq!(row["feeds"][0]["feed_url"], expected["feeds"][0]["feed_url"]);
    }
}

async fn a_file_waits_for_the_end_of_its_period(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    let sink = json_lines(&folder, 5);
    let end: Timestamp = "2026-03-01T13:00:00Z".parse().unwrap();
    bench.store_articles(0..3).await;
    let mut relay = bench.relay(&sink).await;
    assert_eq!(relay.step(Flush::WhenDue).await.unwrap(), Step::Idle(Some(end)));
    assert!(files(folder.path()).is_empty());
    bench.pass(end.as_second() - bench.clock.now().as_second());
    bench.store_articles(3..5).await;
    let stop = CancellationToken::new();
    let due = relay.drain(Flush::WhenDue, &stop).await.unwrap();
    assert_eq!(due, Some(end + SignedDuration::from_hours(1)));
    assert_eq!(seqs(&records_in(folder.path())), [1, 2, 3], "the next hour has begun");
    bench.store_articles(5..10).await;
    relay.drain(Flush::WhenDue, &stop).await.unwrap();
    assert_eq!(seqs(&records_in(folder.path())), (1..=8).collect::<Vec<_>>(), "full before its end");
}

async fn a_file_does_not_wait_for_a_clock_that_was_ahead(bench: &Bench) {
    const YEAR_SECS: i64 = 365 * 24 * 3_600;
    let folder = TempDir::new().unwrap();
    let sink = json_lines(&folder, 5);
    bench.pass(YEAR_SECS);
    bench.store_articles(0..3).await;
    bench.pass(-YEAR_SECS);
    let mut relay = bench.relay(&sink).await;
    relay.drain(Flush::WhenDue, &CancellationToken::new()).await.unwrap();
    assert_eq!(seqs(&records_in(folder.path())), [1, 2, 3]);
}

/// Returns the names of a folder's files as the first and last position of each.
fn ranges(folder: &TempDir) -> Vec<(i64, i64)> {
    let range = |name: String| {
        let (first, last) =
            name.split_once('/').unwrap().1.split_once('.').unwrap().0.split_once('-').unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    };
    files(folder.path()).into_keys().map(range).collect()
}

async fn a_file_is_due_by_its_size_long_before_its_period_ends(bench: &Bench) {
    let (folder, few) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let end: Timestamp = "2026-03-01T13:00:00Z".parse().unwrap();
    let stop = CancellationToken::new();
    let sink = files_of_size("lines", &folder, 40);
    let mut picky = files_of_size("picky", &few, 40);
    picky.relay.filter.add(Criterion::Event, "revised").unwrap();
    let drained = async |relay: &mut Relay| relay.drain(Flush::WhenDue, &stop).await.unwrap();

    // Six bytes each, and seven from the tenth on.
    bench.store_articles(0..6).await;
    let (mut relay, mut other) = (bench.relay(&sink).await, bench.relay(&picky).await);
    assert_eq!(drained(&mut relay).await, Some(end));
    assert!(files(folder.path()).is_empty());
    bench.store_articles(6..9).await;
    assert_eq!(drained(&mut relay).await, Some(end));
    assert_eq!(ranges(&folder), [(1, 7)], "the seventh reaches the size");

    // Another process that has counted nothing, after one that died before its cursor moved.
    drop(relay);
    bench.die_before_the_cursor_moves_from(0).await;
    bench.store_articles(9..12).await;
    let mut relay = bench.relay(&sink).await;
    assert_eq!(drained(&mut relay).await, Some(end));
    assert_eq!(ranges(&folder), [(1, 7)]);
    bench.store_articles(12..15).await;
    assert_eq!(drained(&mut relay).await, Some(end));
    assert_eq!(ranges(&folder), [(1, 7), (8, 13)]);

    let before = files(folder.path());
    for from in [0, 3, 7, 10] {
        assert!(bench.store.sink_replay("lines", from).await.unwrap());
        assert_eq!(drained(&mut relay).await, Some(end), "the last two wait");
        assert_eq!(files(folder.path()), before, "a replay from {from}");
    }
    relay.drain(Flush::All, &stop).await.unwrap();
    assert_eq!(ranges(&folder), [(1, 7), (8, 13), (14, 15)]);

    assert_eq!(drained(&mut other).await, Some(end), "what the filter rejects fills no file");
    assert!(files(few.path()).is_empty());
}

async fn what_was_counted_is_not_read_again(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    let sink = files_of_size("lines", &folder, 40);
    bench.store_articles(0..3).await;
    let mut relay = bench.relay(&sink).await;
    assert!(matches!(relay.step(Flush::WhenDue).await.unwrap(), Step::Idle(Some(_))));
    let long = "x".repeat(100);
    bench.database.execute(&format!("UPDATE revisions SET text = '{long}'")).await;
    assert!(matches!(relay.step(Flush::WhenDue).await.unwrap(), Step::Idle(Some(_))));
    assert!(files(folder.path()).is_empty());
    relay.give_back().await;
    drop(relay);
    let mut fresh = bench.relay(&sink).await;
    assert_eq!(
        fresh.step(Flush::WhenDue).await.unwrap(),
        Step::Moved,
        "a process that counts for the first time"
    );
    assert_eq!(ranges(&folder), [(1, 1)]);
}

async fn a_record_that_cannot_be_read_stops_nobody(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    bench.store_articles(0..5).await;
    bench.database.execute("UPDATE revisions SET tags = 'none' WHERE text = 'Text 2'").await;
    bench.database.execute("DELETE FROM revisions WHERE text = 'Text 5'").await;
    bench.deliver(&json_lines(&folder, 100)).await;
    assert_eq!(seqs(&records_in(folder.path())), [1, 3, 4]);
    assert_eq!(seqs(&bench.store.records_after(0, 2).await.unwrap()), [1, 3]);
    assert!(bench.store.records_after(4, 2).await.unwrap().is_empty());
    let outline = |record: Record| (record.text.len(), Record { text: String::new(), ..record });
    let outlines: Vec<_> = bench.store.records_after(0, 3).await.unwrap().into_iter().map(outline).collect();
    assert_eq!(bench.store.outlines_after(0, 3).await.unwrap(), outlines);
    let aside = bench.store.set_aside_list().await.unwrap();
    assert_eq!(
        aside.iter().map(|record| (record.sink.as_str(), record.seq)).collect::<Vec<_>>(),
        [("", 2), ("", 5)]
    );
    assert!(aside[0].reason.contains("column tags"), "{}", aside[0].reason);
    bench.store_articles(5..6).await;
    bench.deliver(&json_lines(&folder, 100)).await;
    assert_eq!(bench.cursor().await, 6);
}

async fn one_process_at_a_time_runs_a_sink(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    let sink = texts(&local(&folder));
    bench.store_articles(0..2).await;
    let first = bench.relay(&sink).await;
    let lease = Duration::from_secs(15);
    let held = bench.store.sink_claim("texts", lease).await.unwrap().unwrap();
    drop(first);
    let mut second = bench.relay(&sink).await;
    assert_eq!(second.step(Flush::All).await.unwrap(), Step::Idle(None), "another has it");
    bench.pass(16);
    assert_eq!(second.step(Flush::All).await.unwrap(), Step::Moved, "its lease is over");
    assert_eq!(files(folder.path()).len(), 2);
    assert!(!bench.store.sink_advance("texts", held.epoch, 1).await.unwrap(), "too late");
    assert_eq!(bench.store.sink_renew("texts", held.epoch, lease).await.unwrap(), None);
    assert_eq!(bench.cursor().await, 2);
    bench.store.sink_replay("texts", 1).await.unwrap();
    assert_eq!(
        second.step(Flush::All).await.unwrap(),
        Step::Moved,
        "it takes a lease anew and goes on from 1"
    );
    assert_eq!(bench.cursor().await, 2);
}

/// Returns the gauges of a sink's lag, in records and in seconds.
fn lag_of(sink: &str, metrics: &PrometheusHandle) -> (String, String) {
    let text = metrics.render();
    let gauge = |name: &str| {
        let series = format!("{name}{{sink=\"{sink}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).expect(&series).to_owned()
    };
    (gauge("feedmill_sink_lag_records"), gauge("feedmill_sink_lag_seconds"))
}

fn lag(records: u32, seconds: u32) -> (String, String) {
    (records.to_string(), seconds.to_string())
}

async fn a_sink_lags_while_it_is_paused_or_rests_and_until_it_delivers(bench: &Bench) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("texts");
    let sink = texts(&Place::Local(place.clone()));
    let mut paused = sink.clone();
    paused.relay.pause = true;
    bench.store_articles(0..2).await;
    let mut relay = bench.relay(&paused).await;
    assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Idle(None));
    assert_eq!(lag_of("texts", &handle), lag(2, 0));
    bench.store_articles(2..3).await;
    assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Idle(None));
    assert_eq!(lag_of("texts", &handle), lag(3, 60));
    relay.give_back().await;

    // A file is where the folder is to be.
    std::fs::write(&place, "").unwrap();
    let mut relay = bench.relay(&sink).await;
    assert!(matches!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(_))), "it fails");
    assert!(matches!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(_))), "it rests");
    bench.store_articles(3..4).await;
    assert!(matches!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(_))));
    assert_eq!(lag_of("texts", &handle), lag(4, 120));

    std::fs::remove_file(&place).unwrap();
    bench.pass(60);
    relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
    assert_eq!(files(&place).len(), 4);
    assert_eq!(lag_of("texts", &handle), lag(0, 0));
}

async fn a_sink_that_another_process_runs_does_not_lag_here(bench: &Bench) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let folder = TempDir::new().unwrap();
    let lease = Duration::from_secs(15);
    bench.store_articles(0..2).await;
    let mut relay = bench.relay(&json_lines(&folder, 100)).await;
    assert!(matches!(relay.step(Flush::WhenDue).await.unwrap(), Step::Idle(Some(_))));
    assert_eq!(lag_of("lines", &handle), lag(2, 0), "they wait for the end of the hour");

    bench.pass(16);
    assert!(bench.store.sink_claim("lines", lease).await.unwrap().is_some(), "another process has it");
    assert_eq!(relay.step(Flush::WhenDue).await.unwrap(), Step::Idle(None));
    assert_eq!(lag_of("lines", &handle), lag(0, 0));

    bench.pass(16);
    assert!(matches!(relay.step(Flush::WhenDue).await.unwrap(), Step::Idle(Some(_))));
    assert_eq!(lag_of("lines", &handle), lag(2, 32), "the other one is gone");
    relay.give_back().await;
    assert_eq!(lag_of("lines", &handle), lag(0, 0));
}

async fn a_sink_begins_where_it_is_told_and_takes_what_it_wants(bench: &Bench) {
    let folder = TempDir::new().unwrap();
    bench.store_articles(0..2).await;
    let mut filter = Filter::default();
    filter.add(Criterion::Host, "!other.example").unwrap();
    filter.add(Criterion::Event, "created").unwrap();
    filter.add(Criterion::Language, "en").unwrap();
    filter.add(Criterion::Flags, "gallery").unwrap();
    let relay = Settings { from: Beginning::Now, filter, pause: true, ..settings("texts") };
    let mut sink = Configured { relay, ..texts(&local(&folder)) };
    bench.deliver(&sink).await;
    bench.store_articles(2..6).await;
    bench.database.execute("UPDATE revisions SET language = 'de' WHERE text = 'Text 5'").await;
    bench.database.execute("UPDATE revisions SET quality_flags = '[]' WHERE text = 'Text 6'").await;
    bench.deliver(&sink).await;
    assert!(files(folder.path()).is_empty(), "it stands still");
    bench.poll_again_with("0", "https://site.example/0").await;
    let again = bench.store.entries_claim(LEASE, 10).await.unwrap();
    bench.finish(&[extracted(&again[0], "Another text")]).await;
    sink.relay.pause = false;
    bench.deliver(&sink).await;
    let names: Vec<String> = files(folder.path()).into_keys().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("000000000003_") && names[1].starts_with("000000000004_"), "{names:?}");
    assert_eq!(bench.cursor().await, 7);
}

/// A sink that posts to `/hook` of a server.
fn hook(server: &Server) -> Configured {
    let to = webhook::Settings {
        url: server.url("/hook"),
        secret: None,
        request: RequestOptions::default(),
        max_records: 30,
    };
    Configured { relay: settings("hook"), receiver: Receiver::Webhook(Box::new(to)) }
}

/// A sink that publishes to a new stream of a server.
fn bus(server: &str, stream: &str) -> Configured {
    let mut to = super::nats::settings(server, stream);
    // Longer than any test takes.
    to.duplicate_window = HOUR;
    Configured { relay: settings("bus"), receiver: Receiver::Nats(to) }
}

/// Returns the records that were posted to `/hook`, in order.
fn posted(server: &Server) -> Vec<Value> {
    let bodies = server.requests("/hook").into_iter().map(|request| request.body);
    let bodies = bodies.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
    bodies.flat_map(|body| body["records"].as_array().unwrap().clone()).collect()
}

/// Returns the position, id and revision of each record.
fn versions(records: &[Value]) -> Vec<(i64, String, i64)> {
    let number = |record: &Value, name: &str| record[name].as_i64().unwrap();
    let version =
        |record: &Value| (number(record, "seq"), record["id"].to_string(), number(record, "revision"));
    records.iter().map(version).collect()
}

fn as_json(records: &[Record]) -> Vec<Value> {
    records.iter().map(|record| serde_json::to_value(record).unwrap()).collect()
}

/// Returns the positions that a reader gets, which at times restarts with only its cursor.
async fn read(store: &Store, limit: u32, records: usize) -> Vec<i64> {
    let (mut cursor, mut seen, mut batches) = (0, Vec::new(), 0);
    while seen.len() < records {
        let batch = store.records_after(cursor, limit).await.unwrap();
        batches += 1;
        if batches % 5 == 0 {
            continue;
        }
        cursor = batch.last().map_or(cursor, |record| record.seq);
        seen.extend(batch.into_iter().map(|record| record.seq));
        tokio::task::yield_now().await;
    }
    seen
}

/// Eight writers, four readers that at times restart with only their cursor, and a sink of each kind, whose process dies at times.
async fn writers_readers_and_sinks_lose_and_double_nothing(bench: &Bench) {
    const ENTRIES: usize = 400;
    let [lines, lake, text] = [(); 3].map(|()| TempDir::new().unwrap());
    let receiver = Server::start().await;
    receiver.respond("/hook", Reply::status(204));
    let stream = nats::server().map(|server| (server, nats::name()));
    let mut sinks = vec![
        json_lines(&lines, 30),
        files_of(Form::Parquet, "lake", &local(&lake), 30),
        texts(&local(&text)),
        hook(&receiver),
    ];
    sinks.extend(stream.iter().map(|(server, name)| bus(server, name)));
    let entries: Vec<NewEntry> = (0..ENTRIES)
        .map(|i| new_entry(&format!("key {i}"), &format!("https://site.example/{i}"), "text"))
        .collect();
    bench.feeds(1).await;
    bench.poll(|_| entries.clone()).await;

    let (stored, all_stored) = (Notify::new(), CancellationToken::new());
    let write = || async {
        while write_some(&bench.store).await {
            stored.notify_waiters();
        }
    };
    let work = async {
        futures_util::future::join_all((0..8).map(|_| write())).await;
        all_stored.cancel();
    };
    let run = async |sink: &Configured| {
        bench.relay(sink).await.run(&stored, &all_stored, &CancellationToken::new()).await;
    };
    let readers = [3, 7, 50, 400].map(|limit| read(&bench.store, limit, ENTRIES));
    let readers = futures_util::future::join_all(readers);
    let relays = futures_util::future::join_all(sinks.iter().map(run));
    let all = futures_util::future::join3(work, readers, relays);
    let ((), seen, _) =
        tokio::time::timeout(Duration::from_mins(10), all).await.expect("a record was skipped");
    let positions: Vec<i64> = (1..=i64::try_from(ENTRIES).unwrap()).collect();
    for seen in seen {
        assert_eq!(seen, positions);
    }
    let expected = versions(&as_json(&bench.store.records_after(0, 1_000).await.unwrap()));
    let revisions: BTreeSet<_> = expected.iter().map(|(_, id, revision)| (id, revision)).collect();
    assert_eq!((expected.len(), revisions.len()), (ENTRIES, ENTRIES));
    assert_eq!(versions(&posted(&receiver)), expected, "posted once and in order while no process dies");

    for _ in 0..3 {
        bench.die_before_the_cursor_moves_from(bench.cursor().await / 2).await;
        for sink in &sinks {
            bench.deliver(sink).await;
        }
    }
    assert_eq!(versions(&as_json(&records_in(lines.path()))), expected, "in the order of the files' names");
    let rows: Vec<Value> = files(lake.path()).into_values().flat_map(rows_of).collect();
    assert_eq!(versions(&rows), expected, "in the order of the files' names");
    let of_texts: BTreeSet<i64> =
        files(text.path()).keys().map(|name| name.split_once('_').unwrap().0.parse().unwrap()).collect();
    assert_eq!((files(text.path()).len(), of_texts.len()), (ENTRIES, ENTRIES));
    let second_half = &expected[ENTRIES / 2..];
    let repeated = [&expected[..], second_half, second_half, second_half].concat();
    assert_eq!(versions(&posted(&receiver)), repeated, "each death repeats what its cursor had not passed");
    if let Some((server, name)) = stream {
        let messages = nats::messages(&nats::stream(&server, &name).await).await;
        let held: Vec<i64> = messages.into_iter().map(|(_, seq)| seq).collect();
        assert_eq!(held, positions, "each once and in order");
    }
}
