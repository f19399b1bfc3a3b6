//! Clock jumps, on both back ends: no feed stops being polled, and none is polled too often.

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const YEARS: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// `schedule.max_interval_secs` in hours, by default.
const LONGEST_HOURS: u32 = 24;
/// The same of the feed `/often`.
const SHORT_HOURS: u32 = 3;

/// Defines a test for each back end and for a daemon that restarts after the jump or does not.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                for restarts in [false, true] {
                    super::$test(super::Backend::Sqlite, restarts).await;
                }
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                for restarts in [false, true] {
                    super::$test(super::Backend::Postgres, restarts).await;
                }
            })*
        }
    };
}

on_both!(
    a_clock_that_was_ahead_silences_no_feed,
    a_clock_that_is_set_back_delays_a_feed_by_no_more_than_its_longest_interval,
    a_lease_of_a_clock_that_was_ahead_ends,
    rechecks_and_sinks_do_not_wait_for_a_clock_that_was_ahead,
    neither_pages_nor_sinks_wait_for_a_clock_that_was_set_back,
);

async fn server() -> Server {
    let server = Server::start().await;
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[])));
    server.respond("/missing", Reply::status(503));
    server.respond("/often", Reply::ok("application/rss+xml", rss(&[])));
    server
}

async fn daemon(database: &FreshDatabase, server: &Server) -> OpenedDaemon {
    let test = TestDaemon::new().database(database.settings.url.expose_secret());
    let often = format!("max_interval_secs = {}", SHORT_HOURS * 3_600);
    let test = test.feed_with(&server.url("/often"), &often);
    test.feed(&server.url("/feed")).feed(&server.url("/missing")).open().await
}

/// Moves the clock, and restarts the daemon if wanted.
async fn jump(daemon: OpenedDaemon, by: SignedDuration, restarts: bool) -> OpenedDaemon {
    daemon.advance(by);
    if restarts { daemon.restarted().await } else { daemon }
}

async fn a_clock_that_was_ahead_silences_no_feed(backend: Backend, restarts: bool) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let server = server().await;
    let mill = daemon(&database, &server).await;
    mill.once().await;
    mill.advance(YEARS);
    mill.once().await;
    let mill = jump(mill, -YEARS, restarts).await;
    mill.once().await;
    for path in ["/feed", "/missing"] {
        assert_eq!(server.requests(path).len(), 3, "{path}, at once, restarted: {restarts}");
    }
    mill.once().await;
    assert_eq!(server.requests("/feed").len(), 3, "and then the usual interval counts again");
    mill.advance(DAY);
    mill.once().await;
    assert_eq!(server.requests("/feed").len(), 4);
    mill.store().close().await;
    database.drop().await;
}

async fn a_clock_that_is_set_back_delays_a_feed_by_no_more_than_its_longest_interval(
    backend: Backend,
    restarts: bool,
) {
    for back in [HOUR, 10 * HOUR, DAY, DAY + HOUR, 2 * DAY, YEARS] {
        let Some(database) = FreshDatabase::create(backend).await else { return };
        let server = server().await;
        let mill = daemon(&database, &server).await;
        mill.once().await;
        let mut mill = jump(mill, -back, restarts).await;
        mill.once().await;
        let mut hours = 0;
        // A time that lies further ahead than any interval allows is not believed at all.
        let is_at_once = back >= DAY;
        for path in ["/often", "/feed", "/missing"] {
            assert!(
                is_at_once || server.requests(path).len() == 1,
                "{path} is polled too early, {back} back"
            );
        }
        for (path, longest) in
            [("/often", SHORT_HOURS), ("/feed", LONGEST_HOURS), ("/missing", LONGEST_HOURS)]
        {
            while server.requests(path).len() == 1 {
                // Restarts do not make the wait longer.
                mill = jump(mill, HOUR, restarts).await;
                mill.once().await;
                hours += 1;
                assert!(hours <= longest, "{path} is not polled, {back} back, restarted: {restarts}");
            }
        }
        assert!(back <= 2 * DAY || hours == 0, "at once, and not after {hours} hours");
        mill.store().close().await;
        database.drop().await;
    }
}

async fn a_lease_of_a_clock_that_was_ahead_ends(backend: Backend, restarts: bool) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let server = server().await;
    let mill = daemon(&database, &server).await;
    mill.advance(YEARS);
    let lent = mill.store().feeds_claim_due(std::time::Duration::from_mins(5), 10).await.unwrap();
    assert_eq!(lent.len(), 3, "and their worker never comes back");
    let mill = jump(mill, -YEARS, restarts).await;
    mill.once().await;
    assert_eq!(server.requests("/feed").len(), 1);
    mill.store().close().await;
    database.drop().await;
}

/// A daemon whose feed announces `/one` and that delivers to `/hook`.
async fn delivering(database: &FreshDatabase, server: &Server) -> OpenedDaemon {
    let item = Item::new("One", &server.url("/one"));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[item])));
    let hook = server.url("/hook");
    let test = TestDaemon::new().database(database.settings.url.expose_secret());
    test.feed_with(&server.url("/feed"), "recheck = [\"1h\"]")
        .tables(&format!(
            "[[sink]]\nname = \"hook\"\nwebhook = {{ url = \"{hook}\", secret = \"swordfish\" }}"
        ))
        .open()
        .await
}

async fn rechecks_and_sinks_do_not_wait_for_a_clock_that_was_ahead(backend: Backend, restarts: bool) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let server = Server::start().await;
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    server.respond("/hook", Reply::status(503));
    let mill = delivering(&database, &server).await;
    mill.advance(YEARS);
    assert!(mill.daemon.once(&CancellationToken::new()).await.is_err(), "nothing was delivered");
    assert_eq!(server.requests("/one").len(), 1);
    let failed = server.requests("/hook").len();
    assert!(failed > 0, "and the delivery is tried again later");
    server.replace("/hook", Reply::status(200));
    let mill = jump(mill, -YEARS, restarts).await;
    mill.once().await;
    assert_eq!(server.requests("/one").len(), 2, "the article is rechecked, restarted: {restarts}");
    assert_eq!(server.requests("/hook").len(), failed + 1, "it is delivered, restarted: {restarts}");
    mill.store().close().await;
    database.drop().await;
}

async fn neither_pages_nor_sinks_wait_for_a_clock_that_was_set_back(backend: Backend, restarts: bool) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let server = Server::start().await;
    server.respond("/one", Reply::status(503));
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    server.respond("/hook", Reply::status(503));
    server.respond("/hook", Reply::status(200));
    let mill = delivering(&database, &server).await;
    mill.once().await;
    let mill = jump(mill, -DAY, restarts).await;
    mill.once().await;
    assert_eq!(server.requests("/one").len(), 1, "not before its wait is over, restarted: {restarts}");
    mill.advance(HOUR);
    assert!(mill.daemon.once(&CancellationToken::new()).await.is_err(), "nothing was delivered");
    assert_eq!(server.requests("/one").len(), 2, "restarted: {restarts}");
    let mill = jump(mill, -DAY, restarts).await;
    // The sink still rests.
    drop(mill.daemon.once(&CancellationToken::new()).await);
    mill.advance(2 * HOUR);
    mill.once().await;
    assert_eq!(server.requests("/hook").len(), 2, "restarted: {restarts}");
    mill.store().close().await;
    database.drop().await;
}
