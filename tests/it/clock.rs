//! Clock jumps: no feed stops being polled, and none is polled too often.

use jiff::SignedDuration;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::rss;

const YEARS: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn server() -> Server {
    let server = Server::start().await;
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[])));
    server.respond("/missing", Reply::status(503));
    server
}

#[tokio::test]
async fn a_clock_that_was_ahead_silences_no_feed() {
    for restarts in [false, true] {
        let server = server().await;
        let mut mill =
            TestDaemon::new().feed(&server.url("/feed")).feed(&server.url("/missing")).open().await;
        mill.once().await;
        mill.advance(YEARS);
        mill.once().await;
        mill.advance(-YEARS);
        if restarts {
            mill = mill.restarted().await;
        }
        mill.advance(HOUR);
        mill.once().await;
        for path in ["/feed", "/missing"] {
            assert_eq!(server.requests(path).len(), 3, "{path}, restarted: {restarts}");
        }
        mill.once().await;
        assert_eq!(server.requests("/feed").len(), 3, "and then the usual interval counts again");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_a_feed_by_no_more_than_its_longest_interval() {
    let server = server().await;
    let mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    mill.once().await;
    mill.advance(-48 * HOUR);
    let mut hours = 0;
    while server.requests("/feed").len() == 1 {
        mill.advance(HOUR);
        mill.once().await;
        hours += 1;
        assert!(hours <= 24, "nothing is polled");
    }
}

#[tokio::test]
async fn a_lease_of_a_clock_that_was_ahead_ends() {
    let server = server().await;
    let mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    mill.advance(YEARS);
    let lent = mill.store().feeds_claim_due(std::time::Duration::from_mins(5), 10).await.unwrap();
    assert_eq!(lent.len(), 1, "and its worker never comes back");
    mill.advance(-YEARS);
    mill.advance(HOUR);
    mill.once().await;
    assert_eq!(server.requests("/feed").len(), 1);
}
