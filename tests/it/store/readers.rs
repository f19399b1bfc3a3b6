//! Readers by cursor over HTTP, while other processes write to the store.

use std::net::SocketAddr;

use feedmill::http::listener::{Limits, serve};
use feedmill::http::router;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::surface_of;
use crate::support::daemon::TestDaemon;

on_both! {
    readers_over_http_lose_and_double_nothing_beside_writers,
}

const ARTICLES: usize = 240;
const WRITERS: usize = 8;
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
/// The format and the limit of each reader that asks for one answer after another.
const READERS: [(&str, usize); 5] = [(JSON, 1), (JSON, 7), (JSON, 30), (JSON, 50), (LINES, 20)];
/// A reader loses the answer to every such request, and later continues from its last cursor.
const CRASH_EVERY: usize = 4;
/// The reader of an event stream disconnects after so many events, in the middle of the next one.
const EVENTS_A_CONNECTION: usize = 50;

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
    let write = || async { while write_some(&bench.store).await {} };
    let writers = futures_util::future::join_all((0..WRITERS).map(|_| write()));
    let readers = futures_util::future::join_all(READERS.map(|(format, limit)| read(address, format, limit)));
    let reading = async {
        let seen = futures_util::future::join(readers, follow(address)).await;
        soft.cancel();
        seen
    };
    let (_, (seen, followed), ()) = futures_util::future::join3(writers, reading, serving).await;
    let expected: Vec<i64> = (1..=i64::try_from(ARTICLES).unwrap()).collect();
    for (seen, reader) in seen.iter().zip(READERS) {
        assert_eq!(*seen, expected, "{reader:?}");
    }
    assert_eq!(followed, expected, "the reader of the event stream");
    daemon.store().close().await;
}

/// Stores a few pending entries; returns whether there were any.
pub(super) async fn write_some(store: &Store) -> bool {
    let entries = store.entries_claim(LEASE, 3).await.unwrap();
    if entries.is_empty() {
        return false;
    }
    let finished: Vec<FinishedEntry> =
        entries.iter().map(|entry| extracted(entry, &format!("Text {}", entry.id.0))).collect();
    store.entries_finish(&finished, &dedup::Settings::default()).await.unwrap();
    true
}

/// Sends a request in HTTP/1.0, to which the body comes in one piece.
async fn ask(address: SocketAddr, query: &str, headers: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v1/articles?{query} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    client
}

/// Returns the positions that a reader gets, which keeps only its cursor.
async fn read(address: SocketAddr, format: &str, limit: usize) -> Vec<i64> {
    let (mut cursor, mut seen, mut requests) = ("0".to_owned(), Vec::new(), 0);
    while seen.len() < ARTICLES {
        let query = format!("fields=seq&after={cursor}&limit={limit}&wait=5s");
        let mut client = ask(address, &query, &format!("Accept: {format}\r\n")).await;
        requests += 1;
        if requests % CRASH_EVERY == 0 {
            client.read_u8().await.unwrap();
            continue;
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
        if format == LINES {
            seen.extend(body.lines().map(|line| seq_of(&parsed_json(line))));
            let header = head.lines().find_map(|line| line.strip_prefix("feedmill-cursor: "));
            header.unwrap_or_else(|| panic!("{head}")).clone_into(&mut cursor);
        } else {
            let page = parsed_json(body);
            seen.extend(page["records"].as_array().unwrap().iter().map(seq_of));
            page["cursor"].as_str().unwrap().clone_into(&mut cursor);
        }
    }
    seen
}

/// Returns the positions of the events that a reader gets, which keeps only the id of the last one.
async fn follow(address: SocketAddr) -> Vec<i64> {
    let (mut last_id, mut seen) = (None::<String>, Vec::new());
    while seen.len() < ARTICLES {
        let resume = last_id.as_ref().map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let headers = format!("Accept: text/event-stream\r\n{resume}");
        let mut lines = BufReader::new(ask(address, "fields=seq", &headers).await).lines();
        let status = lines.next_line().await.unwrap().unwrap();
        assert!(status.starts_with("HTTP/1.0 200 "), "{status}");
        let (mut events, mut id, mut data) = (0, None, None);
        while seen.len() < ARTICLES && (events < EVENTS_A_CONNECTION || data.is_none()) {
            let line = lines.next_line().await.unwrap().expect("a stream lasts as long as the server");
            match line.split_once(": ") {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("data", value)) => data = Some(seq_of(&parsed_json(value))),
                // An empty line ends an event, and also the head and a comment.
                _ if line.is_empty() => {
                    events += usize::from(data.is_some());
                    last_id = id.take().or(last_id);
                    seen.extend(data.take());
                }
                _ => {}
            }
        }
    }
    seen
}

fn parsed_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn seq_of(record: &Value) -> i64 {
    record["seq"].as_i64().unwrap()
}
