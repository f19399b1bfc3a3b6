//! Several processes on one PostgreSQL database.

use std::path::Path;
use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::model::{DueFeed, ShardId};
use feedmill::publish::text;
use feedmill::schedule::{Decision, History, NextPoll};
use feedmill::shards::{SHARDS, Shards, Standing, shard_of};
use feedmill::store::{Beginning, Place, PollRecord, PollResult, Signal, Store, StoreError};
use sqlx::{AnyConnection, Connection as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::support::cluster::{Change, Outcome, Round};
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase, execute, schema_before, start};
use crate::support::hosts::Manners;
use crate::support::running::{Running, run};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const LEASE: Duration = Duration::from_mins(5);
/// The time within which the work of a killed process continues (docs/scale.md).
const TAKEN_OVER: Duration = Duration::from_secs(15);

async fn postgres() -> Option<FreshDatabase> {
    FreshDatabase::create(Backend::Postgres).await
}

fn url_of(database: &FreshDatabase) -> &str {
    database.settings.url.expose_secret()
}

/// A process as the store knows it.
struct Process {
    store: Store,
    id: i64,
}

impl Process {
    /// Registers a process beside others.
    async fn join(database: &FreshDatabase, name: &str) -> Self {
        let shards = Shards::shared();
        let store = database.open(&Clock::manual(start())).await.of_process(shards.clone());
        let id = store.process_register(name, None).await.unwrap();
        shards.begin_life(id);
        shards.note_alive(Instant::now() + Duration::from_mins(1), Standing::default());
        Self { store, id }
    }

    /// Acquires up to this many free shards; returns how many.
    async fn acquire(&self, limit: u16) -> usize {
        let acquired = self.store.shards_acquire(self.id, limit).await.unwrap();
        let shards: Vec<_> = acquired.shards.iter().map(|(shard, _)| (*shard, None)).collect();
        self.store.shards().acquire(&shards, &acquired.lent);
        shards.len()
    }

    async fn claim(&self) -> Vec<DueFeed> {
        self.store.feeds_claim_due(LEASE, 100).await.unwrap()
    }

    async fn record(&self, feed: &DueFeed) -> bool {
        let next = NextPoll {
            at: start() + jiff::SignedDuration::from_hours(1),
            decided_by: Decision::MinInterval,
            history: History::default(),
        };
        let poll = PollRecord::of(feed, start(), next, PollResult::Unchanged { validators: None });
        self.store.feed_polls_record(&[poll]).await.unwrap()[0].is_some()
    }
}

fn feeds(count: usize) -> Vec<Url> {
    (0..count).map(|n| format!("https://h{n}.example/feed").parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_is_done_by_the_others_and_no_host_is_asked_by_two() {
    let Some(database) = postgres().await else { return };
    let round = Round {
        processes: 3,
        feeds: 300,
        hosts: 60,
        changes: &[Change::Kill],
        change_after_feeds: 100,
        gap: Duration::from_millis(400),
        manners: Manners::default(),
        patience: Duration::from_mins(3),
        page: |number| page(&format!("quay {number}")),
    };
    let outcome = round.play(url_of(&database), Path::new(env!("CARGO_BIN_EXE_feedmill"))).await;

    assert_kept(&database, &round, &outcome, 300).await;
    eprintln!(
        "{} requests in {:?}, {:?} of the processor",
        outcome.seen.requests, outcome.took, outcome.processor
    );
    let taken_over = &outcome.taken_over[0];
    let first = taken_over.first().expect("the killed process had hosts that are asked again");
    eprintln!(
        "hosts of the killed process were asked again {first:?} to {:?} later",
        taken_over.last().unwrap()
    );
    assert!(*first <= TAKEN_OVER);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_join_stop_and_die_within_a_round_and_no_host_notices() {
    const FEEDS: usize = 400;
    let Some(database) = postgres().await else { return };
    let round = Round {
        processes: 2,
        feeds: FEEDS,
        hosts: 60,
        changes: &[Change::Join, Change::Stop, Change::Join, Change::Kill],
        change_after_feeds: 80,
        gap: Duration::from_millis(400),
        manners: Manners {
            retry_after: Some(Duration::from_secs(4)),
            crawl_delay: Some(Duration::from_secs(1)),
        },
        patience: Duration::from_mins(3),
        page: |number| page(&format!("quay {number}")),
    };
    let outcome = round.play(url_of(&database), Path::new(env!("CARGO_BIN_EXE_feedmill"))).await;

    let pauses = outcome.seen.pauses;
    assert_eq!(pauses, 6, "one host in ten asks for a pause, and its feed is due again in a day");
    assert_kept(&database, &round, &outcome, FEEDS - pauses).await;
    eprintln!("requests by process {:?}", outcome.requests);
    let handed_over =
        outcome.handed_over[0].first().expect("the stopped process had hosts that are asked again");
    eprintln!("hosts of the stopped process were asked by others {handed_over:?} later");
    assert!(*handed_over <= TAKEN_OVER);
    assert_eq!(outcome.requests.len(), 4);
    assert!(outcome.requests.iter().all(|requests| *requests > 0), "{:?}", outcome.requests);
    database.drop().await;
}

/// Checks what is promised whichever processes join, stop and die: no host gets two requests at once or one too soon, every feed is
/// polled, the claims of the dead end in time, each of so many articles is stored once and delivered, and nothing refers to a
/// process that has ended.
async fn assert_kept(database: &FreshDatabase, round: &Round, outcome: &Outcome, articles: usize) {
    let seen = &outcome.seen;
    assert!(seen.overlaps.is_empty(), "{:#?}", seen.overlaps);
    assert!(seen.too_soon.is_empty(), "{:#?}", seen.too_soon);
    assert!(seen.polls.iter().all(|polls| *polls >= 1));
    let again: u32 = seen.polls.iter().map(|polls| polls - 1).sum();
    let (feeds, entries) = outcome.claimed_anew;
    assert!(again as usize <= feeds, "{again} polls more than one a feed, {feeds} feeds claimed anew");

    let kills = round.changes.iter().filter(|change| **change == Change::Kill).count();
    let (noticed, texts) = (&outcome.noticed, &outcome.texts);
    eprintln!(
        "claimed anew {noticed:?} after the kills: {feeds} feeds, {entries} entries; {} texts delivered, {} of them distinct",
        texts.files, texts.distinct
    );
    assert_eq!(noticed.len(), kills, "each death is noticed once");
    assert!(noticed.iter().all(|time| *time <= TAKEN_OVER), "{noticed:?}");

    let stored = count(database, "SELECT count(*) FROM articles").await;
    assert_eq!(usize::try_from(stored).unwrap(), articles);
    assert_eq!((texts.records, texts.distinct), (articles, articles), "each text at one position");
    assert_eq!(texts.repeated_by_living, 0, "only who is killed leaves a delivery to be repeated");
    let batch = usize::try_from(text::BATCH_RECORDS).unwrap();
    let surplus = texts.files - texts.records;
    assert!(surplus <= kills * batch, "{surplus} texts delivered again after {kills} kills");

    assert_eq!(count(database, "SELECT count(*) FROM processes").await, 0, "whoever ends says so");
    assert_eq!(count(database, "SELECT count(*) FROM host_loans").await, 0);
    assert_eq!(count(database, "SELECT count(*) FROM shards WHERE owner <> 0").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_has_asked_for_holds_when_it_goes_to_another_process() {
    let Some(database) = postgres().await else { return };
    let server = Server::start().await;
    let announce = |path: &str, pages: &[&str]| {
        let items: Vec<Item> = pages.iter().map(|page| Item::new(page, &server.url(page))).collect();
        server.respond(path, Reply::ok("application/rss+xml", rss(&items)));
    };
    announce("/one", &["/closed/one", "/open"]);
    announce("/two", &["/closed/two"]);
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /closed"));
    server.respond("/open", Reply::status(429).header("Retry-After", "3600"));
    server.respond("/open", Reply::ok("text/html", page("quay")));

    let one = TestDaemon::new().database(url_of(&database)).feed(&server.url("/one")).open().await;
    one.once().await;
    assert_eq!((server.requests("/one").len(), server.requests("/open").len()), (1, 1));
    let asked = server.all_requests().len();

    // The first has left. A feed that is due at once is on the host that has asked it for a pause.
    let two = TestDaemon::new().database(url_of(&database));
    let two = two.feed(&server.url("/one")).feed(&server.url("/two")).open().await;
    two.once().await;
    two.advance(jiff::SignedDuration::from_mins(59));
    two.once().await;
    assert_eq!(server.all_requests().len(), asked, "nothing is asked of the host before its time");

    two.advance(jiff::SignedDuration::from_mins(8));
    two.once().await;
    assert_eq!((server.requests("/two").len(), server.requests("/open").len()), (1, 2));
    assert_eq!(server.requests("/robots.txt").len(), 2, "each process reads the rules itself");
    let closed = server.all_requests().into_iter().filter(|request| request.path().starts_with("/closed"));
    assert_eq!(closed.count(), 0);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_goes_on_in_another_process_when_its_own_is_killed_or_stops() {
    const REMOVED: &[&str] = &["removed expired articles and pages"];
    const LEFT: &str = "SELECT count(*) FROM articles WHERE removed_at IS NULL";
    let Some(database) = postgres().await else { return };
    let server = Server::start().await;
    let items: Vec<Item> =
        (1..=3).map(|n| Item::new(&format!("Number {n}"), &server.url(&format!("/page/{n}")))).collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.handle(|request| Reply::ok("text/html", page(&format!("quay {}", request.path()))));
    let feed = server.url("/feed");
    let tests =
        [(); 3].map(|()| TestDaemon::new().database(url_of(&database)).feed_with(&feed, "keep_days = 2"));
    let start = |test: &TestDaemon| tokio::task::block_in_place(|| Running::start(&test.write_config()));
    let make_old = async |number: u32| {
        let article = format!("(SELECT id FROM articles WHERE number = {number})");
        let sql = format!(
            "UPDATE articles SET stored_at = 0 WHERE number = {number}; \
             UPDATE outbox SET created_at = 0 WHERE article_id = {article}"
        );
        database.execute(&sql).await;
    };
    let config = tests[0].write_config();
    let once = tokio::task::block_in_place(|| feedmill(&config, &["once"]).output().unwrap());
    assert!(once.status.success(), "{once:?}");
    assert_eq!(count(&database, LEFT).await, 3);

    // Its log shows that its pass is over: the next one is due in an hour.
    make_old(1).await;
    let first = start(&tests[0]);
    first.logs(REMOVED, 1).await;
    let second = start(&tests[1]);
    make_old(2).await;
    drop(first);
    second.logs(REMOVED, 1).await;
    assert_eq!(count(&database, LEFT).await, 1);

    let third = start(&tests[2]);
    make_old(3).await;
    tokio::task::block_in_place(|| second.stop());
    third.logs(REMOVED, 1).await;
    assert_eq!(count(&database, LEFT).await, 0);
    tokio::task::block_in_place(|| third.stop());
    database.drop().await;
}

/// The first process waits for a feed and for a page, and runs the sink, which has delivered another page.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_a_page_and_a_sink_go_on_in_another_process_when_their_own_is_killed() {
    const CLAIMS: &[&str] = &["processes are dead", "\"feeds\":1", "\"entries\":1", "\"sinks\":1"];
    const DELIVERED_ONE: &str = "feedmill_sink_records_total{sink=\"texts\"} 1\n";
    let Some(database) = postgres().await else { return };
    let server = Server::start().await;
    let items = ["/prompt", "/slow"].map(|path| Item::new(path, &server.url(path)));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.respond("/prompt", Reply::ok("text/html", page("quay prompt")));
    for (path, later) in [
        ("/silent", Reply::ok("application/rss+xml", rss(&[]))),
        ("/slow", Reply::ok("text/html", page("quay slow"))),
    ] {
        server.respond(path, Reply::raw("").then_hang());
        server.respond(path, later);
    }
    let (feed, silent) = (server.url("/feed"), server.url("/silent"));
    let tests = [(); 2].map(|()| {
        let test = TestDaemon::new().database(url_of(&database)).feed(&feed).feed(&silent);
        test.fetch("timeout_secs = 100\nread_timeout_secs = 100")
    });
    let start = |test: &TestDaemon| tokio::task::block_in_place(|| Running::start(&test.write_config()));
    let first = start(&tests[0]);
    first.answers("/metrics", |metrics| metrics.contains(DELIVERED_ONE)).await;
    server.arrived("/silent", 1).await;
    server.arrived("/slow", 1).await;
    let second = start(&tests[1]);
    second.logs(&["acquired shards of hosts"], 1).await;

    let killed = Instant::now();
    drop(first);
    second.logs(CLAIMS, 1).await;
    let noticed = killed.elapsed();
    server.arrived("/silent", 2).await;
    server.arrived("/slow", 2).await;
    let requested = killed.elapsed();
    second.answers("/metrics", |metrics| metrics.contains(DELIVERED_ONE)).await;
    let delivered = killed.elapsed();
    eprintln!(
        "claims ended after {noticed:?}, feed and page requested after {requested:?}, delivered after {delivered:?}"
    );
    assert!(delivered <= TAKEN_OVER, "{noticed:?}, {requested:?}, {delivered:?}");
    let files = tests.each_ref().map(TestDaemon::files);
    assert_eq!(files.each_ref().map(Vec::len), [1, 1], "each process has delivered one text");
    assert!(files[0][0].1.contains("quay prompt") && files[1][0].1.contains("quay slow"), "{files:?}");
    tokio::task::block_in_place(|| second.stop());
    database.drop().await;
}

async fn count(database: &FreshDatabase, sql: &'static str) -> i64 {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url_of(database)).await.unwrap();
    let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_claimed_from_ones_own_shards() {
    let Some(database) = postgres().await else { return };
    let one = Process::join(&database, "one").await;
    let two = Process::join(&database, "two").await;
    one.store.feeds_sync(&feeds(60), Duration::ZERO).await.unwrap();
    assert!(one.claim().await.is_empty(), "nothing is its own");
    assert_eq!(one.store.feeds_next_due().await.unwrap(), None);

    assert_eq!((one.acquire(SHARDS / 2).await, two.acquire(SHARDS).await), (512, 512));
    assert_eq!(one.acquire(SHARDS).await, 0, "no shard has two owners");
    let (of_one, of_two) = (one.claim().await, two.claim().await);
    assert_eq!(of_one.len() + of_two.len(), 60);
    assert!(of_one.iter().all(|feed| shard_of(&feed.url) < ShardId(512)));
    assert!(of_two.iter().all(|feed| shard_of(&feed.url) >= ShardId(512)));

    two.store.shards().keep_at_most(511);
    let leaving = two.store.shards().ready_to_leave();
    assert_eq!(leaving.len(), 1);
    two.store.shards_release(two.id, &leaving).await.unwrap();
    assert_eq!(one.acquire(SHARDS).await, 1);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_are_buried_and_write_nothing_any_more() {
    let Some(database) = postgres().await else { return };
    let hung = Process::join(&database, "hung").await;
    hung.acquire(SHARDS).await;
    hung.store.feeds_sync(&feeds(2), Duration::ZERO).await.unwrap();
    hung.store.sink_register("texts", Beginning::Start).await.unwrap();
    let sink = hung.store.sink_claim("texts", LEASE).await.unwrap().unwrap();
    let loan = [("h1.example".to_owned(), shard_of(&feeds(2)[1]))];
    hung.store.host_loans_ask(hung.id, &loan).await.unwrap();
    let claimed = hung.claim().await;
    assert_eq!(claimed.len(), 2);

    let other = Process::join(&database, "other").await;
    let pulse = other.store.process_beat(other.id).await.unwrap().unwrap();
    assert_eq!((pulse.alive, pulse.is_first, pulse.any_dead, pulse.free), (2, false, false, 0));
    assert!(other.store.processes_bury().await.unwrap().names.is_empty());
    assert_eq!(other.store.sink_claim("texts", LEASE).await.unwrap(), None);

    database.execute(&format!("UPDATE processes SET beat_at = beat_at - 11000 WHERE id = {}", hung.id)).await;
    let pulse = other.store.process_beat(other.id).await.unwrap().unwrap();
    assert_eq!((pulse.alive, pulse.is_first, pulse.any_dead), (1, true, true));
    let legacy = other.store.processes_bury().await.unwrap();
    assert_eq!(
        (legacy.names, legacy.feeds, legacy.entries, legacy.sinks),
        (vec!["hung".to_owned()], 2, 0, 1)
    );
    assert!(other.store.host_loans().await.unwrap().is_empty());
    assert_eq!(other.acquire(SHARDS).await, usize::from(SHARDS));
    let anew = other.claim().await;
    assert_eq!(anew.len(), 2);
    assert!(anew.iter().all(|feed| feed.suspect), "one of them may be what killed it");
    assert!(other.store.sink_claim("texts", LEASE).await.unwrap().unwrap().epoch > sink.epoch);

    let living = other.store.processes().await.unwrap();
    assert_eq!(living.len(), 1);
    let process = &living[0];
    assert_eq!(
        (process.name.as_str(), process.shards, process.feeds, process.entries),
        ("other", SHARDS, 2, 0)
    );
    assert_eq!((process.sinks.as_str(), process.is_first), ("texts", true));

    assert_eq!(hung.store.process_beat(hung.id).await.unwrap(), None, "it learns of it");
    assert!(!hung.record(&claimed[0]).await, "its poll comes too late");
    assert!(!hung.store.sink_advance("texts", sink.epoch, 1).await.unwrap());
    assert!(other.record(&anew[0]).await);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_considered_dead_lends_no_host_of_its_successor() {
    let Some(database) = postgres().await else { return };
    let hung = Process::join(&database, "hung").await;
    hung.acquire(SHARDS).await;
    let borrower = Process::join(&database, "borrower").await;
    let wanted = [("h1.example".to_owned(), shard_of(&feeds(2)[1]))];
    borrower.store.host_loans_ask(borrower.id, &wanted).await.unwrap();
    borrower.store.process_beat(borrower.id).await.unwrap();
    database.execute(&format!("UPDATE processes SET beat_at = beat_at - 11000 WHERE id = {}", hung.id)).await;
    assert_eq!(borrower.store.processes_bury().await.unwrap().names, ["hung"]);
    let successor = Process::join(&database, "successor").await;
    let acquired = successor.store.shards_acquire(successor.id, SHARDS).await.unwrap();
    assert_eq!(acquired.shards.len(), usize::from(SHARDS));
    assert!(acquired.lent.is_empty(), "it is only asked for");

    let party = ["h1.example".to_owned()];
    hung.store.host_loans_grant(hung.id, &party).await.unwrap();
    let is_granted = async || successor.store.host_loans().await.unwrap()[0].granted;
    assert!(!is_granted().await, "the successor may be asking the host");
    successor.store.host_loans_grant(successor.id, &party).await.unwrap();
    assert!(is_granted().await);

    let every: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    successor.store.shards_release(successor.id, &every).await.unwrap();
    let next = Process::join(&database, "next").await;
    assert_eq!(next.store.shards_acquire(next.id, SHARDS).await.unwrap().lent, party);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_died_on_the_same_machine_is_not_waited_for() {
    let Some(database) = postgres().await else { return };
    let elsewhere = Process::join(&database, "elsewhere").await;
    let store = &elsewhere.store;
    for (name, machine, pid) in [("dead", "quay", 7), ("alive", "quay", 8), ("far", "pier", 7)] {
        let place = Place { machine: machine.to_owned(), pid };
        store.process_register(name, Some(&place)).await.unwrap();
    }

    store.processes_lost("quay", |pid| pid == 8).await.unwrap();

    let pulse = store.process_beat(elsewhere.id).await.unwrap().unwrap();
    assert_eq!((pulse.alive, pulse.any_dead), (3, true));
    assert_eq!(store.processes_bury().await.unwrap().names, ["dead"]);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_tell_each_other_what_there_is_to_do() {
    let Some(database) = postgres().await else { return };
    let one = Process::join(&database, "one").await;
    let two = Process::join(&database, "two").await;
    let (mut to_one, mut to_two) = (one.store.signals(), two.store.signals());
    assert_eq!((to_one.next().await, to_two.next().await), (None, None), "what came before may be missed");

    one.store.feeds_sync(&feeds(1), Duration::ZERO).await.unwrap();
    assert_eq!(to_two.next().await, Some(Signal::Feeds));
    two.store.shards_release(two.id, &[]).await.unwrap();
    assert_eq!(to_one.next().await, Some(Signal::Shards), "and nothing of its own");

    // What a dead process had is there for all: each kind of work wakes those who wait for it.
    let dead = one.store.process_register("dead", None).await.unwrap();
    for process in [&one, &two] {
        process.store.process_beat(process.id).await.unwrap();
    }
    database.execute(&format!("UPDATE processes SET beat_at = 0 WHERE id = {dead}")).await;
    assert_eq!(one.store.processes_bury().await.unwrap().names, ["dead"]);
    for expected in [Signal::Shards, Signal::Feeds, Signal::Entries, Signal::Outbox] {
        assert_eq!(to_two.next().await, Some(expected));
    }
    database.drop().await;
}

/// A process of a version without shards.
const OLD_PROCESS: &str = "INSERT INTO processes (name, version, schema, started_at, beat_at) \
    SELECT 'old:1', '0.0.9', 70, 0, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";

#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_migration_waits_for_processes_that_do_not_know_it() {
    let Some(database) = postgres().await else { return };
    let clock = Clock::manual(start());
    for statement in schema_before(Backend::Postgres, "0071") {
        database.execute(&statement).await;
    }
    database.execute(OLD_PROCESS).await;
    let refused = Store::open(&database.settings, clock.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::MigrationRefused { name: "0085_pages_at_size", processes } if processes == "old:1"),
        "{refused}"
    );
    assert!(refused.to_string().contains("hint: stop them"), "{refused}");

    database.execute("UPDATE processes SET beat_at = 0").await;
    let store = database.open(&clock).await;
    store.feeds_sync(&feeds(3), Duration::ZERO).await.unwrap();
    store.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_process_stops_at_a_schema_that_it_must_not_run_on_and_at_no_other() {
    let Some(database) = postgres().await else { return };
    let server = Server::start().await;
    server
        .respond("/feed", Reply::ok("application/rss+xml", rss(&[Item::new("Quay", &server.url("/page"))])));
    server.respond("/page", Reply::ok("text/html", page("quay")));
    let mill = TestDaemon::new().database(url_of(&database)).feed(&server.url("/feed")).open().await;
    database
        .execute("INSERT INTO schema_migrations (version, name, applied_at) VALUES (9998, '9998_more', 0)")
        .await;
    mill.once().await;
    assert_eq!(mill.records().await.len(), 1, "another table is no reason to stop");

    database
        .execute(
            "INSERT INTO schema_migrations (version, name, applied_at, breaking) VALUES (9999, '9999_other', 0, 1)",
        )
        .await;
    let stopped = mill.daemon.once(&CancellationToken::new()).await.unwrap_err();
    assert!(stopped.to_string().contains("at version 9999, this feedmill knows versions up to"), "{stopped}");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_take_new_feeds_at_the_same_moment_agree() {
    const PROCESSES: usize = 3;
    const ROUNDS: usize = 5;
    const FEEDS: usize = 40;
    let Some(database) = postgres().await else { return };
    let mut tests: Vec<TestDaemon> =
        (0..PROCESSES).map(|_| TestDaemon::new().database(url_of(&database))).collect();
    let processes: Vec<Running> = tests
        .iter()
        .map(|test| tokio::task::block_in_place(|| Running::start(&test.write_config())))
        .collect();
    for round in 1..=ROUNDS {
        // No server listens there.
        let urls = (0..FEEDS).map(|n| format!("http://127.0.0.1:9/{round}/{n}").parse::<Url>().unwrap());
        for url in urls {
            tests = tests.into_iter().map(|test| test.feed(&url)).collect();
        }
        for test in &tests {
            test.write_config();
        }
        for process in &processes {
            process.signal("HUP");
        }
        for process in &processes {
            let reloads = |metrics: &str| {
                let counts =
                    metrics.lines().filter(|line| line.starts_with("feedmill_config_reloads_total{"));
                counts.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum::<usize>()
            };
            process.answers("/metrics", |metrics| reloads(metrics) == round).await;
            let log = process.log();
            assert!(!log.contains("the old configuration stays in force"), "round {round}: {log}");
        }
        let active = count(&database, "SELECT count(*) FROM feeds WHERE state = 'active'").await;
        assert_eq!(usize::try_from(active).unwrap(), round * FEEDS);
    }
    for process in processes {
        tokio::task::block_in_place(|| process.stop());
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_free_connection_says_so_and_waits_for_one() {
    const CONNECTIONS: usize = 6;
    let Some(database) = postgres().await else { return };
    let mut url: Url = url_of(&database).parse().unwrap();
    let name = url.path().trim_start_matches('/').to_owned();
    let admin = url.clone();
    // A role of its own: other tests use the same server, and a limit does not bind the superuser that creates the databases.
    let password = url.password().unwrap_or("unused").to_owned();
    execute(
        &admin,
        format!(
            "CREATE ROLE {name} LOGIN PASSWORD '{password}' CONNECTION LIMIT {CONNECTIONS}; \
             ALTER DATABASE {name} OWNER TO {name}"
        ),
    )
    .await;
    url.set_username(&name).unwrap();
    let mut others = Vec::new();
    for _ in 0..CONNECTIONS {
        others.push(AnyConnection::connect(url.as_str()).await.unwrap());
    }
    let test = TestDaemon::new().database(url.as_str()).database_lines("max_connections = 2");
    let mut command = run(&test.write_config());
    let mut running = Running::begin(&mut command);
    running.logs(&["waiting for the database", "too many connections for role"], 1).await;
    for other in others {
        other.close().await.unwrap();
    }
    tokio::task::block_in_place(|| running.await_address());
    tokio::task::block_in_place(|| running.stop());
    database.drop().await;
    let mut server = admin;
    server.set_path("/postgres");
    execute(&server, format!("DROP ROLE {name}")).await;
}
