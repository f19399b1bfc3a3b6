//! The memory cost of the tricks: a separate process polls them together with a hundred good feeds, and the kernel reports its peak
//! memory (`VmHWM`).

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use url::Url;

use super::tricks;
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, rss};

const GOOD_FEEDS: usize = 100;
/// The default of `fetch.feed_max_body_bytes`.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Maximum memory that one trick may cost compared with the same process without it: 40 MB.
const MAX_TRICK_KIB: u64 = 40_000_000 >> 10;
/// Nothing here waits longer than a second, but other tests use the CPU as well.
const LONG: Duration = Duration::from_mins(2);

/// The result of a run of the program.
struct Outcome {
    /// By URL: `ok`, or the label of the error.
    polls: HashMap<String, String>,
    peak_kib: u64,
}

/// A process that is killed when dropped, even if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs the program until each of `feeds` feeds has been polled according to its log: its memory cannot be read after it has ended.
fn run(config: &Path, feeds: usize) -> Outcome {
    let began = Instant::now();
    let mut process = feedmill(config, &["--log-format", "json", "run"]);
    let mut process = Running(process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut polls = HashMap::new();
    let mut log = Vec::new();
    for line in BufReader::new(process.0.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let label = match event["message"].as_str() {
            Some("polled") => Some("ok"),
            Some("the poll failed") => event["label"].as_str(),
            _ => None,
        };
        if let (Some(label), Some(url)) = (label, event["spans"][0]["feed.url"].as_str()) {
            polls.insert(url.to_owned(), label.to_owned());
        }
        log.push(line);
        assert!(began.elapsed() < LONG, "{} of {feeds} polls:\n{}", polls.len(), log.join("\n"));
        if polls.len() == feeds {
            return Outcome { polls, peak_kib: peak_kib(process.0.id()) };
        }
    }
    panic!("the program ended after {} of {feeds} polls:\n{}", polls.len(), log.join("\n"));
}

fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
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
    let good = good().await;
    let tricks: Vec<Trick> = join_all(tricks(MAX_BODY_BYTES).into_iter().map(Trick::start)).await;
    let before = peak_with(&good, &[]).await;
    let cost = async |tricks: &[&Trick]| peak_with(&good, tricks).await.saturating_sub(before);
    let all: Vec<&Trick> = tricks.iter().collect();
    let (large, small): (Vec<&Trick>, Vec<&Trick>) = tricks.iter().partition(|trick| trick.fills_a_body());
    for trick in &large {
        let cost = cost(&[trick]).await;
        assert!(cost <= MAX_TRICK_KIB, "{}: {cost} KiB", trick.name);
    }
    let small_cost = cost(&small).await;
    assert!(small_cost <= MAX_TRICK_KIB, "{} small ones together: {small_cost} KiB", small.len());
    let cost = cost(&all).await;
    let bar = MAX_TRICK_KIB + large.len() as u64 * (MAX_BODY_BYTES as u64 >> 10);
    assert!(cost <= bar, "all {} at once: {cost} KiB of {bar}", all.len());
}
