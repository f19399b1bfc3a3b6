//! What the tricks cost the program itself: a process of its own polls them while it polls a hundred good feeds, and the
//! kernel says how much memory it held at most (`VmHWM`).

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use url::Url;

use super::tricks;
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, rss};

const GOOD_FEEDS: usize = 100;
/// Good feeds on one host, which has few turns to give where there is but one at a time.
const GOOD_FEEDS_ON_A_HOST: usize = 10;
/// The default of `fetch.feed_max_body_bytes`.
const MAX_BODY_BYTES: usize = 16 << 20;
/// What one trick may cost beyond the same process without it.
const MAX_TRICK_KIB: u64 = 40 << 10;
/// Nothing here waits for longer than a second, but other tests have the processor as well.
const LONG: Duration = Duration::from_mins(2);

/// What a run of the program came to.
struct Outcome {
    /// By URL: `ok`, or the label of the error.
    polls: HashMap<String, String>,
    peak_kib: u64,
}

/// A process that is gone with the value, whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs the program until each of `feeds` feeds has been polled. Its log tells: there is no moment after its end at which
/// its memory could still be looked at.
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

/// A hundred good feeds, each with an entry that holds its own text.
struct Good(Vec<Server>);

impl Good {
    async fn start() -> Self {
        let mut servers = Vec::new();
        for host in 1..=GOOD_FEEDS / GOOD_FEEDS_ON_A_HOST {
            let server = Server::start_at(&format!("127.0.1.{host}:0")).await;
            server.handle(|request| {
                let content = Some(format!("<p>All is well at {}.</p>", request.path()));
                let item = Item { title: "Well".to_owned(), link: None, guid: "1".to_owned(), content };
                Reply::ok("application/rss+xml", rss(&[item]))
            });
            servers.push(server);
        }
        Self(servers)
    }

    fn urls(&self) -> impl Iterator<Item = Url> {
        self.0
            .iter()
            .flat_map(|server| (0..GOOD_FEEDS_ON_A_HOST).map(|number| server.url(&format!("/feed{number}"))))
    }
}

/// The tricks, ready to be played. Those that are silent for a second stand on hosts of their own, so that one second is
/// enough for all of them.
struct Bad {
    /// By name: where, what it ends in, and the options of its feed.
    tricks: Vec<(&'static str, Url, &'static str, &'static str)>,
    _servers: Vec<Server>,
}

impl Bad {
    async fn start() -> Self {
        let mut servers = vec![Server::start().await];
        // "On and on" leads ever deeper.
        servers[0].handle(|_| Reply::redirect(302, "x/"));
        let mut bad = Vec::new();
        for (number, (name, reply, label)) in tricks(MAX_BODY_BYTES).into_iter().enumerate() {
            let path = format!("/{number}/");
            let is_silent = label == "timeout";
            if is_silent {
                servers.push(Server::start_at(&format!("127.0.2.{}:0", servers.len())).await);
            }
            let server = if is_silent { servers.last() } else { servers.first() }.unwrap();
            server.respond(&path, reply);
            bad.push((name, server.url(&path), label, if is_silent { "timeout_secs = 1" } else { "" }));
        }
        Self { tricks: bad, _servers: servers }
    }
}

/// What the program makes of the good feeds, and of the tricks where there are any.
async fn polled(good: &Good, bad: Option<&Bad>, at_once: u8) -> Outcome {
    // All feeds are in hand from the first claim on: while the tricks last, the good ones are fetched.
    let mut mill = TestDaemon::new().host_concurrency(at_once).tables("[pipeline]\nfeed_concurrency = 400");
    let mut feeds = 0;
    for url in good.urls() {
        mill = mill.feed(&url);
        feeds += 1;
    }
    for (_, url, _, options) in bad.into_iter().flat_map(|bad| &bad.tricks) {
        mill = mill.feed_with(url, options);
        feeds += 1;
    }
    let config: PathBuf = mill.write_config();
    let outcome = tokio::task::spawn_blocking(move || run(&config, feeds)).await.unwrap();
    for url in good.urls() {
        assert_eq!(outcome.polls[url.as_str()], "ok", "{url}");
    }
    for (name, url, expected, _) in bad.into_iter().flat_map(|bad| &bad.tricks) {
        let label = outcome.polls[url.as_str()].as_str();
        // Where head and end of a body come at once, either may be said to be broken.
        let is_broken = |label: &str| matches!(label, "broken_answer" | "broken_body");
        assert!(label == *expected || (is_broken(label) && is_broken(expected)), "{name}: {label}");
    }
    outcome
}

#[test]
fn there_are_thirty_tricks_and_more() {
    let tricks = tricks(1);
    let names: std::collections::HashSet<_> = tricks.iter().map(|(name, ..)| name).collect();
    assert!(tricks.len() >= 30 && names.len() == tricks.len(), "{} tricks", tricks.len());
}

/// One after the other, so that what the process holds at most is what the worst of them costs, and the bar is the one for
/// a single bomb (25 MiB were seen). A process for each trick would say the same fifty times more slowly. Side by side,
/// those that fill a body up to its cap add up: that many caps more are allowed, and no more (42 MiB were seen).
#[tokio::test(flavor = "multi_thread")]
async fn tricks_cost_little_memory_while_a_hundred_good_feeds_go_on() {
    let (good, bad) = (Good::start().await, Bad::start().await);
    let before = polled(&good, None, 1).await;
    let one_by_one = polled(&good, Some(&bad), 1).await;
    let cost = one_by_one.peak_kib.saturating_sub(before.peak_kib);
    assert!(cost <= MAX_TRICK_KIB, "one at a time: {cost} KiB");

    let at_once = polled(&good, Some(&bad), 64).await;
    let fill_a_body = bad.tricks.iter().filter(|(_, _, label, _)| *label == "body_too_large").count() as u64;
    let cost = at_once.peak_kib.saturating_sub(before.peak_kib);
    let bar = MAX_TRICK_KIB + fill_a_body * (MAX_BODY_BYTES as u64 >> 10);
    assert!(cost <= bar, "{fill_a_body} fill a body side by side: {cost} KiB of {bar}");
}
