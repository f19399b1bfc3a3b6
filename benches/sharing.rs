//! Many processes on one PostgreSQL: their guarantees at scale, the cost of a claim (on SQLite, too) and of an article, and the
//! disk space of an article in PostgreSQL. All data is generated; the database is created and dropped.
//!
//! ```text
//! FEEDMILL_TEST_POSTGRES_URL=postgres://… cargo bench --bench sharing [-- round | claims | articles]
//! ```

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

#[path = "../tests/it/support/cluster.rs"]
#[expect(dead_code, reason = "only tests let processes join and stop")]
mod cluster;
#[path = "../tests/it/support/hosts.rs"]
mod hosts;
#[path = "../tests/it/support/names.rs"]
#[expect(dead_code, reason = "a test counts what was asked")]
mod names;

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::model::{DueFeed, ShardId, after};
use feedmill::schedule::{Decision, History, NextPoll};
use feedmill::shards::{SHARDS, Shards, Standing};
use feedmill::store::{PollRecord, PollResult, Settings, Store};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tokio::task::JoinSet;
use url::Url;

use self::cluster::{Change, Outcome, Round};
use self::hosts::Manners;

const FEEDS: u32 = 1_000_000;
/// Batch size of a claim, as of a process with much work.
const BATCH: u32 = 500;
const LEASE: Duration = Duration::from_hours(1);
/// Duration for which claims are counted.
const COUNTED: Duration = Duration::from_secs(10);
const ARTICLES: usize = 3_000;
const PAGE_WORDS: usize = 600;

fn main() {
    let part = std::env::args().skip(1).find(|argument| argument != "--bench");
    let Ok(server) = std::env::var("FEEDMILL_TEST_POSTGRES_URL") else {
        println!("FEEDMILL_TEST_POSTGRES_URL is not set: there is nothing to measure on");
        return;
    };
    let server: Url = server.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
        if wanted("round") {
            round(&server).await;
        }
        if wanted("claims") {
            claims(&server).await;
        }
        if wanted("articles") {
            articles(&server).await;
        }
    });
}

/// A round of 20,000 feeds on 2,000 hosts by four processes, two of which are killed.
async fn round(server: &Url) {
    let database = Database::create(server).await;
    let round = Round {
        processes: 4,
        feeds: 20_000,
        hosts: 2_000,
        changes: &[Change::Kill, Change::Kill],
        change_after_feeds: 5_000,
        gap: Duration::from_secs(1),
        manners: Manners::default(),
        patience: Duration::from_mins(20),
        page: story,
    };
    let outcome = play(&round, &database).await;
    println!(
        "4 processes, 20,000 feeds on 2,000 hosts, each asked once a second at most, two processes killed:"
    );
    report(&round, &outcome);
    let Outcome { seen, taken_over, noticed, claimed_anew: (feeds, entries), .. } = &outcome;
    let again: u32 = seen.polls.iter().map(|polls| polls.saturating_sub(1)).sum();
    let never = seen.polls.iter().filter(|polls| **polls == 0).count();
    println!("  feeds never polled {never}, polls more than one a feed {again}");
    println!("  claimed anew from the dead: {feeds} feeds, {entries} entries");
    println!("  claims of the dead ended {noticed:.1?} after the kills");
    for times in taken_over {
        let median = times.get(times.len() / 2);
        println!(
            "  {} hosts of a killed process asked again after {:.1?} at first, {median:.1?} in the middle",
            times.len(),
            times.first().unwrap_or(&Duration::ZERO)
        );
    }
    println!(
        "  requests at a host that was being asked {}, too soon {}",
        seen.overlaps.len(),
        seen.too_soon.len()
    );
    for violation in seen.overlaps.iter().chain(&seen.too_soon).take(10) {
        println!("    {violation}");
    }
    database.drop().await;
}

/// Measures the processing of pages by one process, and the resulting disk space in PostgreSQL.
async fn articles(server: &Url) {
    let database = Database::create(server).await;
    let empty = database.bytes().await;
    let round = Round {
        processes: 1,
        feeds: ARTICLES,
        hosts: 600,
        changes: &[],
        change_after_feeds: 0,
        gap: Duration::ZERO,
        manners: Manners::default(),
        patience: Duration::from_mins(20),
        page: story,
    };
    let outcome = play(&round, &database).await;
    println!("1 process, {ARTICLES} feeds and as many pages of {PAGE_WORDS} words:");
    report(&round, &outcome);
    let articles = i64::try_from(ARTICLES).unwrap();
    let full = database.bytes().await;
    println!("  {} bytes of PostgreSQL an article, of which:", (full - empty) / articles);
    println!("{}", database.largest(articles).await);
    println!("  {} bytes of JSON a record", database.record_bytes().await);
    database.drop().await;
}

async fn play(round: &Round, database: &Database) -> Outcome {
    round.play(database.url.as_str(), Path::new(env!("CARGO_BIN_EXE_feedmill"))).await
}

fn report(round: &Round, outcome: &Outcome) {
    let Outcome { seen, took, processor, texts, .. } = outcome;
    println!(
        "  {} requests, {} texts delivered in {took:.1?}, {} of them distinct",
        seen.requests, texts.files, texts.distinct
    );
    if round.changes.is_empty() {
        println!(
            "  {:.0} feeds and articles a second, {:.0} a second of processor time ({processor:.1?})",
            per_second(round.feeds, *took),
            per_second(round.feeds, *processor)
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Measures claims on a million due feeds of many or few parties, by one process and by four that share the shards.
async fn claims(server: &Url) {
    let database = Database::create(server).await;
    claims_in("PostgreSQL", &database.url, &[1, 4]).await;
    database.drop().await;
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("feedmill.db").display());
    claims_in("SQLite", &file.parse().unwrap(), &[1]).await;
}

async fn claims_in(name: &str, url: &Url, processes: &[u16]) {
    println!("{FEEDS} feeds in {name}, all due, claimed {BATCH} at once:");
    let store = open(url, Shards::all()).await;
    let first: Url = "https://h0.example/feed".parse().unwrap();
    store.feeds_sync(&[first], Duration::ZERO).await.unwrap();
    store.close().await;
    let is_sqlite = url.scheme() == "sqlite";
    execute(url, GENERATE.replace("BINARY", if is_sqlite { "BLOB" } else { "BYTEA" })).await;
    for (parties, party) in
        [("each of a party of its own", "id"), ("of 100 parties", "id % 100"), ("of one party", "1")]
    {
        println!("  {parties}:");
        for processes in processes {
            for records in [false, true] {
                let free = format!(
                    "UPDATE feeds SET party = {party}, next_poll_at = id / 1000, lease_until = 0, suspect = 0"
                );
                execute(url, free).await;
                execute(url, if is_sqlite { "ANALYZE" } else { "VACUUM ANALYZE feeds" }.to_owned()).await;
                let mut claims = claim_for(url, *processes, records).await;
                claims.sort_unstable();
                println!(
                    "    {processes} process(es), {}: {:6.0} a second; a claim takes {:.0?} in the middle, {:.0?} at most",
                    if records { "claimed and recorded as unchanged" } else { "claimed" },
                    per_second(claims.len() * BATCH as usize, COUNTED),
                    claims[claims.len() / 2],
                    claims.last().unwrap()
                );
            }
        }
    }
}

/// Copies the first feed into the others; BINARY is replaced by each dialect's name for it.
const GENERATE: &str = "WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000) \
    INSERT INTO feeds (id, configured_url_sha256, state, next_poll_at, shard) \
    SELECT n, CAST('hash of feed ' || n AS BINARY), 'active', 0, n % 1024 FROM numbers; \
    INSERT INTO feed_details (feed_id, configured_url, url, history) \
    SELECT f.id, 'https://h' || f.id || '.example/feed', 'https://h' || f.id || '.example/feed', d.history \
    FROM feeds f, feed_details d WHERE d.feed_id = 1 AND f.id > 1";

/// Returns the duration of each claim of a full batch.
async fn claim_for(url: &Url, processes: u16, records: bool) -> Vec<Duration> {
    let mut claiming = JoinSet::new();
    let share = SHARDS / processes;
    let until = Instant::now() + COUNTED;
    for number in 0..processes {
        let shards = if processes == 1 { Shards::all() } else { part(number * share..(number + 1) * share) };
        let store = open(url, shards).await;
        claiming.spawn(async move {
            let mut claims = Vec::new();
            while Instant::now() < until {
                let began = Instant::now();
                let feeds = store.feeds_claim_due(LEASE, BATCH).await.unwrap();
                claims.push(began.elapsed());
                assert_eq!(feeds.len(), BATCH as usize, "there is enough for all of the time");
                if records {
                    record(&store, &feeds).await;
                }
            }
            store.close().await;
            claims
        });
    }
    claiming.join_all().await.into_iter().flatten().collect()
}

/// The shards of one process among several.
fn part(shards: Range<u16>) -> Shards {
    let part = Shards::shared();
    part.note_alive(tokio::time::Instant::now() + LEASE, Standing::default());
    part.acquire(&shards.map(|shard| (ShardId(shard), None)).collect::<Vec<_>>(), &[]);
    part
}

async fn record(store: &Store, feeds: &[DueFeed]) {
    let now = Clock::system().now();
    let next =
        NextPoll { at: after(now, LEASE), decided_by: Decision::MinInterval, history: History::default() };
    let unchanged = PollResult::Unchanged { validators: None };
    let polls: Vec<PollRecord> =
        feeds.iter().map(|feed| PollRecord::of(feed, now, next.clone(), unchanged.clone())).collect();
    store.feed_polls_record(&polls).await.unwrap();
}

/// A unique page for each number, with word frequencies similar to a natural language: a few words very often, most hardly ever.
fn story(number: usize) -> String {
    let mut state = u64::try_from(number).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut body = String::new();
    for word in 0..PAGE_WORDS {
        let (wide, narrow) = (next() % 20_000, next() % 97);
        let rank = wide * narrow * narrow / 9_216 + 1;
        if word % 60 == 0 {
            body.push_str(if word == 0 { "<p>" } else { ".</p>\n<p>" });
        }
        body.push_str(&spelled(rank));
        body.push_str(if word % 12 == 11 { ". " } else { " " });
    }
    let mut page = format!("<!DOCTYPE html><html lang=en><head><title>Story {number}</title></head><body>");
    write!(
        page,
        "<nav><a href=/>Home</a></nav><main><article><h1>Story {number}</h1>{body}</p></article></main>"
    )
    .unwrap();
    page + "<footer>Copyright Harbour Gazette</footer></body></html>"
}

/// Spells a number as a word: smaller numbers give shorter words.
fn spelled(mut number: u64) -> String {
    const SYLLABLES: [&str; 16] = [
        "ta", "ren", "mo", "sil", "ka", "vor", "ne", "lut", "pi", "dar", "so", "ment", "ri", "gan", "te",
        "ob",
    ];
    let mut word = String::new();
    while number > 0 {
        word.push_str(SYLLABLES[usize::try_from(number % 16).unwrap()]);
        number /= 16;
    }
    word
}

/// A database created for the benchmark.
struct Database {
    server: Url,
    url: Url,
    name: String,
}

impl Database {
    async fn create(server: &Url) -> Self {
        sqlx::any::install_default_drivers();
        let name = format!("feedmill_bench_{:016x}", rand::random::<u64>());
        let mut url = server.clone();
        url.set_path(&name);
        let database = Self { server: server.clone(), url, name };
        execute(server, format!("CREATE DATABASE {}", database.name)).await;
        open(&database.url, Shards::all()).await.close().await;
        database
    }

    /// Returns its disk space.
    async fn bytes(&self) -> i64 {
        let mut connection = AnyConnection::connect(self.url.as_str()).await.unwrap();
        let bytes = sqlx::query_scalar("SELECT pg_database_size(current_database())");
        let bytes = bytes.fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        bytes
    }

    /// Describes the largest tables, with the bytes per article of each.
    async fn largest(&self, articles: i64) -> String {
        let mut connection = AnyConnection::connect(self.url.as_str()).await.unwrap();
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT relname::text, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 2 DESC LIMIT 10",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|(name, bytes)| format!("    {:6} {name}\n", bytes / articles)).collect()
    }

    /// Returns the mean size of a record as JSON, as sinks and readers receive it, over some records.
    async fn record_bytes(&self) -> usize {
        let store = open(&self.url, Shards::all()).await;
        let records = store.records_after(0, 500).await.unwrap();
        store.close().await;
        let all: usize = records.iter().map(|record| serde_json::to_vec(record).unwrap().len()).sum();
        all / records.len()
    }

    async fn drop(self) {
        execute(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn open(url: &Url, shards: Shards) -> Store {
    let settings = Settings {
        url: url.to_string().into(),
        max_connections: 4,
        busy_timeout: Duration::from_mins(5),
        search_index: true,
    };
    Store::open(&settings, Clock::system()).await.unwrap().of_process(shards)
}

async fn execute(url: &Url, sql: String) {
    let mut connection = AnyConnection::connect(url.as_str()).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
    connection.close().await.unwrap();
}
