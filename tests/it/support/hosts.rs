//! Many hosts on one loopback port that record their requests: from which process, when, and whether they overlap.
//!
//! Feed `n` announces one page on a host other than its own; every fifth page redirects to yet another host. Two hosts in ten
//! may ask for more patience than the others (see [`Manners`]).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Time a host takes for an answer, so that concurrent requests are noticed.
const TAKES: Duration = Duration::from_millis(15);

/// The hosts. They stop when dropped.
pub(crate) struct Hosts {
    address: SocketAddr,
    town: Arc<Town>,
    serving: tokio::task::JoinHandle<()>,
}

/// What some hosts ask of crawlers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// Hosts 0, 10, 20, … answer their first request for a feed with a 429 and this `Retry-After`: they want no request at all
    /// meanwhile.
    pub(crate) retry_after: Option<Duration>,
    /// Hosts 5, 15, 25, … have a robots.txt with this `Crawl-delay`, which is for pages.
    pub(crate) crawl_delay: Option<Duration>,
}

struct Town {
    port: u16,
    hosts: usize,
    gap: Duration,
    manners: Manners,
    /// Makes the body of a page from its number.
    page: fn(usize) -> String,
    seen: Mutex<Seen>,
    polled: watch::Sender<usize>,
}

/// What the hosts have recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Number of requests for each feed.
    pub(crate) polls: Vec<u32>,
    /// Total number of requests.
    pub(crate) requests: usize,
    /// Requests that arrived while another was being answered, as text.
    pub(crate) overlaps: Vec<String>,
    /// Requests that arrived too soon after another, or during a pause that the host had asked for, as text.
    pub(crate) too_soon: Vec<String>,
    /// Number of pauses that hosts have asked for.
    pub(crate) pauses: usize,
    /// For each host, the times and processes of its requests.
    visits: HashMap<String, Vec<(Instant, String)>>,
    in_flight: HashMap<String, u32>,
    /// For each host that has asked for a pause, its end.
    paused_until: HashMap<String, Instant>,
    /// For each host with a crawl delay, the time of the last request for a page.
    last_page: HashMap<String, Instant>,
}

impl Seen {
    /// Returns the number of requests of a process.
    pub(crate) fn requests_of(&self, process: &str) -> usize {
        self.visits.values().flatten().filter(|(_, by)| by == process).count()
    }

    /// Returns for how many hosts a process was the last to send a request.
    pub(crate) fn hosts_of(&self, process: &str) -> usize {
        self.visits.values().filter(|visits| visits.last().is_some_and(|(_, last)| last == process)).count()
    }

    /// Returns, as times since `killed`, when the hosts whose last request before it came from `process` were requested again.
    pub(crate) fn taken_over_after(&self, process: &str, killed: Instant) -> Vec<Duration> {
        let mut times: Vec<Duration> = self
            .visits
            .values()
            .filter_map(|visits| {
                let after = visits.partition_point(|(at, _)| *at <= killed);
                let (_, last) = visits[..after].last()?;
                (last == process).then_some(())?;
                visits[after..].iter().find(|(_, by)| by != process).map(|(at, _)| *at - killed)
            })
            .collect();
        times.sort_unstable();
        times
    }
}

impl Hosts {
    #[expect(clippy::disallowed_methods, reason = "no `Lifecycle` in a test's server; `drop` ends the task")]
    pub(crate) async fn start(
        feeds: usize,
        hosts: usize,
        (gap, manners): (Duration, Manners),
        page: fn(usize) -> String,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Mutex::new(Seen { polls: vec![0; feeds], ..Seen::default() });
        let polled = watch::Sender::new(0);
        let town = Arc::new(Town { port: address.port(), hosts, gap, manners, page, seen, polled });
        let serving = tokio::spawn(accept(listener, Arc::clone(&town)));
        Self { address, town, serving }
    }

    /// The URLs of all feeds, one per line.
    pub(crate) fn feed_list(&self) -> String {
        let feeds = self.seen().polls.len();
        (0..feeds).map(|n| format!("{}\n", self.town.url(n, "feed", n))).collect()
    }

    /// Returns what was recorded so far.
    pub(crate) fn seen(&self) -> Seen {
        self.town.seen.lock().unwrap().clone()
    }

    /// Waits until this many feeds have been requested.
    pub(crate) async fn polled(&self, feeds: usize) {
        self.town.polled.subscribe().wait_for(|polled| *polled >= feeds).await.unwrap();
    }

    /// The listening address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Town {
    fn url(&self, host: usize, kind: &str, number: usize) -> String {
        format!("http://h{}.example:{}/{kind}/{number}", host % self.hosts, self.port)
    }

    fn answer(&self, host: &str, path: &str) -> String {
        let mut parts = path.trim_start_matches('/').split('/');
        let (kind, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if let ("robots.txt", Some(delay)) = (kind, self.crawl_delay_of(host)) {
            let rules = format!("User-agent: *\nCrawl-delay: {}\n", delay.as_secs_f64());
            return head("200 OK", "Content-Type: text/plain\r\n", &rules);
        }
        let Ok(number) = number.parse::<usize>() else { return head("404 Not Found", "", "") };
        match kind {
            "feed" => {
                let link = self.url(number * 7 + 1, "page", number);
                let body = format!(
                    "<rss version=\"2.0\"><channel><title>Feed {number}</title><item><title>Story {number}</title>\
                     <link>{link}</link></item></channel></rss>"
                );
                head("200 OK", "Content-Type: application/rss+xml\r\n", &body)
            }
            "page" if number.is_multiple_of(5) => {
                let to = self.url(number * 11 + 3, "moved", number);
                head("302 Found", &format!("Location: {to}\r\n"), "")
            }
            "page" | "moved" => head("200 OK", "Content-Type: text/html\r\n", &(self.page)(number)),
            _ => head("404 Not Found", "", ""),
        }
    }

    /// Returns the `Retry-After` of a host that asks for a pause at its first feed.
    fn retry_after_of(&self, host: &str) -> Option<Duration> {
        self.manners.retry_after.filter(|_| number_of(host).is_multiple_of(10))
    }

    fn crawl_delay_of(&self, host: &str) -> Option<Duration> {
        self.manners.crawl_delay.filter(|_| number_of(host) % 10 == 5)
    }

    /// Records a request. Returns the `Retry-After` if the host refuses it.
    fn begin(&self, host: &str, path: &str, process: &str) -> Option<Duration> {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap();
        let seen = &mut *seen;
        seen.requests += 1;
        let in_flight = seen.in_flight.entry(host.to_owned()).or_default();
        if *in_flight > 0 {
            seen.overlaps.push(format!("{process} asks {host}{path} while it is being asked"));
        }
        *in_flight += 1;
        let visits = seen.visits.entry(host.to_owned()).or_default();
        if let Some((last, by)) = visits.last().filter(|(last, _)| now - *last < self.gap) {
            seen.too_soon.push(format!("{process} asks {host}{path} {:?} after {by}", now - *last));
        }
        visits.push((now, process.to_owned()));
        if seen.paused_until.get(host).is_some_and(|until| now < *until) {
            seen.too_soon.push(format!("{process} asks {host}{path} while it is paused"));
        }
        let is_page = path.starts_with("/page/") || path.starts_with("/moved/");
        if let Some(delay) = self.crawl_delay_of(host).filter(|_| is_page)
            && let Some(last) = seen.last_page.insert(host.to_owned(), now)
            && now - last < delay
        {
            seen.too_soon.push(format!("{process} asks {host}{path} {:?} after another page", now - last));
        }
        let feed: usize = path.strip_prefix("/feed/")?.parse().ok()?;
        seen.polls[feed] += 1;
        if seen.polls[feed] == 1 {
            self.polled.send_modify(|polled| *polled += 1);
        }
        let asked = self.retry_after_of(host)?;
        if seen.paused_until.contains_key(host) {
            return None;
        }
        seen.paused_until.insert(host.to_owned(), now + asked);
        seen.pauses += 1;
        Some(asked)
    }

    fn end(&self, host: &str) {
        *self.seen.lock().unwrap().in_flight.get_mut(host).unwrap() -= 1;
    }
}

/// Returns the number of a host, by its name.
fn number_of(host: &str) -> usize {
    let name = host.split('.').next().unwrap_or_default();
    name.trim_start_matches('h').parse().unwrap()
}

fn head(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

async fn accept(listener: TcpListener, town: Arc<Town>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let town = Arc::clone(&town);
                // A killed client disconnects in the middle.
                connections.spawn(async move { converse(accepted.unwrap().0, &town).await.unwrap_or_default() });
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}

async fn converse(mut stream: TcpStream, town: &Town) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        while !buffer.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8_lossy(&std::mem::take(&mut buffer)).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let host = header(&request, "host").unwrap_or_default();
        // The contact in the user agent identifies the process.
        let agent = header(&request, "user-agent").unwrap_or_default();
        let process = agent.split("(+").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
        let answer = match town.begin(host, &path, process) {
            Some(pause) => {
                head("429 Too Many Requests", &format!("Retry-After: {}\r\n", pause.as_secs()), "")
            }
            None => town.answer(host, &path),
        };
        tokio::time::sleep(TAKES).await;
        town.end(host);
        stream.write_all(answer.as_bytes()).await?;
    }
}

fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    request.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
