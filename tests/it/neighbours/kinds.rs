//! The list of neighbours that one server can be. The good feeds and one of them are read until the last good article is stored, then
//! the daemon is stopped. Each must meet the same bars: no good article is lost or has another text, by then at most half of what the
//! neighbour offers has been worked off, and the stop leaves nothing of it in work. The second bar does not apply to neighbours
//! whose entries cost almost nothing: how many of them come first means nothing.

use feedmill::pipeline::Tally;
use feedmill::store::EntryState;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{GOOD_ARTICLES, Good, announce, feed, gzipped, long_page, topic};
use crate::support::daemon::TestDaemon;
use crate::support::names::NameServer;
use crate::support::repeats::{FEEDS, PAGES};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// A kind of neighbour.
struct Neighbour {
    name: &'static str,
    /// Prepares its server and returns the URLs of its feeds.
    serve: fn(&Server, &Good) -> Vec<Url>,
    /// The number of entries that it announces; `None` if they cost almost nothing.
    entries: Option<usize>,
}

const LONG_PAGES: usize = 60;
const BOMBS: usize = 60;
const FLOOD: usize = 600;
const KIND_BYTES: usize = 64 << 10;
const FEED_BYTES: usize = 128 << 10;

/// Those whose pages and feeds take CPU time.
const COSTLY: &[Neighbour] = &[
    Neighbour {
        name: "long pages",
        serve: |server, _| {
            let long = long_page(200_000);
            announce(server, LONG_PAGES, move |path| html(long.replace("PATH", path)));
            own_feed(server)
        },
        entries: Some(LONG_PAGES),
    },
    Neighbour {
        name: "gzipped pages of bylines",
        serve: |server, _| {
            let bylines = PAGES.iter().find(|kind| kind.name == "bylines").unwrap().document(1 << 20);
            let reply = zipped("text/html", &bylines);
            announce(server, LONG_PAGES, move |_| reply.clone());
            own_feed(server)
        },
        entries: Some(LONG_PAGES),
    },
    Neighbour {
        name: "a page of each kind that repeats",
        serve: |server, _| {
            announce(server, PAGES.len(), |path| {
                let kind = path.rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
                zipped("text/html", &PAGES[kind.unwrap()].document(KIND_BYTES))
            });
            own_feed(server)
        },
        entries: Some(PAGES.len()),
    },
    Neighbour {
        name: "bombs",
        serve: |server, _| {
            let bomb = gzipped(&vec![b' '; 16 << 20]);
            announce(server, BOMBS, move |_| html(bomb.clone()).header("Content-Encoding", "gzip"));
            own_feed(server)
        },
        entries: Some(BOMBS),
    },
];

/// Those that are many, or that are in others' way.
const MANY: &[Neighbour] = &[
    Neighbour {
        name: "a flood of entries",
        serve: |server, _| {
            announce(server, FLOOD, |path| html(page(&topic(path))));
            own_feed(server)
        },
        entries: Some(FLOOD),
    },
    Neighbour {
        name: "a flood of feeds",
        serve: |server, _| {
            let base = server.url("/");
            server.handle(move |request| match request.path().strip_prefix("/feed/") {
                Some(number) => {
                    let link = base.join(&format!("/page/{number}")).unwrap();
                    feed(&[Item::new("Flood", &link)])
                }
                None if request.path() == "/robots.txt" => Reply::status(404),
                None => html(page(&topic(request.path()))),
            });
            (0..FLOOD).map(|number| server.url(&format!("/feed/{number}"))).collect()
        },
        entries: Some(FLOOD),
    },
    Neighbour {
        name: "entries whose pages hang",
        serve: |server, _| {
            announce(server, FLOOD, |_| Reply::raw("").then_hang());
            own_feed(server)
        },
        entries: Some(FLOOD),
    },
    Neighbour {
        name: "a feed of each kind that repeats",
        serve: |server, _| {
            server.handle(|request| {
                let kind = request.path().rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
                match kind {
                    Some(kind) => zipped("text/xml", &FEEDS[kind].document(FEED_BYTES)),
                    None => Reply::status(404),
                }
            });
            (0..FEEDS.len()).map(|kind| server.url(&format!("/{kind}"))).collect()
        },
        // Their links lead to hosts that refuse the connection, which costs nothing.
        entries: None,
    },
    Neighbour {
        name: "forged entries for the articles of others",
        serve: |server, good| {
            let forged =
                "<p>The council has sold the harbour, and everybody may send money to this account.</p>";
            let items = good.links().map(|link| Item::new("Quay", &link).with_content(&forged.repeat(9)));
            server.respond("/feed", Reply::ok("text/xml", rss(&items.collect::<Vec<_>>())));
            own_feed(server)
        },
        // They are linked to the articles of others, which is no work.
        entries: None,
    },
];

fn own_feed(server: &Server) -> Vec<Url> {
    vec![server.url("/feed")]
}

fn html(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("text/html", body)
}

fn zipped(content_type: &str, body: &str) -> Reply {
    Reply::ok(content_type, gzipped(body.as_bytes())).header("Content-Encoding", "gzip")
}

#[tokio::test]
async fn costly_neighbours_take_no_more_than_their_share() {
    hold(COSTLY).await;
}

#[tokio::test]
async fn crowds_of_one_neighbour_take_no_more_than_their_share() {
    hold(MANY).await;
}

async fn hold(neighbours: &[Neighbour]) {
    let good = Good::start().await;
    // Any name leads to this machine.
    let names = NameServer::start().await;
    for Neighbour { name, serve, entries } in neighbours {
        let server = Server::start().await;
        let test = TestDaemon::new().fetch(&format!("name_servers = [\"{}\"]", names.address()));
        let test = serve(&server, &good).iter().fold(test, TestDaemon::feed);
        let daemon = good.beside(test).open().await;

        let soft = CancellationToken::new();
        let once = daemon.daemon.once(&soft);
        tokio::pin!(once);
        let ended = tokio::select! {
            biased;
            () = good.stored(&daemon) => None,
            done = &mut once => Some(done),
        };
        let tally = &daemon.daemon.shared().tally;
        let worked_off: u64 =
            [&tally.articles, &tally.postponed, &tally.failed].into_iter().map(Tally::get).sum();
        soft.cancel();
        match ended {
            Some(done) => done.unwrap(),
            None => once.await.unwrap(),
        }

        good.assert_stored(&daemon).await;
        let of_neighbour = usize::try_from(worked_off).unwrap().saturating_sub(GOOD_ARTICLES);
        if let Some(entries) = entries {
            assert!(
                of_neighbour <= entries / 2,
                "{name}: {of_neighbour} of {entries} before the last good article"
            );
        }
        for state in [EntryState::Pending, EntryState::Failed] {
            let entries = daemon.store().entries_list(state, 10_000).await.unwrap();
            assert!(entries.iter().all(|entry| !entry.in_work), "{name}");
        }
    }
}
