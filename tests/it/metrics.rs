//! Metrics as the daemon records them. Each test has a recorder of its own: the tasks of a test's daemon run on the test's thread.

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// A feed whose items have these titles, paths and dates.
fn dated(server: &Server, items: &[(&str, &str, Option<&str>)]) -> Reply {
    let plain: Vec<Item> = items.iter().map(|(title, path, _)| Item::new(title, &server.url(path))).collect();
    let feed = items.iter().fold(rss(&plain), |feed, (title, _, date)| match date {
        Some(date) => {
            let title = format!("<title>{title}</title>");
            feed.replace(&title, &format!("{title}<pubDate>{date}</pubDate>"))
        }
        None => feed,
    });
    Reply::ok("application/rss+xml", feed)
}

#[tokio::test]
async fn ages_of_new_articles_and_times_of_polls_are_observed() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let count = |series: &str| {
        let text = handle.render();
        let value =
            text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse::<u64>().ok());
        value.unwrap_or_default()
    };
    let ages = || [count("feedmill_article_age_seconds_count"), count("feedmill_article_age_seconds_sum")];
    let polls =
        |outcome: &str| count(&format!("feedmill_feed_poll_duration_seconds_count{{outcome=\"{outcome}\"}}"));
    let server = Server::start().await;
    server.handle(|request| {
        let html = page(&format!("topic {}", request.path()));
        let stated = "<head><meta property=\"article:published_time\" content=\"2026-03-04T07:00:00Z\">";
        let html = if request.path() == "/stated" { html.replace("<head>", stated) } else { html };
        Reply::ok("text/html; charset=utf-8", html)
    });
    let old = ("Old", "/old", Some("Mon, 02 Mar 2026 07:00:00 GMT"));
    server.respond("/feed", dated(&server, &[old]));
    let daemon = TestDaemon::new().feed(&server.url("/feed")).open().await;

    daemon.once().await;

    assert_eq!(daemon.records().await.len(), 1);
    assert_eq!(ages(), [0, 0], "what a feed has when it is first read says nothing about the delay");
    assert_eq!(polls("parsed"), 1);

    daemon.advance(SignedDuration::from_hours(48));
    let new = [
        old,
        ("Announced", "/announced", Some("Wed, 04 Mar 2026 07:50:00 GMT")),
        ("Stated", "/stated", None),
        ("Ahead", "/ahead", Some("Wed, 04 Mar 2026 09:00:00 GMT")),
        ("Undated", "/undated", None),
    ];
    server.replace("/feed", dated(&server, &new));
    daemon.once().await;

    assert_eq!(daemon.records().await.len(), 5);
    assert_eq!(ages(), [3, 600 + 3_600]);
    assert_eq!((polls("parsed"), polls("unchanged"), polls("failed")), (2, 0, 0));

    daemon.advance(SignedDuration::from_hours(48));
    daemon.once().await;
    server.replace("/feed", Reply::status(500));
    daemon.advance(SignedDuration::from_hours(48));
    daemon.once().await;

    assert_eq!((polls("parsed"), polls("unchanged"), polls("failed")), (2, 1, 1));
    assert_eq!(ages(), [3, 4_200]);
}
