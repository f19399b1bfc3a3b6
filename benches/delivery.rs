//! The speed and completeness of delivery: `cargo bench --bench delivery`, or `-- ARTICLES` for another number of articles,
//! and `-- sqlite` or `-- postgres` for one back end.
//!
//! Eight writers store the articles while four readers by cursor follow them, which at times forget everything but their cursor.
//! Then each sink delivers everything, compared with plain reads of the store in the same run, and again everything after the
//! middle, as after a crash. The records that a reader or receiver misses are counted, and what it holds or was sent, beside the
//! distinct records among that. Finally everything is removed.
//!
//! Runs on SQLite, on the PostgreSQL server named by `FEEDMILL_TEST_POSTGRES_URL`, and delivers to the NATS server named by
//! `FEEDMILL_TEST_NATS_URL`; with two worker threads, as on two cores. The standard output sink runs in another process, which has
//! the store meanwhile.
//!
//! `-- streams` instead shows the disk space of a stream, on a separate `nats-server`; `-- streams FILE` does so with the texts of
//! a file, one JSON string per line, in place of generated ones.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

#[path = "delivery/receivers.rs"]
mod receivers;
#[path = "delivery/streams.rs"]
mod streams;
#[path = "delivery/writers.rs"]
mod writers;

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::fetch::{self, Fetcher};
use feedmill::memory::Parts;
use feedmill::publish::filter::Filter;
use feedmill::publish::relay::{Flush, Relay, Settings};
use feedmill::publish::{Configured, Outward, Receiver};
use feedmill::store::{self, Beginning, Cutoff, Store};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::receivers::Receiving;

const ARTICLES: usize = 100_000;
const WRITERS: usize = 8;
/// The batch size of each reader.
const READERS: [u32; 4] = [50, 100, 500, 1_000];
/// A reader loses its current batch every this many batches.
const CRASH_EVERY: usize = 7;

/// First argument of the child process whose standard output is measured; the store's URL follows.
const TO_STDOUT: &str = "to-stdout";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match arguments.as_slice() {
        [TO_STDOUT, url] => return runtime.block_on(drain_to_stdout(url)),
        ["streams", texts @ ..] => return runtime.block_on(streams::measure(texts.first().map(Path::new))),
        _ => {}
    }
    let articles = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ARTICLES);
    let only = |name| arguments.contains(&name);
    runtime.block_on(async {
        if !only("postgres") {
            let folder = tempfile::tempdir().unwrap();
            let file = format!("sqlite:{}", folder.path().join("feedmill.db").display());
            measure("SQLite", &file, articles).await;
        }
        if let Some(admin) = std::env::var("FEEDMILL_TEST_POSTGRES_URL").ok().filter(|_| !only("sqlite")) {
            let admin: Url = admin.parse().unwrap();
            let name = format!("feedmill_bench_{:016x}", rand::random::<u64>());
            execute(&admin, format!("CREATE DATABASE {name}")).await;
            let mut url = admin.clone();
            url.set_path(&name);
            open(url.as_str()).await.close().await;
            execute(&url, parts(articles / 2)).await;
            measure("PostgreSQL", url.as_str(), articles).await;
            execute(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    });
}

async fn measure(name: &str, url: &str, articles: usize) {
    let clock = clock();
    let store = open(url).await;
    writers::announce(&store, articles).await;
    let began = Instant::now();
    let writing = join_all((0..WRITERS).map(|_| writers::write(store.clone())));
    let reading = join_all(READERS.map(|limit| read(&store, limit, articles)));
    let (_, seen) = futures_util::future::join(writing, reading).await;
    let took = began.elapsed();
    println!(
        "{name}: {articles} articles by {WRITERS} writers, {} a second, beside readers:",
        rate(articles, took)
    );
    for (limit, seen) in READERS.iter().zip(&seen) {
        println!("  {:<32} {}", format!("reader of {limit}, with crashes"), told(seen, articles));
    }
    let began = Instant::now();
    let (mut cursor, mut bytes) = (0, 0);
    while let Some(last) = store
        .records_after(cursor, 500)
        .await
        .unwrap()
        .iter()
        .inspect(|record| bytes += record.text.len())
        .last()
    {
        cursor = last.seq;
    }
    let own = rate(articles, began.elapsed());
    println!(
        "  {:<32} {own:>7} records/s, {} bytes of text each",
        "the store's own reading",
        bytes / articles
    );
    for receiving in receivers::all().await {
        deliver(&store, &clock, receiving, articles).await;
    }
    store.close().await;
    deliver_to_stdout(url, articles);
    remove(url, articles).await;
}

/// Replaces the first partition of texts: two partitions of this many articles each, and one for the rest.
fn parts(articles: usize) -> String {
    let bounds = [1, articles + 1, 2 * articles + 1, 500_001];
    let mut sql = "DROP TABLE revisions_1_500001, article_words_1_500001; ".to_owned();
    for table in ["revisions", "article_words"] {
        for pair in bounds.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let part = format!("{table}_{from}_{to} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})");
            sql += &["CREATE TABLE ", &part, "; "].concat();
        }
    }
    sql
}

/// Removes half of the articles row by row, then the other half, on PostgreSQL by dropping whole partitions of texts.
async fn remove(url: &str, articles: usize) {
    let store = open(url).await;
    let old = clock().now() + jiff::SignedDuration::from_secs(1);
    let feeds = store.feeds_known().await.unwrap();
    let cutoffs: Vec<Cutoff> =
        feeds.iter().map(|(feed_id, _)| Cutoff { feed_id: *feed_id, before: old }).collect();
    let server = url.parse::<Url>().ok().filter(|url| url.scheme() != "sqlite");
    let full = store.texts_before(old).await.unwrap();
    for (name, least, partitions) in [("row by row", articles / 2, &[][..]), ("the rest", usize::MAX, &full)]
    {
        let began = Instant::now();
        let mut removed = 0;
        while removed < least {
            match store.articles_remove(&cutoffs, partitions).await.unwrap() {
                0 => break,
                count => removed += count,
            }
        }
        let drops = Instant::now();
        for partition in partitions {
            assert!(store.texts_drop(partition).await.unwrap());
        }
        let (took, drops_took) = (began.elapsed(), drops.elapsed());
        println!(
            "  {:<32} {:>7} articles/s, of it {:.0?} to drop {} partitions",
            format!("removed {name}"),
            rate(removed, took),
            drops_took,
            partitions.len()
        );
        if let Some(server) = &server {
            let began = Instant::now();
            execute(server, "VACUUM".to_owned()).await;
            let bytes = bytes_of_texts(server).await;
            println!(
                "  {:<32} {:>7.1?}; texts and words have {} MB then",
                "VACUUM after that",
                began.elapsed(),
                bytes >> 20
            );
        }
    }
    store.close().await;
}

/// Returns the disk space of texts and the word index.
async fn bytes_of_texts(server: &Url) -> i64 {
    let mut connection = sqlx::AnyConnection::connect(server.as_str()).await.unwrap();
    let bytes = sqlx::query_scalar(
        "SELECT CAST(coalesce(sum(pg_total_relation_size(inhrelid)), 0) AS BIGINT) FROM pg_inherits \
         WHERE inhparent IN ('revisions'::regclass, 'article_words'::regclass)",
    );
    let bytes = bytes.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    bytes
}

fn clock() -> Clock {
    Clock::manual("2026-03-02T08:00:00Z".parse().unwrap())
}

async fn open(url: &str) -> Store {
    let settings = store::Settings {
        url: url.to_owned().into(),
        max_connections: 12,
        busy_timeout: Duration::from_mins(5),
        search_index: true,
    };
    Store::open(&settings, clock()).await.unwrap()
}

/// A reader that keeps only its cursor, in the store: the batch in progress when it crashes counts as not seen.
async fn read(store: &Store, limit: u32, articles: usize) -> Vec<i64> {
    let name = format!("reader of {limit}");
    let (mut seen, mut batches) = (Vec::with_capacity(articles), 0);
    while seen.len() < articles {
        let cursor = store.cursor_get(&name).await.unwrap();
        let records = store.records_after(cursor, limit).await.unwrap();
        batches += 1;
        match records.last() {
            Some(_) if batches % CRASH_EVERY == 0 => {}
            Some(last) => {
                store.cursor_set(&name, last.seq).await.unwrap();
                seen.extend(records.iter().map(|record| record.seq));
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    seen
}

async fn deliver(store: &Store, clock: &Clock, receiving: Receiving, articles: usize) {
    let mut relay = relay(store, clock, receiving.name, &receiving.receiver).await;
    let took = drain(store, &mut relay).await;
    store.sink_replay(receiving.name, i64::try_from(articles / 2).unwrap()).await.unwrap();
    drain(store, &mut relay).await;
    relay.give_back().await;
    let name = receiving.name;
    report(name, took, &receiving.received().await, articles);
}

async fn relay(store: &Store, clock: &Clock, name: &str, receiver: &Receiver) -> Relay {
    let (_fetcher, fetcher) = watch::channel(Fetcher::new(fetch_settings(), clock.clone()).unwrap());
    let outward = Outward { clock: clock.clone(), fetcher, memory: Parts::unbounded() };
    let settings =
        Settings { name: name.to_owned(), from: Beginning::Start, pause: false, filter: Filter::default() };
    let sink = Configured { relay: settings, receiver: receiver.clone() };
    Relay::open(store.clone(), sink, outward).await.unwrap()
}

async fn drain(store: &Store, relay: &mut Relay) -> Duration {
    let began = Instant::now();
    relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
    let took = began.elapsed();
    assert!(!relay.is_in_trouble(), "{:?}", store.sinks_list().await.unwrap());
    took
}

fn report(name: &str, took: Duration, received: &[i64], articles: usize) {
    println!(
        "  {:<32} {:>7} records/s, {}",
        format!("sink {name}"),
        rate(articles, took),
        told(received, articles)
    );
}

/// Runs another process that writes everything to its standard output, a file.
fn deliver_to_stdout(url: &str, articles: usize) {
    let written = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([TO_STDOUT, url])
        .stdout(written.reopen().unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let took = Duration::from_micros(said.trim().parse().unwrap());
    let lines = receivers::lines(File::open(written.path()).unwrap());
    report("stdout", took, &lines, articles);
}

/// The work of that process. It prints its duration in microseconds on standard error.
#[expect(clippy::print_stderr, reason = "the standard output is measured")]
async fn drain_to_stdout(url: &str) {
    let store = open(url).await;
    let mut relay = relay(&store, &clock(), "stdout", &Receiver::Stdout).await;
    let took = drain(&store, &mut relay).await;
    relay.give_back().await;
    store.close().await;
    eprintln!("{}", took.as_micros());
}

/// Describes how many positions from 1 to `articles` are missing, and how many of those received are distinct. The receiver of POSTs
/// is sent the second half again, and does not upsert.
fn told(seen: &[i64], articles: usize) -> String {
    let distinct: HashSet<i64> = seen.iter().copied().collect();
    let lost = (1..=i64::try_from(articles).unwrap()).filter(|seq| !distinct.contains(seq)).count();
    format!("{lost} lost, {} received, {} of them distinct", seen.len(), distinct.len())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "for people"
)]
fn rate(records: usize, took: Duration) -> u64 {
    (records as f64 / took.as_secs_f64()) as u64
}

/// Settings that allow loopback.
fn fetch_settings() -> fetch::Settings {
    fetch::Settings {
        contact_url: None,
        allow: vec![fetch::AllowedNet { net: "127.0.0.0/8".parse().unwrap(), port: None }],
        name_servers: vec!["127.0.0.1:53".parse().unwrap()],
        timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_mins(1),
        max_redirects: 0,
        feed_max_body_bytes: 1 << 20,
        page_max_body_bytes: 1 << 20,
        host_concurrency: 8,
        host_min_gap: Duration::ZERO,
        max_host_pause: None,
        proxy: None,
        proxy_guards_addresses: false,
        pages_obey_robots: false,
        feeds_obey_robots: false,
    }
}

async fn execute(url: &Url, sql: String) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url.as_str()).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
    connection.close().await.unwrap();
}
