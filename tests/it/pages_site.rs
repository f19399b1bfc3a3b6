//! The operator's site over real HTTP, on both back ends: the content of its pages, who sees them, and that no content from the
//! internet gets into their markup.

mod access;
mod articles;
mod browser;
mod changes;
mod feeds;
mod search;
mod sites;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use feedmill::lifecycle::Lifecycle;
use feedmill::store::Store;
use feedmill::telemetry::metrics::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::server::Server;

/// Runs every listed test on both back ends, each time on a fresh database.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                crate::pages_site::run(crate::pages_site::Backend::Sqlite, async |bench| super::$test(bench).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                crate::pages_site::run(crate::pages_site::Backend::Postgres, async |bench| super::$test(bench).await).await;
            })*
        }
    };
}
use on_both;

/// The environment of a test.
struct Bench {
    database: FreshDatabase,
    /// The server of feeds and pages.
    server: Server,
}

async fn run(backend: Backend, test: impl AsyncFnOnce(&Bench)) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let bench = Bench { database, server: Server::start().await };
    test(&bench).await;
    bench.database.drop().await;
}

impl Bench {
    fn daemon(&self) -> TestDaemon {
        TestDaemon::new().database(self.database.settings.url.expose_secret())
    }
}

/// A daemon that has processed what was due, with its site open.
struct Mill {
    daemon: OpenedDaemon,
    lifecycle: Lifecycle,
    address: SocketAddr,
}

/// Longer than any test here takes.
const LONG: Duration = Duration::from_mins(2);

impl Mill {
    async fn start(daemon: TestDaemon) -> Self {
        let daemon = daemon.open().await;
        daemon.once().await;
        Self::open(daemon).await
    }

    /// Starts a daemon with its site.
    async fn open(daemon: OpenedDaemon) -> Self {
        let lifecycle = Lifecycle::new(LONG);
        let addresses = Arc::clone(&daemon.daemon).start(&lifecycle, Metrics::install()).await.unwrap();
        Self { daemon, lifecycle, address: addresses.http.unwrap() }
    }

    fn store(&self) -> &Store {
        self.daemon.store()
    }

    /// Stops the daemon, changes its configuration, starts it, and processes what is due.
    async fn restarted_with(self, change: impl FnOnce(TestDaemon) -> TestDaemon) -> Self {
        self.lifecycle.stop_soft();
        self.lifecycle.wait().await;
        let daemon = self.daemon.restarted_with(change).await;
        daemon.once().await;
        Self::open(daemon).await
    }

    /// Stops the daemon and closes the store.
    async fn stop(self) {
        self.lifecycle.stop_soft();
        self.lifecycle.wait().await;
        self.store().close().await;
    }

    /// Returns a page as an anonymous visitor sees it.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// Sends a form as a browser sends it from one of our pages.
    async fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let own = [("Sec-Fetch-Site", "same-origin")];
        self.send("POST", path, &[&own, headers].concat(), form).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(self.address, method, path, headers, body).await
    }
}

async fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut client = TcpStream::connect(address).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    Answer::parse(&String::from_utf8(answer).unwrap())
}

/// An HTTP answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// By name in lower case.
    headers: HashMap<String, String>,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status,
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Returns the visible text of a page: tags removed, white space collapsed.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for c in html.chars() {
        match c {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                text.push(' ');
            }
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
