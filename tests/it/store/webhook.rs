//! Records sent to a webhook receiver that fails, stalls and lies.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use feedmill::fetch::RequestOptions;
use feedmill::memory::Parts;
use feedmill::publish::filter::Filter;
use feedmill::publish::relay::{Flush, Relay, Settings, Step};
use feedmill::publish::webhook;
use feedmill::publish::{Configured, Outward, Receiver};
use feedmill::store::{Beginning, SinkStatus};
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::client::outward;
use crate::support::server::{Gate, Reply, Request, Server};

const KEY: &str = "a key that the receiver knows too";

/// A relay to `/hook` of a server, on a store with records.
async fn relay(bench: &Bench, server: &Server, records: usize) -> Relay {
    relay_with(bench, server, records, outward(&bench.clock)).await
}

async fn relay_with(bench: &Bench, server: &Server, records: usize, outward: Outward) -> Relay {
    bench.store_articles(0..records).await;
    relay_to(bench, server, "hook", Duration::from_millis(500), outward).await
}

/// A relay called `name`, to the path `/NAME` of a server.
async fn relay_to(bench: &Bench, server: &Server, name: &str, timeout: Duration, outward: Outward) -> Relay {
    let settings = webhook::Settings {
        url: server.url(&format!("/{name}")),
        secret: Some(KEY.to_owned().into()),
        request: RequestOptions { timeout: Some(timeout), ..RequestOptions::default() },
        max_records: 4,
    };
    let receiver = Receiver::Webhook(Box::new(settings));
    let relay =
        Settings { name: name.to_owned(), from: Beginning::Start, pause: false, filter: Filter::default() };
    Relay::open(bench.store.clone(), Configured { relay, receiver }, outward).await.unwrap()
}

async fn status(bench: &Bench) -> SinkStatus {
    bench.store.sinks_list().await.unwrap().remove(0)
}

/// Returns the positions in a request's body.
fn brought(request: &Request) -> Vec<i64> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    body["records"].as_array().unwrap().iter().map(|record| record["seq"].as_i64().unwrap()).collect()
}

fn is_genuine(request: &Request) -> bool {
    let header = |name: &str| request.header(name).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&request.body);
    header("webhook-signature") == format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_come_in_order_and_signed() {
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        server.respond("/hook", Reply::status(204));
        let mut relay = relay(bench, &server, 10).await;
        relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        let requests = server.requests("/hook");
        let positions: Vec<Vec<i64>> = requests.iter().map(brought).collect();
        assert_eq!(positions, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]);
        assert!(requests.iter().all(is_genuine));
        assert_eq!(requests[0].header("webhook-id"), Some("hook_1-4"));
        assert_eq!(requests[0].header("content-type"), Some("application/json"));
        let seconds = bench.clock.now().as_second().to_string();
        assert_eq!(requests[0].header("webhook-timestamp"), Some(seconds.as_str()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_stalls_and_lies_gets_everything_in_the_end() {
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        let failures = [
            (Reply::status(500), "500", 1),
            (Reply::raw("").then_hang(), "in time", 2),
            (Reply::raw("it is done\r\n\r\n"), "broken answer", 4),
            (Reply::redirect(302, "http://10.0.0.1/"), "302", 8),
            (Reply::status(503).header("Retry-After", "120"), "503", 120),
            (Reply::status(404), "404", 32),
        ];
        for (reply, _, _) in &failures {
            server.respond("/hook", reply.clone());
        }
        server.respond("/hook", Reply::status(200));
        let mut relay = relay(bench, &server, 6).await;
        for (n, (_, reason, rest)) in failures.iter().enumerate() {
            let due = bench.clock.now() + SignedDuration::from_secs(*rest);
            assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(due)), "{reason}");
            let status = status(bench).await;
            assert!(status.error.as_ref().unwrap().contains(reason), "{reason}: {status:?}");
            assert_eq!((status.seq, status.failures as usize), (0, n + 1));
            assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(due)), "not before its time");
            bench.pass(*rest);
        }
        relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        let status = status(bench).await;
        assert_eq!((status.seq, status.failures, status.error), (6, 0, None));
        let requests = server.requests("/hook");
        assert_eq!(requests.len(), failures.len() + 2);
        let last: Vec<i64> = requests[failures.len()..].iter().flat_map(brought).collect();
        assert_eq!(last, [1, 2, 3, 4, 5, 6]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_receiver_cannot_take_is_set_aside_alone() {
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        server.handle(|request| {
            let refused = brought(request).contains(&3);
            if refused { Reply::status(413) } else { Reply::status(200) }
        });
        let mut relay = relay(bench, &server, 6).await;
        relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        let status = status(bench).await;
        assert_eq!((status.seq, status.set_aside), (6, 1));
        let aside = bench.store.set_aside_list().await.unwrap();
        assert_eq!((aside[0].sink.as_str(), aside[0].seq), ("hook", 3));
        let all: Vec<i64> = server.requests("/hook").iter().flat_map(brought).collect();
        assert!([1, 2, 4, 5, 6].iter().all(|seq| all.contains(seq)), "{all:?}");
        // A replay retries the record that was set aside.
        bench.store.sink_replay("hook", 2).await.unwrap();
        server.respond("/hook", Reply::status(200));
        relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        assert_eq!(brought(server.requests("/hook").iter().next_back().unwrap()), [3, 4, 5, 6]);
        assert!(bench.store.set_aside_list().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_left_alone_until_the_operator_says_so() {
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        server.respond("/hook", Reply::status(410));
        let mut relay = relay(bench, &server, 2).await;
        assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Idle(None));
        bench.pass(1_000_000);
        assert_eq!(relay.step(Flush::All).await.unwrap(), Step::Idle(None));
        assert_eq!(server.requests("/hook").len(), 1);
        assert!(status(bench).await.disabled);
        server.replace("/hook", Reply::status(200));
        bench.store.sink_replay("hook", 0).await.unwrap();
        relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        assert_eq!(status(bench).await.seq, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_stands_before_receivers_too() {
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        let settings = feedmill::fetch::Settings { allow: Vec::new(), ..crate::support::client::settings() };
        let fetcher = feedmill::fetch::Fetcher::new(settings, bench.clock.clone()).unwrap();
        let (_, fetcher) = tokio::sync::watch::channel(fetcher);
        let outward = Outward { fetcher, ..outward(&bench.clock) };
        let mut relay = relay_with(bench, &server, 1, outward).await;
        assert!(matches!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(_))));
        let error = status(bench).await.error.unwrap();
        assert!(error.contains("127.0.0.1") && error.contains("hint"), "{error}");
        assert!(server.all_requests().is_empty());
    })
    .await;
}

/// Two relays share a budget for the texts of four records. While the receiver of one is silent, the other delivers everything, in
/// batches of its half.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_receiver_takes_no_memory_from_other_sinks() {
    const TEXT_BYTES: u64 = 6;
    const COST: u64 = 3;
    const PATIENCE: Duration = Duration::from_mins(2);
    run(Backend::Sqlite, async |bench| {
        let server = Server::start().await;
        let gate = Gate::new();
        server.respond("/silent", Reply::status(204).gated(&gate));
        server.respond("/prompt", Reply::status(204));
        bench.store_articles(0..8).await;
        let outward = Outward { memory: Parts::new(4 * TEXT_BYTES * COST), ..outward(&bench.clock) };
        let mut silent = relay_to(bench, &server, "silent", PATIENCE, outward.clone()).await;
        let mut prompt = relay_to(bench, &server, "prompt", PATIENCE, outward).await;
        let meanwhile = async {
            server.arrived("/silent", 1).await;
            prompt.drain(Flush::All, &CancellationToken::new()).await.unwrap();
            gate.open();
        };
        let (step, ()) = tokio::join!(silent.step(Flush::All), meanwhile);
        assert_eq!(step.unwrap(), Step::Moved);
        let batches = |path: &str| server.requests(path).iter().map(brought).collect::<Vec<_>>();
        assert_eq!(batches("/silent"), [[1, 2]]);
        assert_eq!(batches("/prompt"), [[1, 2], [3, 4], [5, 6], [7, 8]]);

        // A relay that ends leaves its part to the others.
        drop(prompt);
        silent.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        assert_eq!(batches("/silent")[1..], [vec![3, 4, 5, 6], vec![7, 8]]);
    })
    .await;
}
