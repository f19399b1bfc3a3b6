//! What one bad neighbour costs the good feeds: `cargo bench --bench neighbours`, or `-- NAME` for one kind of them.
//!
//! Good feeds, each on a server of its own, are turned once by the program itself beside a neighbour of each kind. Printed are
//! the time until the last good article was stored, the time of the whole turn, and the most memory that the process took.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

const GOOD_FEEDS: usize = 20;
const PAGES_OF_EACH: usize = 10;

/// A kind of neighbour: its feeds, and more lines of the configuration.
struct Neighbour {
    name: &'static str,
    feeds: fn() -> Vec<String>,
    fetch: fn() -> String,
}

const NEIGHBOURS: &[Neighbour] = &[
    Neighbour { name: "nobody", feeds: Vec::new, fetch: String::new },
    Neighbour { name: "1,500 dead links", feeds: dead_links, fetch: String::new },
    Neighbour { name: "300 slow pages of 2 MB", feeds: slow_pages, fetch: String::new },
    Neighbour { name: "200 pages of 9.6 MB", feeds: large_pages, fetch: String::new },
    Neighbour { name: "64 feeds of 15.9 MB", feeds: large_feeds, fetch: String::new },
    Neighbour { name: "100 feeds whose names hang", feeds: hanging_names, fetch: silent_name_server },
];

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()));
    println!("{:<28} {:>12} {:>12} {:>10}", "neighbour", "good done", "all done", "peak");
    for neighbour in NEIGHBOURS.iter().filter(|neighbour| is_wanted(neighbour.name)) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("feedmill.toml");
        let good: Vec<String> = (0..GOOD_FEEDS).map(good_feed).collect();
        let feeds = [(neighbour.feeds)(), good.clone()].concat();
        std::fs::write(&config, configuration(folder.path(), &(neighbour.fetch)(), &feeds)).unwrap();
        let (took, peak_mb) = turn(&config);
        let (stored, good_took) = good_articles(&config, &good);
        assert_eq!(stored, GOOD_FEEDS * PAGES_OF_EACH, "articles of the good feeds");
        println!("{:<28} {good_took:>10.1} s {took:>10.1} s {peak_mb:>7} MB", neighbour.name);
    }
}

fn configuration(folder: &Path, fetch: &str, feeds: &[String]) -> String {
    let mut text = format!(
        "[database]\nurl = \"sqlite:{}\"\n[http]\nlisten = \"\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\nhost_min_gap_ms = 0\n{fetch}\n",
        folder.join("feedmill.db").display()
    );
    for feed in feeds {
        writeln!(text, "[[feed]]\nurl = \"{feed}\"").unwrap();
    }
    text
}

/// One turn of the mill: how many seconds it takes, and how many megabytes at most.
fn turn(config: &Path) -> (f64, u64) {
    let began = Instant::now();
    let mut program =
        feedmill(config, &["once"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", program.id());
    let mut peak_kb = 0;
    while program.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        peak_kb = peak_kb.max(kilobytes.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    (began.elapsed().as_secs_f64(), peak_kb / 1024)
}

/// How many articles of the good feeds are stored, and how long after the first record of anybody the last of them was.
fn good_articles(config: &Path, good: &[String]) -> (usize, f64) {
    let exported =
        feedmill(config, &["export", "--format", "jsonl"]).stderr(Stdio::null()).output().unwrap().stdout;
    let hosts: Vec<&str> = good.iter().map(|feed| feed.trim_end_matches("/feed")).collect();
    let (mut first, mut last, mut stored) = (None, None, 0);
    for line in exported.lines().map_while(Result::ok) {
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        let at: Timestamp = record["recorded_at"].as_str().unwrap().parse().unwrap();
        first.get_or_insert(at);
        if hosts.iter().any(|host| record["url"].as_str().unwrap().starts_with(host)) {
            (last, stored) = (Some(at), stored + 1);
        }
    }
    let took = first.zip(last).map_or(f64::NAN, |(first, last)| last.duration_since(first).as_secs_f64());
    (stored, took)
}

fn feedmill(config: &Path, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    program.arg("--config").arg(config).args(arguments).stdin(Stdio::null());
    program
}

fn good_feed(number: usize) -> String {
    let body = move |path: &str, base: &str| match path {
        "/feed" => rss((0..PAGES_OF_EACH).map(|page| format!("{base}/{number}-{page}"))),
        path => page(path, 4_000),
    };
    format!("{}/feed", serve(body))
}

fn dead_links() -> Vec<String> {
    let link = |n: usize| format!("http://127.{}.{}.1:9/{n}", 1 + n / 250, n % 250);
    vec![format!("{}/feed", serve(move |_, _| rss((0..1_500).map(link))))]
}

fn slow_pages() -> Vec<String> {
    pages(300, 2_000_000)
}

fn large_pages() -> Vec<String> {
    pages(200, 9_600_000)
}

fn pages(count: usize, bytes: usize) -> Vec<String> {
    let large = page("/large", bytes);
    let body = move |path: &str, base: &str| match path {
        "/feed" => rss((0..count).map(|n| format!("{base}/{n}"))),
        path => large.replacen("/large", path, 2),
    };
    vec![format!("{}/feed", serve(body))]
}

fn large_feeds() -> Vec<String> {
    let item = "<item><title>T</title><description>Words of it and more of them.</description></item>";
    let feed =
        format!("<rss version=\"2.0\"><channel>{}</channel></rss>", item.repeat(15_900_000 / item.len()));
    let base = serve(move |_, _| feed.clone());
    (0..64).map(|n| format!("{base}/{n}")).collect()
}

fn hanging_names() -> Vec<String> {
    (0..100).map(|n| format!("http://feeds.hangs{n}.example/")).collect()
}

/// Addresses need no names: whoever is asked for one says nothing.
fn silent_name_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while socket.recv(&mut question).is_ok() {}
    });
    format!("name_servers = [\"{address}\"]")
}

fn rss(links: impl Iterator<Item = String>) -> String {
    let items: String =
        links.map(|link| format!("<item><title>{link}</title><link>{link}</link></item>")).collect();
    format!("<rss version=\"2.0\"><channel><title>Quay</title>{items}</channel></rss>")
}

/// A page of so many bytes whose paragraphs are all different.
fn page(path: &str, bytes: usize) -> String {
    let mut html = format!("<html lang=en><title>{path}</title><body><article><h1>{path}</h1>");
    let mut number = 0;
    while html.len() < bytes {
        write!(
            html,
            "<p>No. {number} of {path}: the ferries would return before the week ended, they said.</p>"
        )
        .unwrap();
        number += 1;
    }
    html + "</article></body></html>"
}

/// Serves what `body` makes of a path and the server's own address; robots.txt is not there. Returns that address.
fn serve(body: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (body, own) = (Arc::new(body), base.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (body, own) = (Arc::clone(&body), own.clone());
            std::thread::spawn(move || answer(stream, |path| body(path, &own)));
        }
    });
    base
}

/// Answers the requests of one connection. A client that has gone away is not missed.
fn answer(stream: TcpStream, body: impl Fn(&str) -> String) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let path = request.split(' ').nth(1)?;
        let (status, body) = if path == "/robots.txt" { (404, String::new()) } else { (200, body(path)) };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} -\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\r\n"
        );
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(body.as_bytes()).ok()?;
    }
}
