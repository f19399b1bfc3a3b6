//! The overhead of polite polling: ten thousand feeds on one loopback server, nine in ten answering 304, polled once each by the
//! bare HTTP client and by `feedmill once` (see `once`), then by the bare client and by `Fetcher` alone. The ratios hold on any
//! machine, the times do not. Finally, the memory cost of a gigabyte compressed into a few bytes.
//!
//! ```text
//! cargo bench --bench poll
//! ```

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

#[path = "poll/once.rs"]
mod once;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::fetch::{AllowedNet, Content, Fetcher, Purpose, Request, RequestOptions, Settings};
use feedmill::model::Validators;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const FEEDS: usize = 10_000;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 7;
const FEED_BYTES: usize = 20 << 10;
const BOMB_BYTES: u64 = 1 << 30;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if once::play_part(&arguments) {
        return;
    }
    once::compare();
    let bombs = [("gzip", gzip_bomb()), ("br", brotli_bomb()), ("zstd", zstd_bomb())];
    let address = serve(bombs.iter().cloned().collect());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let feeds: Vec<Url> =
            (0..FEEDS).map(|number| format!("http://{address}/{number}").parse().unwrap()).collect();
        polls(&feeds).await;
        for (name, bomb) in &bombs {
            let url = format!("http://{address}/bomb/{name}").parse().unwrap();
            explode(name, bomb.len(), &url).await;
        }
    });
}

async fn polls(feeds: &[Url]) {
    let validators = Validators { etag: Some("\"1\"".to_owned()), last_modified: None };
    let (bare, fetcher) = (bare(), fetcher());
    let (mut bare_times, mut fetcher_times) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let bare_time = round_of(feeds, async |url: &Url| {
            let request = bare.get(url.clone()).header("if-none-match", "\"1\"");
            let mut response = request.send().await.unwrap();
            while response.chunk().await.unwrap().is_some() {}
        });
        let bare_time = bare_time.await;
        let fetcher_time = round_of(feeds, async |url: &Url| {
            let options = RequestOptions::default();
            let request = Request { purpose: Purpose::Feed, url, validators: &validators, options: &options };
            fetcher.fetch(&request).await.unwrap();
        });
        let fetcher_time = fetcher_time.await;
        // The first round opens the connections and is not counted.
        if round > 0 {
            bare_times.push(bare_time);
            fetcher_times.push(fetcher_time);
        }
    }
    let (bare, fetcher) = (median(bare_times), median(fetcher_times));
    println!("{FEEDS} polls, {AT_ONCE} at once, median of {ROUNDS} rounds:");
    println!("  bare client  {:7.1} ms  {:5.1} us a poll", millis(bare), millis(bare) * 1000.0 / 1e4);
    println!("  Fetcher      {:7.1} ms  {:5.1} us a poll", millis(fetcher), millis(fetcher) * 1000.0 / 1e4);
    println!("  ratio        {:7.2}", fetcher.as_secs_f64() / bare.as_secs_f64());
    println!("  peak memory  {:7.1} MiB, the server's included", peak_mib());
}

async fn round_of(feeds: &[Url], poll: impl AsyncFn(&Url)) -> Duration {
    let began = Instant::now();
    stream::iter(feeds).for_each_concurrent(AT_ONCE, async |url| poll(url).await).await;
    began.elapsed()
}

async fn explode(name: &str, bomb_bytes: usize, url: &Url) {
    let fetcher = fetcher();
    let (validators, options) = (Validators::default(), RequestOptions::default());
    reset_peak();
    let before = peak_mib();
    let began = Instant::now();
    let request = Request { purpose: Purpose::Feed, url, validators: &validators, options: &options };
    let result = fetcher.fetch(&request).await.map(|response| matches!(response.content, Content::Body(_)));
    println!(
        "{name} bomb, {bomb_bytes} bytes for {BOMB_BYTES}: {} after {:.1} ms and {:.1} MiB",
        result.unwrap_err(),
        millis(began.elapsed()),
        peak_mib() - before
    );
}

#[expect(clippy::disallowed_methods, reason = "the bare client is what `Fetcher` is measured against")]
fn bare() -> reqwest::Client {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        println!("a TLS provider was installed before");
    }
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn fetcher() -> Fetcher {
    let settings = Settings {
        contact_url: None,
        allow: vec![AllowedNet { net: "127.0.0.0/8".parse().unwrap(), port: None }],
        name_servers: Vec::new(),
        timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(30),
        max_redirects: 5,
        feed_max_body_bytes: 16 << 20,
        page_max_body_bytes: 10 << 20,
        host_concurrency: u8::try_from(AT_ONCE).unwrap(),
        host_min_gap: Duration::ZERO,
        max_host_pause: None,
        proxy: None,
        proxy_guards_addresses: false,
        pages_obey_robots: true,
        feeds_obey_robots: false,
    };
    Fetcher::new(settings, Clock::system()).unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Returns the peak memory since the start or the last reset. Linux only.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    peak_in(&status).unwrap_or(f64::NAN)
}

fn peak_in(status: &str) -> Option<f64> {
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

fn reset_peak() {
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        println!("the peak of memory cannot be reset here: the next figures are those of the whole run");
    }
}

fn gzip_bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut zeros(), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

fn brotli_bomb() -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 5, 24);
    std::io::copy(&mut zeros(), &mut encoder).unwrap();
    encoder.flush().unwrap();
    encoder.into_inner()
}

fn zstd_bomb() -> Vec<u8> {
    zstd::encode_all(zeros(), 3).unwrap()
}

/// A feed with one entry. From the second request on, one feed in ten changes each time, by a new entry or insignificantly, and the
/// others are not modified.
fn feed_of(path: &str, request: &str) -> String {
    let known = request
        .lines()
        .find_map(|line| line.strip_prefix("if-none-match: \"")?.strip_suffix('"')?.parse().ok());
    let version = match known {
        Some(_) if !path.ends_with('7') => return "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        known => known.unwrap_or(0_u32) + 1,
    };
    let news = "Harbour news of the day, told at some length. ".repeat(20);
    let item = |number| {
        format!(
            "<item><guid isPermaLink=\"false\">{path}#{number}</guid><title>No. {number}</title>\
             <description>{news}</description></item>"
        )
    };
    let last = if path.starts_with("/news/") { version } else { 1 };
    let items: String = (1..=last).map(item).collect();
    let body = format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>{path}</title><generator>{version}</generator>\
         <description>{}</description>{items}</channel></rss>",
        "x".repeat(4_000),
    );
    format!(
        "HTTP/1.1 200 OK\r\nETag: \"{version}\"\r\nContent-Type: application/rss+xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn zeros() -> impl Read {
    std::io::repeat(0).take(BOMB_BYTES)
}

/// A minimal server on its own thread, so that the measurements reflect the client.
fn serve(bombs: std::collections::HashMap<&'static str, Vec<u8>>) -> SocketAddr {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            let mut connections = tokio::task::JoinSet::new();
            let bombs = std::sync::Arc::new(bombs);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let bombs = std::sync::Arc::clone(&bombs);
                connections.spawn(async move {
                    // The client disconnects when it has read enough of a bomb.
                    converse(stream, &bombs).await.unwrap_or_default();
                });
            }
        });
    });
    receive.recv().unwrap()
}

async fn converse(
    mut stream: TcpStream,
    bombs: &std::collections::HashMap<&'static str, Vec<u8>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let feed = "<rss/>".repeat(FEED_BYTES / 6);
    let fresh = format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n{feed}", feed.len());
    let mut buffer = vec![0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let request = String::from_utf8_lossy(&buffer[..length]);
        assert!(request.ends_with("\r\n\r\n"), "a request is smaller than the buffer");
        let path = request.split(' ').nth(1).unwrap_or_default();
        if path.starts_with("/quiet/") || path.starts_with("/news/") {
            stream.write_all(feed_of(path, &request).as_bytes()).await?;
            continue;
        }
        if let Some((name, bomb)) = path.strip_prefix("/bomb/").and_then(|name| bombs.get_key_value(name)) {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {}\r\n\r\n",
                bomb.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(bomb).await?;
        } else if path.ends_with('7') {
            stream.write_all(fresh.as_bytes()).await?;
        } else {
            stream.write_all(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n").await?;
        }
    }
}
