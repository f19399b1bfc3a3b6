use std::collections::HashSet;

use feedmill::model::Record;
use feedmill::schedule::Decision;
use jiff::{SignedDuration, Timestamp};

use super::{LONG, feed, item, mill, status, wait};
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::rss;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The wait decided after the last of these replies.
async fn wait_after(replies: Vec<Reply>, options: &str) -> (SignedDuration, Decision) {
    let server = Server::start().await;
    let count = replies.len();
    for reply in replies {
        server.respond("/feed", reply);
    }
    let mill = TestDaemon::new().feed_with(&server.url("/feed"), options).open().await;
    for poll in 1..=count {
        mill.once().await;
        assert_eq!(server.requests("/feed").len(), poll);
        if poll < count {
            mill.advance(LONG);
        }
    }
    wait(&mill).await
}

/// Returns whether `wait` is what was asked for, jitter included.
fn is_about(wait: SignedDuration, asked: SignedDuration) -> bool {
    wait >= asked && wait.as_secs() <= asked.as_secs() + asked.as_secs() / 10
}

fn tagged(reply: Reply) -> Reply {
    reply.header("ETag", "\"1\"")
}

#[tokio::test]
async fn b11_no_more_than_hourly_without_news_and_few_bytes_a_day() {
    let dated: String = (0..9)
        .map(|n| format!("<item><guid>{n}</guid><pubDate>Mon, 02 Mar 2026 07:5{n}:00 GMT</pubDate></item>"))
        .collect();
    let rss = |title: &str| format!("<rss><channel><title>{title}</title>{dated}</channel></rss>");
    let busy = Reply::ok("text/xml", rss("x"));
    let (conditional, _) = wait_after(vec![tagged(busy.clone())], "").await;
    assert!(conditional >= HOUR, "an entry a minute, and yet {conditional}");
    let (unconditional, decision) = wait_after(vec![busy], "").await;
    assert!(unconditional >= HOUR && decision == Decision::EntryRhythm, "{unconditional} {decision:?}");
    let heavy = Reply::ok("text/xml", rss(&"x".repeat(5 << 20)));
    let (unconditional, _) = wait_after(vec![heavy], "").await;
    assert_eq!(unconditional, DAY, "one poll takes more than may be sent in a day");
}

#[tokio::test]
async fn b12_a_restart_polls_nothing_early() {
    let server = Server::start().await;
    server.respond("/feed", tagged(feed("one")));
    let mut mill = mill(&server).await;
    mill.once().await;
    for _ in 0..3 {
        mill = mill.restarted().await;
        mill.advance(SignedDuration::from_mins(15));
        mill.once().await;
    }
    assert_eq!(server.requests("/feed").len(), 1);
}

#[tokio::test]
async fn b13_no_burst_at_subscription() {
    let server = Server::start().await;
    server.handle(|request| tagged(feed(request.path())));
    let mut test = TestDaemon::new().schedule("min_interval_secs = 3600");
    for number in 0..20 {
        test = test.feed(&server.url(&format!("/{number}")));
    }
    let mill = test.open().await;
    mill.once().await;
    mill.once().await;
    assert_eq!(server.all_requests().len(), 20, "one request a feed, and nothing else");
    let urls: HashSet<String> = server.all_requests().into_iter().map(|request| request.target).collect();
    assert_eq!(urls.len(), 20);
}

#[tokio::test]
async fn b14_b15_freshness_is_honoured() {
    let headers = |reply: Reply, lines: &[(&str, &str)]| {
        lines.iter().fold(tagged(reply), |reply, (name, value)| reply.header(name, value))
    };
    let five = ("Cache-Control", "public, max-age=18000");
    let date = ("Date", "Mon, 02 Mar 2026 06:00:00 GMT");
    let expires = ("Expires", "Mon, 02 Mar 2026 10:00:00 GMT");
    let hours = SignedDuration::from_hours;
    for (name, replies, asked) in [
        ("14 on 200", vec![headers(feed("one"), &[five])], Some(hours(5))),
        (
            "14 on 304",
            vec![tagged(feed("one")), headers(Reply::status(304), &[("Cache-Control", "max-age=72000")])],
            Some(hours(20)),
        ),
        ("15 less Age", vec![headers(feed("one"), &[five, ("Age", "7200")])], Some(hours(3))),
        ("15 Expires less Date", vec![headers(feed("one"), &[date, expires])], Some(hours(4))),
        ("15 max-age beats Expires", vec![headers(feed("one"), &[date, expires, five])], Some(hours(5))),
        ("15 no-cache", vec![headers(feed("one"), &[("Cache-Control", "no-cache, max-age=18000")])], None),
    ] {
        let (wait, decision) = wait_after(replies, "").await;
        match asked {
            Some(asked) => {
                assert!(is_about(wait, asked), "{name}: {wait}");
                assert_eq!(decision, Decision::CacheFreshness, "{name}");
            }
            None => assert_ne!(decision, Decision::CacheFreshness, "{name}"),
        }
    }
    let refused = headers(Reply::status(429), &[five]);
    let (wait, _) = wait_after(vec![refused], "").await;
    assert!(is_about(wait, hours(5)), "14 on 429: {wait}");
}

#[tokio::test]
async fn b16_retry_after_is_obeyed_and_capped() {
    let hours = SignedDuration::from_hours;
    for (status, value, asked) in [
        (429, "18000", hours(5)),
        (503, "18000", hours(5)),
        (429, "Mon, 02 Mar 2026 15:00:00 GMT", hours(7)),
        (503, "99999999", hours(48)),
    ] {
        let (wait, decision) = wait_after(vec![Reply::status(status).header("Retry-After", value)], "").await;
        assert!(is_about(wait, asked), "{status} {value}: {wait}");
        assert_eq!(decision, Decision::RetryAfter);
    }
    let server = Server::start().await;
    server.respond("/feed", Reply::status(429).header("Retry-After", "99999999"));
    let test = TestDaemon::new().schedule("max_retry_after_secs = 36000").feed(&server.url("/feed"));
    let mill = test.open().await;
    mill.once().await;
    assert_eq!(wait(&mill).await.0, hours(10), "the cap is the operator's");
}

#[tokio::test]
async fn b17_b19_failures_slow_down_and_are_forgiven() {
    let server = Server::start().await;
    server.respond("/feed", tagged(feed("one")));
    for status in [500, 404, 503, 500, 404, 403, 500, 502] {
        server.respond("/feed", Reply::status(status));
    }
    server.respond("/feed", tagged(feed("two")));
    let mill = mill(&server).await;
    mill.once().await;
    let (regular, _) = wait(&mill).await;
    mill.advance(LONG);
    for failures in 1..=8 {
        mill.once().await;
        let (next, decision) = wait(&mill).await;
        assert_eq!(decision, Decision::Backoff);
        let jitter = regular / 10;
        assert!(next + jitter >= regular && next <= DAY, "failure {failures}: {next}");
        mill.advance(LONG);
    }
    mill.once().await;
    let feed = status(&mill, "/feed").await;
    assert_eq!((feed.consecutive_failures, feed.last_error, feed.entries), (0, None, 2));
}

#[tokio::test]
async fn b18_a_pause_is_the_hosts_or_the_feeds() {
    for (setting, asked) in [("retry_after_pauses_host = true", 0), ("retry_after_pauses_host = false", 1)] {
        let server = Server::start().await;
        server.respond("/feed", Reply::status(429).header("Retry-After", "7200"));
        server.respond("/other", feed("one"));
        let elsewhere = Server::start_at("127.0.0.2:0").await;
        elsewhere.respond("/elsewhere", feed("two"));
        let mut mill = TestDaemon::new().fetch(setting).feed(&server.url("/feed")).open().await;
        mill.once().await;
        let urls = [server.url("/feed"), server.url("/other"), elsewhere.url("/elsewhere")];
        mill.advance(SignedDuration::from_mins(30));
        mill.reload(&urls.iter().collect::<Vec<_>>()).await.unwrap();
        mill.once().await;
        assert_eq!(server.requests("/other").len(), asked, "{setting}");
        assert_eq!(elsewhere.requests("/elsewhere").len(), 1, "other hosts are not concerned");
        let other = status(&mill, "/other").await;
        if asked == 0 {
            let wait = other.next_poll_at.duration_since(mill.now());
            assert_eq!((wait, other.last_error), (SignedDuration::from_mins(90), None), "nobody is blamed");
            mill = mill.restarted().await;
            mill.once().await;
            assert!(server.requests("/other").is_empty(), "the pause outlasts the process");
            mill.advance(SignedDuration::from_mins(91));
            mill.once().await;
            assert_eq!(server.requests("/other").len(), 1, "and ends");
        }
    }
}

#[tokio::test]
async fn b18_pages_wait_for_their_host_too() {
    let server = Server::start().await;
    let feeds = Server::start_at("127.0.0.2:0").await;
    server.respond("/busy", Reply::status(503).header("Retry-After", "3600"));
    server.respond("/busy", tagged(feed("busy")));
    server.respond("/page", Reply::ok("text/html", crate::support::site::page("mooring")));
    let link = |path: &str| crate::support::site::Item::new(path, &server.url(path));
    feeds.respond("/feed", tagged(Reply::ok("text/xml", rss(&[link("/page")]))));
    let mill = TestDaemon::new().feed(&server.url("/busy")).feed(&feeds.url("/feed")).open().await;
    // Polls both feeds: the answer of the busy one pauses the page's host.
    mill.daemon.step().await.unwrap();
    mill.once().await;
    let asked = server.requests("/page").len();
    let pending = mill.store().totals().await.unwrap().entries_pending;
    assert!(asked == 0 && pending == 1 || asked == 1 && pending == 0, "{asked} {pending}");
    mill.advance(SignedDuration::from_mins(61));
    mill.once().await;
    assert_eq!(server.requests("/page").len(), 1, "no failure was counted, and the page comes");
    // The busy feed may have been polled by then as well, and its entry is an article, too.
    let is_of_page = |record: &Record| record.url == server.url("/page");
    assert_eq!(mill.records().await.iter().filter(|record| is_of_page(record)).count(), 1);
}

/// A pause requested by a page is treated like one by a feed: it applies to the whole host, is capped, and outlasts the process.
#[tokio::test]
async fn b18_a_pages_pause_outlasts_the_process() {
    for (asked_secs, obeyed) in [("7200", SignedDuration::from_hours(2)), ("99999999", DAY * 2)] {
        let server = Server::start().await;
        let feeds = Server::start_at("127.0.0.2:0").await;
        server.respond("/one", Reply::status(503).header("Retry-After", asked_secs));
        server.respond("/one", Reply::status(404));
        server.respond("/own", tagged(feed("own")));
        server.handle(|request| Reply::ok("text/html", crate::support::site::page(request.path())));
        let link = |path: &str| crate::support::site::Item::new(path, &server.url(path));
        feeds.respond("/feed", tagged(Reply::ok("text/xml", rss(&[link("/one")]))));
        feeds.respond("/more", tagged(Reply::ok("text/xml", rss(&[link("/two")]))));
        let mill = TestDaemon::new().feed(&feeds.url("/feed")).open().await;
        mill.once().await;
        assert_eq!(server.requests("/one").len(), 1);

        // Another page of the host, and a feed on it that the earlier process did not know.
        let mut mill = mill.restarted().await;
        mill.reload(&[&feeds.url("/feed"), &feeds.url("/more"), &server.url("/own")]).await.unwrap();
        mill.once().await;
        mill.advance(obeyed - SignedDuration::from_mins(1));
        mill = mill.restarted().await;
        mill.once().await;
        assert_eq!((server.requests("/two").len(), server.requests("/own").len()), (0, 0), "{asked_secs}");
        mill.advance(SignedDuration::from_mins(2));
        mill.once().await;
        assert_eq!((server.requests("/two").len(), server.requests("/own").len()), (1, 1), "{asked_secs}");
        assert_eq!(status(&mill, "/own").await.last_error, None, "nobody is blamed");
    }
}

#[tokio::test]
async fn b18_a_pause_is_forgotten_where_the_operator_wants_none() {
    let server = Server::start().await;
    server.respond("/feed", Reply::status(429).header("Retry-After", "7200"));
    server.respond("/other", feed("one"));
    let mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    mill.once().await;
    assert_eq!(mill.store().host_pauses().await.unwrap().len(), 1);
    let mut mill = mill.restarted_with(|test| test.fetch("retry_after_pauses_host = false")).await;
    mill.reload(&[&server.url("/other")]).await.unwrap();
    mill.once().await;
    assert_eq!(server.requests("/other").len(), 1);
}

#[tokio::test]
async fn b20_feeds_drift_apart() {
    let server = Server::start().await;
    server.handle(|request| tagged(feed(request.path())));
    let mut test = TestDaemon::new();
    for number in 0..20 {
        test = test.feed(&server.url(&format!("/{number}")));
    }
    let mill = test.open().await;
    mill.once().await;
    let feeds = mill.store().feeds_list().await.unwrap();
    let moments: HashSet<_> = feeds.iter().map(|feed| feed.next_poll_at).collect();
    assert!(moments.len() > 15, "{} moments for 20 feeds", moments.len());
}

#[tokio::test]
async fn b21_the_feeds_own_wishes() {
    let channel = |wishes: &str| {
        let body = rss(&[item("one")]).replace("</description>", &format!("</description>{wishes}"));
        let body = body.replace("<rss ", "<rss xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\" ");
        tagged(Reply::ok("application/rss+xml", body))
    };
    let hours = SignedDuration::from_hours;
    let (wait, decision) = wait_after(vec![channel("<ttl>300</ttl>")], "").await;
    assert!(is_about(wait, hours(5)) && decision == Decision::Ttl, "{wait} {decision:?}");
    let period = "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>";
    let (wait, decision) = wait_after(vec![channel(period)], "").await;
    assert!(is_about(wait, hours(6)) && decision == Decision::UpdatePeriod, "{wait} {decision:?}");
    // The time is Monday, eight o'clock.
    let skipped: String = (9..=13).map(|hour| format!("<hour>{hour}</hour>")).collect();
    let (wait, decision) = wait_after(vec![channel(&format!("<skipHours>{skipped}</skipHours>"))], "").await;
    assert!(wait >= hours(6) && wait < hours(7) && decision == Decision::SkipTimes, "{wait} {decision:?}");
    let monday = "<skipDays><day>Monday</day></skipDays>";
    let (wait, decision) = wait_after(vec![channel(monday)], "").await;
    assert!(wait >= hours(16) && wait < hours(17) && decision == Decision::SkipTimes, "{wait} {decision:?}");
}

#[tokio::test]
async fn b22_a_far_expiry_is_capped_and_overridden() {
    let far = || tagged(feed("one")).header("Cache-Control", "max-age=31536000");
    let (wait, decision) = wait_after(vec![far()], "").await;
    assert_eq!((wait, decision), (DAY, Decision::MaxInterval));
    let (wait, decision) = wait_after(vec![far()], "interval_secs = 1800").await;
    assert!(is_about(wait, SignedDuration::from_mins(30)) && decision == Decision::FixedInterval, "{wait}");
}

/// A feed of entries that were published at these times.
fn published(times: &[Timestamp]) -> Reply {
    let entries = times.iter().map(|at| {
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT");
        format!("<item><guid>{at}</guid><title>{at}</title><pubDate>{date}</pubDate></item>")
    });
    Reply::ok("text/xml", format!("<rss><channel>{}</channel></rss>", entries.collect::<String>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_freshness_that_is_shown_is_the_one_that_was_reached() {
    const BETWEEN_POLLS: SignedDuration = SignedDuration::from_mins(70);
    let server = Server::start().await;
    let mill = TestDaemon::new().feed_with(&server.url("/feed"), "interval_secs = 3600").open().await;
    let shown = async || {
        let url = server.url("/feed");
        let output = feedmill(&mill.config_path(), &["feeds", "show", url.as_str()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let mut times = vec![mill.now() - SignedDuration::from_mins(1)];
    server.replace("/feed", published(&times));
    mill.once().await;
    assert!(!shown().await.contains("freshness"), "nothing has arrived since the first poll");

    // The age of each entry at the poll that brings it, in minutes. The last was published days ago, but was not in the feed at
    // the previous poll: it counts as 70 minutes old.
    for age in [5, 50, 12, 33, 8, 21, 5000] {
        mill.advance(BETWEEN_POLLS);
        times.push(mill.now() - SignedDuration::from_mins(age));
        server.replace("/feed", published(&times));
        mill.once().await;
    }
    assert_eq!(server.requests("/feed").len(), 8);
    let shown = shown().await;
    assert!(shown.contains("entries are first seen at an age of 21m (median)\n"), "{shown}");
}

/// A reload makes a feed due when its new settings would have it. A longer interval waits for the next poll, as does a pause that
/// the server asked for.
#[tokio::test]
async fn a_shorter_interval_acts_at_once_and_a_longer_one_at_the_next_poll() {
    for (before, shorter, exact) in [
        ("interval_secs = 86400", "interval_secs = 3600", true),
        ("min_interval_secs = 86400", "max_interval_secs = 3600", true),
        ("min_interval_secs = 86400", "min_interval_secs = 600", false),
        ("min_interval_secs = 86400", "freshness = \"5m\"", false),
    ] {
        let server = Server::start().await;
        server.respond("/feed", tagged(feed("one")));
        let mut mill = TestDaemon::new().feed_with(&server.url("/feed"), before).open().await;
        let asked = || server.requests("/feed").len();
        mill.once().await;
        mill.advance(HOUR);
        mill.once().await;
        assert_eq!(asked(), 1, "{before}");

        mill.reconfigure(|test| test.no_feeds().feed_with(&server.url("/feed"), shorter)).await;
        let wait = wait(&mill).await.0;
        assert!(wait < DAY / 2, "{shorter}: {wait}");
        assert!(!exact || wait.is_zero(), "{shorter}: {wait}, but it is an hour since the last poll");
        mill.advance(wait.max(SignedDuration::ZERO));
        mill.once().await;
        assert_eq!(asked(), 2, "{shorter}");
    }

    let server = Server::start().await;
    server.respond("/feed", tagged(feed("one")));
    let mut mill = TestDaemon::new().feed_with(&server.url("/feed"), "interval_secs = 3600").open().await;
    mill.once().await;
    let due = status(&mill, "/feed").await.next_poll_at;
    mill.reconfigure(|test| test.no_feeds().feed_with(&server.url("/feed"), "interval_secs = 86400")).await;
    assert_eq!(status(&mill, "/feed").await.next_poll_at, due, "it stays");
    mill.advance(HOUR + HOUR);
    mill.once().await;
    assert_eq!(server.requests("/feed").len(), 2);
    assert!(is_about(wait(&mill).await.0, DAY));

    for refusal in [Reply::status(429).header("Retry-After", "18000"), Reply::status(500)] {
        let server = Server::start().await;
        server.respond("/feed", refusal);
        let mut mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
        mill.once().await;
        let due = status(&mill, "/feed").await.next_poll_at;
        mill.reconfigure(|test| test.no_feeds().feed_with(&server.url("/feed"), "interval_secs = 600")).await;
        assert_eq!(status(&mill, "/feed").await.next_poll_at, due, "the server may have asked for it");
    }
}

/// Feeds that were spread by jitter stay spread.
#[tokio::test]
async fn a_reload_keeps_the_jitter() {
    for (before, after) in [
        ("", "max_interval_secs = 100000"),
        ("", "max_interval_secs = 172800"),
        ("interval_secs = 3600", "interval_secs = 3600\nmax_interval_secs = 172800"),
    ] {
        let server = Server::start().await;
        server.respond("/feed", tagged(feed("one")));
        let mut mill = TestDaemon::new().feed_with(&server.url("/feed"), before).open().await;
        mill.once().await;
        let decided = wait(&mill).await;
        mill.reconfigure(|test| test.no_feeds().feed_with(&server.url("/feed"), after)).await;
        assert_eq!(wait(&mill).await, decided, "{before:?} {after:?}");
    }

    let server = Server::start().await;
    server.respond("/feed", tagged(feed("one")));
    let mut mill = TestDaemon::new().feed_with(&server.url("/feed"), "interval_secs = 7200").open().await;
    mill.once().await;
    let long = wait(&mill).await.0;
    mill.reconfigure(|test| test.no_feeds().feed_with(&server.url("/feed"), "interval_secs = 3600")).await;
    let short = wait(&mill).await.0;
    // The store keeps milliseconds.
    assert!((long / 2 - short).abs() <= SignedDuration::from_millis(1), "{long} became {short}");
}
