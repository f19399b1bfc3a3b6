//! Adding, pausing, resuming and removing feeds on the page of a running daemon.

use std::fs;
use std::path::PathBuf;

use url::Url;

use super::{Answer, Bench, on_both, send, words};
use crate::support::daemon::TestDaemon;
use crate::support::running::Running;
use crate::support::server::Reply;
use crate::support::site::rss;

on_both!(
    feeds_are_added_paused_resumed_and_removed_without_a_restart,
    only_what_is_in_the_file_of_added_feeds_is_changed,
    what_is_refused_says_what_to_do,
);

const TOKENS: &str = r#"tokens = [
    { name = "reader", secret = "the secret of the reader" },
    { name = "ada", role = "operator", secret = "the secret of the operator" },
]"#;
const ADA: (&str, &str) = ("Authorization", "Bearer the secret of the operator");
const OWN_PAGE: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

/// A running daemon with one feed in a `[[feed]]` table and one in a list.
struct Steered {
    running: Running,
    config: PathBuf,
    own: Url,
    listed: Url,
    _test: TestDaemon,
}

impl Steered {
    fn start(bench: &Bench) -> Self {
        let server = &bench.server;
        server.handle(|_| Reply::ok("text/xml", rss(&[])));
        let (own, listed) = (server.url("/own"), server.url("/listed"));
        let test = bench.daemon().feed(&own).http(TOKENS);
        let config = test.write_config();
        fs::write(config.with_file_name("list.txt"), format!("{listed}\n")).unwrap();
        let before = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("include = [\"list.txt\"]\n{before}")).unwrap();
        let running = tokio::task::block_in_place(|| Running::start(&config));
        Self { running, config, own, listed, _test: test }
    }

    /// Returns a page as the operator sees it.
    async fn page(&self, path: &str) -> String {
        let answer = send(self.running.address, "GET", path, &[ADA], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        send(self.running.address, "POST", path, &[ADA, OWN_PAGE], form).await
    }

    /// Adds a feed and returns the path of its page.
    async fn add(&self, url: &Url, tags: &str) -> String {
        let answer = self.post("/feeds", &form(url.as_str(), tags)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.header("location").to_owned()
    }

    async fn change(&self, feed: &str, change: &str) {
        let answer = self.post(&format!("{feed}/{change}"), "").await;
        assert_eq!((answer.status, answer.header("location")), (303, feed), "{}", answer.body);
    }

    /// Returns the path of the page of an existing feed.
    async fn feed(&self, url: &Url) -> String {
        let list = self.page(&format!("/feeds?q={}", url.path())).await;
        let row = list.split("<tr>").skip(1).find(|row| row.contains(url.path())).unwrap();
        format!("/feeds/{}", row.split("href=\"/feeds/").nth(1).unwrap().split('"').next().unwrap())
    }

    fn added(&self) -> PathBuf {
        self.config.with_file_name("added.toml")
    }
}

fn form(url: &str, tags: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("url", url)
        .append_pair("tags", tags)
        .finish()
}

fn stop(steered: Steered) -> String {
    tokio::task::block_in_place(|| steered.running.stop())
}

async fn feeds_are_added_paused_resumed_and_removed_without_a_restart(bench: &Bench) {
    let (server, new) = (&bench.server, bench.server.url("/new"));
    let mill = Steered::start(bench);
    let list = mill.page("/feeds").await;
    assert!(words(&list).contains(&format!("The feed is written to {}", mill.added().display())), "{list}");

    let feed = mill.add(&new, " sea, coast ,").await;
    server.arrived("/new", 1).await;
    let written = format!("[[feed]]\nurl = \"{new}\"\ntags = [\"sea\", \"coast\"]\n");
    assert_eq!(fs::read_to_string(mill.added()).unwrap(), written);
    let said = words(&mill.page(&feed).await);
    let place = format!("[[feed]] number 1 of {}", mill.added().display());
    for expected in [format!("Configured: {place}."), "Tags sea, coast".to_owned()] {
        assert!(said.contains(&expected), "{expected}: {said}");
    }

    mill.change(&feed, "pause").await;
    assert_eq!(fs::read_to_string(mill.added()).unwrap(), format!("{written}enabled = false\n"));
    let html = mill.page(&feed).await;
    let said = words(&html);
    assert!(said.contains("State paused") && said.contains("None: it is paused."), "{said}");
    assert!(html.contains(&format!("{feed}/resume")) && !html.contains(&format!("{feed}/pause")), "{html}");
    assert!(words(&mill.page("/feeds?health=removed").await).contains("/new paused 0"));
    let refused = mill.post(&format!("{feed}/poll"), "").await;
    assert_eq!(refused.status, 409, "{}", refused.body);

    mill.change(&feed, "resume").await;
    assert_eq!(fs::read_to_string(mill.added()).unwrap(), written);
    mill.change(&feed, "poll").await;
    server.arrived("/new", 2).await;

    mill.change(&feed, "remove").await;
    assert_eq!(fs::read_to_string(mill.added()).unwrap(), "");
    let said = words(&mill.page(&feed).await);
    assert!(said.contains("None: it is no longer configured."), "{said}");
    assert!(said.contains("Configured: no longer."), "{said}");
    assert_eq!(mill.add(&new, "").await, feed, "what is known of it is still there");
    let log = stop(mill);
    assert_eq!(log.matches("the new configuration is in force").count(), 5, "{log}");
    assert!(log.contains("\"by\":\"ada\""), "{log}");
}

async fn only_what_is_in_the_file_of_added_feeds_is_changed(bench: &Bench) {
    let mill = Steered::start(bench);
    let (own, listed) = (mill.feed(&mill.own).await, mill.feed(&mill.listed).await);

    let html = mill.page(&own).await;
    let place = format!("[[feed]] number 1 of {}", mill.config.display());
    assert!(words(&html).contains(&format!("Configured: {place}.")), "{html}");
    assert!(
        words(&html).contains("feedmill does not change that file") && !html.contains("/pause"),
        "{html}"
    );
    for (change, way_out) in [
        ("pause", "enabled = false there pauses it"),
        ("resume", "enabled = false there pauses it"),
        ("remove", "remove it where it is configured"),
    ] {
        let refused = mill.post(&format!("{own}/{change}"), "").await;
        let said = words(&refused.body);
        assert!(refused.status == 409 && said.contains(&place) && said.contains(way_out), "{said}");
    }
    assert!(!mill.added().exists());

    // A feed from a list is paused by a table of its own, which can be removed again.
    let html = mill.page(&listed).await;
    assert!(words(&html).contains("list.txt:1") && html.contains(&format!("{listed}/pause")), "{html}");
    let refused = mill.post(&format!("{listed}/remove"), "").await;
    assert!(refused.status == 409 && refused.body.contains("list.txt:1"), "{}", refused.body);
    mill.change(&listed, "pause").await;
    let said = words(&mill.page(&listed).await);
    assert!(said.contains("None: it is paused.") && said.contains("also named by a list"), "{said}");
    mill.change(&listed, "remove").await;
    let said = words(&mill.page(&listed).await);
    assert!(said.contains("State succeeding") && said.contains("list.txt:1"), "{said}");
    stop(mill);
}

async fn what_is_refused_says_what_to_do(bench: &Bench) {
    let mill = Steered::start(bench);
    let address = mill.running.address;
    let good = form(bench.server.url("/new").as_str(), "");
    let reader = ("Authorization", "Bearer the secret of the reader");
    for (headers, status, way_out) in [
        (&[OWN_PAGE][..], 401, "hint: log in"),
        (&[reader, OWN_PAGE], 403, "hint: set one in [http] tokens"),
        (&[ADA, ("Sec-Fetch-Site", "cross-site")], 403, "must pass on the Host header"),
        (&[ADA], 403, "must pass on the Host header"),
    ] {
        let refused = send(address, "POST", "/feeds", headers, &good).await;
        let said = words(&refused.body);
        assert!(refused.status == status && said.contains(way_out), "{headers:?}: {said}");
    }
    let seen = send(address, "GET", "/feeds", &[reader], "").await;
    assert!(seen.status == 200 && !seen.body.contains("Add a feed"), "{}", seen.body);
    let own = mill.own.as_str();
    for (url, status, way_out) in [
        ("", 400, "feedmill feeds discover SITE"),
        ("nowhere", 400, "feedmill feeds discover SITE"),
        ("ftp://a.example/feed", 400, "must begin with http"),
        ("https://ada:swordfish@a.example/feed", 400, "auth = { username, password }"),
        (own, 409, "[[feed]] number 1 of"),
    ] {
        let refused = mill.post("/feeds", &form(url, "")).await;
        let said = words(&refused.body);
        assert!(refused.status == status && said.contains(way_out), "{url}: {said}");
        assert!(!said.contains("swordfish"), "{said}");
    }
    assert_eq!(mill.post("/feeds/77/pause", "").await.status, 404);

    // A configuration file that has become invalid in the meantime is left unchanged.
    let text = fs::read_to_string(&mill.config).unwrap();
    fs::write(&mill.config, format!("{text}\n[fetch]\n")).unwrap();
    let refused = mill.post("/feeds", &good).await;
    assert!(refused.status == 409 && words(&refused.body).contains("feedmill.toml:"), "{}", refused.body);
    assert!(!mill.added().exists());

    // An `added_feeds` file that cannot be written, and none configured.
    fs::write(&mill.config, format!("added_feeds = \"nowhere/added.toml\"\n{text}")).unwrap();
    let refused = mill.post("/feeds", &good).await;
    let said = words(&refused.body);
    assert!(refused.status == 500 && said.contains("added_feeds may name another place"), "{said}");
    fs::write(&mill.config, format!("added_feeds = \"\"\n{text}")).unwrap();
    let refused = mill.post("/feeds", &good).await;
    assert!(refused.status == 409 && refused.body.contains("set added_feeds in the"), "{}", refused.body);
    assert!(bench.server.requests("/new").is_empty());
    stop(mill);
}
