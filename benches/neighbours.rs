//! The cost of one bad neighbour feed for the good feeds: `cargo bench --bench neighbours`, or `-- NAME` for one kind of neighbour;
//! `-- sqlite` and `-- postgres` for one back end.
//!
//! The program itself reads good feeds, each on a server of its own, together with a neighbour of each kind: on SQLite, and on
//! PostgreSQL if `FEEDMILL_TEST_POSTGRES_URL` names a server. Printed are the time until the last good page has become an article,
//! its ratio to that of the good feeds alone, how long the program takes to stop when asked while it still has work from the
//! neighbour, and its peak memory.
//!
//! The row of idle clients gives the program fewer descriptors (1,024) than there are clients.
//!
//! The last row has no neighbour: fifty hosts of twenty pages, at the default gap between requests to a host.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

#[path = "../tests/it/support/database.rs"]
#[expect(dead_code, reason = "the tests' own, of which only the databases are used here")]
mod database;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use database::{Backend, FreshDatabase};

const GOOD_FEEDS: usize = 50;
const PAGES_OF_EACH: usize = 10;
/// The minimum time that the neighbour has to do harm.
const LEAST_TIME: Duration = Duration::from_secs(20);
/// Time limit of a measurement.
const PATIENCE: Duration = Duration::from_mins(4);
const LOOK: Duration = Duration::from_millis(50);

/// A kind of neighbour.
struct Neighbour {
    name: &'static str,
    /// The URLs of its feeds.
    feeds: fn() -> Vec<String>,
    /// Additional lines of `[fetch]`.
    fetch: fn() -> String,
    /// Its behaviour towards the program's own HTTP listener, until the flag is set.
    client: fn(SocketAddr, &Arc<AtomicBool>),
    /// The number of files that the program may have open, if it is not to be the machine's own limit.
    descriptors: Option<u32>,
}

impl Neighbour {
    const fn of_feeds(name: &'static str, feeds: fn() -> Vec<String>) -> Self {
        Self { name, feeds, fetch: String::new, client: |_, _| {}, descriptors: None }
    }
}

const NEIGHBOURS: &[Neighbour] = &[
    Neighbour::of_feeds("nobody", Vec::new),
    Neighbour::of_feeds("300 pages of 2 MB of bylines", bylines),
    Neighbour::of_feeds("300 long pages of 2 MB", slow_pages),
    Neighbour::of_feeds("1,500 dead links", dead_links),
    Neighbour {
        fetch: silent_name_server,
        ..Neighbour::of_feeds("100 feeds whose names hang", hanging_names)
    },
    Neighbour::of_feeds("100 feeds that hang", hanging_feeds),
    Neighbour::of_feeds("3,000 feeds of one party", many_feeds),
    Neighbour::of_feeds("200 pages of 9.6 MB", large_pages),
    Neighbour::of_feeds("64 feeds of 15.9 MB", large_feeds),
    Neighbour::of_feeds("200 bombs of a gigabyte", bombs),
    Neighbour { client: long_readers, ..Neighbour::of_feeds("24 readers of long articles", long_articles) },
    Neighbour {
        client: idle_clients,
        descriptors: Some(1_024),
        ..Neighbour::of_feeds("1,100 idle clients", Vec::new)
    },
];
const GAPS: &str = "at the default gap";
const BACKENDS: [(&str, Backend); 2] = [("sqlite", Backend::Sqlite), ("postgres", Backend::Postgres)];

/// The measured values.
struct Measured {
    good_secs: f64,
    stop_secs: f64,
    peak_mb: u64,
}

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (backends, names): (Vec<_>, Vec<_>) =
        wanted.iter().partition(|word| BACKENDS.iter().any(|(name, _)| *name == word.as_str()));
    let is_wanted =
        |name: &str| names.is_empty() || names.iter().any(|wanted| name.contains(wanted.as_str()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{:<9} {:<30} {:>9} {:>7} {:>8} {:>9}", "", "neighbour", "good", "x alone", "stop", "peak");
    let is_chosen = |name: &str| backends.is_empty() || backends.iter().any(|word| word.as_str() == name);
    for (_, backend) in BACKENDS.into_iter().filter(|(name, _)| is_chosen(name)) {
        let mut alone = f64::NAN;
        let row = |name: &str, alone: f64, Measured { good_secs, stop_secs, peak_mb }: &Measured| {
            let times = good_secs / alone;
            println!(
                "{:<9} {name:<30} {good_secs:>7.1} s {times:>7.2} {stop_secs:>6.2} s {peak_mb:>6} MB",
                format!("{backend:?}")
            );
        };
        let measure = |neighbour: &Neighbour, good: Good| {
            let database = runtime.block_on(FreshDatabase::create(backend))?;
            let measured = measured(&database, neighbour, &good);
            runtime.block_on(database.drop());
            Some(measured)
        };
        // The baseline of the others is always measured.
        for neighbour in NEIGHBOURS.iter().filter(|other| other.name == "nobody" || is_wanted(other.name)) {
            let Some(measured) =
                measure(neighbour, Good { hosts: GOOD_FEEDS, pages: PAGES_OF_EACH, gap: false })
            else {
                break;
            };
            if alone.is_nan() {
                alone = measured.good_secs;
            }
            row(neighbour.name, alone, &measured);
        }
        if is_wanted(GAPS)
            && let Some(measured) = measure(&NEIGHBOURS[0], Good { hosts: 50, pages: 20, gap: true })
        {
            row(&format!("{GAPS}, 50 hosts x 20"), f64::NAN, &measured);
        }
    }
}

/// The good feeds.
struct Good {
    hosts: usize,
    pages: usize,
    /// Whether requests to a host keep the default gap; otherwise there is none.
    gap: bool,
}

fn measured(database: &FreshDatabase, neighbour: &Neighbour, good: &Good) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    let (config, log) = (folder.path().join("feedmill.toml"), folder.path().join("log"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let good_feeds = (0..good.hosts).map(|number| good_feed(number, good.pages));
    let feeds: Vec<String> = (neighbour.feeds)().into_iter().chain(good_feeds).collect();
    let gap = if good.gap { "" } else { "host_min_gap_ms = 0" };
    let text = format!(
        "[database]\nurl = \"{}\"\n[http]\nlisten = \"{listener}\"\n[schedule]\ninitial_spread_secs = 0\n[fetch]\n\
         allow = [\"127.0.0.0/8\"]\n{gap}\n{}\n",
        database.settings.url.expose_secret(),
        (neighbour.fetch)()
    );
    let text = feeds.iter().fold(text, |text, feed| format!("{text}[[feed]]\nurl = \"{feed}\"\n"));
    std::fs::write(&config, text).unwrap();
    let mut program = program(neighbour.descriptors)
        .arg("--config")
        .arg(&config)
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    (neighbour.client)(listener, &over);
    let mut watch = Watch { program: &mut program, peak_kb: 0 };
    let (mut found, wanted) = (0, good.hosts * good.pages);
    while found < wanted && began.elapsed() < PATIENCE {
        watch.look();
        found = good_articles(&log);
    }
    let good_secs = if found < wanted { f64::INFINITY } else { began.elapsed().as_secs_f64() };
    while began.elapsed() < LEAST_TIME {
        watch.look();
    }
    let asked = Instant::now();
    let stop = Command::new("kill").arg("-TERM").arg(watch.program.id().to_string()).status().unwrap();
    assert!(stop.success());
    while watch.look() {}
    over.store(true, Ordering::Relaxed);
    Measured { good_secs, stop_secs: asked.elapsed().as_secs_f64(), peak_mb: watch.peak_kb / 1024 }
}

/// The program, with at most so many files open: the shell lowers the hard limit too, to which the program would raise the soft one.
fn program(descriptors: Option<u32>) -> Command {
    let path = env!("CARGO_BIN_EXE_feedmill");
    let Some(descriptors) = descriptors else { return Command::new(path) };
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {descriptors} && exec \"$@\""), "sh", path]);
    shell
}

/// The program, and its peak memory so far.
struct Watch<'p> {
    program: &'p mut Child,
    peak_kb: u64,
}

impl Watch<'_> {
    /// Waits a moment and updates the peak; returns whether the program is still running.
    fn look(&mut self) -> bool {
        std::thread::sleep(LOOK);
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        self.peak_kb = self.peak_kb.max(kilobytes.unwrap_or(0));
        self.program.try_wait().unwrap().is_none()
    }
}

/// Counts the pages of good feeds that have become articles, according to the log.
fn good_articles(log: &Path) -> usize {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    said.lines().filter(|line| line.contains(GOOD) && line.contains(": extracted ")).count()
}

const GOOD: &str = "/good/";

fn good_feed(number: usize, pages: usize) -> String {
    let body = move |path: &str, base: &str| match path {
        "/feed" => rss((0..pages).map(|page| format!("{base}{GOOD}{number}-{page}"))),
        path => page(path, 4_000),
    };
    format!("{}/feed", serve(body))
}

fn dead_links() -> Vec<String> {
    let link = |n: usize| format!("http://127.{}.{}.1:9/{n}", 1 + n / 250, n % 250);
    vec![format!("{}/feed", serve(move |_, _| rss((0..1_500).map(link))))]
}

fn slow_pages() -> Vec<String> {
    pages(300, page("/large", 2_000_000))
}

fn large_pages() -> Vec<String> {
    pages(200, page("/large", 9_600_000))
}

fn long_articles() -> Vec<String> {
    pages(60, page("/large", 2_000_000))
}

/// Lines that a furniture rule searches for, repeated: 2 MB that are some kilobytes on the wire.
fn bylines() -> Vec<String> {
    let byline = "<p>By John Smith and Jane Roe</p>";
    let lines = byline.repeat(2_000_000 / byline.len());
    let page = gzipped(
        format!("<html lang=en><title>Quay</title><body><h1>Quay</h1>{lines}</body></html>").as_bytes(),
    );
    let body = move |path: &str, base: &str| match path {
        "/feed" => Sent::from(rss((0..300).map(|n| format!("{base}/{n}")))),
        _ => Sent::gzipped(page.clone()),
    };
    vec![format!("{}/feed", serve(body))]
}

fn pages(count: usize, large: String) -> Vec<String> {
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

fn many_feeds() -> Vec<String> {
    let base = serve(|path, base| rss(std::iter::once(format!("{base}/page{path}"))));
    (0..3_000).map(|n| format!("{base}/{n}")).collect()
}

/// Feeds, each a party of its own, whose servers accept connections and never answer.
fn hanging_feeds() -> Vec<String> {
    let hang = |_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let feed = format!("http://{}/feed", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                held.push(stream);
            }
        });
        feed
    };
    (0..100).map(hang).collect()
}

fn hanging_names() -> Vec<String> {
    (0..100).map(|n| format!("http://feeds.hangs{n}.example/")).collect()
}

/// A name server that never answers; the other feeds use addresses, which need no names.
fn silent_name_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while socket.recv(&mut question).is_ok() {}
    });
    format!("name_servers = [\"{address}\"]")
}

/// Pages of a megabyte on the wire and a gigabyte inflated.
fn bombs() -> Vec<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..1_024 {
        encoder.write_all(&spaces).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let body = move |path: &str, base: &str| match path {
        "/feed" => Sent::from(rss((0..200).map(|n| format!("{base}/{n}")))),
        _ => Sent::gzipped(bomb.clone()),
    };
    vec![format!("{}/feed", serve(body))]
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two dozen clients read all records at once, repeatedly.
fn long_readers(address: SocketAddr, over: &Arc<AtomicBool>) {
    for _ in 0..24 {
        let over = Arc::clone(over);
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if let Ok(mut stream) = TcpStream::connect(address) {
                    let asked = stream.write_all(
                        b"GET /v1/articles?limit=1000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                    );
                    drop(asked.and_then(|()| std::io::copy(&mut stream, &mut std::io::sink())));
                }
                std::thread::sleep(LOOK);
            }
        });
    }
}

/// Clients that connect without sending a request, and reconnect as soon as they are disconnected.
fn idle_clients(address: SocketAddr, over: &Arc<AtomicBool>) {
    for _ in 0..1_100 {
        let over = Arc::clone(over);
        let client = move || {
            while !over.load(Ordering::Relaxed) {
                if let Ok(mut stream) = TcpStream::connect(address) {
                    drop(stream.read(&mut [0]));
                }
                std::thread::sleep(LOOK);
            }
        };
        std::thread::Builder::new().stack_size(64 << 10).spawn(client).unwrap();
    }
}

fn rss(links: impl Iterator<Item = String>) -> String {
    let items: String =
        links.map(|link| format!("<item><title>{link}</title><link>{link}</link></item>")).collect();
    format!("<rss version=\"2.0\"><channel><title>Quay</title>{items}</channel></rss>")
}

/// A page of at least this many bytes whose paragraphs are all different.
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

/// The body and coding that a server sends.
struct Sent {
    /// The `Content-Encoding` header line; empty if there is none.
    coding: &'static str,
    body: Vec<u8>,
}

impl Sent {
    const fn gzipped(body: Vec<u8>) -> Self {
        Self { coding: "Content-Encoding: gzip\r\n", body }
    }
}

impl From<String> for Sent {
    fn from(body: String) -> Self {
        Self { coding: "", body: body.into_bytes() }
    }
}

/// Serves the results of `body` for a path and the server's own address; robots.txt is 404. Returns that address.
fn serve<S: Into<Sent>>(body: impl Fn(&str, &str) -> S + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (body, own) = (Arc::new(body), base.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (body, own) = (Arc::clone(&body), own.clone());
            std::thread::spawn(move || answer(stream, |path| body(path, &own).into()));
        }
    });
    base
}

/// Answers the requests of one connection. Returns when the client disconnects.
fn answer(stream: TcpStream, body: impl Fn(&str) -> Sent) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let path = request.split(' ').nth(1)?;
        let (status, Sent { coding, body }) =
            if path == "/robots.txt" { (404, String::new().into()) } else { (200, body(path)) };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} -\r\nContent-Type: text/html; charset=utf-8\r\n{coding}Content-Length: {length}\r\n\r\n"
        );
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(&body).ok()?;
    }
}
