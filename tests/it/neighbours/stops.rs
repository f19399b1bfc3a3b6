//! A soft stop returns what has not ended to the queue, whoever it waits for.

use feedmill::store::EntryState;
use tokio_util::sync::CancellationToken;

use super::{feed, long_page, neighbour};
use crate::support::daemon::TestDaemon;
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page};

#[tokio::test]
async fn a_stop_does_not_wait_for_a_queue_of_slow_pages() {
    const SLOW_PAGES: usize = 16;
    let neighbour = neighbour(SLOW_PAGES, long_page(9_000_000)).await;
    let opened = TestDaemon::new().feed(&neighbour.url("/feed")).open().await;
    let (daemon, soft) = (&opened.daemon, CancellationToken::new());
    let stop = async {
        neighbour.arrived("/slow/3", 1).await;
        soft.cancel();
    };

    let (done, ()) = tokio::join!(daemon.once(&soft), stop);

    done.unwrap();
    let waiting = opened.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    assert!(waiting.len() >= SLOW_PAGES - 4, "the queue was left: {}", waiting.len());
    assert!(waiting.iter().all(|entry| !entry.in_work && entry.failures == 0), "given back, and not blamed");
}

/// A feed and a page that send no byte, and a page that never ends.
#[tokio::test]
async fn a_stop_does_not_wait_for_hosts_that_hang() {
    let html = || Reply::ok("text/html", page("quay"));
    let gate = Gate::new();
    let (quay, silent, silent_page, endless) =
        (Server::start().await, Server::start().await, Server::start().await, Server::start().await);
    let items = [&silent_page, &endless].map(|server| Item::new("Quay", &server.url("/page")));
    quay.respond("/feed", feed(&items));
    silent.respond("/feed", feed(&[]).gated(&gate));
    silent_page.respond("/page", html().gated(&gate));
    endless.respond("/page", Reply::raw("HTTP/1.1 200 OK\r\n\r\n<html>").then_wait(&gate));
    endless.respond("/page", html());
    let opened = TestDaemon::new().feed(&quay.url("/feed")).feed(&silent.url("/feed")).open().await;
    let (daemon, soft) = (&opened.daemon, CancellationToken::new());
    let stop = async {
        silent.arrived("/feed", 1).await;
        silent_page.arrived("/page", 1).await;
        endless.arrived("/page", 1).await;
        soft.cancel();
    };

    let (done, ()) = tokio::join!(daemon.once(&soft), stop);

    // Without the stop they would fail only after their time-outs.
    done.unwrap();
    let waiting = opened.store().entries_list(EntryState::Pending, 10).await.unwrap();
    assert_eq!(waiting.len(), items.len());
    assert!(waiting.iter().all(|entry| !entry.in_work && entry.failures == 0), "given back, and not blamed");
    let feeds = opened.store().feeds_list().await.unwrap();
    assert!(feeds.iter().all(|feed| feed.consecutive_failures == 0));

    gate.open();
    let opened = opened.restarted().await;
    opened.once().await;
    assert_eq!(opened.records().await.len(), items.len(), "due again at once");
    assert_eq!((silent.requests("/feed").len(), quay.requests("/feed").len()), (2, 1));
}
