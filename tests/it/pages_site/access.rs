//! Access control: who may see the site and who may change something.

use super::{Bench, Mill, on_both};
use crate::support::daemon::TestDaemon;
use crate::support::server::Reply;
use crate::support::site::{Item, page, rss};

on_both!(where_there_are_tokens_a_browser_logs_in_with_one, without_tokens_the_site_is_read_only);

const TOKENS: &str = r#"tokens = [
    { name = "reader", secret = "the secret of the reader" },
    { name = "ada", role = "operator", secret = "the secret of the operator" },
]"#;

fn daemon(bench: &Bench) -> TestDaemon {
    let url = bench.server.url("/one");
    bench.server.respond("/feed", Reply::ok("application/rss+xml", rss(&[Item::new("One", &url)])));
    bench.server.respond("/one", Reply::ok("text/html", page("mooring")));
    bench.daemon().feed(&bench.server.url("/feed"))
}

/// Logs in and returns the cookie.
async fn log_in(mill: &Mill, token: &str) -> String {
    let form = format!("token={}&next=%2Ffeeds", token.replace(' ', "+"));
    let answer = mill.post("/login", &[], &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/feeds"), "{}", answer.body);
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn where_there_are_tokens_a_browser_logs_in_with_one(bench: &Bench) {
    let mill = Mill::start(daemon(bench).http(TOKENS)).await;
    let asked = mill.get("/feeds?q=a", &[]).await;
    assert_eq!((asked.status, asked.header("location")), (303, "/login?next=%2Ffeeds%3Fq%3Da"));
    let form = mill.page("/login?next=%2Ffeeds%3Fq%3Da%22%3E%3Cscript%3E").await;
    assert!(form.contains("value=\"/feeds?q=a&quot;&gt;&lt;script&gt;\""), "{form}");
    let refused = mill.post("/login", &[], "token=a+guess+at+the+secret&next=%2F").await;
    assert!(refused.status == 401 && refused.body.contains("Unknown token."), "{}", refused.body);
    assert_eq!(refused.header("set-cookie"), "");
    let elsewhere = "token=the+secret+of+the+reader&next=https%3A%2F%2Fevil.example%2F";
    assert_eq!(mill.post("/login", &[], elsewhere).await.header("location"), "/");

    let (reader, ada) =
        (log_in(&mill, "the secret of the reader").await, log_in(&mill, "the secret of the operator").await);
    let poll = "/feeds/1/poll";
    assert!(!mill.get("/feeds/1", &[("Cookie", &reader)]).await.body.contains(poll), "it only reads");
    let feed = mill.get("/feeds/1", &[("Cookie", &ada)]).await;
    assert!(feed.status == 200 && feed.body.contains(poll) && feed.body.contains("Log out"), "{}", feed.body);
    assert_eq!(mill.post(poll, &[], "").await.status, 401);
    assert_eq!(mill.post(poll, &[("Cookie", &reader)], "").await.status, 403);
    for foreign in [
        &[("Cookie", ada.as_str()), ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")][..],
        &[("Cookie", ada.as_str()), ("Sec-Fetch-Site", "same-site")],
        &[("Cookie", ada.as_str()), ("Origin", "http://127.0.0.1:1")],
        &[("Cookie", ada.as_str())],
    ] {
        let answer = mill.send("POST", poll, foreign, "").await;
        assert!(answer.status == 403 && answer.body.contains("sent by another site"), "{foreign:?}");
    }
    let polled = mill.post(poll, &[("Cookie", &ada)], "").await;
    assert_eq!((polled.status, polled.header("location")), (303, "/feeds/1"));
    let by_token = [("Authorization", "Bearer the secret of the reader")];
    assert_eq!(mill.get("/", &by_token).await.status, 200, "programs may look too");
    let left = mill.post("/logout", &[("Cookie", &ada)], "").await;
    assert!(left.status == 303 && left.header("set-cookie").contains("Max-Age=0"), "{left:?}");
    mill.stop().await;
}

async fn without_tokens_the_site_is_read_only(bench: &Bench) {
    let mill = Mill::start(daemon(bench)).await;
    let article = mill.daemon.records().await.remove(0).id;
    for path in [
        "/".to_owned(),
        "/feeds".to_owned(),
        "/feeds/1".to_owned(),
        format!("/articles/{article}"),
        "/sites".to_owned(),
        "/sites/127.0.0.1".to_owned(),
        "/search?q=mooring".to_owned(),
        "/login".to_owned(),
    ] {
        let answer = mill.get(&path, &[]).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        for landmark in
            ["<main id=\"main\"", "href=\"#main\"", "<nav aria-label=\"Pages\"", "<html lang=\"en\""]
        {
            assert!(answer.body.contains(landmark), "{path}: {landmark}");
        }
        assert!(!answer.body.contains("<script") && !answer.body.contains(" style="), "{path}");
        assert_eq!(answer.body.matches("<h1").count(), 1, "{path}");
    }
    let refused = mill.post("/feeds/1/poll", &[], "").await;
    assert!(refused.status == 403 && refused.body.contains("[http] tokens"), "{}", refused.body);
    let style = mill.get("/style.css", &[]).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    for nothing in ["/articles/none", "/feeds/77", "/feeds/x", "/sites/none.example"] {
        let answer = mill.get(nothing, &[]).await;
        assert!(answer.status == 404 && answer.header("content-type").starts_with("text/html"), "{nothing}");
    }
    for wrong in ["/feeds?health=ill", "/feeds?x=1", "/search?before=x", "/articles/none/diff?to=x"] {
        assert_eq!(mill.get(wrong, &[]).await.status, 400, "{wrong}");
    }
    mill.stop().await;
}
