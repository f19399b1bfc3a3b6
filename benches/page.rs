//! The latency of the operator's pages on a large store: `cargo bench --bench page -- ARTICLES FEEDS`. PostgreSQL is measured as
//! well if `FEEDMILL_TEST_POSTGRES_URL` names a server; `sqlite` or `postgres` after the numbers selects one back end.
//!
//! `keep` leaves the store and prints its location; its URL after the numbers measures it again.
//!
//! The daemon stores one article; the database then copies its rows with different keys, hosts, times and words, one article per
//! feed and day. Texts are short: a headline and three sentences. Indexes that are not constraints are created when their tables
//! are full, which is faster and leaves them denser than if they had grown. Printed are the median and the worst of the requests
//! for each page, over HTTP.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

mod news;
#[path = "page/requests.rs"]
mod requests;
#[path = "page/store.rs"]
mod store;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::config::{Config, Environment};
use feedmill::daemon::Daemon;
use feedmill::lifecycle::Lifecycle;
use feedmill::telemetry::metrics::Metrics;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use requests::{Asked, PAGES};
use store::Bench;

const ARTICLES: i64 = 100_000;
const FEEDS: i64 = 1_000;
/// Requests for each page, after one that is not counted.
const REQUESTS: i64 = 15;
/// The maximum time for a page.
const BAR: Duration = Duration::from_millis(200);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let (articles, feeds) = (numbers.next().unwrap_or(ARTICLES), numbers.next().unwrap_or(FEEDS));
    let is_given = |word: &str| arguments.iter().any(|argument| argument == word);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        println!("a TLS provider was installed before");
    }
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut folder = tempfile::tempdir().unwrap();
        if let Some(url) = arguments.iter().find(|argument| argument.contains(':')) {
            return measure(folder.path(), url, articles, feeds).await;
        }
        let keeps = is_given("keep");
        folder.disable_cleanup(keeps);
        if !is_given("postgres") {
            let file = format!("sqlite:{}", folder.path().join("feedmill.db").display());
            make(folder.path(), &file, articles, feeds).await;
            measure(folder.path(), &file, articles, feeds).await;
        }
        if let (Ok(server), false) = (std::env::var("FEEDMILL_TEST_POSTGRES_URL"), is_given("sqlite")) {
            let name = format!("feedmill_bench_{}", std::process::id());
            let mut admin = AnyConnection::connect(&server).await.unwrap();
            admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
            let mut url: url::Url = server.parse().unwrap();
            url.set_path(&name);
            make(folder.path(), url.as_str(), articles, feeds).await;
            measure(folder.path(), url.as_str(), articles, feeds).await;
            if !keeps {
                admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
            }
        }
    });
}

/// Creates the store.
async fn make(folder: &Path, database: &str, articles: i64, feeds: i64) {
    let began = Instant::now();
    let template = serve_template().await;
    let config = |listed: i64| configuration(folder, database, &template, listed);
    let daemon = Daemon::open(config(0), Clock::system()).await.unwrap();
    daemon.once(&CancellationToken::new()).await.unwrap();
    daemon.store().close().await;
    drop(daemon);
    let daemon = Daemon::open(config(feeds), Clock::system()).await.unwrap();
    daemon.store().close().await;
    drop(daemon);

    let is_sqlite = database.starts_with("sqlite:");
    let connection = AnyConnection::connect(database).await.unwrap();
    let mut bench = Bench { connection, is_sqlite, articles, feeds };
    bench.fill().await;
    bench.connection.close().await.unwrap();
    println!("\n{database}, made in {:.0} s", began.elapsed().as_secs_f64());
}

/// Requests each page and prints the times.
async fn measure(folder: &Path, database: &str, articles: i64, feeds: i64) {
    println!("{articles} articles of {feeds} feeds");
    let config = configuration(folder, database, "http://127.0.0.1:9/feed.xml", feeds);
    let daemon = Arc::new(Daemon::open(config, Clock::system()).await.unwrap());
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let addresses = Arc::clone(&daemon).start(&lifecycle, Metrics::install()).await.unwrap();
    let address = addresses.http.unwrap();
    println!("{:<44} {:>10} {:>10}", "page", "median", "worst");
    for (name, path) in PAGES {
        let mut took = Vec::new();
        for number in 0..=REQUESTS {
            let path = path(Asked { articles, feeds, number });
            let began = Instant::now();
            let status = get(address, &path).await;
            took.push(began.elapsed());
            assert_eq!(status, 200, "{path}");
        }
        took.remove(0);
        took.sort_unstable();
        let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
        let mark = if worst > BAR { "  over the bar" } else { "" };
        println!("{name:<44} {:>7.1} ms {:>7.1} ms{mark}", millis(median), millis(worst));
    }
    lifecycle.stop_soft();
    lifecycle.wait().await;
    daemon.store().close().await;
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn configuration(folder: &Path, database: &str, template: &str, listed: i64) -> Config {
    let mut list = String::new();
    for number in 0..listed {
        writeln!(list, "https://h{number}.example/feed.xml").unwrap();
    }
    std::fs::write(folder.join("list.txt"), list).unwrap();
    let text = format!(
        "include = [\"list.txt\"]\n[database]\nurl = \"{database}\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [fetch]\nallow = [\"127.0.0.0/8\"]\n[schedule]\ninitial_spread_secs = 0\n\
         [[feed]]\nurl = \"{template}\"\ncontent = \"feed\"\n"
    );
    let file = folder.join("feedmill.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), &Environment::default()).unwrap().config
}

/// Serves a feed with one article.
#[expect(clippy::disallowed_methods, reason = "it serves until the program ends")]
async fn serve_template() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/feed.xml", listener.local_addr().unwrap());
    let text = "<p>The harbour master measured the tide before the bells rang.</p>".repeat(5);
    let feed = format!(
        "<rss version=\"2.0\"><channel><title>Gazette</title><item><title>Harbour report</title>\
         <guid>1</guid><description><![CDATA[{text}]]></description></item></channel></rss>"
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{feed}",
        feed.len()
    );
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            if connection.read(&mut head).await.is_ok()
                && connection.write_all(answer.as_bytes()).await.is_err()
            {
                println!("a client has left");
            }
        }
    });
    url
}

/// Reads an answer to its end and returns its status.
async fn get(address: std::net::SocketAddr, path: &str) -> u16 {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[9..12]).parse().unwrap()
}
