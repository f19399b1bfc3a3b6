//! The memory cost of the tricks: a separate process polls them together with a hundred good feeds, and the kernel reports its peak
//! memory (`VmHWM`).

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use futures_util::future::join_all;
use url::Url;

use super::tricks;
use crate::support::daemon::TestDaemon;
use crate::support::running::Running;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, rss};

const GOOD_FEEDS: usize = 100;
/// The default of `fetch.feed_max_body_bytes`.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Maximum memory that one trick may cost compared with the same process without it: 40 MB.
const MAX_TRICK_KIB: u64 = 40_000_000 >> 10;
/// Measurements of a cost before it counts as too high.
const ATTEMPTS: usize = 3;

/// The result of a run of the program.
struct Outcome {
    /// By URL: `ok`, or the label of the error.
    polls: HashMap<String, String>,
    peak_kib: u64,
}

/// Runs the program until each of `feeds` feeds has been polled according to its log: its memory cannot be read after it has ended.
fn run(config: &Path, feeds: usize) -> Outcome {
    let mut running = Running::start(config);
    let mut polls = HashMap::new();
    running.follow(|event| {
        let label = match event["message"].as_str() {
            Some("polled") => Some("ok"),
            Some("the poll failed") => event["label"].as_str(),
            _ => None,
        };
        if let (Some(label), Some(url)) = (label, event["spans"][0]["feed.url"].as_str()) {
            polls.insert(url.to_owned(), label.to_owned());
        }
        polls.len() == feeds
    });
    Outcome { polls, peak_kib: running.peak_kib() }
}

/// A server with a hundred good feeds, each with an entry that contains its full text.
async fn good() -> Server {
    let server = Server::start_at("127.0.0.2:0").await;
    server.handle(|request| {
        let content = Some(format!("<p>All is well at {}.</p>", request.path()));
        let item = Item { title: "Well".to_owned(), link: None, guid: "1".to_owned(), content };
        Reply::ok("application/rss+xml", rss(&[item]))
    });
    server
}

/// A started trick. It has its own server, so that leftovers on a connection do not affect the next one.
struct Trick {
    name: &'static str,
    server: Server,
    label: &'static str,
}

impl Trick {
    async fn start((name, reply, label): (&'static str, Reply, &'static str)) -> Self {
        let server = Server::start().await;
        server.respond("/", reply);
        // Each redirect of "on and on" leads one folder deeper.
        server.handle(|_| Reply::redirect(302, "x/"));
        Self { name, server, label }
    }

    fn fills_a_body(&self) -> bool {
        self.label == "body_too_large"
    }
}

/// The good feeds, and the program's peak memory without any trick.
struct Mill {
    good: Server,
    before: Cell<Option<u64>>,
}

impl Mill {
    /// Checks that the tricks cost no more than `bar` KiB.
    ///
    /// How many good feeds are in hand at once, and so what the program takes without any trick, depends on the other programs
    /// that use the CPU at that moment. A cost above the bar is therefore measured again, beside a new measurement without the
    /// tricks: what a trick makes the program hold, it makes it hold each time.
    async fn hold(&self, name: &str, tricks: &[&Trick], bar: u64) {
        let mut costs = Vec::new();
        for _ in 0..ATTEMPTS {
            let before = match self.before.get() {
                Some(before) => before,
                None => peak_with(&self.good, &[]).await,
            };
            let cost = peak_with(&self.good, tricks).await.saturating_sub(before);
            eprintln!("{name}: {cost} KiB beside {before}");
            if cost <= bar {
                self.before.set(Some(before));
                return;
            }
            self.before.set(None);
            costs.push((cost, before));
        }
        panic!("{name}: {costs:?} KiB, each beside the program without it; at most {bar}");
    }
}

/// Returns the program's peak memory while it polls the good feeds together with the tricks.
async fn peak_with(good: &Server, tricks: &[&Trick]) -> u64 {
    // All feeds are claimed at once, so that the good ones are fetched while the tricks last.
    let mut mill = TestDaemon::new().tables("[pipeline]\nfeed_concurrency = 400");
    let good: Vec<Url> = (0..GOOD_FEEDS).map(|number| good.url(&format!("/feed{number}"))).collect();
    for url in &good {
        mill = mill.feed(url);
    }
    for trick in tricks {
        // Only hanging servers need a short time-out.
        let options = if trick.label == "timeout" { "timeout_secs = 1" } else { "" };
        mill = mill.feed_with(&trick.server.url("/"), options);
    }
    let (config, feeds) = (mill.write_config(), good.len() + tricks.len());
    let outcome = tokio::task::spawn_blocking(move || run(&config, feeds)).await.unwrap();
    for url in &good {
        assert_eq!(outcome.polls[url.as_str()], "ok", "{url}");
    }
    for Trick { name, server, label: expected } in tricks {
        let label = outcome.polls[server.url("/").as_str()].as_str();
        // If head and end of a body arrive at once, either error label is possible.
        let is_broken = |label: &str| matches!(label, "broken_answer" | "broken_body");
        assert!(label == *expected || (is_broken(label) && is_broken(expected)), "{name}: {label}");
    }
    outcome.peak_kib
}

#[test]
fn there_are_thirty_tricks_and_more() {
    let tricks = tricks(1);
    let names: HashSet<_> = tricks.iter().map(|(name, ..)| name).collect();
    assert!(tricks.len() >= 30 && names.len() == tricks.len(), "{} tricks", tricks.len());
}

/// Each trick that fills a body up to its cap, like the bombs, has its own process: an allocator returns memory to the kernel late,
/// so after the first trick the second would seem to cost nothing, or twice as much. All others together hold less than one of
/// these, and share the limit of one. Finally all of them run at once: those that fill a body may add up to one cap each, and no
/// more.
#[tokio::test(flavor = "multi_thread")]
async fn tricks_cost_little_memory_while_a_hundred_good_feeds_go_on() {
    let mill = Mill { good: good().await, before: Cell::new(None) };
    let tricks: Vec<Trick> = join_all(tricks(MAX_BODY_BYTES).into_iter().map(Trick::start)).await;
    let all: Vec<&Trick> = tricks.iter().collect();
    let (large, small): (Vec<&Trick>, Vec<&Trick>) = tricks.iter().partition(|trick| trick.fills_a_body());
    for trick in &large {
        mill.hold(trick.name, &[trick], MAX_TRICK_KIB).await;
    }
    mill.hold("the small ones together", &small, MAX_TRICK_KIB).await;
    let bar = MAX_TRICK_KIB + large.len() as u64 * (MAX_BODY_BYTES as u64 >> 10);
    mill.hold("all at once", &all, bar).await;
}
