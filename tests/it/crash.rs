//! kill -9 at any moment loses nothing and stores nothing twice.

use std::collections::{HashMap, HashSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feedmill::model::{ArticleId, Event, Record};
use tokio::sync::Notify;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const FEEDS: usize = 200;
const ENTRIES: usize = 3;
const KILLS: usize = 10;

/// Requests that a run may have answered before it is killed; those beyond hang, so that every run has work left to lose.
const SHARE: usize = 60;

/// Answers so many requests and tells when they are used up.
#[derive(Default)]
struct Allowance {
    left: AtomicUsize,
    used_up: Notify,
}

impl Allowance {
    fn take(&self) -> bool {
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if taken == Ok(1) {
            self.used_up.notify_one();
        }
        taken.is_ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_lose_nothing_and_store_nothing_twice() {
    let records = killed_again_and_again(|feed, entry| format!("quay {feed} {entry}")).await;
    assert!(records.iter().all(|record| record.duplicate_of.is_none()));
}

/// The first entries of all feeds tell ten stories, each with furniture of its own. A process that dies between an
/// article and its link leaves neither: whatever comes after links every copy.
#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_leave_no_copy_unlinked() {
    const STORIES: usize = 10;
    let records = killed_again_and_again(|feed, entry| match (entry, feed.parse::<usize>().unwrap()) {
        ("0", feed) => format!("story {}", feed % STORIES),
        (entry, feed) => format!("quay {feed} {entry}"),
    })
    .await;
    let mut clusters: HashMap<ArticleId, Vec<&Record>> = HashMap::new();
    for record in &records {
        clusters.entry(record.cluster_id).or_default().push(record);
    }
    let of_copies: Vec<_> = clusters.values().filter(|members| members.len() > 1).collect();
    assert_eq!(of_copies.len(), STORIES);
    for members in of_copies {
        assert_eq!(members.len(), FEEDS / STORIES);
        let originals: Vec<ArticleId> =
            members.iter().filter(|record| record.duplicate_of.is_none()).map(|record| record.id).collect();
        assert_eq!(originals, [members[0].cluster_id], "the first, and it alone");
        assert!(members[1..].iter().all(|copy| copy.duplicate_of == Some(originals[0])));
    }
}

/// What a mill has stored that was killed ten times while it read its feeds. `topic_of` is what an entry is about, by the
/// names of its feed and itself: its headline and its page speak of that.
async fn killed_again_and_again(
    topic_of: impl Fn(&str, &str) -> String + Send + Sync + 'static,
) -> Vec<Record> {
    let server = Server::start().await;
    let allowance = Arc::new(Allowance::default());
    let origin = server.url("/");
    let asked = Arc::clone(&allowance);
    server.handle(move |request| {
        if !asked.take() {
            return Reply::raw("").then_hang();
        }
        match request.path().strip_prefix("/feed/") {
            Some(feed) => {
                let items: Vec<Item> = (0..ENTRIES)
                    .map(|entry| {
                        Item::new(
                            &topic_of(feed, &entry.to_string()),
                            &origin.join(&format!("/page/{feed}/{entry}")).unwrap(),
                        )
                    })
                    .collect();
                Reply::ok("application/rss+xml", rss(&items))
            }
            None => match request.path().strip_prefix("/page/").and_then(|name| name.split_once('/')) {
                Some((feed, entry)) => {
                    let page = page(&topic_of(feed, entry)).replace("Home", &format!("Home of {feed}"));
                    Reply::ok("text/html", page)
                }
                None => Reply::status(404),
            },
        }
    });
    let mut daemon = TestDaemon::new();
    for feed in 0..FEEDS {
        daemon = daemon.feed(&server.url(&format!("/feed/{feed}")));
    }
    let config = daemon.write_config();

    // The kill comes while the last answers are being read, parsed and recorded.
    for kill in 0..KILLS {
        allowance.left.store(SHARE + 7 * kill % 13, Ordering::SeqCst);
        let mut run =
            feedmill(&config, &["once"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        allowance.used_up.notified().await;
        run.kill().unwrap();
        run.wait().unwrap();
    }
    allowance.left.store(usize::MAX, Ordering::SeqCst);
    let last = feedmill(&config, &["once"]).output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));

    let exported = feedmill(&config, &["export", "--format", "jsonl"]).output().unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let records: Vec<Record> = exported
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(records.len(), FEEDS * ENTRIES);
    assert!(records.iter().all(|record| record.event == Event::Created && record.revision == 1));
    let ids: HashSet<_> = records.iter().map(|record| record.id).collect();
    assert_eq!(ids.len(), FEEDS * ENTRIES, "every entry once");
    let originals = records.iter().filter(|record| record.duplicate_of.is_none()).count();
    assert_eq!(daemon.files().len(), originals, "every text once");
    records
}
