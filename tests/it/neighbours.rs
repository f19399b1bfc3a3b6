//! One daemon, some good feeds, one bad neighbour: what it does harms nobody but itself. The bars are in what is counted
//! (requests, articles, bytes), never in wall time.

use feedmill::store::EntryState;
use url::Url;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const GOOD_FEEDS: usize = 20;
const PAGES_OF_EACH: usize = 3;
const GOOD_ARTICLES: usize = GOOD_FEEDS * PAGES_OF_EACH;

/// The good feeds, each on a server, and so a party, of its own.
struct Good(Vec<Server>);

impl Good {
    async fn start() -> Self {
        let mut servers = Vec::new();
        for number in 0..GOOD_FEEDS {
            let server = Server::start().await;
            let links = (0..PAGES_OF_EACH).map(|n| server.url(&format!("/{number}-{n}")));
            let items: Vec<Item> = links.map(|link| Item::new("Quay", &link)).collect();
            server.respond("/feed", feed(&items));
            server.handle(|request| match request.path() {
                "/robots.txt" => Reply::status(404),
                path => Reply::ok("text/html", page(&format!("quay{path}"))),
            });
            servers.push(server);
        }
        Self(servers)
    }

    /// A daemon with the neighbour's feed and these.
    fn beside(&self, neighbour: &Url) -> TestDaemon {
        let daemon = TestDaemon::new().feed(neighbour);
        self.0.iter().fold(daemon, |daemon, server| daemon.feed(&server.url("/feed")))
    }

    /// How many of their articles are stored.
    async fn articles(&self, daemon: &OpenedDaemon) -> usize {
        let records = daemon.records().await;
        let hosts: Vec<_> = self.0.iter().map(|server| server.url("/").port()).collect();
        records.iter().filter(|record| hosts.contains(&record.url.port())).count()
    }
}

fn feed(items: &[Item]) -> Reply {
    Reply::ok("application/rss+xml", rss(items))
}

#[tokio::test]
async fn dead_links_are_counted_against_their_entries_and_are_no_outage() {
    const DEAD_LINKS: usize = 120;
    let good = Good::start().await;
    let neighbour = Server::start().await;
    // Nobody listens there: as many hosts as links.
    let links = (1..=DEAD_LINKS).map(|n| format!("http://127.1.0.{n}:9/{n}").parse().unwrap());
    let items: Vec<Item> = links.map(|link| Item::new("Dead", &link)).collect();
    neighbour.respond("/feed", feed(&items));
    let daemon = good.beside(&neighbour.url("/feed")).open().await;

    daemon.once().await;

    assert_eq!(good.articles(&daemon).await, GOOD_ARTICLES);
    let waiting = daemon.store().entries_list(EntryState::Pending, 1_000).await.unwrap();
    let blamed = waiting.iter().filter(|entry| entry.failures == 1 && entry.error_label.is_some());
    assert_eq!((blamed.count(), waiting.len()), (DEAD_LINKS, DEAD_LINKS));
}
