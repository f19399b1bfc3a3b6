//! A web server on loopback that sends exactly the bytes a test specifies and records its requests.
//!
//! ```ignore
//! let server = Server::start().await;
//! server.respond("/feed.xml", Reply::ok("text/xml", BODY).header("ETag", "\"1\""));
//! server.respond("/feed.xml", Reply::status(304));            // the second request, and every one after it
//! server.handle(|request| Reply::ok("text/html", format!("you asked for {}", request.path())));
//! server.url("/feed.xml");                                    // http://127.0.0.1:PORT/feed.xml
//! server.requests("/feed.xml")[1].header("if-none-match");    // what the client sent
//! ```
//!
//! Replies for a path are sent in the order in which they were added; the last one repeats. A path without replies goes to the
//! handler, or gets 404. Nothing here sleeps: a slow reply waits at a [`Gate`], and a test waits for requests with
//! [`Server::arrived`]. The server stops when dropped.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    /// Listens on `address`; 127.0.0.2 and the like give a test servers on several hosts.
    #[expect(clippy::disallowed_methods, reason = "no `Lifecycle` in a test's server; `drop` ends the task")]
    pub(crate) async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let state = Arc::new(State::default());
        Self {
            address: listener.local_addr().unwrap(),
            accepting: tokio::spawn(accept(listener, Arc::clone(&state))),
            state,
        }
    }

    /// The listening address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of `path`, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// Adds a reply for `path` (without its query).
    pub(crate) fn respond(&self, path: &str, reply: Reply) {
        self.state.inner.lock().unwrap().replies.entry(path.to_owned()).or_default().push_back(reply);
    }

    /// Replaces all replies of `path` by this one.
    pub(crate) fn replace(&self, path: &str, reply: Reply) {
        self.state.inner.lock().unwrap().replies.insert(path.to_owned(), VecDeque::from([reply]));
    }

    /// Sets the handler for paths without replies.
    pub(crate) fn handle(&self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        self.state.inner.lock().unwrap().handler = Some(Arc::new(handler));
    }

    /// The requests for `path` (without its query) so far, in order of arrival.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let inner = self.state.inner.lock().unwrap();
        inner.requests.iter().filter(|request| request.path() == path).cloned().collect()
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn all_requests(&self) -> Vec<Request> {
        self.state.inner.lock().unwrap().requests.clone()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.inner.lock().unwrap().connections
    }

    /// Waits until at least `count` requests for `path` have arrived.
    pub(crate) async fn arrived(&self, path: &str, count: usize) {
        let mut arrivals = self.state.arrivals.subscribe();
        while self.requests(path).len() < count {
            arrivals.changed().await.expect("the sender lives in `self`");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A request as received.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`.
    pub(crate) method: String,
    /// Path and query, or a whole URL if the server acts as a proxy.
    pub(crate) target: String,
    /// Header lines in order, names as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The bytes of the head, including the empty line.
    pub(crate) raw: Vec<u8>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The number of its connection, counted from 1.
    pub(crate) connection: usize,
}

impl Request {
    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of that name, ignoring case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn parse(raw: Vec<u8>, connection: usize) -> Self {
        let head = String::from_utf8_lossy(&raw).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            raw,
            body: Vec::new(),
            connection,
        }
    }
}

/// A reply. [`Reply::ok`] and [`Reply::status`] send a correct head with `Content-Length` and keep the connection open;
/// [`Reply::raw`] sends exactly the given bytes and closes.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    head: Option<Head>,
    gate: Option<Gate>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Repeat(Vec<u8>),
    Wait(Gate),
    Hang,
}

impl Reply {
    /// 200 with a body.
    pub(crate) fn ok(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).header("Content-Type", content_type).body(body)
    }

    /// Any status, without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            head: Some(Head { status, headers: Vec::new(), body: Vec::new() }),
            gate: None,
            steps: Vec::new(),
        }
    }

    /// A redirect.
    pub(crate) fn redirect(status: u16, to: impl AsRef<str>) -> Self {
        Self::status(status).header("Location", to.as_ref())
    }

    /// Exactly these bytes, then the end of the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { head: None, gate: None, steps: vec![Step::Send(bytes.into())] }
    }

    /// Adds a header to a reply that is not raw.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let head = self.head.as_mut().expect("a raw reply spells out its headers");
        head.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the body of a reply that is not raw.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.head.as_mut().expect("a raw reply spells out its body").body = body.into();
        self
    }

    /// Sends nothing before the gate opens.
    pub(crate) fn gated(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Raw replies: sends more bytes.
    pub(crate) fn then(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// Raw replies: waits until the gate opens.
    pub(crate) fn then_wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Raw replies: sends the bytes repeatedly until the client disconnects.
    pub(crate) fn then_for_ever(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Repeat(bytes.into()))
    }

    /// Raw replies: sends nothing more, but keeps the connection until the client disconnects.
    pub(crate) fn then_hang(self) -> Self {
        self.step(Step::Hang)
    }

    fn step(mut self, step: Step) -> Self {
        assert!(self.head.is_none(), "only a raw reply has steps");
        self.steps.push(step);
        self
    }
}

/// Holds replies back until the test opens it. Clones share the gate.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Opens it permanently.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn wait(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the sender lives in `self`");
    }
}

type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

#[derive(Default)]
struct State {
    inner: Mutex<Inner>,
    arrivals: watch::Sender<usize>,
}

#[derive(Default)]
struct Inner {
    replies: HashMap<String, VecDeque<Reply>>,
    handler: Option<Handler>,
    requests: Vec<Request>,
    connections: usize,
}

impl State {
    fn connected(&self) -> usize {
        let mut inner = self.inner.lock().unwrap();
        inner.connections += 1;
        inner.connections
    }

    /// Records the request and chooses its reply.
    fn reply_to(&self, request: &Request) -> Reply {
        let handler = {
            let mut inner = self.inner.lock().unwrap();
            inner.requests.push(request.clone());
            self.arrivals.send_modify(|count| *count += 1);
            if let Some(replies) = inner.replies.get_mut(request.path()) {
                if replies.len() > 1 {
                    return replies.pop_front().expect("there are at least two");
                }
                if let Some(last) = replies.front() {
                    return last.clone();
                }
            }
            inner.handler.clone()
        };
        handler.map_or_else(|| Reply::status(404), |handler| handler(request))
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = state.connected();
        let state = Arc::clone(&state);
        connections.spawn(async move {
            // Many tests make the client disconnect in the middle of a reply.
            serve(stream, &state, number).await.unwrap_or_default();
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, state: &State, connection: usize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut received, connection).await? {
        let reply = state.reply_to(&request);
        if let Some(gate) = &reply.gate {
            gate.wait().await;
        }
        match reply.head {
            Some(head) => stream.write_all(&head.to_bytes()).await?,
            None => return play(&mut stream, reply.steps).await,
        }
    }
    Ok(())
}

/// Reads the next request of the connection; `None` at its end. `received` keeps the bytes after it.
async fn read_request(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    connection: usize,
) -> std::io::Result<Option<Request>> {
    let end = loop {
        if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    };
    let rest = received.split_off(end);
    let mut request = Request::parse(std::mem::replace(received, rest), connection);
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while received.len() < length {
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
    let rest = received.split_off(length);
    request.body = std::mem::replace(received, rest);
    Ok(Some(request))
}

async fn play(stream: &mut TcpStream, steps: Vec<Step>) -> std::io::Result<()> {
    for step in steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Repeat(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
            Step::Wait(gate) => gate.wait().await,
            Step::Hang => while stream.read(&mut [0; 512]).await? > 0 {},
        }
    }
    stream.shutdown().await
}

impl Head {
    fn to_bytes(&self) -> Vec<u8> {
        let reason =
            http::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or("Unknown")).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        // 304 and 204 have no body and must not have a `Content-Length`.
        if !matches!(self.status, 204 | 304) {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
