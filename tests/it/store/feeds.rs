//! Feeds: the list, the due ones, and poll results.

use std::time::Duration;

use feedmill::model::{DueFeed, FailureKind, FeedId, HostPause, Sha256Hash, Validators};
use feedmill::schedule::{Decision, History, NextPoll};
use feedmill::store::{
    FeedEdge, FeedOrder, FeedQuery, FeedState, FeedWindow, FeedsSync, NewEntry, PollRecord, PollReport,
    PollResult, Transfer,
};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{Bench, LEASE, feed_urls, new_entry, next, parsed, url};
use crate::support::database::start;

on_both!(
    a_sync_adds_restores_and_removes,
    processes_that_start_together_agree_on_the_feeds,
    fifty_thousand_feeds_are_synced_quickly,
    what_many_feeds_hold_is_found_like_what_few_do,
    a_title_is_found_as_it_is_written,
    feeds_are_claimed_once_and_longest_overdue_first,
    parties_have_their_feeds_claimed_in_turn,
    what_was_put_off_waits_for_its_moment_or_for_the_next_process,
    a_feed_that_is_lent_before_its_time_is_due_when_it_was,
    a_poll_is_recorded_whole_and_only_under_its_lease,
    validators_follow_what_came,
    a_gone_feed_is_polled_no_more,
    a_feed_that_is_configured_again_has_a_backlog_again,
    a_feed_with_two_thousand_entries,
    the_pauses_of_hosts_are_kept_until_they_are_over,
);

async fn a_sync_adds_restores_and_removes(bench: &Bench) {
    let urls = feed_urls(3);
    let spread = Duration::from_mins(10);
    let twice: Vec<Url> = urls.iter().chain(&urls).cloned().collect();
    let sync = bench.store.feeds_sync(&twice, spread).await.unwrap();
    assert_eq!(sync, FeedsSync { added: 3, restored: 0, removed: 0 });
    for feed in bench.store.feeds_list().await.unwrap() {
        let wait = feed.next_poll_at.duration_since(start());
        assert!(
            !wait.is_negative() && wait < SignedDuration::from_secs(3),
            "three feeds are polled soon: {wait}"
        );
    }
    let sync = bench.store.feeds_sync(&urls[..1], spread).await.unwrap();
    assert_eq!(sync, FeedsSync { added: 0, restored: 0, removed: 2 });
    assert_eq!(bench.store.totals().await.unwrap().feeds_active, 1);
    let sync = bench.store.feeds_sync(&urls[..2], spread).await.unwrap();
    assert_eq!(sync, FeedsSync { added: 0, restored: 1, removed: 0 });
    let states: Vec<FeedState> =
        bench.store.feeds_list().await.unwrap().iter().map(|feed| feed.state).collect();
    assert_eq!(states, [FeedState::Active, FeedState::Active, FeedState::Removed]);
}

async fn processes_that_start_together_agree_on_the_feeds(bench: &Bench) {
    const PROCESSES: usize = 4;
    let urls = feed_urls(500);
    let mut started = tokio::task::JoinSet::new();
    for _ in 0..PROCESSES {
        let store = bench.database.open(&bench.clock).await;
        let urls = urls.clone();
        started.spawn(async move {
            let synced = store.feeds_sync(&urls, Duration::ZERO).await;
            store.close().await;
            synced
        });
    }
    let added: u64 = started.join_all().await.into_iter().map(|synced| synced.unwrap().added).sum();
    assert_eq!(added, 500, "each feed is added by one of them");
    assert_eq!(bench.store.totals().await.unwrap().feeds_active, 500);
}

async fn fifty_thousand_feeds_are_synced_quickly(bench: &Bench) {
    let urls = feed_urls(50_000);
    let begun = std::time::Instant::now();
    let sync = bench.store.feeds_sync(&urls, Duration::from_hours(1)).await.unwrap();
    assert_eq!(sync.added, 50_000);
    let again = bench.store.feeds_sync(&urls, Duration::from_hours(1)).await.unwrap();
    assert_eq!(again, FeedsSync::default());
    let elapsed = begun.elapsed();
    eprintln!("two syncs of 50,000 feeds: {elapsed:?}");
    assert!(elapsed < Duration::from_mins(1), "{elapsed:?}");
}

async fn what_many_feeds_hold_is_found_like_what_few_do(bench: &Bench) {
    const FEEDS: usize = 6_000;
    let urls = feed_urls(FEEDS);
    bench.store.feeds_sync(&urls, Duration::from_mins(10)).await.unwrap();
    // Few matches are sorted, many are read along an index.
    for (part, holding) in [("EXAMPLE/5", 1_111), ("feeds.Example", FEEDS), ("nowhere", 0)] {
        for order in [FeedOrder::Address, FeedOrder::NextPoll, FeedOrder::Newest] {
            let (mut found, mut window) = (Vec::new(), FeedWindow::First);
            loop {
                let query = FeedQuery { part: part.to_owned(), order, window, ..FeedQuery::default() };
                let page = bench.store.feeds_page(&query, 2_000).await.unwrap();
                let Some(last) = page.feeds.last() else { break };
                window = FeedWindow::After(FeedEdge::of(last));
                found.extend(page.feeds);
                if !page.has_behind {
                    break;
                }
            }
            assert_eq!(found.len(), holding, "{part} {order:?}");
            let is_in_order = match order {
                FeedOrder::Address => found.is_sorted_by(|a, b| a.configured_url < b.configured_url),
                FeedOrder::NextPoll => {
                    found.is_sorted_by(|a, b| (a.next_poll_at, a.id.0) < (b.next_poll_at, b.id.0))
                }
                FeedOrder::Newest => found.is_sorted_by(|a, b| a.id.0 > b.id.0),
            };
            assert!(is_in_order, "{part} {order:?}");
        }
    }
}

async fn a_title_is_found_as_it_is_written(bench: &Bench) {
    bench.store.feeds_sync(&feed_urls(2), Duration::ZERO).await.unwrap();
    let title = "INSERT INTO feed_infos (feed_id, title, info, warnings) SELECT MIN(id), 'Ärzte im NETZ_1', '{}', '[]' FROM feeds";
    bench.database.execute(title).await;
    for (part, holding) in [("Ärzte", 1), ("netz_1", 1), ("netz%", 0), ("im netzx", 0)] {
        let query = FeedQuery { part: part.to_owned(), ..FeedQuery::default() };
        assert_eq!(bench.store.feeds_page(&query, 10).await.unwrap().feeds.len(), holding, "{part}");
    }
}

async fn feeds_are_claimed_once_and_longest_overdue_first(bench: &Bench) {
    bench.store.feeds_sync(&feed_urls(5), Duration::from_secs(1000)).await.unwrap();
    bench.pass(2000);
    let mut order: Vec<(Timestamp, FeedId)> =
        bench.store.feeds_list().await.unwrap().iter().map(|feed| (feed.next_poll_at, feed.id)).collect();
    order.sort_unstable();
    let order: Vec<FeedId> = order.into_iter().map(|(_, id)| id).collect();

    let first = bench.store.feeds_claim_due(LEASE, 2).await.unwrap();
    assert_eq!(first.iter().map(|feed| feed.id).collect::<Vec<_>>(), order[..2]);
    assert_eq!(first[0].lease.until, bench.clock.now() + SignedDuration::from_secs(300));
    assert_eq!(first[0].configured_url, first[0].url);
    let rest = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
    assert_eq!(rest.iter().map(|feed| feed.id).collect::<Vec<_>>(), order[2..]);
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), Some(first[0].lease.until));

    bench.store.feeds_release(&[(first[0].id, first[0].lease, bench.clock.now())]).await.unwrap();
    let again = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
    assert_eq!(again.iter().map(|feed| feed.id).collect::<Vec<_>>(), order[..1]);
    assert!(again[0].lease.epoch > first[0].lease.epoch);

    bench.pass(300);
    assert_eq!(bench.store.feeds_claim_due(LEASE, 10).await.unwrap().len(), 5, "leases end");
}

async fn parties_have_their_feeds_claimed_in_turn(bench: &Bench) {
    let mut urls: Vec<Url> = (0..300).map(|n| url(&format!("https://f{n}.many.example/"))).collect();
    bench.store.feeds_sync(&urls, Duration::ZERO).await.unwrap();
    bench.pass(60);
    urls.extend(["https://a.example/", "https://b.example/1", "https://feeds.b.example/2"].map(url));
    bench.store.feeds_sync(&urls, Duration::ZERO).await.unwrap();
    let of = |feeds: &[DueFeed], domain: &str| {
        feeds.iter().filter(|feed| feed.configured_url.host_str().unwrap().ends_with(domain)).count()
    };
    let give_back = async |feeds: Vec<DueFeed>| {
        let now = bench.clock.now();
        let feeds: Vec<_> = feeds.iter().map(|feed| (feed.id, feed.lease, now)).collect();
        bench.store.feeds_release(&feeds).await.unwrap();
    };
    // The feeds that have been due for longest all belong to one party.
    let first = bench.store.feeds_claim_due(LEASE, 4).await.unwrap();
    assert_eq!([of(&first, "many.example"), of(&first, "a.example"), of(&first, "b.example")], [2, 1, 1]);
    assert!(first[0].configured_url.host_str().unwrap().ends_with("many.example"), "its first comes first");
    give_back(first).await;
    // A store from before parties were recorded.
    bench.database.execute("UPDATE feeds SET party = 0").await;
    assert_eq!(of(&bench.store.feeds_claim_due(LEASE, 4).await.unwrap(), "many.example"), 4);
    assert_eq!(bench.store.feeds_sync(&urls, Duration::ZERO).await.unwrap(), FeedsSync::default());
    let second = bench.store.feeds_claim_due(LEASE, 5).await.unwrap();
    assert_eq!([of(&second, "a.example"), of(&second, "b.example")], [1, 2]);
    assert_eq!(bench.store.feeds_claim_due(LEASE, 1_000).await.unwrap().len(), 303 - 4 - 5);
}

async fn what_was_put_off_waits_for_its_moment_or_for_the_next_process(bench: &Bench) {
    bench.feeds(2).await;
    let later = start() + SignedDuration::from_secs(60);
    let due = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
    let put_off: Vec<_> = due.iter().map(|feed| (feed.id, feed.lease, later)).collect();
    bench.store.feeds_release(&put_off).await.unwrap();
    assert!(bench.store.feeds_claim_due(LEASE, 10).await.unwrap().is_empty());
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), Some(later));

    let lock = bench.store.lock_for_running().await.unwrap();
    let due = bench.store.feeds_claim_due(LEASE, 1).await.unwrap();
    let entry = new_entry("a", "https://site.example/a", "one");
    let poll = PollRecord::of(&due[0], start(), next(later), parsed(vec![entry]));
    bench.store.feed_polls_record(&[poll]).await.unwrap();
    let entries = bench.store.entries_claim(LEASE, 10).await.unwrap();
    bench.store.entries_release(&[(entries[0].id, entries[0].lease, later)]).await.unwrap();
    assert!(bench.store.entries_claim(LEASE, 10).await.unwrap().is_empty());

    drop(lock);
    let _lock = bench.store.lock_for_running().await.unwrap();
    assert_eq!(bench.store.entries_claim(LEASE, 10).await.unwrap().len(), 1);
    let due = bench.store.feeds_claim_due(LEASE, 10).await.unwrap();
    assert_eq!(due.len(), 1, "a schedule is no put-off: the feed that was polled is not due");
}

async fn a_feed_that_is_lent_before_its_time_is_due_when_it_was(bench: &Bench) {
    bench.feeds(1).await;
    let later = start() + SignedDuration::from_hours(2);
    let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    let poll = PollRecord {
        feed_id: feed.id,
        feed_url: feed.configured_url.clone(),
        lease: feed.lease,
        polled_at: start(),
        next: next(later),
        moved_to: None,
        transfer: Transfer::default(),
        result: parsed(Vec::new()),
    };
    bench.store.feed_polls_record(&[poll]).await.unwrap();
    let (delivered, due) = bench.store.feed_claim(feed.id, LEASE).await.unwrap().unwrap();
    assert_eq!(due, later);
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), Some(later));
    bench.store.feeds_release(&[(feed.id, delivered.lease, later)]).await.unwrap();
    let _lock = bench.store.lock_for_running().await.unwrap();
    assert!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().is_empty(), "given back, not put off");

    bench.store.feed_claim(feed.id, LEASE).await.unwrap().unwrap();
    bench.pass(301);
    assert!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().is_empty());
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), Some(later), "not at once, over and over");
}

async fn a_poll_is_recorded_whole_and_only_under_its_lease(bench: &Bench) {
    bench.feeds(1).await;
    let stale = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    bench.pass(301);
    let held = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    let record = |feed: &feedmill::model::DueFeed, at: Timestamp| PollRecord {
        feed_id: feed.id,
        feed_url: feed.configured_url.clone(),
        lease: feed.lease,
        polled_at: at,
        next: NextPoll {
            at: at + SignedDuration::from_secs(60),
            decided_by: Decision::Ttl,
            history: History { body_bytes: 125, ages_secs: vec![60, 90], ..History::default() },
        },
        moved_to: None,
        transfer: Transfer::default(),
        result: parsed(vec![
            new_entry("a", "https://site.example/a", "one"),
            new_entry("a", "https://site.example/b", "x"),
        ]),
    };
    let now = bench.clock.now();
    let reports = bench.store.feed_polls_record(&[record(&stale, now), record(&held, now)]).await.unwrap();
    assert_eq!(reports[0], None);
    assert_eq!(reports[1], Some(PollReport { new_entries: 1, updated_entries: 0 }));

    let feed = bench.store.feeds_list().await.unwrap().remove(0);
    assert_eq!(feed.title.as_deref(), Some("A feed"));
    assert_eq!(feed.last_polled_at, Some(now));
    assert_eq!(feed.last_success_at, Some(now));
    assert_eq!(feed.next_poll_decided_by, Some(Decision::Ttl));
    assert_eq!((feed.entries, feed.median_age_secs), (1, Some(90)));
    bench.pass(60);
    let due = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    assert_eq!(due.history.body_bytes, 125);
    assert_eq!(due.body_sha256, Some(Sha256Hash::of("body")));
    assert_eq!(due.validators.etag.as_deref(), Some("\"1\""));
}

async fn validators_follow_what_came(bench: &Bench) {
    bench.feeds(1).await;
    let etag = |etag: &str| Validators { etag: Some(etag.to_owned()), last_modified: None };
    let unchanged = |validators| PollResult::Unchanged { validators };
    let failed =
        || PollResult::Failed { kind: FailureKind::Timeout, reason: "no answer".to_owned(), gone: false };
    let new_url = url("https://new.example/feed");
    for (result, moved_to, expected) in [
        (parsed(Vec::new()), None, Some("\"1\"")),
        (unchanged(None), None, Some("\"1\"")),
        (unchanged(Some(etag("\"3\""))), None, Some("\"3\"")),
        (failed(), None, Some("\"3\"")),
        (unchanged(Some(etag("\"4\""))), Some(new_url.clone()), None),
        (parsed(Vec::new()), None, Some("\"1\"")),
        (parsed(Vec::new()), Some(url("https://newer.example/feed")), None),
    ] {
        let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
        let poll = PollRecord {
            feed_id: feed.id,
            feed_url: feed.configured_url.clone(),
            lease: feed.lease,
            polled_at: bench.clock.now(),
            next: next(bench.clock.now()),
            moved_to: moved_to.clone(),
            transfer: Transfer::default(),
            result: result.clone(),
        };
        let at = moved_to.unwrap_or(feed.url);
        bench.store.feed_polls_record(&[poll]).await.unwrap();
        let status = bench.store.feeds_list().await.unwrap().remove(0);
        let failed = matches!(result, PollResult::Failed { .. });
        assert_eq!(status.last_error.is_some(), failed, "{result:?}");
        assert_eq!(bench.store.totals().await.unwrap().feeds_failing, u64::from(failed));
        let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
        assert_eq!(feed.validators.etag.as_deref(), expected, "{result:?}");
        assert_eq!(feed.url, at);
        assert_eq!(feed.body_sha256.is_some(), expected.is_some(), "the body is forgotten with its URL");
        assert_eq!(feed.configured_url.as_str(), "https://feeds.example/0.xml");
        bench.store.feeds_release(&[(feed.id, feed.lease, bench.clock.now())]).await.unwrap();
    }
}

async fn a_gone_feed_is_polled_no_more(bench: &Bench) {
    bench.feeds(1).await;
    let feed = bench.store.feeds_claim_due(LEASE, 1).await.unwrap().remove(0);
    let poll = PollRecord {
        feed_id: feed.id,
        feed_url: feed.configured_url.clone(),
        lease: feed.lease,
        polled_at: start(),
        next: next(start()),
        moved_to: None,
        transfer: Transfer::default(),
        result: PollResult::Failed { kind: FailureKind::Http410, reason: "410 Gone".to_owned(), gone: true },
    };
    bench.store.feed_polls_record(&[poll]).await.unwrap();
    bench.pass(100_000);
    assert!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().is_empty());
    assert_eq!(bench.store.feeds_next_due().await.unwrap(), None);
    assert_eq!(bench.store.feeds_list().await.unwrap()[0].state, FeedState::Gone);
    bench.feeds(1).await;
    assert_eq!(
        bench.store.feeds_list().await.unwrap()[0].state,
        FeedState::Gone,
        "still configured is not anew"
    );
    bench.feeds(0).await;
    bench.feeds(1).await;
    assert_eq!(bench.store.feeds_claim_due(LEASE, 1).await.unwrap().len(), 1, "configured anew");
}

async fn a_feed_that_is_configured_again_has_a_backlog_again(bench: &Bench) {
    let read = async |key: &str| {
        bench.pass(60);
        bench.poll(|_| vec![new_entry(key, &format!("https://site.example/{key}"), "x")]).await;
        let entries = bench.store.entries_claim(LEASE, 10).await.unwrap();
        entries.iter().map(|entry| entry.is_backlog).collect::<Vec<bool>>()
    };
    bench.feeds(1).await;
    assert_eq!(read("at the first read").await, [true]);
    assert_eq!(read("news").await, [false]);
    bench.feeds(0).await;
    bench.feeds(1).await;
    assert_eq!(read("published while it was not configured").await, [true]);
    assert_eq!(read("news again").await, [false]);
}

async fn a_feed_with_two_thousand_entries(bench: &Bench) {
    bench.feeds(1).await;
    let entries: Vec<NewEntry> = (0..2_000)
        .map(|i| new_entry(&format!("key {i}"), &format!("https://site.example/{i}"), "text"))
        .collect();
    let reports = bench.poll(|_| entries.clone()).await;
    assert_eq!(reports, [PollReport { new_entries: 2_000, updated_entries: 0 }]);
    bench.pass(60);
    assert_eq!(bench.poll(|_| entries.clone()).await, [PollReport::default()]);
    assert_eq!(bench.store.totals().await.unwrap().entries_pending, 2_000);
    assert_eq!(bench.store.entries_claim(LEASE, 5_000).await.unwrap().len(), 2_000);
}

async fn the_pauses_of_hosts_are_kept_until_they_are_over(bench: &Bench) {
    let pause = |host: &str, secs: i64| HostPause {
        host: host.to_owned(),
        until: bench.clock.now() + SignedDuration::from_secs(secs),
    };
    let kept = async || {
        let mut pauses = bench.store.host_pauses().await.unwrap();
        pauses.sort_by(|one, other| one.host.cmp(&other.host));
        pauses
    };
    let (short, long) = (pause("a.example", 60), pause("b.example:8080", 600));
    bench.store.host_pauses_keep(&[short.clone(), long.clone()]).await.unwrap();
    assert_eq!(kept().await, [short.clone(), long.clone()]);
    let (longer, less) = (pause("a.example", 120), pause("b.example:8080", 1));
    bench.store.host_pauses_keep(&[longer.clone(), less]).await.unwrap();
    assert_eq!(kept().await, [longer.clone(), long.clone()], "the longer time counts");
    bench.pass(120);
    assert_eq!(kept().await, std::slice::from_ref(&long));
    bench.store.host_pauses_keep(&[pause("c.example", 5)]).await.unwrap();
    bench.pass(-60);
    assert!(!kept().await.contains(&longer), "what is over is forgotten");
}
