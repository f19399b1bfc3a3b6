use feedmill::schedule::Decision;
use feedmill::store::FeedState;
use jiff::SignedDuration;

use super::{LONG, feed, mill, status};
use crate::support::server::{Reply, Server};

fn tagged(title: &str) -> Reply {
    feed(title).header("ETag", "\"1\"")
}

#[tokio::test]
async fn b10_b23_a_permanent_move_is_confirmed() {
    let server = Server::start().await;
    server.respond("/feed", Reply::redirect(301, "/between"));
    server.respond("/between", Reply::redirect(308, "/new"));
    server.respond("/new", tagged("one"));
    let mill = mill(&server).await;
    for day in 1..=3 {
        assert_eq!(status(&mill, "/feed").await.url, server.url("/feed"), "day {day}");
        mill.once().await;
        mill.advance(LONG);
    }
    assert_eq!(status(&mill, "/feed").await.url, server.url("/new"));
    mill.once().await;
    assert_eq!(server.requests("/feed").len(), 3, "the old address is asked no more");
    let requests = server.requests("/new");
    assert_eq!(requests[2].header("if-none-match"), Some("\"1\""), "10: through the redirect");
    assert_eq!(requests[3].header("if-none-match"), None, "10: cleared with the old URL");
}

#[tokio::test]
async fn b23_one_temporary_hop_spoils_it() {
    let server = Server::start().await;
    server.respond("/feed", Reply::redirect(301, "/between"));
    server.respond("/between", Reply::redirect(302, "/new"));
    server.respond("/new", tagged("one"));
    let mill = mill(&server).await;
    for _ in 0..5 {
        mill.once().await;
        mill.advance(LONG);
    }
    assert_eq!(status(&mill, "/feed").await.url, server.url("/feed"));
}

#[tokio::test]
async fn b23_a_feed_that_is_lost_where_it_moved_is_looked_for_at_home() {
    for (status_there, polls) in [(404, 5), (410, 1)] {
        let server = Server::start().await;
        server.respond("/feed", Reply::redirect(301, "/new"));
        server.respond("/new", tagged("one"));
        let mill = mill(&server).await;
        for _ in 0..3 {
            mill.once().await;
            mill.advance(LONG);
        }
        server.replace("/new", Reply::status(status_there));
        server.replace("/feed", tagged("two"));
        for _ in 0..polls {
            assert_eq!(status(&mill, "/feed").await.url, server.url("/new"));
            mill.once().await;
            mill.advance(LONG);
        }
        let found = status(&mill, "/feed").await;
        assert_eq!((found.url, found.state), (server.url("/feed"), FeedState::Active), "{status_there}");
        mill.once().await;
        assert_eq!(status(&mill, "/feed").await.last_error, None);
    }
}

#[tokio::test]
async fn b24_a_temporary_redirect_moves_nothing() {
    for code in [302, 303, 307] {
        let server = Server::start().await;
        server.respond("/feed", Reply::redirect(code, "/new"));
        server.respond("/new", tagged("one"));
        let mill = mill(&server).await;
        for _ in 0..5 {
            mill.once().await;
            mill.advance(LONG);
        }
        assert_eq!(status(&mill, "/feed").await.url, server.url("/feed"));
        assert_eq!(server.requests("/feed").len(), 5, "{code}");
    }
}

#[tokio::test]
async fn b25_gone_and_missing() {
    let server = Server::start().await;
    server.respond("/feed", Reply::status(410));
    let mill_of_gone = mill(&server).await;
    mill_of_gone.once().await;
    mill_of_gone.advance(SignedDuration::from_hours(24 * 60));
    mill_of_gone.once().await;
    let gone = status(&mill_of_gone, "/feed").await;
    assert_eq!((gone.state, server.requests("/feed").len()), (FeedState::Gone, 1));
    assert!(gone.last_error.unwrap().contains("410"), "the reason is kept");
    assert_eq!(mill_of_gone.store().feeds_release_quarantined(&[gone.id]).await.unwrap(), 1);
    mill_of_gone.once().await;
    assert_eq!(server.requests("/feed").len(), 2, "an operator can have it polled again");

    let server = Server::start().await;
    server.respond("/feed", Reply::status(404));
    let mill = mill(&server).await;
    let mut last = SignedDuration::ZERO;
    for _ in 0..4 {
        mill.once().await;
        let missing = status(&mill, "/feed").await;
        let wait = missing.next_poll_at.duration_since(mill.now());
        assert_eq!(
            (missing.state, missing.next_poll_decided_by),
            (FeedState::Active, Some(Decision::Backoff))
        );
        assert!(wait > last, "{wait} after {last}");
        last = wait;
        mill.advance(LONG);
    }
}

#[tokio::test]
async fn b26_loops_end() {
    let server = Server::start().await;
    server.respond("/feed", Reply::redirect(302, "/round"));
    server.respond("/round", Reply::redirect(302, "/feed"));
    let mill_in_circle = mill(&server).await;
    mill_in_circle.once().await;
    assert_eq!(server.all_requests().len(), 2);

    let server = Server::start().await;
    server.handle(|request| Reply::redirect(302, format!("{}x", request.target)));
    let mill = mill(&server).await;
    mill.once().await;
    assert_eq!(server.all_requests().len(), 6, "five redirects are followed");
    assert!(status(&mill, "/feed").await.last_error.unwrap().contains("redirects"));
}

#[tokio::test]
async fn b27_no_hop_leads_inside() {
    for inside in
        ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::1]/", "http://0x0a000001/"]
    {
        let server = Server::start().await;
        server.respond("/feed", Reply::redirect(302, "/next"));
        server.respond("/next", Reply::redirect(301, inside));
        let mill = mill(&server).await;
        mill.once().await;
        let error = status(&mill, "/feed").await.last_error.unwrap();
        assert!(error.contains("special-purpose address"), "{inside}: {error}");
    }
}
