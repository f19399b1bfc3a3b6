//! kill -9 at any moment loses nothing, stores nothing twice and leaves no partial file.
//!
//! `FEEDMILL_TEST_KILLS=100 cargo test --test it -- crash:: --nocapture` kills more often, and prints what it found.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feedmill::model::{ArticleId, Event, Record};
use tokio::sync::Notify;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const ENTRIES: usize = 3;
/// Feeds per kill, so that every run has work to lose.
const FEEDS_A_KILL: usize = 20;
const KILLS: usize = 10;
const KILLS_VARIABLE: &str = "FEEDMILL_TEST_KILLS";

/// Requests answered in a run before it is killed; further ones hang, so that every run has work left to lose.
const SHARE: usize = 60;

/// Answers a limited number of requests and notifies when they are used up.
#[derive(Default)]
struct Allowance {
    left: AtomicUsize,
    used_up: Notify,
}

impl Allowance {
    fn take(&self) -> bool {
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if taken == Ok(1) {
            self.used_up.notify_one();
        }
        taken.is_ok()
    }
}

fn kills() -> usize {
    std::env::var(KILLS_VARIABLE).map_or(KILLS, |kills| kills.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_store_nothing_twice_on_sqlite() {
    kills_lose_nothing(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_store_nothing_twice_on_postgres() {
    kills_lose_nothing(Backend::Postgres).await;
}

async fn kills_lose_nothing(backend: Backend) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let records = killed_again_and_again(&database, |feed, entry| format!("quay {feed} {entry}")).await;
    assert!(records.iter().all(|record| record.duplicate_of.is_none()));
    database.drop().await;
}

/// The first entries of all feeds tell ten stories, each with different furniture. A process killed between storing an article and
/// its link stores neither: later runs still link every copy.
#[tokio::test(flavor = "multi_thread")]
async fn kills_leave_no_copy_unlinked() {
    const STORIES: usize = 10;
    let database = FreshDatabase::create(Backend::Sqlite).await.unwrap();
    let records =
        killed_again_and_again(&database, |feed, entry| match (entry, feed.parse::<usize>().unwrap()) {
            ("0", feed) => format!("story {}", feed % STORIES),
            (entry, feed) => format!("quay {feed} {entry}"),
        })
        .await;
    let mut clusters: HashMap<ArticleId, Vec<&Record>> = HashMap::new();
    for record in &records {
        clusters.entry(record.cluster_id).or_default().push(record);
    }
    let of_copies: Vec<_> = clusters.values().filter(|members| members.len() > 1).collect();
    assert_eq!(of_copies.len(), STORIES);
    for members in of_copies {
        assert_eq!(members.len(), kills() * FEEDS_A_KILL / STORIES);
        let originals: Vec<ArticleId> =
            members.iter().filter(|record| record.duplicate_of.is_none()).map(|record| record.id).collect();
        assert_eq!(originals, [members[0].cluster_id], "the first, and it alone");
        assert!(members[1..].iter().all(|copy| copy.duplicate_of == Some(originals[0])));
    }
}

/// Returns what a daemon has stored that was killed repeatedly while it processed its feeds. `topic_of` maps the names of a feed
/// and an entry to the topic of the entry's headline and page.
async fn killed_again_and_again(
    database: &FreshDatabase,
    topic_of: impl Fn(&str, &str) -> String + Send + Sync + 'static,
) -> Vec<Record> {
    let server = Server::start().await;
    let allowance = Arc::new(Allowance::default());
    let origin = server.url("/");
    let asked = Arc::clone(&allowance);
    server.handle(move |request| {
        if !asked.take() {
            return Reply::raw("").then_hang();
        }
        match request.path().strip_prefix("/feed/") {
            Some(feed) => {
                let items: Vec<Item> = (0..ENTRIES)
                    .map(|entry| {
                        Item::new(
                            &topic_of(feed, &entry.to_string()),
                            &origin.join(&format!("/page/{feed}/{entry}")).unwrap(),
                        )
                    })
                    .collect();
                Reply::ok("application/rss+xml", rss(&items))
            }
            None => match request.path().strip_prefix("/page/").and_then(|name| name.split_once('/')) {
                Some((feed, entry)) => {
                    let page = page(&topic_of(feed, entry)).replace("Home", &format!("Home of {feed}"));
                    Reply::ok("text/html", page)
                }
                None => Reply::status(404),
            },
        }
    });
    let (kills, feeds) = (kills(), kills() * FEEDS_A_KILL);
    let mut daemon = TestDaemon::new().database(database.settings.url.expose_secret());
    for feed in 0..feeds {
        daemon = daemon.feed(&server.url(&format!("/feed/{feed}")));
    }
    let config = daemon.write_config();

    // The kill arrives while the last answers are being read, parsed and recorded.
    for kill in 0..kills {
        allowance.left.store(SHARE + 7 * kill % 13, Ordering::SeqCst);
        let mut run =
            feedmill(&config, &["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        allowance.used_up.notified().await;
        run.kill().unwrap();
        run.wait().unwrap();
    }
    allowance.left.store(usize::MAX, Ordering::SeqCst);
    let entries = feeds * ENTRIES;
    let records = turned(&config);
    let ids: HashSet<_> = records.iter().map(|record| record.id).collect();
    let originals: HashSet<String> =
        records.iter().filter(|record| record.duplicate_of.is_none()).map(written).collect();
    let files = daemon.files();
    let (lost, doubled) = (entries - ids.len(), records.len() - ids.len());
    let torn = files.iter().filter(|(_, text)| !originals.contains(text)).count();
    eprintln!("{kills} kills, {entries} entries: {lost} lost, {doubled} doubled, {torn} torn");
    assert_eq!((lost, doubled, torn), (0, 0, 0));
    assert!(records.iter().all(|record| record.event == Event::Created && record.revision == 1));
    assert_eq!(files.len(), originals.len(), "every text once");
    records
}

/// Runs `once` and returns all stored records.
fn turned(config: &Path) -> Vec<Record> {
    let turn = feedmill(config, &["once"]).output().unwrap();
    assert!(turn.status.success(), "{}", String::from_utf8_lossy(&turn.stderr));
    let exported = feedmill(config, &["export", "--format", "jsonl"]).output().unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let lines = exported.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// A record's text as written to a file.
fn written(record: &Record) -> String {
    format!("{}\n\n{}\n", record.metadata.title.as_deref().unwrap(), record.text)
}
