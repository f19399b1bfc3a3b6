//! Readers by cursor over HTTP, while other processes write to the store.

use std::net::SocketAddr;

use feedmill::http::listener::{Limits, serve};
use feedmill::http::router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::surface_of;
use crate::support::daemon::TestDaemon;

on_both! {
    readers_over_http_lose_and_double_nothing_beside_writers,
}

const ARTICLES: usize = 240;
const WRITERS: usize = 8;
/// The limit of each reader.
const READERS: [usize; 4] = [1, 7, 30, 50];
/// A reader loses the answer to every such request, and later continues from its last cursor.
const CRASH_EVERY: usize = 4;

async fn readers_over_http_lose_and_double_nothing_beside_writers(bench: &Bench) {
    let daemon = TestDaemon::new().database(bench.database.settings.url.expose_secret()).open().await;
    let surface = surface_of(&daemon);
    let soft = surface.soft.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = serve(listener, router(surface), Limits::default(), soft.clone());
    let new: Vec<NewEntry> = (0..ARTICLES)
        .map(|i| new_entry(&format!("key {i}"), &format!("https://site.example/{i}"), "text"))
        .collect();
    bench.feeds(1).await;
    bench.poll(|_| new.clone()).await;
    let writers = futures_util::future::join_all((0..WRITERS).map(|_| write(bench.store.clone())));
    let readers = futures_util::future::join_all(READERS.map(|limit| read(address, limit)));
    let reading = async {
        let seen = readers.await;
        soft.cancel();
        seen
    };
    let (_, seen, ()) = futures_util::future::join3(writers, reading, serving).await;
    let expected: Vec<i64> = (1..=i64::try_from(ARTICLES).unwrap()).collect();
    for (seen, limit) in seen.iter().zip(READERS) {
        assert_eq!(*seen, expected, "the reader of {limit}");
    }
    daemon.store().close().await;
}

/// Stores pending entries until there are none.
async fn write(store: Store) {
    loop {
        let entries = store.entries_claim(LEASE, 3).await.unwrap();
        if entries.is_empty() {
            return;
        }
        let finished: Vec<FinishedEntry> =
            entries.iter().map(|entry| extracted(entry, &format!("Text {}", entry.id.0))).collect();
        store.entries_finish(&finished, &dedup::Settings::default()).await.unwrap();
    }
}

/// Returns the positions that a reader gets, which keeps only its cursor.
async fn read(address: SocketAddr, limit: usize) -> Vec<i64> {
    let (mut cursor, mut seen, mut requests) = ("0".to_owned(), Vec::new(), 0);
    while seen.len() < ARTICLES {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /v1/articles?after={cursor}&limit={limit}&wait=5s&fields=seq HTTP/1.1\r\nHost: {address}\r\n\
             Accept: application/json\r\nConnection: close\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        requests += 1;
        if requests % CRASH_EVERY == 0 {
            client.read_u8().await.unwrap();
            continue;
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let page: serde_json::Value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        let records = page["records"].as_array().unwrap();
        seen.extend(records.iter().map(|record| record["seq"].as_i64().unwrap()));
        page["cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
    seen
}
