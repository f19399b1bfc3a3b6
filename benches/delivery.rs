//! How fast records leave, and whether all of them do: `cargo bench --bench delivery`, or `-- ARTICLES` for another number of them.
//!
//! Eight writers store the articles while four readers by cursor follow them, which forget all but their cursor now and then. Then
//! each sink takes everything, beside the store's own reading in the same run, and once more what comes after the middle, as after
//! a crash. Counted are the records that a reader or a receiver misses, and those that it has twice.
//!
//! On SQLite, on the PostgreSQL server that `FEEDMILL_TEST_POSTGRES_URL` names, and to the NATS server that `FEEDMILL_TEST_NATS_URL`
//! names; two worker threads, as on two cores.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

#[path = "delivery/receivers.rs"]
mod receivers;
#[path = "delivery/writers.rs"]
mod writers;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::fetch::{self, Fetcher};
use feedmill::memory::Memory;
use feedmill::publish::Outward;
use feedmill::publish::filter::Filter;
use feedmill::publish::relay::{Flush, Relay, Settings};
use feedmill::store::{self, Beginning, Store};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::receivers::Receiving;

const ARTICLES: usize = 100_000;
const WRITERS: usize = 8;
/// Records that each reader takes at a time.
const READERS: [u32; 4] = [50, 100, 500, 1_000];
/// A reader forgets the batch in hand so often.
const CRASH_EVERY: usize = 7;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let articles = numbers.next_back().unwrap_or(ARTICLES);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("feedmill.db").display());
        measure("SQLite", &file, articles).await;
        if let Ok(admin) = std::env::var("FEEDMILL_TEST_POSTGRES_URL") {
            let admin: Url = admin.parse().unwrap();
            let name = format!("feedmill_bench_{:016x}", rand::random::<u64>());
            execute(&admin, format!("CREATE DATABASE {name}")).await;
            let mut url = admin.clone();
            url.set_path(&name);
            measure("PostgreSQL", url.as_str(), articles).await;
            execute(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    });
}

async fn measure(name: &str, url: &str, articles: usize) {
    let settings = store::Settings {
        url: url.to_owned().into(),
        max_connections: 12,
        busy_timeout: Duration::from_mins(5),
        search_index: true,
    };
    let clock = Clock::manual("2026-03-02T08:00:00Z".parse().unwrap());
    let store = Store::open(&settings, clock.clone()).await.unwrap();
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
}

/// A reader that keeps nothing but its cursor, in the store: what it has in hand when it crashes it has not seen.
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
    let (_fetcher, fetcher) = watch::channel(Fetcher::new(fetch_settings(), clock.clone()).unwrap());
    let outward = Outward { clock: clock.clone(), fetcher, memory: Memory::unbounded() };
    let name = receiving.name.to_owned();
    let settings =
        Settings { name: name.clone(), from: Beginning::Start, pause: false, filter: Filter::default() };
    let sink = receiving.receiver.open(&name, &outward).unwrap();
    let mut relay = Relay::open(store.clone(), settings, &outward, sink).await.unwrap();
    let began = Instant::now();
    relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
    let took = began.elapsed();
    assert!(!relay.is_in_trouble(), "{:?}", store.sinks_list().await.unwrap());
    store.sink_replay(&name, i64::try_from(articles / 2).unwrap()).await.unwrap();
    relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
    relay.give_back().await;
    let received = receiving.received().await;
    println!(
        "  {:<32} {:>7} records/s, {}",
        format!("sink {name}"),
        rate(articles, took),
        told(&received, articles)
    );
}

/// What is missing of 1 to `articles`, and what is there again.
fn told(seen: &[i64], articles: usize) -> String {
    let distinct: HashSet<i64> = seen.iter().copied().collect();
    let lost = (1..=i64::try_from(articles).unwrap()).filter(|seq| !distinct.contains(seq)).count();
    format!("{lost} lost, {} twice", seen.len() - distinct.len())
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

/// Loopback is allowed.
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
