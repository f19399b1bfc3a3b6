//! Feeds delivered by hubs: the hub is a scripted server, and its calls go through the real routes of the callback.

mod daemon;
mod ends;

use std::collections::HashMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http;
use feedmill::http::websub::router;
use feedmill::pipeline::websub::step;
use feedmill::schedule::Decision;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use sha2::Sha256;
use tower::ServiceExt as _;
use url::Url;

use super::{item, status, wait};
use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Request, Server};
use crate::support::site::rss;

const CALLBACK: &str = "https://feeds.example/hubs/";
/// The default cap on a feed's body.
const MAX_BODY_BYTES: usize = 16 << 20;
const WEEK: u64 = 7 * 86_400;
/// Longer than any test here takes.
const LONG: Duration = Duration::from_mins(2);

async fn mill(server: &Server) -> OpenedDaemon {
    subscribing(TestDaemon::new().feed(&server.url("/feed"))).open().await
}

/// Turns WebSub on.
fn subscribing(test: TestDaemon) -> TestDaemon {
    test.tables(&format!(
        "[websub]\ncallback_url = \"{CALLBACK}\"\nlisten = \"127.0.0.1:0\"\npoll_interval_secs = 43200"
    ))
}

/// Turns WebSub off again.
fn not_subscribing(test: TestDaemon) -> TestDaemon {
    test.no_tables().tables("[websub]\nlisten = \"127.0.0.1:0\"")
}

/// A feed with these titles and, in its channel, these links.
fn feed(titles: &[&str], links: &str) -> Reply {
    let items: Vec<_> = titles.iter().map(|title| item(title)).collect();
    let body = rss(&items).replace("</description>", &format!("</description>{links}"));
    let body = body.replace("<rss ", "<rss xmlns:atom=\"http://www.w3.org/2005/Atom\" ");
    Reply::ok("application/rss+xml", body).header("ETag", "\"1\"")
}

fn link(rel: &str, href: &Url) -> String {
    format!("<atom:link rel=\"{rel}\" href=\"{href}\"/>")
}

/// Decodes the form sent to the hub.
fn form(request: &Request) -> HashMap<String, String> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

/// A daemon whose feed names the hub `/hub`, to which a request has been sent.
async fn asked(server: &Server) -> (OpenedDaemon, HashMap<String, String>) {
    server.respond("/feed", feed(&["one"], &link("hub", &server.url("/hub"))));
    server.respond("/hub", Reply::status(202));
    let mill = mill(server).await;
    mill.once().await;
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 1);
    let form = form(&server.requests("/hub")[0]);
    (mill, form)
}

/// The path of the callback given to the hub.
fn path(form: &HashMap<String, String>) -> String {
    form["hub.callback"].parse::<Url>().unwrap().path().to_owned()
}

async fn call(mill: &OpenedDaemon, request: http::Request<Body>) -> (u16, String) {
    let response = router(mill.daemon.shared().clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(mill: &OpenedDaemon, path: &str, query: &[(&str, &str)]) -> (u16, String) {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let request = http::Request::get(format!("{path}?{query}")).body(Body::empty()).unwrap();
    call(mill, request).await
}

async fn verify(
    mill: &OpenedDaemon,
    form: &HashMap<String, String>,
    topic: &str,
    lease: u64,
) -> (u16, String) {
    verify_mode(mill, "subscribe", form, topic, lease).await
}

/// Sends the hub's verification of an unsubscription.
async fn verify_end(mill: &OpenedDaemon, form: &HashMap<String, String>, topic: &str) -> (u16, String) {
    verify_mode(mill, "unsubscribe", form, topic, WEEK).await
}

async fn verify_mode(
    mill: &OpenedDaemon,
    mode: &str,
    form: &HashMap<String, String>,
    topic: &str,
    lease: u64,
) -> (u16, String) {
    let lease = lease.to_string();
    let query = [
        ("hub.mode", mode),
        ("hub.topic", topic),
        ("hub.challenge", "a <b>challenge</b> & more"),
        ("hub.lease_seconds", &lease),
    ];
    get(mill, &path(form), &query).await
}

fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

async fn deliver(mill: &OpenedDaemon, path: &str, signature: Option<&str>, body: &str) -> u16 {
    let request = http::Request::post(path).header("Content-Type", "application/rss+xml");
    let request = signature.into_iter().fold(request, |request, it| request.header("X-Hub-Signature", it));
    call(mill, request.body(Body::from(body.to_owned())).unwrap()).await.0
}

#[tokio::test]
async fn b36_a_hub_is_found_and_the_header_wins() {
    let atom = |links: &str| {
        Reply::ok(
            "application/atom+xml",
            format!(
                "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>x</title>{links}\
            <entry><id>1</id><title>one</title></entry></feed>"
            ),
        )
    };
    let server = Server::start().await;
    let (hub, other) = (server.url("/hub"), server.url("/other"));
    let header = |reply: Reply| reply.header("Link", format!("<{hub}>; rel=\"hub\", </named>; rel=self"));
    for (name, reply, topic) in [
        ("header", header(feed(&["one"], "")), "/named"),
        ("RSS", feed(&["one"], &link("hub", &hub)), "/feed"),
        ("Atom", atom(&format!("<link rel=\"hub\" href=\"{hub}\"/>")), "/feed"),
        (
            "JSON Feed",
            Reply::ok(
                "application/feed+json",
                format!(
                    "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"x\",\"items\":[{{\"id\":\"1\",\"content_text\":\"one\"}}],\
            \"hubs\":[{{\"type\":\"WebSub\",\"url\":\"{hub}\"}}]}}"
                ),
            ),
            "/feed",
        ),
        (
            "the header before the feed",
            header(feed(&["one"], &(link("hub", &other) + &link("self", &other)))),
            "/named",
        ),
    ] {
        server.replace("/feed", reply);
        server.replace("/hub", Reply::status(202));
        let before = server.requests("/hub").len();
        let mill = mill(&server).await;
        mill.once().await;
        step(mill.daemon.shared()).await.unwrap();
        let requests = server.requests("/hub");
        assert_eq!(requests.len(), before + 1, "{name}");
        let request = requests.last().unwrap();
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        let form = form(request);
        assert_eq!(form["hub.topic"], server.url(topic).as_str(), "{name}");
        assert_eq!((form["hub.mode"].as_str(), form["hub.lease_seconds"].as_str()), ("subscribe", "864000"));
        assert_eq!(form["hub.secret"].len(), 64);
    }
    assert!(server.requests("/other").is_empty());
}

#[tokio::test]
async fn b36_without_a_callback_no_hub_is_asked() {
    let server = Server::start().await;
    server.respond("/feed", feed(&["one"], &link("hub", &server.url("/hub"))));
    let mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    mill.once().await;
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 0);
    assert!(server.requests("/hub").is_empty());
}

#[tokio::test]
async fn b37_the_feeds_own_name_is_the_topic() {
    let server = Server::start().await;
    let own = server.url("/canonical.xml");
    server.respond("/feed", feed(&["one"], &(link("hub", &server.url("/hub")) + &link("self", &own))));
    server.respond("/hub", Reply::status(202));
    let mill = mill(&server).await;
    mill.once().await;
    step(mill.daemon.shared()).await.unwrap();
    assert_eq!(form(&server.requests("/hub")[0])["hub.topic"], own.as_str());
    assert!(server.requests("/canonical.xml").is_empty(), "it is a name, and nothing is asked of it");
}

#[tokio::test]
async fn b38_topics_and_hubs_redirect() {
    let server = Server::start().await;
    server.respond("/feed", Reply::redirect(302, "/real"));
    server.respond("/real", feed(&["one"], &link("hub", &server.url("/hub"))));
    server.respond("/hub", Reply::redirect(307, "/hub2"));
    server.respond("/hub2", Reply::redirect(308, "/hub3"));
    server.respond("/hub3", Reply::status(202));
    let mill_of_many = mill(&server).await;
    mill_of_many.once().await;
    step(mill_of_many.daemon.shared()).await.unwrap();
    let last = server.requests("/hub3").remove(0);
    assert_eq!(
        (last.method.as_str(), form(&last)["hub.topic"].as_str()),
        ("POST", server.url("/real").as_str())
    );

    for (redirect, reached) in
        [(Reply::redirect(302, "/elsewhere"), 0), (Reply::redirect(307, "http://10.0.0.1/"), 0)]
    {
        let server = Server::start().await;
        server.respond("/feed", feed(&["one"], &link("hub", &server.url("/hub"))));
        server.respond("/hub", redirect);
        let mill = mill(&server).await;
        mill.once().await;
        step(mill.daemon.shared()).await.unwrap();
        assert_eq!(
            server.requests("/elsewhere").len(),
            reached,
            "a POST does not become a GET, nor goes inside"
        );
        assert_eq!(status(&mill, "/feed").await.delivered_until, None);
    }
}

#[tokio::test]
async fn b39_a_wrong_topic_is_refused() {
    let server = Server::start().await;
    let (mill, form) = asked(&server).await;
    let topic = form["hub.topic"].clone();
    let wrong = verify(&mill, &form, "https://feeds.example/other", WEEK).await;
    assert_eq!(wrong, (404, String::new()));
    assert_eq!(status(&mill, "/feed").await.delivered_until, None);
    for query in
        [&[("hub.mode", "unsubscribe")][..], &[("hub.mode", "subscribe"), ("hub.topic", &topic)], &[]]
    {
        assert_eq!(get(&mill, &path(&form), query).await.0, 404, "{query:?}");
    }
    assert_eq!(verify(&mill, &form, &topic, WEEK).await, (200, "a <b>challenge</b> & more".to_owned()));
    let until = status(&mill, "/feed").await.delivered_until.unwrap();
    assert_eq!(until.duration_since(mill.now()), SignedDuration::from_hours(7 * 24));
}

#[tokio::test]
async fn b40_a_callback_cannot_be_guessed() {
    let server = Server::start().await;
    let (mill, form) = asked(&server).await;
    let token = form["hub.callback"].strip_prefix(CALLBACK).unwrap();
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    assert_ne!(token, form["hub.secret"]);
    let other = Server::start().await;
    assert_ne!(asked(&other).await.1["hub.callback"], form["hub.callback"]);
    let guess = format!("/hubs/{}", "0".repeat(64));
    let query =
        [("hub.mode", "subscribe"), ("hub.topic", form["hub.topic"].as_str()), ("hub.challenge", "x")];
    assert_eq!(get(&mill, &guess, &query).await.0, 404);
    assert_eq!(deliver(&mill, &guess, Some("sha256=00"), "x").await, 410);
    for path in ["/metrics", "/readyz", "/v1/articles", "/"] {
        assert_eq!(get(&mill, path, &[]).await, (404, String::new()), "{path} is not for the public");
    }
}

#[tokio::test]
async fn b41_only_what_is_signed_is_taken() {
    let server = Server::start().await;
    let (mill, form) = asked(&server).await;
    verify(&mill, &form, &form["hub.topic"], WEEK).await;
    let before = status(&mill, "/feed").await;
    let (path, secret) = (path(&form), &form["hub.secret"]);
    let body = rss(&[item("brand new")]);
    let right = signature(secret, &body);
    let other_key = signature("another", &body);
    for wrong in [None, Some(other_key.as_str()), Some("sha256="), Some(&right[7..]), Some("md5=00")] {
        assert_eq!(deliver(&mill, &path, wrong, &body).await, 403, "{wrong:?}");
    }
    assert_eq!(deliver(&mill, &path, Some(&right), &body.replace("brand", "other")).await, 403);
    assert_eq!(status(&mill, "/feed").await.entries, 1, "nothing was stored");
    let large = "x".repeat(MAX_BODY_BYTES + 1);
    assert_eq!(deliver(&mill, &path, Some(&right), &large).await, 413);

    // A subscription outlasts the process.
    let mill = mill.restarted().await;
    assert_eq!(deliver(&mill, &path, Some(&right), &body).await, 202);
    assert_eq!(deliver(&mill, &path, Some(&right), &body).await, 202, "twice is no harm");
    assert_eq!(
        deliver(&mill, &path, Some(&signature(secret, "<html>")), "<html>").await,
        202,
        "no feed, no harm"
    );
    let after = status(&mill, "/feed").await;
    assert_eq!((after.entries, after.next_poll_at), (2, before.next_poll_at), "and the next poll stays");
    assert_eq!((after.title, after.last_polled_at), (before.title, before.last_polled_at));
    mill.once().await;
    let titles: Vec<Option<String>> =
        mill.records().await.iter().map(|record| record.feeds[0].entry_title.clone()).collect();
    assert_eq!(titles, [Some("one".to_owned()), Some("brand new".to_owned())]);
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    assert_eq!(server.requests("/feed")[1].header("if-none-match"), Some("\"1\""), "a poll asks as before");
}

#[tokio::test]
async fn b41_a_delivery_waits_for_the_poll_in_hand() {
    let server = Server::start().await;
    let (mill, form) = asked(&server).await;
    verify(&mill, &form, &form["hub.topic"], WEEK).await;
    mill.advance(SignedDuration::from_hours(25));
    let lease = Duration::from_mins(5);
    let held = mill.store().feeds_claim_due(lease, 1).await.unwrap().remove(0);
    let body = rss(&[item("brand new")]);
    let right = signature(&form["hub.secret"], &body);
    assert_eq!(deliver(&mill, &path(&form), Some(&right), &body).await, 503, "the hub comes again");
    mill.store().feeds_release(&[(held.id, held.lease, mill.now())]).await.unwrap();
    assert_eq!(deliver(&mill, &path(&form), Some(&right), &body).await, 202);
}

#[tokio::test]
async fn b42_leases_are_renewed_and_polling_never_stops() {
    let server = Server::start().await;
    let (mill, form_of_first) = asked(&server).await;
    verify(&mill, &form_of_first, &form_of_first["hub.topic"], WEEK).await;
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    let (slow, decision) = wait(&mill).await;
    assert!(slow >= SignedDuration::from_hours(12) && decision == Decision::Delivered, "{slow} {decision:?}");
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 0, "not before half of the lease");
    mill.advance(SignedDuration::from_hours(60));
    let mill = mill.restarted().await;
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 1);
    let renewal = form(&server.requests("/hub")[1]);
    assert_eq!(renewal["hub.callback"], form_of_first["hub.callback"], "the same subscription");
    verify(&mill, &renewal, &renewal["hub.topic"], WEEK).await;
    let until = status(&mill, "/feed").await.delivered_until.unwrap();
    assert_eq!(until.duration_since(mill.now()), SignedDuration::from_hours(7 * 24));

    // The hub stops answering: when the lease expires, the feed is polled like any other.
    mill.advance(SignedDuration::from_hours(8 * 24));
    mill.once().await;
    let (regular, decision) = wait(&mill).await;
    assert!(decision != Decision::Delivered, "{regular} {decision:?}");
    assert!(step(mill.daemon.shared()).await.unwrap() == 1, "and the hub is asked again");
}

#[tokio::test]
async fn b42_a_denied_feed_is_polled() {
    let server = Server::start().await;
    let (mill, form) = asked(&server).await;
    verify(&mill, &form, &form["hub.topic"], WEEK).await;
    let denial = |topic| [("hub.mode", "denied"), ("hub.topic", topic), ("hub.reason", "no room")];
    assert_eq!(get(&mill, &path(&form), &denial("https://x.example/")).await.0, 404);
    assert!(status(&mill, "/feed").await.delivered_until.is_some());
    assert_eq!(get(&mill, &path(&form), &denial(&form["hub.topic"])).await.0, 200);
    assert_eq!(status(&mill, "/feed").await.delivered_until, None);
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    assert_ne!(wait(&mill).await.1, Decision::Delivered);
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 0, "a no is a no for a week");
}

#[tokio::test]
async fn b42_another_hub_or_none_begins_anew() {
    let server = Server::start().await;
    let (mill, form_of_first) = asked(&server).await;
    verify(&mill, &form_of_first, &form_of_first["hub.topic"], WEEK).await;
    server.replace("/feed", feed(&["one", "two"], &link("hub", &server.url("/hub2"))));
    server.respond("/hub2", Reply::status(202));
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    step(mill.daemon.shared()).await.unwrap();
    let second = form(&server.requests("/hub2")[0]);
    assert_ne!(second["hub.callback"], form_of_first["hub.callback"]);
    assert_eq!(deliver(&mill, &path(&form_of_first), None, "x").await, 410, "the old hub may forget us");
    server.replace("/feed", feed(&["one", "two", "three"], ""));
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    assert_eq!(deliver(&mill, &path(&second), None, "x").await, 410);
}

/// A web page in place of a feed: its links would make the page the topic, but a page is not a feed.
#[tokio::test]
async fn b36_a_page_names_no_hub() {
    let server = Server::start().await;
    let page = format!(
        "<!DOCTYPE html><html><head><link rel=\"hub\" href=\"{}\"><link rel=\"self\" href=\"/feed\"></head>\
         <body><p>No feed.</p></body></html>",
        server.url("/hub")
    );
    server.respond("/feed", Reply::ok("text/html", page));
    let mill = mill(&server).await;
    mill.once().await;
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 0);
    assert!(server.requests("/hub").is_empty());
    assert!(status(&mill, "/feed").await.last_error.is_some());
}

#[tokio::test]
async fn a_lease_of_a_clock_that_was_ahead_is_renewed() {
    let server = Server::start().await;
    let (mill, form) = asked(&server).await;
    mill.advance(SignedDuration::from_hours(10 * 365 * 24));
    verify(&mill, &form, &form["hub.topic"], WEEK).await;
    mill.advance(SignedDuration::from_hours(-10 * 365 * 24));
    mill.once().await;
    assert!(
        status(&mill, "/feed").await.delivered_until.is_none_or(|until| until <= mill.now()),
        "it is polled meanwhile"
    );
    assert_eq!(step(mill.daemon.shared()).await.unwrap(), 1);
    assert_eq!(server.requests("/hub").len(), 2, "and the hub is asked again");
}
