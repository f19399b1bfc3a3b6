//! Hubs that call a running daemon at the hub listener.

use std::net::SocketAddr;
use std::sync::Arc;

use feedmill::lifecycle::Lifecycle;
use feedmill::pipeline::websub::step;
use feedmill::schedule::Decision;
use feedmill::store::FeedStatus;
use feedmill::telemetry::metrics::Metrics;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{LONG, WEEK, asked, feed, form, link, mill, not_subscribing, path, signature, verify};
use crate::polling::{item, status};
use crate::support::daemon::OpenedDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::rss;

/// Sends one call of a hub over its own connection, as a proxy in front of the listener forwards it.
async fn call_over_tcp(address: SocketAddr, request: String) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn get_over_tcp(address: SocketAddr, path: &str, query: &[(&str, &str)]) -> (u16, String) {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let head = format!("GET {path}?{query} HTTP/1.1\r\nHost: feeds.example\r\nConnection: close\r\n\r\n");
    call_over_tcp(address, head).await
}

async fn deliver_over_tcp(address: SocketAddr, path: &str, signature: &str, body: &str) -> u16 {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: feeds.example\r\nConnection: close\r\nContent-Type: application/rss+xml\r\n\
         X-Hub-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    call_over_tcp(address, request).await.0
}

/// Waits until the status of the feed at `/feed` satisfies `is_right`.
async fn until(mill: &OpenedDaemon, is_right: impl Fn(&FeedStatus) -> bool) -> FeedStatus {
    let wait = async {
        loop {
            let status = status(mill, "/feed").await;
            if is_right(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("the feed gets there")
}

/// The daemon as it runs, with its own listener and loop, and a hub that goes through all its requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_is_delivered_to_by_a_hub() {
    let server = Server::start().await;
    server.respond("/feed", feed(&["one"], &link("hub", &server.url("/hub"))));
    server.respond("/hub", Reply::status(202));
    let mut mill = mill(&server).await;
    let lifecycle = Lifecycle::new(LONG);
    let addresses = Arc::clone(&mill.daemon).start(&lifecycle, Metrics::install()).await.unwrap();
    let (hubs, surface) = (addresses.hubs.unwrap(), addresses.http.unwrap());
    assert_ne!(hubs, surface);

    // Subscription.
    server.arrived("/hub", 1).await;
    let form_of_first = form(&server.requests("/hub")[0]);
    let (topic, secret) = (form_of_first["hub.topic"].clone(), form_of_first["hub.secret"].clone());
    let path = path(&form_of_first);
    let verification = [
        ("hub.mode", "subscribe"),
        ("hub.topic", topic.as_str()),
        ("hub.challenge", "really?"),
        ("hub.lease_seconds", "604800"),
    ];
    assert_eq!(get_over_tcp(hubs, &path, &verification).await, (200, "really?".to_owned()));
    let until_first = until(&mill, |feed| feed.delivered_until.is_some()).await.delivered_until;

    // Delivery by the hub alone.
    let news = rss(&[item("brand new")]);
    assert_eq!(deliver_over_tcp(hubs, &path, &signature("a guess", &news), &news).await, 403);
    assert_eq!(deliver_over_tcp(hubs, &path, &signature(&secret, &news), &news).await, 202);
    until(&mill, |feed| feed.entries == 2).await;
    assert_eq!(get_over_tcp(hubs, "/metrics", &[]).await.0, 404, "the surface is another door");
    assert_eq!(get_over_tcp(surface, "/healthz", &[]).await, (200, "ok\n".to_owned()));
    assert_eq!(server.requests("/feed").len(), 1, "nothing was polled for it");

    // Renewal.
    mill.advance(SignedDuration::from_hours(4 * 24));
    mill.daemon.shared().hubs_found.notify_one();
    server.arrived("/hub", 2).await;
    assert_eq!(form(&server.requests("/hub")[1])["hub.callback"], form_of_first["hub.callback"]);
    assert_eq!(get_over_tcp(hubs, &path, &verification).await.0, 200);
    until(&mill, |feed| feed.delivered_until > until_first).await;

    // Denial: the feed is polled like any other.
    let denial = [("hub.mode", "denied"), ("hub.topic", topic.as_str())];
    assert_eq!(get_over_tcp(hubs, &path, &denial).await.0, 200);
    until(&mill, |feed| feed.delivered_until.is_none()).await;
    mill.advance(SignedDuration::from_hours(4 * 24));
    mill.reload(&[&server.url("/feed")]).await.unwrap();
    let now = mill.now();
    let polled = until(&mill, |feed| feed.last_polled_at == Some(now)).await;
    assert_ne!(polled.next_poll_decided_by, Some(Decision::Delivered));
    assert_eq!(server.requests("/hub").len(), 2, "a no is a no");

    lifecycle.stop_soft();
    assert!(lifecycle.wait().await.is_clean());
}

/// WebSub is off, but a hub must still be able to verify the unsubscription from a confirmed lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_listens_to_hubs_until_all_is_ended() {
    let server = Server::start().await;
    let (mill, form_of_first) = asked(&server).await;
    let topic = form_of_first["hub.topic"].clone();
    verify(&mill, &form_of_first, &topic, WEEK).await;
    let mill = mill.restarted_with(not_subscribing).await;
    let lifecycle = Lifecycle::new(LONG);
    let daemon = Arc::clone(&mill.daemon);
    let addresses = daemon.start(&lifecycle, Metrics::install()).await.unwrap();
    server.arrived("/hub", 2).await;
    let last = form(&server.requests("/hub")[1]);
    assert_eq!(last["hub.mode"], "unsubscribe");
    let verification =
        [("hub.mode", "unsubscribe"), ("hub.topic", topic.as_str()), ("hub.challenge", "really?")];
    let answer = get_over_tcp(addresses.hubs.unwrap(), &path(&last), &verification).await;
    assert_eq!(answer, (200, "really?".to_owned()));
    lifecycle.stop_soft();
    assert!(lifecycle.wait().await.is_clean());

    mill.advance(SignedDuration::from_hours(8 * 24));
    step(mill.daemon.shared()).await.unwrap();
    let mill = mill.restarted().await;
    let lifecycle = Lifecycle::new(LONG);
    let daemon = Arc::clone(&mill.daemon);
    let addresses = daemon.start(&lifecycle, Metrics::install()).await.unwrap();
    assert_eq!(addresses.hubs, None, "nothing is left to be heard");
    lifecycle.stop_soft();
    assert!(lifecycle.wait().await.is_clean());
}
