//! Storage that fails while the daemon runs: it reports not ready with the reason, acknowledges nothing that is not stored, and goes
//! on without losing or repeating anything when the fault is over.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use feedmill::model::Record;
use sqlx::{AnyConnection, Connection as _, Executor as _};
use url::Url;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase, execute};
use crate::support::disk::{FaultyDisk, SmallDisk};
use crate::support::running::{Running, run};
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page, rss};

const PAGES: usize = 6;

/// Free space in bytes, less than the daemon wants to see.
const NEARLY_FULL: u64 = 20 << 20;

/// Words of the log line by which the second half says that it could not use the store.
const STORE_FAILED: &[&str] = &["the store failed; trying again", "articles"];

/// A feed whose pages are answered when the test wants it.
struct Site {
    server: Server,
    gate: Gate,
}

impl Site {
    async fn start() -> Self {
        let server = Server::start().await;
        let items: Vec<Item> =
            (0..PAGES).map(|n| Item::new(&format!("Quay {n}"), &server.url(&path(n)))).collect();
        server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
        let gate = Gate::new();
        let held = gate.clone();
        server.handle(move |request| match request.path() {
            "/robots.txt" => Reply::status(404),
            path => Reply::ok("text/html", page(&format!("quay{path}"))).gated(&held),
        });
        Self { server, gate }
    }

    /// A daemon with this feed, which waits for pages longer than any fault here lasts.
    fn daemon(&self) -> TestDaemon {
        let patience = "timeout_secs = 200\nread_timeout_secs = 200";
        TestDaemon::new().fetch(patience).feed(&self.server.url("/feed"))
    }

    /// Waits until every page is requested and the daemon is ready.
    async fn all_in_hand(&self, running: &Running) {
        for number in 0..PAGES {
            self.server.arrived(&path(number), 1).await;
        }
        ready(running).await;
    }

    /// Checks that all articles come, each once and from one request.
    async fn all_stored_once(&self, running: &Running) {
        self.all_stored_within(running, 1).await;
    }

    /// Checks that all articles come, each once and from at most so many requests.
    async fn all_stored_within(&self, running: &Running, requests: usize) {
        let answer = running.answers("/v1/articles", |answer| records(answer).len() >= PAGES).await;
        let records = records(&answer);
        let paths: BTreeSet<&str> = records.iter().map(|record| record.url.path()).collect();
        assert_eq!((records.len(), paths.len()), (PAGES, PAGES), "{}", running.log());
        for number in 0..PAGES {
            assert!(self.server.requests(&path(number)).len() <= requests, "{}", running.log());
        }
    }
}

fn path(number: usize) -> String {
    format!("/page/{number}")
}

/// The records in an answer of the API, which has one per line after its headers.
fn records(answer: &str) -> Vec<Record> {
    let lines = answer.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn ready(running: &Running) {
    running.answers("/readyz", |answer| answer.starts_with("HTTP/1.0 200 ")).await;
}

async fn not_ready(running: &Running, reason: &str) {
    let is_so = |answer: &str| answer.starts_with("HTTP/1.0 503 ") && answer.contains(reason);
    running.answers("/readyz", is_so).await;
}

/// Runs the daemon through a fault of its store that begins when all pages are requested and ends when recording them has failed.
async fn survives(
    site: &Site,
    running: &Running,
    fail: impl AsyncFnOnce(),
    reasons: &[&str],
    mend: impl AsyncFnOnce(),
    requests: usize,
) {
    site.all_in_hand(running).await;
    fail().await;
    for reason in reasons {
        not_ready(running, reason).await;
    }
    // One of the next failures is that of recording what was fetched: claims fail as well.
    let failures = running.logged(STORE_FAILED) + 3;
    site.gate.open();
    running.logs(STORE_FAILED, failures).await;
    let metrics = running.get("/metrics").await;
    assert!(metrics.contains("\nfeedmill_store_writable 0\n"), "{metrics}");
    assert_eq!(records(&running.get("/v1/articles").await).len(), 0, "nothing is acknowledged");
    mend().await;
    site.all_stored_within(running, requests).await;
    ready(running).await;
}

async fn a_failing_disk(fault: &str, reasons: &[&str]) {
    let (site, disk) = (Site::start().await, FaultyDisk::new());
    let test = site.daemon();
    let config = test.write_config();
    let mut running = tokio::task::block_in_place(|| Running::of(disk.under(&mut run(&config))));
    survives(&site, &running, async || disk.fail(fault), reasons, async || disk.work(), 1).await;
    // What was acknowledged is in the file, not in a transaction that is still open.
    tokio::task::block_in_place(|| running.end());
    let exported =
        tokio::task::block_in_place(|| feedmill(&config, &["export", "--format", "jsonl"]).output().unwrap());
    assert_eq!(records(&String::from_utf8(exported.stdout).unwrap()).len(), PAGES);
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EROFS: i32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_to_write_is_survived() {
    a_failing_disk(&format!("write {EIO}"), &["disk I/O error"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_space_is_survived() {
    a_failing_disk(&format!("write {ENOSPC}"), &["database or disk is full"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_to_sync_is_survived() {
    a_failing_disk(&format!("sync {EIO}"), &["disk I/O error"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_becomes_read_only_is_survived() {
    a_failing_disk(&format!("only-read {EROFS}"), &["attempt to write a readonly database"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_store_is_survived() {
    let Some(disk) = SmallDisk::new() else { return };
    let site = Site::start().await;
    let file = disk.folder().join("feedmill.db");
    let test = site.daemon().database(&format!("sqlite:{}", file.display()));
    let command = run(&test.write_config());
    let running = tokio::task::block_in_place(|| Running::of(&mut disk.command(&command)));
    site.all_in_hand(&running).await;
    disk.fill(&running, NEARLY_FULL);
    not_ready(&running, "MiB of space left; hint: make room").await;
    disk.make_room(&running);
    let (fail, mend) = (async || disk.fill(&running, 0), async || disk.make_room(&running));
    survives(&site, &running, fail, &["database or disk is full"], mend, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_a_sink_delays_the_sink_alone() {
    let Some(disk) = SmallDisk::new() else { return };
    let site = Site::start().await;
    let folder = disk.folder().join("texts");
    let sink = format!("[[sink]]\nname = \"small\"\ntext = {{ to = \"{}\" }}", folder.display());
    let test = site.daemon().tables(&sink);
    let command = run(&test.write_config());
    let running = tokio::task::block_in_place(|| Running::of(&mut disk.command(&command)));
    site.all_in_hand(&running).await;
    disk.fill(&running, NEARLY_FULL);
    not_ready(&running, "the folder of sink small, ").await;
    disk.fill(&running, 0);
    not_ready(&running, "sink small cannot write to ").await;
    let metrics = running.get("/metrics").await;
    assert!(metrics.contains("\nfeedmill_outputs_writable 0\n"), "{metrics}");
    assert!(metrics.contains("\nfeedmill_store_writable 1\n"), "{metrics}");

    site.gate.open();
    site.all_stored_once(&running).await;
    running.logs(&["delivery failed; retrying", "small"], 1).await;
    let seen = disk.seen_through(&running).join("texts");
    assert!(texts_in(&seen).is_empty());
    disk.make_room(&running);
    ready(&running).await;
    let delivered = "feedmill_sink_lag_records{sink=\"small\"} 0\n";
    running.answers("/metrics", |answer| answer.contains(delivered)).await;
    let written = texts_in(&seen);
    assert_eq!((written.len(), &written), (PAGES, &test.files()));
}

/// Returns names and contents of the text files in a folder, sorted by name.
fn texts_in(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let mut texts: Vec<(String, String)> = texts
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_becomes_read_only_is_survived() {
    let Some(database) = FreshDatabase::create(Backend::Postgres).await else { return };
    let site = Site::start().await;
    let url: Url = database.settings.url.expose_secret().parse().unwrap();
    let name = url.path().trim_start_matches('/');
    let admin = url.join("/postgres").unwrap();
    let set = async |value: &str| {
        execute(&admin, format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}")).await;
        // Connections keep the setting with which they were opened.
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        execute(&admin, end).await;
    };
    let test = site.daemon().database(url.as_str());
    let config = test.write_config();
    let running = tokio::task::block_in_place(|| Running::start(&config));
    let reasons = ["in a read-only transaction"];
    let (fail, mend) = (async || set("on").await, async || set("off").await);
    // A process that cannot renew its registration ends its requests: others may soon have its hosts.
    survives(&site, &running, fail, &reasons, mend, 2).await;
    tokio::task::block_in_place(|| running.stop());
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_program_has_locked_is_survived_on_sqlite() {
    a_locked_store(Backend::Sqlite, "BEGIN IMMEDIATE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_program_has_locked_is_survived_on_postgres() {
    a_locked_store(Backend::Postgres, "BEGIN; LOCK TABLE counters, entries IN EXCLUSIVE MODE").await;
}

/// The store does not refuse anything: it does not answer until the lock is given up on.
async fn a_locked_store(backend: Backend, lock: &'static str) {
    sqlx::any::install_default_drivers();
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let site = Site::start().await;
    let url = database.settings.url.expose_secret();
    let test = site.daemon().database(url);
    let config = test.write_config();
    let running = tokio::task::block_in_place(|| Running::start(&config));
    site.all_in_hand(&running).await;
    let mut other = AnyConnection::connect(url).await.unwrap();
    other.execute(sqlx::raw_sql(lock)).await.unwrap();
    not_ready(&running, "the store has not answered for 4 s").await;
    site.gate.open();
    running.logs(STORE_FAILED, 1).await;
    assert_eq!(records(&running.get("/v1/articles").await).len(), 0, "nothing is acknowledged");
    other.execute("ROLLBACK").await.unwrap();
    site.all_stored_once(&running).await;
    ready(&running).await;
    tokio::task::block_in_place(|| running.stop());
    database.drop().await;
}

/// `once` fails if the file is damaged, even where it was not read.
#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_of_once_tells_of_damage() {
    const MARK: &str = "ballast that nothing reads";
    let database = FreshDatabase::create(Backend::Sqlite).await.unwrap();
    let test = TestDaemon::new().database(database.settings.url.expose_secret());
    let config = test.write_config();
    let once = || tokio::task::block_in_place(|| feedmill(&config, &["once"]).output().unwrap());
    let sound = once();
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    database
        .execute(&format!(
            "CREATE TABLE ballast (text TEXT NOT NULL); \
             INSERT INTO ballast WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
             SELECT '{MARK} ' || i FROM n"
        ))
        .await;
    let bytes = std::fs::read(database.file()).unwrap();
    let marked = |page: &[u8]| page.windows(MARK.len()).filter(|part| *part == MARK.as_bytes()).count();
    let full = bytes.chunks(4096).position(|page| marked(page) > 50).expect("a page of nothing else");
    let file = std::fs::File::options().write(true).open(database.file()).unwrap();
    file.write_all_at(&[0xa5; 4096], full as u64 * 4096).unwrap();
    let damaged = once();
    let said = String::from_utf8_lossy(&damaged.stderr);
    assert_eq!(damaged.status.code(), Some(1), "{said}");
    assert!(said.contains("is damaged: ") && said.contains("restore a backup"), "{said}");
    database.drop().await;
}
