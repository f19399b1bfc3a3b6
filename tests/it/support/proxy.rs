//! A byte proxy between a client and a server that inspects the traffic and can hold it back from a given message on, so that a
//! test kills the client exactly between two messages.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Direction of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// A word that is counted, and how many occurrences may pass.
struct Watch {
    way: Way,
    word: &'static [u8],
    /// Occurrences that may pass; everything after them is held back, on every connection.
    allowed: usize,
    seen: usize,
}

/// A running proxy. Stops when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    watch: Arc<Mutex<Watch>>,
    held: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Starts in front of `server` and passes everything, counting the occurrences of `word` in that direction.
    #[expect(clippy::disallowed_methods, reason = "no `Lifecycle` in a test's proxy; `drop` ends the task")]
    pub(crate) async fn start(server: &str, way: Way, word: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let watch = Arc::new(Mutex::new(Watch { way, word, allowed: usize::MAX, seen: 0 }));
        let held = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, server.to_owned(), Arc::clone(&watch), held.clone()));
        Self { address, watch, held, accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes this many more occurrences; the bytes of the next one, and everything after it, are held back.
    pub(crate) fn hold_after(&self, words: usize) {
        let mut watch = self.watch.lock().unwrap();
        watch.allowed = watch.seen.saturating_add(words);
        self.held.send_replace(false);
    }

    /// Passes everything.
    pub(crate) fn let_pass(&self) {
        self.watch.lock().unwrap().allowed = usize::MAX;
        self.held.send_replace(false);
    }

    /// Waits until something is held back.
    pub(crate) async fn holds(&self) {
        self.held.subscribe().wait_for(|held| *held).await.unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: String, watch: Arc<Mutex<Watch>>, held: watch::Sender<bool>) {
    let mut ways = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
        ways.spawn(pass(from_client, to_server, Way::ToServer, Arc::clone(&watch), held.clone()));
        ways.spawn(pass(from_server, to_client, Way::ToClient, Arc::clone(&watch), held.clone()));
    }
}

/// Copies bytes until either side ends.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    watch: Arc<Mutex<Watch>>,
    held: watch::Sender<bool>,
) {
    // The tail of the previous bytes: a word may arrive in two pieces.
    let (mut bytes, mut before) = (vec![0; 64 << 10], Vec::new());
    loop {
        let Ok(length @ 1..) = from.read(&mut bytes).await else { return };
        let passes = {
            let mut watch = watch.lock().unwrap();
            if watch.way == way {
                before.extend_from_slice(&bytes[..length]);
                let mut at = 0;
                while let Some(found) =
                    before[at..].windows(watch.word.len()).position(|part| part == watch.word)
                {
                    at += found + watch.word.len();
                    watch.seen += 1;
                }
                let kept = before.len().saturating_sub(watch.word.len() - 1).max(at);
                before.drain(..kept);
            }
            watch.seen <= watch.allowed
        };
        if !passes {
            held.send_replace(true);
            // If the client is killed, the server must notice, too.
            while let Ok(1..) = from.read(&mut bytes).await {}
            return;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
